"""The relay's spool: a lossless copy of every tick on the driver's disk, until the backend has it."""

from daemons.telemetry.spool.offering import Offering
from daemons.telemetry.spool.spool import Spool, SpoolFigures, open_spool

__all__ = ["Offering", "Spool", "SpoolFigures", "open_spool"]
