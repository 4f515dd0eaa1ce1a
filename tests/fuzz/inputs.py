"""Messages of a connection made from plain bytes: what a fuzzer mutates stays near to what the protocol knows.

Some are the bytes themselves. The others are frames of every kind, field by field of the right type for the most
part, with small numbers and known names, so that they reach the machines behind the decoder.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import attrs
import cbor2

from protocol.frames import (
    Ack,
    Bye,
    Frame,
    Fresh,
    Hello,
    Message,
    Push,
    Refuse,
    Request,
    Skip,
    StateAck,
    SyncPart,
    SyncRequest,
    Update,
)
from protocol.topicdigest import changed_digest, digest_bytes

NAMES = ("event", "command", "board", "race", "blob", "body", "t", "", "x" * 65, "pits", "é")
_FRAMES = get_args(Frame)
_LATER = [cls for cls in _FRAMES if cls not in (Hello, Refuse, Bye)]  # those end a connection that has begun
_KNOWN = {
    (Ack, "channel"): "command",
    (Message, "channel"): "event",
    (Skip, "channel"): "event",
    (StateAck, "topic"): "board",
    (SyncRequest, "topic"): "board",
    (Update, "topic"): "race",
    (Fresh, "topic"): "race",
    (SyncPart, "topic"): "race",
    (Push, "method"): "body",
    (Request, "method"): "blob",
}
"""What a session knows by these names."""


class Feed:
    """Takes bytes apart; at the end it gives zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]


def messages_from(data: bytes) -> Iterator[bytes]:
    """Yield the messages that these bytes stand for: flag byte and frames each."""
    feed = Feed(data)
    if feed.byte() >= 240:
        yield data[1:]
        return
    while not feed.is_empty:
        choice = feed.byte()
        flags = feed.byte() if choice >= 252 else choice & 2
        frames = [_frame(feed) for _ in range(feed.byte() % 4 + 1)]
        yield bytes((flags,)) + b"".join(frames)


def _frame(feed: Feed) -> bytes:
    choice = feed.byte()
    if choice >= 250:
        return feed.take(feed.byte())
    if choice >= 240:
        return cbor2.dumps([feed.byte(), *(_anything(feed, 3) for _ in range(feed.byte() % 6))])
    cls = _LATER[choice % len(_LATER)] if choice < 230 else _FRAMES[choice % len(_FRAMES)]
    array = [cls.kind, *_fields(feed, cls)]
    if cls in (Update, SyncPart) and feed.byte() % 4:
        names = [field.name for field in attrs.fields(cls)]
        rows = array[1 + names.index("rows")]
        if isinstance(rows, dict) and all(type(row) is bytes for row in rows.values()):
            array[1 + names.index("digest")] = digest_bytes(changed_digest(0, {}, rows))
    return cbor2.dumps(array)


def _fields(feed: Feed, cls: Any) -> list[Any]:
    fields = attrs.fields(cls)
    array = []
    for field in fields:
        if field.default is attrs.NOTHING:
            value = _value(feed, field.type)
            known = _KNOWN.get((cls, field.name))
            array.append(known if known is not None and feed.byte() < 220 else value)
    options = {
        field.name: _value(feed, field.type)
        for field in fields
        if field.default is not attrs.NOTHING and feed.byte() % 4 == 3
    }
    return [*array, options] if options else array


def _value(feed: Feed, kind: Any) -> Any:
    choice = feed.byte()
    if choice >= 253:
        return _anything(feed, 3)
    if attrs.has(kind):
        return _fields(feed, kind)
    origin = get_origin(kind)
    if origin is list:
        return [_value(feed, get_args(kind)[0]) for _ in range(choice % 4)]
    if origin is not None and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        return {
            NAMES[feed.byte() % len(NAMES)]: _value(feed, bytes) if inner is bytes else _anything(feed, 3)
            for _ in range(choice % 4)
        }
    if kind is bool:
        return choice % 2 == 1
    if kind is int:
        return _integer(feed, choice)
    if kind is str:
        return NAMES[choice % len(NAMES)]
    if kind is bytes:
        return feed.take(8 if choice % 2 else choice % 70)
    return _anything(feed, 3)


def _integer(feed: Feed, choice: int) -> int:
    if choice < 225:
        return choice % 5
    if choice < 230:
        return -(choice % 5)
    if choice < 250:
        return feed.byte()
    return int.from_bytes(feed.take(8), "big", signed=True)


def _anything(feed: Feed, depth: int) -> Any:
    choice = feed.byte() % (12 if depth else 9)
    match choice:
        case 0:
            return None
        case 1:
            return feed.byte() % 2 == 1
        case 2 | 3:
            return _integer(feed, feed.byte())
        case 4:
            return (0.5, float("nan"), 1e300, -0.0, float("inf"))[feed.byte() % 5]
        case 5 | 6:
            return feed.take(feed.byte() % 40)
        case 7:
            return NAMES[feed.byte() % len(NAMES)]
        case 8:
            return 1 << feed.byte() % 130
        case 9:
            return [_anything(feed, depth - 1) for _ in range(feed.byte() % 5)]
        case 10:
            return {
                NAMES[feed.byte() % len(NAMES)]: _anything(feed, depth - 1) for _ in range(feed.byte() % 4)
            }
    return cbor2.CBORTag(feed.byte(), _anything(feed, depth - 1))
