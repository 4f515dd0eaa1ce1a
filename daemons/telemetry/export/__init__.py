"""Laps and sessions as files for other programs: CSV, Parquet, and the simulator's own .ibt."""

from daemons.telemetry.export.files import exported, formats
from daemons.telemetry.export.parts import Part, parts_of

__all__ = ["Part", "exported", "formats", "parts_of"]
