"""Frames as bytes and back: all of them, their rules, and what a stranger may make of them."""

from typing import Any, get_args

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor
from protocol.codec import decode_frames, encode_frame
from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import (
    FRAME_BYTES_MAX,
    Bye,
    Chunk,
    ClockSample,
    Error,
    Frame,
    Hello,
    Limits,
    Received,
    Request,
    Response,
)
from protocol.hotframes import HOT_READERS
from tests.protocol.anyframe import frames, hot_frames

HELLO = Hello(1, 1, 0, "site", "pits-1", b"12345678", 1, "pitlink 0.1", ClockSample(1, 2))
GOOD: dict[str, list[Any]] = {
    "Hello": cbor2.loads(encode_frame(HELLO)),
    "Message": [16, "event", 1, 2, "lap", 1, b"body"],
    "Ack": [17, "event", 1, 2],
    "Update": [24, "watch", 1, 2, {"/a": b"row"}, ["/b"], b"8 bytes!", 3],
    "SyncPart": [28, "watch", 1, 2, 0, True, {"/a": b"row"}, b"8 bytes!", 3],
    "Request": [32, 1, "fetch", 500, {"path": "/"}],
    "Response": [33, 1, {"form": 1}, {"body_bytes": 3, "inline": b"abc"}],
    "Error": [34, 1, "BUSY", "words"],
    "Push": [36, -1, "changed", {}],
    "Chunk": [40, 1, 0, b"data"],
    "Received": [42, 1, 0],
}


@settings(max_examples=300)
@given(st.lists(frames, max_size=4))
def test_frames_survive(several: list[Frame]) -> None:
    assert decode_frames(b"".join(map(encode_frame, several))) == several


@given(frames)
def test_later_options_and_unknown_kinds_are_ignored(frame: Frame) -> None:
    array = cbor.decode(encode_frame(frame))
    if type(array[-1]) is dict and len(array) > 1 and array[0] not in (32, 33, 36):
        array[-1]["later"] = {"x": [1]}
    else:
        array.append({"later": {"x": [1]}})
        if array[0] in (33, 36) and len(array) > (4 if array[0] == 33 else 5):
            array[-2:] = [array[-2] | array[-1]]
    assert decode_frames(cbor.encode(array) + cbor.encode([128, "?"]) + cbor.encode([2**40])) == [frame]


def test_kinds_are_unique_and_not_among_those_that_are_ignored() -> None:
    kinds = [cls.kind for cls in get_args(Frame)]
    assert len(set(kinds)) == len(kinds)
    assert max(kinds) < 128


@pytest.mark.parametrize(
    "item",
    [
        [],
        {},
        16,
        ["event"],
        [True, 1, 2],
        [3],
        [127, {}],
        [128, float("inf")],
        [128, 2**63],
        [17, "event", 1],
        [17, "event", 1, 2, 3],
        [17, "event", 1, 2, {}, {}],
        [17, "event", 1, 2, {"later": cbor2.undefined}],
        [17, "event", 1, 2, {b"later": 1}],
    ],
)
def test_no_frame_at_all(item: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_frames(encode_frame(Received(1, 1)) + cbor2.dumps(item))


def bad(kind: str, place: int, value: Any) -> Any:
    return pytest.param(kind, place, value, id=f"{kind}-{place}-{value!r:.20}")


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        # "body": an integer here must never become that many zero bytes.
        bad("Message", 6, 3_000_000_000),
        bad("Message", 6, "text"),
        bad("Message", 6, [1, 2, 3]),
        bad("Message", 1, ""),
        bad("Message", 1, "c" * 65),
        bad("Message", 1, b"event"),
        bad("Message", 1, {"a": 1}),
        bad("Message", 2, -1),
        bad("Message", 2, 2**63),
        bad("Message", 3, "5"),
        bad("Message", 3, 5.0),
        bad("Message", 3, True),
        bad("Message", 4, "t" * 65),
        bad("Message", 5, None),
        bad("Ack", 3, -1),
        bad("Ack", 3, False),
        bad("Chunk", 1, 2**63),
        bad("Chunk", 2, -1),
        bad("Chunk", 3, "data"),
        bad("Received", 1, -1),
        bad("Received", 2, 1.0),
        bad("Update", 4, [["/a", b"row"]]),
        bad("Update", 4, {"/a": "row"}),
        bad("Update", 5, "ab"),
        bad("Update", 5, {"a": 1}),
        bad("Update", 6, b"seven b"),
        bad("SyncPart", 5, 1),
        bad("SyncPart", 7, b"1"),
        bad("Request", 1, -1),
        bad("Request", 4, []),
        bad("Request", 4, {"x": float("nan")}),
        bad("Request", 4, {"x": [2**63]}),
        bad("Response", 3, {"body_bytes": -1}),
        bad("Response", 3, {"inline": 3_000_000_000}),
        bad("Error", 2, ""),
        bad("Error", 3, "w" * 1025),
        bad("Push", 1, 0),
        bad("Hello", 6, b"short"),
        bad("Hello", 9, [1]),
        bad("Hello", 9, {"monotonic_us": 1}),
        bad("Hello", 9, [1, 2, {"synchronised": 1}]),
    ],
)
def test_a_field_out_of_its_rule(kind: str, place: int, value: Any) -> None:
    array = list(GOOD[kind])
    assert decode_frames(cbor2.dumps(array))
    array[place] = value
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frames(cbor2.dumps(array))
    words = str(caught.value)
    assert words.startswith(f"{kind}: ")
    assert "3000000000" not in words
    assert "www" not in words


@pytest.mark.parametrize(
    "options",
    [
        {"limits": {}},
        {"limits": "abc"},
        {"limits": [{"body_bytes": "1"}]},
        {"out": [["event", 1, 2]]},
        {"out": {"event": 1}},
        {"topics": [["t", 1, 2, b"short"]]},
        {"features": "abc"},
    ],
)
def test_options_of_a_hello_out_of_their_rules(options: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frames(cbor2.dumps([*GOOD["Hello"], options]))
    assert next(iter(options)) in str(caught.value)


def test_defaults_cost_nothing_and_come_back() -> None:
    assert cbor.decode(encode_frame(Response(1, {}))) == [33, 1, {}]
    assert cbor.decode(encode_frame(HELLO))[-1] == [1, 2]
    limited = Hello(1, 1, 0, "site", "a", b"12345678", 1, "x", ClockSample(1, 2), limits=Limits(body_bytes=5))
    assert cbor.decode(encode_frame(limited))[-1] == {"limits": [{"body_bytes": 5}]}
    [again] = decode_frames(encode_frame(limited))
    assert again == limited


def test_frames_longer_than_16_kib() -> None:
    head = len(encode_frame(Chunk(1, 0, b""))) + 2
    full = encode_frame(Chunk(1, 0, bytes(FRAME_BYTES_MAX - head)))
    assert len(full) == FRAME_BYTES_MAX
    assert len(decode_frames(full * 4)) == 4
    with pytest.raises(LocalProtocolError):
        encode_frame(Chunk(1, 0, bytes(FRAME_BYTES_MAX - head + 1)))
    longer = cbor2.dumps([40, 1, 0, bytes(FRAME_BYTES_MAX - head + 1)])
    for data in (longer, full + longer):
        with pytest.raises(RemoteProtocolError) as caught:
            decode_frames(data)
        assert caught.value.code is CloseCode.TOO_LARGE


def test_words_are_cut_and_foreign_values_stay_here() -> None:
    [bye] = decode_frames(encode_frame(Bye(4007, "long" * 1000)))
    assert isinstance(bye, Bye)
    assert bye.words == ("long" * 1000)[:1023] + "…"
    with pytest.raises(LocalProtocolError):
        encode_frame(Request(1, "fetch", 5, {"path": float("nan")}))
    with pytest.raises(LocalProtocolError):
        encode_frame(Error(1, "BUSY", "\ud800"))


@given(hot_frames, st.data())
def test_short_cuts_agree_with_the_general_form(frame: Frame, data: st.DataObject) -> None:
    array = cbor.decode(encode_frame(frame))
    assert HOT_READERS[array[0]](array) == frame
    place = data.draw(st.integers(1, len(array)))
    array[place : place + 1] = data.draw(
        st.lists(st.none() | st.integers() | st.text(max_size=70), max_size=2)
    )
    short = HOT_READERS[array[0]](array)
    if short is not None:
        assert cbor.decode(encode_frame(short)) == array


@settings(max_examples=300)
@given(
    st.binary(max_size=120) | st.lists(st.sampled_from(list(GOOD.values()))).map(lambda a: cbor2.dumps(a)[1:])
)
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    try:
        decode_frames(data)
    except RemoteProtocolError:
        pass
