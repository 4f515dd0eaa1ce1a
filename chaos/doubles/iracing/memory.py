"""The simulator's shared memory, written byte for byte as the simulator writes it, into a file that a reader maps.

The map has 1,191,936 bytes: header, session info at 112, variable headers at 524,400, three row buffers at 1,114,224 and
every 24,576 from there. Tick n goes to buffer n % 3, in this order: `tick_count_begin`, the row, `tick_count`, then
`cur_buf_tick_count` and `cur_buf` of the header. Builds before mid-2026 leave the first and the last two zero.

The simulator clears the buffer that comes next and streams the coming tick's 360 Hz values into it while its header
still names the old tick: `publish` does that too when it is given `coming`.

The count of ticks in the header is the simulator's own, from its start: it is not `SessionTick`.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from protocol.irsdk import CONNECTED, HEADER_BYTES, Buffer, Header, Layout

__all__ = [
    "BUFFERS",
    "BUFFERS_AT",
    "BUFFER_STRIDE",
    "INFO_AT",
    "INFO_BYTES",
    "MEMORY_BYTES",
    "VARIABLES_AT",
    "SimMemory",
    "coming_mask",
]

MEMORY_BYTES: Final = 1164 * 1024
INFO_AT: Final = HEADER_BYTES
INFO_BYTES: Final = 524_288
VARIABLES_AT: Final = 524_400
VARIABLES_BYTES: Final = 4096 * 144
BUFFERS_AT: Final = 1_114_224
BUFFER_STRIDE: Final = 24_576
BUFFERS: Final = 3
SUB_SAMPLES_DONE: Final = 3
"""Of the six values of a 360 Hz channel, those that are there half-way through a tick."""

_INT = struct.Struct("<i")
_STATUS_AT, _UPDATE_AT, _CURRENT_TICK_AT, _CURRENT_AT, _BUFFER_AT = 4, 12, 40, 44, 48


class SimMemory:
    """One simulator's memory in the file at `path`, which is made when it is not there and written over when it is.

    Nothing is locked, as nothing is in the simulator: readers see each store as it is made. `since_2026` says which
    header is written. `first_tick` is what the header counts from. Close it, or use it as a context manager.
    """

    def __init__(
        self, path: str | os.PathLike[str], layout: Layout, *, since_2026: bool = True, first_tick: int = 1
    ) -> None:
        self.path = Path(path)
        self.layout = layout
        self.since_2026 = since_2026
        self.tick = first_tick - 1
        """What the header counted last."""
        self.info_update = 0
        self._first_tick = first_tick
        self._info_bytes = INFO_BYTES
        self._begun, self._counts = [0] * BUFFERS, [0] * BUFFERS
        self._newest = self.tick % BUFFERS
        self._torn: tuple[int, bytes, int] | None = None
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size != MEMORY_BYTES:
                os.ftruncate(file, MEMORY_BYTES)
            self._map = mmap.mmap(file, MEMORY_BYTES)
        finally:
            os.close(file)

    def __enter__(self) -> "SimMemory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SimMemory {self.path} tick {self.tick} of {len(self.layout.variables)} variables>"

    def close(self) -> None:
        """Let go of the map. What stands in it stays, as after a crash of the simulator; `exit` before says more."""
        self._map.close()

    # --- the simulator's life ---

    def start(self, info: bytes) -> None:
        """Begin, as a simulator that was just started: all buffers empty, ticks counted from the first, connected."""
        self._map[BUFFERS_AT:] = bytes(MEMORY_BYTES - BUFFERS_AT)
        self._torn = None
        self.tick = self._first_tick - 1
        self._begun, self._counts = [0] * BUFFERS, [0] * BUFFERS
        self._newest = self.tick % BUFFERS
        self.change(self.layout, info)

    def change(self, layout: Layout, info: bytes) -> None:
        """Publish another layout under the readers' feet, as when another car is driven: no disconnect, rows go on."""
        if layout.row_bytes > BUFFER_STRIDE:
            raise ValueError(f"a row of {layout.row_bytes} bytes: {BUFFER_STRIDE} fit")
        self.layout = layout
        self._map[VARIABLES_AT : VARIABLES_AT + VARIABLES_BYTES] = layout.packed.ljust(VARIABLES_BYTES, b"\0")
        self._write_info(info)
        self._map[:HEADER_BYTES] = self._header().pack()

    def exit(self) -> None:
        """Leave: the simulator is not connected any more. The rows stay as they are."""
        self._put(_STATUS_AT, 0)

    def set_info(self, info: bytes) -> None:
        """Write another session info, then count it."""
        self._write_info(info)
        self._put(_UPDATE_AT, self.info_update)

    # --- rows ---

    def publish(self, row: bytes | memoryview, coming: bytes | memoryview | None = None) -> int:
        """Write one row as the next tick; return what the header counts it as. `coming`: what is there already of the row
        after it (see `coming_mask`), put into the buffer that comes next."""
        self._complete()
        self.tick += 1
        self._newest = (self._newest + 1) % BUFFERS
        self._begin(self.tick)
        self._put_row(row)
        self._done()
        if coming is not None:
            after = BUFFERS_AT + (self._newest + 1) % BUFFERS * BUFFER_STRIDE
            self._map[after : after + len(coming)] = coming
        return self.tick

    def tear(self, row: bytes | memoryview, written: int, *, ticks: int = 1) -> None:
        """Leave the next row half written where the newest stands: what a reader sees whose copy began in time and went on
        too long. `tick_count_begin` is the new tick's, `tick_count` the old one's, `written` bytes are the new row's.

        It stays so until `mend` or the next `publish`. The simulator comes back to a buffer after 3 `ticks`; with 1 no tick
        is lost to a reader that tries again. Only the header since mid-2026 shows it.
        """
        self._complete()
        self._torn = (self.tick + ticks, bytes(row), written)
        self._begin(self.tick + ticks)
        self._put_row(row[:written])

    def mend(self) -> int:
        """Finish the row that was torn, if one is. Return what the header counts now."""
        self._complete()
        return self.tick

    def _complete(self) -> None:
        if self._torn is None:
            return
        (self.tick, row, written), self._torn = self._torn, None
        self._put_row(row[written:], written)
        self._done()

    def _begin(self, tick: int) -> None:
        if self.since_2026:
            self._begun[self._newest] = tick
            self._put(_BUFFER_AT + 16 * self._newest + 8, tick)

    def _put_row(self, part: bytes | memoryview, skipped: int = 0) -> None:
        place = BUFFERS_AT + self._newest * BUFFER_STRIDE + skipped
        self._map[place : place + len(part)] = part

    def _done(self) -> None:
        self._counts[self._newest] = self.tick
        self._put(_BUFFER_AT + 16 * self._newest, self.tick)
        if self.since_2026:
            self._put(_CURRENT_TICK_AT, self.tick)
            self._map[_CURRENT_AT] = self._newest

    def _put(self, at: int, value: int) -> None:
        _INT.pack_into(self._map, at, value)

    def _write_info(self, info: bytes) -> None:
        if len(info) >= INFO_BYTES:
            raise ValueError(f"session info of {len(info)} bytes: {INFO_BYTES - 1} fit")
        self._map[INFO_AT : INFO_AT + max(len(info), self._info_bytes)] = info.ljust(self._info_bytes, b"\0")
        self._info_bytes = len(info)
        self.info_update += 1

    def _header(self) -> Header:
        buffers = tuple(
            Buffer(self._counts[at], BUFFERS_AT + at * BUFFER_STRIDE, self._begun[at])
            for at in range(BUFFERS)
        )
        return Header(
            status=CONNECTED, tick_rate=self.layout.tick_rate, session_info_update=self.info_update,
            session_info_bytes=INFO_BYTES, session_info_at=INFO_AT, variables=len(self.layout.variables),
            variables_at=VARIABLES_AT, row_bytes=self.layout.row_bytes, cur_buf_tick_count=self.tick if self.since_2026 else 0,
            cur_buf=self._newest if self.since_2026 else 0, buffers=buffers,
        )  # fmt: skip


def coming_mask(layout: Layout) -> npt.NDArray[np.uint8]:
    """Return, for each byte of a row, 255 where the coming row has its value already half-way through its tick: the raw
    pedals and the first three of six 360 Hz values. `rows & mask` is what `publish` takes as `coming`."""
    mask = np.zeros(layout.row_bytes, np.uint8)
    for variable in layout.variables:
        if variable.count_as_time:
            size = variable.type.dtype.itemsize * SUB_SAMPLES_DONE
            mask[variable.offset : variable.offset + size] = 255
        elif variable.name in ("ThrottleRaw", "ClutchRaw"):
            mask[variable.offset : variable.offset + variable.size] = 255
    return mask
