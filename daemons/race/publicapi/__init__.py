"""The API under /api/v1: what the pages show of each site, cut from its tree, and the document that describes it."""
