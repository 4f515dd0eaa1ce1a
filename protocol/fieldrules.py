"""What each field of a frame may hold: one function a field that returns the value, or raises.

The functions see what CBOR decoded, before anything acts on it. They test the exact type (a bool is no
integer, 5 is no "5") and the range; their words never hold the value. `wire.cddl` says the same in RFC 8610.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from protocol import cbor

__all__ = ["FieldRule", "MalformedField", "each_of", "rule_of"]

FieldRule = Callable[[Any], Any]
_T = TypeVar("_T")

NAME_MAX = 64
"""Characters of a channel's, topic's, type's or method's name, and of a site's."""

TEXT_MAX = 1024
"""Characters of words for people. Ours are cut to this when they are encoded: a long message is no reason to
die."""

_INT_LIMIT = 2**63


class MalformedField(ValueError):
    """The value of a field breaks its rule; the words say which, never the value."""


def count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _INT_LIMIT:
        raise MalformedField("is not an integer of 0 to 2^63-1")
    return value


def integer(value: Any) -> int:
    if type(value) is not int or not -_INT_LIMIT <= value < _INT_LIMIT:
        raise MalformedField("is not an integer within ±2^63")
    return value


def negative(value: Any) -> int:
    if type(value) is not int or not -_INT_LIMIT <= value < 0:
        raise MalformedField("is not a negative integer")
    return value


def name(value: Any) -> str:
    if type(value) is not str or not 0 < len(value) <= NAME_MAX:
        raise MalformedField(f"is not text of 1 to {NAME_MAX} characters")
    return value


def text(value: Any) -> str:
    if type(value) is not str or len(value) > TEXT_MAX:
        raise MalformedField(f"is not text of at most {TEXT_MAX} characters")
    return value


def nonce(value: Any) -> str:
    if type(value) is not str or len(value) > NAME_MAX:
        raise MalformedField(f"is not text of at most {NAME_MAX} characters")
    return value


def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise MalformedField("is not true or false")
    return value


def data(value: Any) -> bytes:
    if type(value) is not bytes:
        raise MalformedField("is not bytes")
    return value


def _bytes_of(low: int, high: int) -> Callable[[Any], bytes]:
    def rule(value: Any) -> bytes:
        if type(value) is not bytes or not low <= len(value) <= high:
            raise MalformedField(f"is not {low} to {high} bytes" if low < high else f"is not {low} bytes")
        return value

    return rule


def _digest_or_nothing(value: Any) -> bytes:
    if type(value) is not bytes or len(value) not in (0, 8):
        raise MalformedField("is neither 8 bytes nor none")
    return value


def anything(value: Any) -> dict[str, Any]:
    """Accept a map of whatever the strict profile allows: what a request's own schema is checked on later."""
    if type(value) is not dict:
        raise MalformedField("is not a map")
    words = cbor.violation(value)
    if words is not None:
        raise MalformedField(f"holds {words}")
    return value


def rows(value: Any) -> dict[str, bytes]:
    if type(value) is not dict:
        raise MalformedField("is not a map")
    for key, row in value.items():
        if type(key) is not str or type(row) is not bytes:
            raise MalformedField("holds something else than text keys with bytes")
    return value


def each_of(rule: Callable[[Any], _T]) -> Callable[[Any], list[_T]]:
    """Return the rule of an array whose every item follows `rule`."""

    def list_rule(value: Any) -> list[_T]:
        if type(value) is not list:
            raise MalformedField("is not an array")
        return [rule(item) for item in value]

    return list_rule


def _key(value: Any) -> str:
    if type(value) is not str:
        raise MalformedField("holds something else than text")
    return value


_digest = _bytes_of(8, 8)

_BY_NAME: Mapping[str, FieldRule] = {
    "major_min": count,
    "major_max": count,
    "minor": count,
    "role": name,
    "site": name,
    "instance": _bytes_of(8, 32),
    "attempt": count,
    "software": text,
    "features": each_of(name),
    "monotonic_us": integer,
    "utc_us": integer,
    "nonce": nonce,
    "boot": _bytes_of(0, 64),
    "synchronised": boolean,
    "body_bytes": count,
    "requests_in_flight": count,
    "initial_credit_bytes": count,
    "window_messages": count,
    "window_bytes": count,
    "code": count,
    "words": text,
    "retry_after_ms": count,
    "id": count,
    "received_us": integer,
    "sent_us": integer,
    "channel": name,
    "epoch": count,
    "seq": count,
    "first_held": count,
    "next": count,
    "committed": count,
    "type": name,
    "version": count,
    "body": data,
    "first": count,
    "last": count,
    "reason": text,
    "topic": name,
    "rows": rows,
    "removed": each_of(_key),
    "digest": _digest,
    "as_of_us": integer,
    "max_silence_ms": count,
    "index": count,
    "method": name,
    "deadline_ms": count,
    "params": anything,
    "result": anything,
    "inline": data,
    "offset": count,
    "data": data,
    "upto": count,
    "total": count,
    "hold_us": count,
    "stream": _bytes_of(1, 32),
    "number": count,
    "entry": count,
    "lost": count,
    "name": name,
    "port": count,
    "key": _bytes_of(32, 32),
}

# Bodies that nobody asked for have ids below zero (see Push), so what speaks of a body may carry either.
_EXCEPTIONS: Mapping[tuple[str, str], FieldRule] = {
    ("Push", "id"): negative,
    ("Chunk", "id"): integer,
    ("Credit", "id"): integer,
    ("Cancel", "id"): integer,
    ("Datagrams", "id"): _bytes_of(8, 8),
    ("Error", "code"): name,
    ("SyncPart", "last"): boolean,
    ("SyncPart", "digest"): _digest_or_nothing,
}


def rule_of(frame: str, field: str) -> FieldRule:
    """Return the rule of a field by the names of its class and itself. KeyError: a new field without one."""
    return _EXCEPTIONS.get((frame, field)) or _BY_NAME[field]
