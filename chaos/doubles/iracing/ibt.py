"""Files as the simulator writes them: `.ibt`, which `irsdk.IBT` opens. Written from a race, and read to be played.

Header with one buffer, 32 bytes about the recording, variables at 144, session info (not padded), rows until the end.
"""

import mmap
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from protocol.irsdk import DISK_BYTES, HEADER_BYTES, BadLayout, Buffer, Disk, Header, Layout, read_variables

from .race import Race

__all__ = ["Ibt", "record", "write_ibt"]

STARTED_UTC_S = 1_789_000_000
"""When a made-up race was driven, unless somebody says otherwise."""


def write_ibt(
    path: str | os.PathLike[str], layout: Layout, rows: npt.NDArray[np.uint8], info: bytes, *,
    started_utc_s: int = STARTED_UTC_S, crashed: bool = False,
) -> None:  # fmt: skip
    """Write a file. `rows` (n, row_bytes). `crashed`: as a simulator leaves it that had no time to count its records."""
    table = np.ascontiguousarray(rows).view(layout.dtype)[:, 0]
    variables_at = HEADER_BYTES + DISK_BYTES
    info_at = variables_at + len(layout.packed)
    disk = Disk(
        started_utc_s, float(table["SessionTime"][0]), float(table["SessionTime"][-1]),
        int(table["Lap"].max()), 0 if crashed else len(rows),
    )  # fmt: skip
    header = Header(
        tick_rate=layout.tick_rate, session_info_bytes=len(info), session_info_at=info_at,
        variables=len(layout.variables), variables_at=variables_at, row_bytes=layout.row_bytes,
        buffers=(Buffer(int(table["SessionTick"][0]), info_at + len(info)),),
    )  # fmt: skip
    with Path(path).open("wb") as file:
        file.write(header.pack() + disk.pack() + layout.packed + info)
        rows.tofile(file)


def record(race: Race, path: str | os.PathLike[str], first: int, count: int) -> None:
    """Write `count` ticks of a race as the file that the simulator would have made."""
    write_ibt(path, race.disk_layout, race.disk_rows(first, count), race.session_info(first))


class Ibt:
    """An open file. `rows` (n, row_bytes) is the mapped file itself: nothing is read before it is asked for. The number of
    rows is what the file has, not what its header says. Raises BadLayout, OSError."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with Path(path).open("rb") as file:
            if os.fstat(file.fileno()).st_size < HEADER_BYTES + DISK_BYTES:
                raise BadLayout(f"{path} is too short for an .ibt file")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = Header.read(data[:HEADER_BYTES])
        end = header.variables_at + 144 * header.variables
        self.layout = read_variables(data[header.variables_at : end], header.row_bytes, header.tick_rate)
        self.info = data[header.session_info_at :][: header.session_info_bytes].rstrip(b"\0")
        self.disk = Disk.read(data[: HEADER_BYTES + DISK_BYTES])
        at = header.buffers[0].offset
        count = (len(data) - at) // header.row_bytes
        whole = np.frombuffer(data, np.uint8, count * header.row_bytes, at)
        self.rows: npt.NDArray[np.uint8] = whole.reshape(count, header.row_bytes)
