"""One .ibt file, opened: what it says of itself, and its rows.

The simulator writes the number of rows when it closes the file. One that crashed left the number of another time there, so
the rows are counted by the file's size; half a row at the end is left out, and told.
"""

import os
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import numpy as np
from attrs import field, frozen

from daemons.telemetry.recording import ID_BYTES
from protocol.irsdk import (
    DISK_BYTES,
    HEADER_BYTES,
    VARIABLE_BYTES,
    BadLayout,
    Disk,
    Header,
    Layout,
    read_variables,
)

__all__ = ["IbtFile"]

INFO_BYTES_MAX = 4 << 20
GROWING_S = 10.0


@frozen
class IbtFile:
    """A file, open for reading; a context manager. `rows`: whole rows in it; `half_bytes`: bytes after the last;
    `changed_utc_s`: when it was last written to."""

    path: Path
    disk: Disk
    layout: Layout
    info: bytes
    rows: int
    half_bytes: int
    changed_utc_s: float
    _first_at: int
    _file: IO[bytes] = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> "IbtFile":
        """Open it. Raises BadLayout for what the simulator never wrote, OSError. Blocks: call it in a thread."""
        file = path.open("rb")
        try:
            return cls._read(path, file)
        except BaseException:
            file.close()
            raise

    @classmethod
    def _read(cls, path: Path, file: IO[bytes]) -> "IbtFile":
        stat = os.fstat(file.fileno())
        head = file.read(HEADER_BYTES + DISK_BYTES)
        header, disk = Header.read(head), Disk.read(head)
        packed = _part(file, header.variables_at, header.variables * VARIABLE_BYTES)
        if len(packed) != header.variables * VARIABLE_BYTES:
            raise BadLayout("the file ends within its variables")
        layout = read_variables(packed, header.row_bytes, header.tick_rate)
        if header.session_info_bytes > INFO_BYTES_MAX:
            raise BadLayout(f"session info of {header.session_info_bytes} bytes")
        info = _part(file, header.session_info_at, header.session_info_bytes).split(b"\0", 1)[0]
        first_at = header.buffers[0].offset
        if first_at < HEADER_BYTES + DISK_BYTES:
            raise BadLayout(f"rows at {first_at}, within the headers: this is the memory, not a file")
        rows, half = divmod(max(0, stat.st_size - first_at), header.row_bytes)
        return cls(path, disk, layout, info, rows, half, stat.st_mtime, first_at, file)

    def __enter__(self) -> "IbtFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def id(self) -> bytes:
        """16 bytes, the same for the same recording: of its beginning, so that a file which grew since keeps them."""
        began = self.disk.started_utc_s.to_bytes(8, "little", signed=True)
        return blake2b(began + self.layout.digest + self.read(0, 1), digest_size=ID_BYTES).digest()

    @property
    def started_utc_us(self) -> int:
        """When it was begun; 0 where the file names no time that can be."""
        seconds = self.disk.started_utc_s
        return seconds * 1_000_000 if 0 < seconds < 1 << 33 else 0

    @property
    def words(self) -> str | None:
        """What is wrong with its end, or None."""
        said = []
        if self.half_bytes:
            said.append(f"the last row is cut off after {self.half_bytes} of {self.layout.row_bytes} bytes")
        if self.disk.records != self.rows:
            said.append(f"the file says {self.disk.records} rows and has {self.rows}")
        return "; ".join(said) or None

    def is_growing(self, now_utc_s: float) -> bool:
        """Whether the simulator still writes it: it says its number of rows only at the end."""
        return self.words is not None and abs(now_utc_s - self.changed_utc_s) < GROWING_S

    def read(self, first: int, count: int) -> bytes:
        """Return rows `first` to `first + count` as far as there are such. Blocks. Raises OSError, ValueError for a row
        before the first."""
        if first < 0:
            raise ValueError(f"row {first}: the first is 0")
        row_bytes = self.layout.row_bytes
        count = max(0, min(count, self.rows - first))
        data = _part(self._file, self._first_at + first * row_bytes, count * row_bytes)
        return data[: len(data) // row_bytes * row_bytes]

    def table(self) -> "np.ndarray[Any, np.dtype[Any]]":
        """Return all rows, (rows, row_bytes) uint8. Blocks. Raises OSError."""
        data = np.frombuffer(self.read(0, self.rows), np.uint8)
        return data.reshape(-1, self.layout.row_bytes)


def _part(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
