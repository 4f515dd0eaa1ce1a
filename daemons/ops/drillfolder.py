"""A folder with drills of one's own, as `pitlink chaos drills` lists it and `pitlink tui` plays from it."""

__all__ = ["RECORDS"]

RECORDS = "reports"
"""The folder in it with the records of those that were played from `pitlink tui`."""
