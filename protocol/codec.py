"""Frames as bytes and back: the one place where what a peer sent becomes values, or a protocol error."""

from typing import Any, get_args

from protocol import cbor
from protocol.arrayform import ArrayForm
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.fieldrules import MalformedField
from protocol.frames import FRAME_BYTES_MAX, Frame, Push, Request, Response
from protocol.hotframes import HOT_READERS

__all__ = ["IGNORED_FROM", "decode_frames", "encode_frame"]

IGNORED_FROM = 128
"""Unknown kinds from here on are dropped, any other is a protocol error."""

_FORMS = {cls: ArrayForm(cls, lead=(cls.kind,)) for cls in get_args(Frame)}
_BY_KIND = {cls.kind: form for cls, form in _FORMS.items()}

# What callers put into these is theirs: a value that the profile cannot say must fail here, not at the peer.
_FREE = (Request, Response, Push)


def encode_frame(frame: Frame) -> bytes:
    """Encode one frame. Words for people are cut to 1,024 characters.

    Raises LocalProtocolError when it is longer than FRAME_BYTES_MAX or holds what the profile of CBOR cannot
    say.
    """
    array = _FORMS[type(frame)].write(frame)
    data = cbor.encode(array) if isinstance(frame, _FREE) else cbor.dumps(array)
    if len(data) > FRAME_BYTES_MAX:
        raise LocalProtocolError(f"{type(frame).__name__} of {len(data)} bytes, at most {FRAME_BYTES_MAX}")
    return data


def decode_frames(data: bytes) -> list[Frame]:
    """Decode a message, whole: when anything in it is wrong, nothing of it is returned.

    Frames of unknown kinds ≥ 128 are dropped. Raises RemoteProtocolError; its words name the frame and the
    field.
    """
    frames: list[Frame] = []
    for array in cbor.split_sequence(data, FRAME_BYTES_MAX):
        if type(array) is not list or not array or type(array[0]) is not int:
            raise RemoteProtocolError("a frame is not an array that begins with its kind")
        hot = HOT_READERS.get(array[0])
        frame = (hot and hot(array)) or _read(array)
        if frame is not None:
            frames.append(frame)
    return frames


def _read(array: list[Any]) -> Frame | None:
    form = _BY_KIND.get(array[0])
    if form is None:
        _check_unknown(array)
        return None
    try:
        frame: Frame = form.read(array)
    except MalformedField as exc:
        raise RemoteProtocolError(f"{form.cls.__name__}: {exc}") from None
    return frame


def _check_unknown(array: list[Any]) -> None:
    if array[0] < IGNORED_FROM:
        raise RemoteProtocolError("a frame of unknown kind")
    words = cbor.violation(array)
    if words is not None:
        raise RemoteProtocolError(f"a frame of unknown kind holds {words}")
