"""PocketBase's read API over what is known of the events, for clients that were written against PocketBase."""
