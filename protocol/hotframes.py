"""Short cuts for the frames that come by the ten thousand: messages, their acks, chunks and `received`.

A function here returns the frame when every field is as it should be and None otherwise; then the general
form looks again, reads what is unusual (an option of a later version), or says in words what is wrong. So
these decide nothing that `arrayform` would decide otherwise, they only take half its time.
"""

from collections.abc import Callable, Mapping
from typing import Any

from protocol.fieldrules import NAME_MAX
from protocol.frames import Ack, Chunk, Message, Received

__all__ = ["HOT_READERS"]

_INT_LIMIT = 2**63


def _message(array: list[Any]) -> Message | None:
    if len(array) != 7:
        return None
    _, channel, epoch, seq, type_, version, body = array
    if (
        type(channel) is str and 0 < len(channel) <= NAME_MAX
        and type(epoch) is int and 0 <= epoch < _INT_LIMIT
        and type(seq) is int and 0 <= seq < _INT_LIMIT
        and type(type_) is str and 0 < len(type_) <= NAME_MAX
        and type(version) is int and 0 <= version < _INT_LIMIT
        and type(body) is bytes
    ):  # fmt: skip
        return Message(channel, epoch, seq, type_, version, body)
    return None


def _ack(array: list[Any]) -> Ack | None:
    if len(array) != 4:
        return None
    _, channel, epoch, seq = array
    if (
        type(channel) is str and 0 < len(channel) <= NAME_MAX
        and type(epoch) is int and 0 <= epoch < _INT_LIMIT
        and type(seq) is int and 0 <= seq < _INT_LIMIT
    ):  # fmt: skip
        return Ack(channel, epoch, seq)
    return None


def _chunk(array: list[Any]) -> Chunk | None:
    if len(array) != 4:
        return None
    _, id_, offset, data = array
    if (
        type(id_) is int and -_INT_LIMIT <= id_ < _INT_LIMIT
        and type(offset) is int and 0 <= offset < _INT_LIMIT
        and type(data) is bytes
    ):  # fmt: skip
        return Chunk(id_, offset, data)
    return None


def _received(array: list[Any]) -> Received | None:
    if len(array) != 3:
        return None
    _, total, hold_us = array
    if type(total) is int and 0 <= total < _INT_LIMIT and type(hold_us) is int and 0 <= hold_us < _INT_LIMIT:
        return Received(total, hold_us)
    return None


HOT_READERS: Mapping[int, Callable[[list[Any]], Message | Ack | Chunk | Received | None]] = {
    Message.kind: _message,
    Ack.kind: _ack,
    Chunk.kind: _chunk,
    Received.kind: _received,
}
