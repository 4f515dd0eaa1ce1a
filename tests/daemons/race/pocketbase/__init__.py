"""PocketBase's read API."""
