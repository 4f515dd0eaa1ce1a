"""The fingerprint of a run: a running hash of (virtual time, pipe, bytes) over everything put on the wire.

Two runs with the same fingerprint sent the same bytes at the same instants in the same order, which is as
near to "the same run" as anything outside a daemon can see. When two differ, a trace written to a file shows
the first line that does.
"""

import hashlib
import struct
import zlib
from typing import TextIO

_HEAD = struct.Struct("<dIi")


class Trace:
    """Hash what is sent.

    With `file`, also write one line for each entry: time, pipe, length, CRC-32 of the bytes.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._file = file
        self.entries = 0

    def record(self, now: float, pipe: int, data: bytes) -> None:
        """Add bytes that enter the wire."""
        self.entries += 1
        self._hash.update(_HEAD.pack(now, pipe, len(data)) + data)
        if self._file is not None:
            print(f"{now!r} {pipe} {len(data)} {zlib.crc32(data):08x}", file=self._file)

    def mark(self, now: float, pipe: int, mark: int) -> None:
        """Add something that is not bytes: a connection opened, a FIN, a reset."""
        self.entries += 1
        self._hash.update(_HEAD.pack(now, pipe, -mark))
        if self._file is not None:
            print(f"{now!r} {pipe} mark {mark}", file=self._file)

    def hexdigest(self) -> str:
        """Return the fingerprint of everything so far."""
        return self._hash.hexdigest()
