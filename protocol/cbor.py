"""CBOR (RFC 8949) in the strict profile of the link.

cbor2's defaults are unsafe for bytes of strangers: tag 4 with a megabyte bignum takes minutes, tag 35
compiles a regex, tags 28/29 build cycles, 8 KiB of bignum cannot even be logged, and what stands behind the
first item is ignored in silence. So: no tags at all, depth 16, text keys, no duplicate keys, no indefinite
lengths, integers within ±2⁶³, finite floats, no simple values but false, true and null, and every byte must
belong to an item.

What a violation says never contains the value: words end in logs, and values may be secret or hostile.
"""

from collections.abc import Mapping
from io import BytesIO
from math import isfinite
from typing import Any, NoReturn

import cbor2

from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import MESSAGE_BYTES_MAX

__all__ = [
    "DEPTH_MAX",
    "SEQUENCE_ITEMS_MAX",
    "decode",
    "decode_sequence",
    "dumps",
    "encode",
    "split_sequence",
    "violation",
]

DEPTH_MAX = 16
"""Arrays and maps may be nested this deep."""

SEQUENCE_ITEMS_MAX = 8192
"""Items of one sequence. A writer's pick is ≤ 48 KiB: control frames, of which never so many wait, or
messages, which take 13 bytes at least. 65,536 one-byte items would cost 60 ms in calls of the decoder
alone."""

_INT_LIMIT = 2**63

# Every tag that cbor2 6 decodes by itself; `tag_hook` gets the others. tests/protocol/test_cbor.py tries all
# below 2^17.
_KNOWN_TAGS = (
    0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799,
)  # fmt: skip

_ENDS_INSIDE = "CBOR ends inside an item"
_TOO_MANY = f"CBOR sequence of more than {SEQUENCE_ITEMS_MAX} items"


def _refuse_tag(*_: Any) -> NoReturn:
    raise cbor2.CBORDecodeError("tag")


def _new_decoder() -> cbor2.CBORDecoder:
    return cbor2.CBORDecoder(
        BytesIO(),
        # Each further item of a sequence re-reads up to this much; larger makes long sequences quadratic.
        read_size=4096,
        max_depth=DEPTH_MAX,
        allow_indefinite=False,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
        semantic_decoders=dict.fromkeys(_KNOWN_TAGS, _refuse_tag),
        tag_hook=_refuse_tag,
    )


# Making a decoder costs as much as decoding a frame, so they are reused. A decoder is taken out of the list
# while it works (pop and append are atomic), which makes this safe in the store's writer thread too, and one
# that raised is dropped rather than trusted again.
_idle_decoders: list[cbor2.CBORDecoder] = []


def split_sequence(data: bytes, item_bytes_max: int = MESSAGE_BYTES_MAX) -> list[Any]:
    """Decode the items of a CBOR sequence (RFC 8742) whose scalars the caller still has to check.

    Structure is checked (tags, depth, keys, lengths, exact end), values are not: see `violation`. For
    callers that check every field anyway; everybody else wants `decode_sequence`.
    Raises RemoteProtocolError, with TOO_LARGE when `data` is longer than MESSAGE_BYTES_MAX or an item longer
    than
    `item_bytes_max`.
    """
    size = len(data)
    if size > MESSAGE_BYTES_MAX:
        raise RemoteProtocolError(f"CBOR of more than {MESSAGE_BYTES_MAX} bytes", CloseCode.TOO_LARGE)
    try:
        decoder = _idle_decoders.pop()
    except IndexError:
        decoder = _new_decoder()
    source = BytesIO(data)
    items: list[Any] = []
    try:
        decoder.fp = source
        end = 0
        while end < size:
            start = end
            items.append(decoder.decode())
            end = source.tell()
            if end - start > item_bytes_max:
                raise RemoteProtocolError(
                    f"CBOR item of more than {item_bytes_max} bytes", CloseCode.TOO_LARGE
                )
            if len(items) > SEQUENCE_ITEMS_MAX:
                raise RemoteProtocolError(_TOO_MANY)
    except cbor2.CBORDecodeEOF:
        raise RemoteProtocolError(_ENDS_INSIDE) from None
    except cbor2.CBORDecodeError:
        raise RemoteProtocolError("not CBOR of the strict profile") from None
    _idle_decoders.append(decoder)
    return items


def violation(value: Any, depth: int = DEPTH_MAX) -> str | None:
    """Say in words how `value` breaks the strict profile, or None when it does not.

    `depth`: how many levels of arrays and maps may still be opened.
    """
    kind = type(value)
    if kind is str or kind is bytes or kind is bool or value is None:
        return None
    if isinstance(value, int):
        return None if -_INT_LIMIT <= value < _INT_LIMIT else "an integer outside ±2^63"
    if kind is float:
        return None if isfinite(value) else "a float that is not finite"
    if kind is list or kind is tuple:
        return _violation_within(value, depth)
    if kind is dict or isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                return "a key that is not text"
        return _violation_within(value.values(), depth)
    return None if isinstance(value, str) else "a value of a foreign type"


def _violation_within(values: Any, depth: int) -> str | None:
    if depth < 1:
        return f"nesting deeper than {DEPTH_MAX}"
    for value in values:
        words = violation(value, depth - 1)
        if words is not None:
            return words
    return None


def decode_sequence(data: bytes) -> list[Any]:
    """Decode a CBOR sequence (RFC 8742) up to its very end; an empty one has no items.

    Arrays come as lists, maps as dicts. Raises RemoteProtocolError when anything breaks the strict profile,
    with TOO_LARGE when `data` is longer than MESSAGE_BYTES_MAX.
    """
    items = split_sequence(data)
    for item in items:
        words = violation(item)
        if words is not None:
            raise RemoteProtocolError(f"CBOR holds {words}")
    return items


def decode(data: bytes) -> Any:
    """Decode exactly one item. Raises RemoteProtocolError as `decode_sequence` does, and when it is not
    exactly one."""
    items = decode_sequence(data)
    if len(items) != 1:
        raise RemoteProtocolError(_ENDS_INSIDE if not items else "CBOR goes on behind its item")
    return items[0]


def encode(value: Any) -> bytes:
    """Encode one value. Raises LocalProtocolError when it cannot be said in the strict profile.

    Lists and tuples become arrays, mappings maps (in their own order), str and int enums their values.
    """
    words = violation(value)
    if words is not None:
        raise LocalProtocolError(f"cannot be encoded: {words}")
    return dumps(value)


def dumps(value: Any) -> bytes:
    """Encode `value`, known to be within the profile. Raises LocalProtocolError where cbor2 notices that it
    is not."""
    try:
        return cbor2.dumps(value)
    except (cbor2.CBOREncodeError, UnicodeEncodeError):
        raise LocalProtocolError("cannot be encoded as CBOR") from None
