"""A recording played as live memory: an .ibt file, or a dump of the memory.

A file's channels are put into a live layout where names agree; what only live memory has is empty, but for the player's
own entries of the car arrays. What only files have (place on earth, tyre pressures) is left out: live memory has none.
A dump is one moment: its newest row is shown on and on, with the session's tick and time going on.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from protocol.irsdk import HEADER_BYTES, BadLayout, Header, Layout, read_variables

from .channels import EXTRAS, channels
from .fitting import empty, fit
from .ibt import Ibt
from .layouts import CARS_SINCE, layout_of
from .memory import MEMORY_BYTES

__all__ = ["Playback", "open_recording"]

_OWN: Final = {
    "CarIdxLap": "Lap", "CarIdxLapCompleted": "LapCompleted", "CarIdxLapDistPct": "LapDistPct", "CarIdxRPM": "RPM",
    "CarIdxTrackSurface": "PlayerTrackSurface", "CarIdxTrackSurfaceMaterial": "PlayerTrackSurfaceMaterial",
    "CarIdxOnPitRoad": "OnPitRoad", "CarIdxPosition": "PlayerCarPosition", "CarIdxClassPosition": "PlayerCarClassPosition",
    "CarIdxClass": "PlayerCarClass", "CarIdxLastLapTime": "LapLastLapTime", "CarIdxBestLapTime": "LapBestLapTime",
    "CarIdxSteer": "SteeringWheelAngle", "CarIdxGear": "Gear",
}  # fmt: skip


class Playback:
    """Rows of a recording, by their number. With `loop` it begins again at its end, ticks and time going on; without it
    there are `ends` rows."""

    def __init__(
        self, rows: npt.NDArray[np.uint8], layout: Layout, info: bytes, live: Layout, *, loop: bool
    ) -> None:
        self._rows, self._from, self._info = rows, layout, info
        self.layout = live
        self.count = len(rows)
        self.ends: int | None = None if loop else self.count
        self._template = empty(live)
        ends = np.ascontiguousarray(rows[[0, -1]]).view(layout.dtype)[:, 0]["SessionTick"]
        self._span = int(ends[1]) - int(ends[0]) + 1

    def rows(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Return the rows of `count` ticks. Raises ValueError past the end."""
        if self.ends is not None and first + count > self.ends:
            raise ValueError(f"{self.ends} rows, not {first + count}")
        numbers = np.arange(first, first + count)
        chosen = self._rows[numbers % self.count]
        same = self._from is self.layout
        rows = chosen if same else fit(chosen, self._from, self.layout, self._template)
        table = rows.view(self.layout.dtype)[:, 0]
        if not same:
            self._own_entries(table)
        rounds = numbers // self.count
        if rounds.any():
            self._go_on(table, rounds)
        return rows

    def session_info(self, tick: int) -> bytes:
        """Return the recording's session info: it has one."""
        return self._info

    def info_update(self, tick: int) -> int:
        """Return 1: it never changes."""
        return 1

    def _own_entries(self, table: npt.NDArray[np.void]) -> None:
        cars = self.layout["CarIdxLap"].count
        me = int(table["PlayerCarIdx"][0]) if "PlayerCarIdx" in self._from else -1
        if not 0 <= me < cars:
            return
        for array, own in _OWN.items():
            if own in self._from and array in self.layout:
                table[array][:, me] = table[own]

    def _go_on(self, table: npt.NDArray[np.void], rounds: npt.NDArray[np.int64]) -> None:
        table["SessionTick"] += (rounds * self._span).astype(np.int32)
        table["SessionTime"] += rounds * self._span / self.layout.tick_rate


def open_recording(path: str | os.PathLike[str], *, loop: bool = False, cars: int = CARS_SINCE) -> Playback:
    """Open a file or a dump by what it is. Raises BadLayout for what is neither, OSError."""
    with Path(path).open("rb") as file:
        header = Header.read(file.read(HEADER_BYTES))
        size = os.fstat(file.fileno()).st_size
    if len(header.buffers) > 1:
        if size > MEMORY_BYTES:
            raise BadLayout(f"{path} is larger than the simulator's memory")
        return _dump(Path(path).read_bytes())
    ibt = Ibt(path)
    if not len(ibt.rows):
        raise BadLayout(f"{path} has no rows")
    extras = {channel.needs for channel in channels() if channel.name in ibt.layout} & EXTRAS
    return Playback(ibt.rows, ibt.layout, ibt.info, layout_of(frozenset(extras), cars), loop=loop)


def _dump(data: bytes) -> Playback:
    header = Header.read(data)
    end = header.variables_at + 144 * header.variables
    layout = read_variables(data[header.variables_at : end], header.row_bytes, header.tick_rate)
    newest = max(header.buffers, key=lambda buffer: buffer.tick_count).offset
    row = np.frombuffer(data[newest : newest + header.row_bytes], np.uint8)[None]
    info = data[header.session_info_at :][: header.session_info_bytes].partition(b"\0")[0]
    return Playback(row, layout, info, layout, loop=True)
