"""The store of recordings: every tick, for as long as there is room."""
