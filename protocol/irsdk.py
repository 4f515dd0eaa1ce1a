"""What iRacing's shared memory and its .ibt files look like: header, variables, rows. Bytes in, values out, and back.

Little endian throughout, packed, as in iRacing's SDK (irsdk_defines.h) with the fields that builds since mid-2026 fill
(`cur_buf_tick_count`, `cur_buf`, `tick_count_begin`); older builds leave them zero, and a reader accepts both. Texts are
cp1252. Nothing here reads memory or files: `daemons.telemetry` does, and `chaos.doubles.iracing` writes them.
"""

import hashlib
import struct
from collections.abc import Mapping
from enum import IntEnum
from functools import cached_property
from typing import Any, Final

import numpy as np
from attrs import field, frozen

__all__ = [
    "CONNECTED",
    "DISK_BYTES",
    "HEADER_BYTES",
    "VARIABLE_BYTES",
    "BadLayout",
    "Buffer",
    "Disk",
    "Header",
    "Layout",
    "Type",
    "Variable",
    "read_variables",
]

HEADER_BYTES: Final = 112
DISK_BYTES: Final = 32
VARIABLE_BYTES: Final = 144
CONNECTED: Final = 1
"""The bit of `Header.status` that says that the simulator runs."""

VARIABLES_MAX, COUNT_MAX, ROW_BYTES_MAX = 4096, 4096, 1 << 20

_HEADER = struct.Struct("<10i i B3x")
_BUFFER = struct.Struct("<3i4x")
_DISK = struct.Struct("<qddii")
_VARIABLE = struct.Struct("<3i?3x32s64s32s")


_DTYPES = tuple(np.dtype(code) for code in ("u1", "u1", "<i4", "<u4", "<f4", "<f8"))


class BadLayout(ValueError):
    """These bytes are not what iRacing writes; says what is wrong with them and where."""


class Type(IntEnum):
    """The type of a variable's values."""

    CHAR = 0
    BOOL = 1
    INT = 2
    BITFIELD = 3
    FLOAT = 4
    DOUBLE = 5

    @property
    def dtype(self) -> np.dtype[Any]:
        """What a value is to numpy; a char is a byte, a bool too (the simulator writes 0 or 1, a stranger anything)."""
        return _DTYPES[self]


@frozen
class Variable:
    """One channel: `count` values of `type` at `offset` in the row. `count_as_time`: they are moments within the tick
    (360 Hz), not one value for each car or wheel."""

    name: str
    type: Type
    offset: int
    count: int = 1
    unit: str = ""
    description: str = ""
    count_as_time: bool = False

    @property
    def size(self) -> int:
        """Bytes in the row."""
        return self.type.dtype.itemsize * self.count

    def pack(self) -> bytes:
        """Return its 144 bytes. Raises BadLayout for a text that does not fit."""
        texts = [
            _packed(text, size, self.name)
            for text, size in ((self.name, 32), (self.description, 64), (self.unit, 32))
        ]
        return _VARIABLE.pack(self.type, self.offset, self.count, self.count_as_time, *texts)


@frozen
class Layout:
    """What a row holds. Two layouts are the same when their digest is."""

    variables: tuple[Variable, ...]
    row_bytes: int
    tick_rate: int = 60
    _by_name: Mapping[str, Variable] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {variable.name: variable for variable in self.variables})
        if not 0 < self.row_bytes <= ROW_BYTES_MAX or len(self.variables) > VARIABLES_MAX:
            raise BadLayout(f"a row of {self.row_bytes} bytes with {len(self.variables)} variables")
        if len(self._by_name) != len(self.variables):
            raise BadLayout("two variables have the same name")
        for variable in self.variables:
            if not 1 <= variable.count <= COUNT_MAX:
                raise BadLayout(f"{variable.name} has {variable.count} values")
            if variable.offset < 0 or variable.offset + variable.size > self.row_bytes:
                raise BadLayout(
                    f"{variable.name} at {variable.offset} leaves the row of {self.row_bytes} bytes"
                )

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Variable:
        return self._by_name[name]

    def get(self, name: str) -> Variable | None:
        """Return the variable of that name, or None."""
        return self._by_name.get(name)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """A row as numpy sees it: `np.frombuffer(rows, layout.dtype)["Speed"]`; arrays have their count as last axis."""
        return np.dtype(
            {
                "names": [variable.name for variable in self.variables],
                "formats": [
                    v.type.dtype if v.count == 1 else (v.type.dtype, (v.count,)) for v in self.variables
                ],
                "offsets": [variable.offset for variable in self.variables],
                "itemsize": self.row_bytes,
            }
        )

    @cached_property
    def packed(self) -> bytes:
        """Its variable headers one after the other, as the simulator writes them."""
        return b"".join(variable.pack() for variable in self.variables)

    @cached_property
    def digest(self) -> bytes:
        """8 bytes that name it."""
        head = struct.pack("<2i", self.row_bytes, self.tick_rate)
        return hashlib.blake2b(head + self.packed, digest_size=8).digest()


@frozen
class Buffer:
    """One of the simulator's row buffers. `tick_count` is written after the row, `tick_count_begin` before it (0 in
    builds before mid-2026)."""

    tick_count: int
    offset: int
    tick_count_begin: int = 0


@frozen(kw_only=True)
class Header:
    """The first 112 bytes of the memory and of a file."""

    version: int = 2
    status: int = CONNECTED
    tick_rate: int = 60
    session_info_update: int = 0
    session_info_bytes: int
    session_info_at: int
    variables: int
    variables_at: int
    row_bytes: int
    cur_buf_tick_count: int = 0
    cur_buf: int = 0
    buffers: tuple[Buffer, ...]

    @classmethod
    def read(cls, data: bytes | memoryview) -> "Header":
        """Read it from the beginning of `data`. Raises BadLayout."""
        if len(data) < HEADER_BYTES:
            raise BadLayout(f"{len(data)} bytes, a header has {HEADER_BYTES}")
        (version, status, rate, update, info_bytes, info_at, count, variables_at, buffers, row_bytes,
         newest_tick, newest) = _HEADER.unpack_from(data)  # fmt: skip
        if version not in (1, 2) or not 0 < buffers <= 4 or not 0 < rate <= 1000:
            raise BadLayout(
                f"not iRacing's: version {version}, {buffers} buffers, {rate} ticks a second; 1 or 2, 1 to 4 and 60 are"
            )
        if min(info_bytes, info_at, count, variables_at) < 0 or count > VARIABLES_MAX:
            raise BadLayout(f"{count} variables at {variables_at}, session info at {info_at}: cannot be")
        if not 0 < row_bytes <= ROW_BYTES_MAX:
            raise BadLayout(f"a row of {row_bytes} bytes")
        found = []
        for at in range(buffers):
            tick, offset, begin = _BUFFER.unpack_from(data, 48 + 16 * at)
            found.append(Buffer(tick, offset, begin))
        return cls(
            version=version, status=status, tick_rate=rate, session_info_update=update, session_info_bytes=info_bytes,
            session_info_at=info_at, variables=count, variables_at=variables_at, row_bytes=row_bytes,
            cur_buf_tick_count=newest_tick, cur_buf=newest, buffers=tuple(found),
        )  # fmt: skip

    def pack(self) -> bytes:
        """Return its 112 bytes."""
        head = _HEADER.pack(
            self.version, self.status, self.tick_rate, self.session_info_update, self.session_info_bytes,
            self.session_info_at, self.variables, self.variables_at, len(self.buffers), self.row_bytes,
            self.cur_buf_tick_count, self.cur_buf,
        )  # fmt: skip
        rows = b"".join(_BUFFER.pack(b.tick_count, b.offset, b.tick_count_begin) for b in self.buffers)
        return (head + rows).ljust(HEADER_BYTES, b"\0")


@frozen
class Disk:
    """What a file has between header and variables. Seconds: `started_utc_s` UTC, the others of the session."""

    started_utc_s: int
    session_start_s: float
    session_end_s: float
    laps: int
    records: int

    @classmethod
    def read(cls, data: bytes | memoryview) -> "Disk":
        """Read it from a whole file. Raises BadLayout."""
        if len(data) < HEADER_BYTES + DISK_BYTES:
            raise BadLayout(f"{len(data)} bytes: the file ends within its headers")
        return cls(*_DISK.unpack_from(data, HEADER_BYTES))

    def pack(self) -> bytes:
        """Return its 32 bytes."""
        return _DISK.pack(
            self.started_utc_s, self.session_start_s, self.session_end_s, self.laps, self.records
        )


def read_variables(packed: bytes | memoryview, row_bytes: int, tick_rate: int = 60) -> Layout:
    """Read variable headers that stand one after the other. Raises BadLayout."""
    if len(packed) % VARIABLE_BYTES:
        raise BadLayout(f"{len(packed)} bytes of variables: not a multiple of {VARIABLE_BYTES}")
    variables = []
    for at in range(0, len(packed), VARIABLE_BYTES):
        kind, offset, count, as_time, name, description, unit = _VARIABLE.unpack_from(packed, at)
        if not 0 <= kind < len(Type):
            raise BadLayout(f"variable {at // VARIABLE_BYTES} has type {kind}, known are 0 to 5")
        variables.append(
            Variable(_text(name), Type(kind), offset, count, _text(unit), _text(description), as_time)
        )
    return Layout(tuple(variables), row_bytes, tick_rate)


def _text(packed: bytes) -> str:
    return packed.split(b"\0", 1)[0].decode("cp1252", "replace")


def _packed(text: str, size: int, name: str) -> bytes:
    packed = text.encode("cp1252", "replace")
    if len(packed) >= size:
        raise BadLayout(f"{name}: {text!r} has {len(packed)} bytes, {size - 1} fit")
    return packed
