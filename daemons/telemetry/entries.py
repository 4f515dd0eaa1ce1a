"""What a recording is made of where it is kept and sent: entries, numbered from 0, in order.

HEAD is the first: the recording itself (`pack_head`), all but its session info. INFO is a session info that changed, as
`protocol.columns.encode_info` writes it, against the INFO before. ROWS is one batch of `protocol.columns.encode`. END is
the last: why, in words (UTF-8). Numbers that are missing are a gap.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from daemons.telemetry.recording import ID_BYTES, Recording
from protocol import cbor
from protocol.errors import RemoteProtocolError
from protocol.irsdk import VARIABLE_BYTES, BadLayout, Layout, read_variables
from protocol.zstd import ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = ["WISH", "BadEntry", "Entry", "EntryKind", "pack_head", "unpack_head"]

WISH: Final = "telemetry"
"""The name on the link of what the backend wants live."""
_VARIABLES_MAX = 4096
_SOURCE_MAX: Final = 300
_LEVEL = 3


class BadEntry(ValueError):
    """These bytes are not an entry of its kind; the words never contain what was in it."""


class EntryKind(IntEnum):
    """What an entry holds."""

    HEAD = 0
    INFO = 1
    ROWS = 2
    END = 3


@frozen
class Entry:
    """`first_tick`, `last_tick`: of ROWS, said by who has looked into it; -1: nobody has."""

    number: int
    kind: EntryKind
    data: bytes
    first_tick: int = -1
    last_tick: int = -1


def pack_head(recording: Recording) -> bytes:
    """Return the data of its HEAD."""
    layout = recording.layout
    return cbor.encode(
        {
            "id": recording.id,
            "started_utc_us": recording.started_utc_us,
            "source": recording.source[:_SOURCE_MAX],
            "row_bytes": layout.row_bytes,
            "tick_rate": layout.tick_rate,
            "variables": ZstdCompressor(level=_LEVEL).compress(
                layout.packed, mode=ZstdCompressor.FLUSH_FRAME
            ),
        }
    )


def unpack_head(data: bytes, driver: str) -> Recording:
    """Return the recording of a HEAD that came from `driver`, without its session info. Raises BadEntry."""
    try:
        head = cbor.decode(data)
    except RemoteProtocolError as error:
        raise BadEntry(f"a head that cannot be read: {error}") from None
    if not isinstance(head, dict):
        raise BadEntry("a head that is no map")
    id_, variables, source = head.get("id"), head.get("variables"), head.get("source")
    if not isinstance(id_, bytes) or len(id_) != ID_BYTES:
        raise BadEntry("a head without an id")
    if not isinstance(variables, bytes) or not isinstance(source, str) or len(source) > _SOURCE_MAX:
        raise BadEntry("a head without variables or source")
    started_utc_us, row_bytes, tick_rate = (
        _number(head, name, most)
        for name, most in (("started_utc_us", 2**53), ("row_bytes", 1 << 20), ("tick_rate", 1000))
    )
    try:
        layout = _layout(variables, row_bytes, tick_rate)
    except (ZstdError, BadLayout) as error:
        raise BadEntry(f"a head whose variables cannot be: {error}") from None
    return Recording(id=id_, driver=driver, layout=layout, started_utc_us=started_utc_us, source=source)


@lru_cache(maxsize=64)
def _layout(variables: bytes, row_bytes: int, tick_rate: int) -> Layout:
    """Return a layout; the same object for all drivers who have it: what is worked out for it is worked out once."""
    most = _VARIABLES_MAX * VARIABLE_BYTES
    decompressor = ZstdDecompressor()
    packed = decompressor.decompress(variables, max_length=most + 1)
    if not decompressor.eof:
        raise BadEntry("a head whose variables end in the middle, or are too many")
    return read_variables(packed, row_bytes, tick_rate)


def _number(head: dict[str, Any], name: str, most: int) -> int:
    value = head.get(name)
    if type(value) is not int or not 0 < value <= most:
        raise BadEntry(f"a head whose {name} cannot be")
    return value
