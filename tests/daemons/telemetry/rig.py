"""Recordings of cars that were driven by hand, as a relay would send them."""

from collections.abc import Sequence

import numpy as np

from daemons.telemetry.entries import Entry, EntryKind, pack_head
from daemons.telemetry.recording import Recording
from protocol.columns import Group, encode, encode_info
from protocol.irsdk import Layout, Type, Variable
from tests.daemons.telemetry.finding.test_laps import Drive

__all__ = ["INFO", "LAYOUT", "STARTED_US", "entries_of", "recording_of", "rows_of"]

STARTED_US = 1_800_000_000_000_000
INFO = b"""---
WeekendInfo:
 TrackName: ring
 TrackLength: 1.50 km
 SubSessionID: 77
 TrackDisplayName: The Ring
 TrackConfigName: Short

SessionInfo:
 Sessions:
 - SessionNum: 0
   SessionType: Practice
 - SessionNum: 1
   SessionType: Race

SplitTimeInfo:
 Sectors:
 - SectorNum: 0
   SectorStartPct: 0.000000
 - SectorNum: 1
   SectorStartPct: 0.250000
 - SectorNum: 2
   SectorStartPct: 0.700000

DriverInfo:
 DriverCarIdx: 1
 DriverCarFuelMaxLtr: 60.000
 DriverCarEstLapTime: 16.0
 Drivers:
 - CarIdx: 0
   UserName: Pace Car
   CarIsPaceCar: 1
   CarClassColor: 0x000000
 - CarIdx: 1
   UserName: Anna
   UserID: 9
   TeamID: 42
   TeamName: Red Foxes
   CarNumber: "7"
   CarScreenName: Cup Car
   CarClassShortName: CUP
   CarClassColor: 0xffda59

...
"""


def _layout() -> Layout:
    kinds = [
        ("SessionTime", Type.DOUBLE, 1, "s"), ("SessionTick", Type.INT, 1, ""), ("SessionNum", Type.INT, 1, ""),
        ("LapDistPct", Type.FLOAT, 1, "%"), ("Lap", Type.INT, 1, ""), ("IsOnTrack", Type.BOOL, 1, ""),
        ("OnPitRoad", Type.BOOL, 1, ""), ("PlayerTrackSurface", Type.INT, 1, ""),
        ("PlayerCarMyIncidentCount", Type.INT, 1, ""), ("FuelLevel", Type.FLOAT, 1, "l"),
        ("Speed", Type.FLOAT, 1, "m/s"), ("CarIdxLapDistPct", Type.FLOAT, 4, "%"),
    ]  # fmt: skip
    variables, offset = [], 0
    for name, kind, count, unit in kinds:
        variables.append(Variable(name, kind, offset, count, unit))
        offset += variables[-1].size
    return Layout(tuple(variables), offset)


LAYOUT = _layout()


def rows_of(driven: Drive) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return the drive as rows of LAYOUT."""
    rows = np.zeros(len(driven.ticks), LAYOUT.dtype)
    for name, column in driven.columns.items():
        rows[name] = column
    rows["SessionTick"] = driven.ticks
    rows["SessionNum"] = 1
    rows["Speed"] = np.gradient(driven.at) * 60 * 1500
    rows["CarIdxLapDistPct"] = (driven.at[:, None] + np.arange(4) / 8) % 1.0
    return rows.view(np.uint8).reshape(len(rows), -1)


def recording_of(driver: str = "anna", id_: bytes = b"r" * 16) -> Recording:
    return Recording(id=id_, driver=driver, layout=LAYOUT, started_utc_us=STARTED_US, source="a test")


def entries_of(
    driven: Drive, recording: Recording, groups: Sequence[Group] = (Group(),), size: int = 60
) -> list[Entry]:
    """Return all entries of the recording: head, info, rows in batches, end."""
    rows = rows_of(driven)
    batches = [
        encode(
            LAYOUT,
            np.ascontiguousarray(rows[at : at + size]),
            driven.ticks[at : at + size].astype(np.int64),
            groups,
        )
        for at in range(0, len(rows), size)
    ]
    parts = [(EntryKind.HEAD, pack_head(recording)), (EntryKind.INFO, encode_info(INFO, None))]
    parts += [(EntryKind.ROWS, batch) for batch in batches]
    parts += [(EntryKind.END, b"the simulator was closed")]
    return [Entry(number, kind, data) for number, (kind, data) in enumerate(parts)]
