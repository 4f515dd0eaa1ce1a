"""An .ibt file, as the simulator writes one: what was kept of its rows comes back byte for byte.

A recording of the live memory becomes a file with the live memory's channels: pyirsdk opens it like any other.
"""

import numpy as np

from protocol.irsdk import DISK_BYTES, HEADER_BYTES, Buffer, Disk, Header, Layout

__all__ = ["head_of"]


def head_of(
    layout: Layout, info: bytes, *, started_utc_s: int, first: bytes, last: bytes, rows: int
) -> bytes:
    """Return all that is in front of the rows. `first`, `last`: rows; `info`: the session info, in the simulator's encoding."""
    ends = np.frombuffer(first + last, layout.dtype)
    times = ends["SessionTime"].astype(float).tolist() if "SessionTime" in layout else [0.0, 0.0]
    laps = int(ends["Lap"].max()) if "Lap" in layout else 0
    tick = int(ends["SessionTick"][0]) if "SessionTick" in layout else 0
    variables_at = HEADER_BYTES + DISK_BYTES
    info_at = variables_at + len(layout.packed)
    header = Header(
        tick_rate=layout.tick_rate, session_info_bytes=len(info), session_info_at=info_at,
        variables=len(layout.variables), variables_at=variables_at, row_bytes=layout.row_bytes,
        buffers=(Buffer(tick, info_at + len(info)),),
    )  # fmt: skip
    disk = Disk(started_utc_s, times[0], times[1], laps, rows)
    return header.pack() + disk.pack() + layout.packed + info
