"""wire.cddl is the truth about the frames: what we send fits it, and the codec lets in what it lets in."""

import logging
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cddl_verifier import Validator
from hypothesis import given, settings
from hypothesis import strategies as st

import protocol
from protocol import cbor
from protocol.codec import decode_frames, encode_frame
from protocol.errors import RemoteProtocolError
from protocol.frames import (
    Bye,
    ClockSample,
    Frame,
    Hello,
    InPosition,
    Limits,
    OutPosition,
    Refuse,
    TopicPosition,
)
from tests.protocol.anyframe import frames

# Not pycddl: 0.6.4 finds [17, "event", 1] a good `ack`, and `? later` at the end of an array makes it refuse
# all.
logging.getLogger("cddl_verifier").setLevel(logging.CRITICAL)  # it logs each refusal as an ERROR
WIRE = Validator((Path(protocol.__file__).parent / "wire.cddl").read_text(encoding="utf-8"))


def fits(data: bytes) -> bool:
    return bool(WIRE.validate(data, root_type="frame"))


def is_let_in(data: bytes) -> bool:
    try:
        decode_frames(data)
    except RemoteProtocolError:
        return False
    return True


@settings(max_examples=100)
@given(frames)
def test_every_frame_we_send_fits(frame: Frame) -> None:
    result = WIRE.validate(encode_frame(frame), root_type="frame")
    assert result.valid, result.errors


strangers: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, 0, -1, 1, 300, 2**63 - 1, 1.5, "", "event", "x" * 5000]),
    st.sampled_from([b"", b"8 bytes!", b"x" * 65]),
    st.sampled_from([[], ["event"], [1], {}, {"a": 1}, {"a": b"b"}]),
    st.sampled_from(
        [{"body_bytes": -1}, {"inline": 5}, {"max_silence_ms": "1"}, {"limits": [{"body_bytes": 1}]}]
    ),
    st.sampled_from([{"out": [["event", 1, 2]]}, {"topics": [["t", 1, 2, b"8 bytes!", {}]]}]),
)


def _spoil(draw: st.DrawFn, value: Any) -> Any:
    """Replace, remove or add something somewhere in `value`."""
    if not isinstance(value, list | dict) or not value or draw(st.integers(0, 3)) == 0:
        return draw(strangers)
    places: list[Any] = list(range(len(value))) if isinstance(value, list) else list(value)
    place = draw(st.sampled_from(places))
    match draw(st.integers(0, 3)):
        case 0:
            del value[place]
        case 1 if isinstance(value, list):
            value.insert(place + 1, draw(strangers))
        case _:
            value[place] = _spoil(draw, value[place])
    return value


@st.composite
def spoilt_frames(draw: st.DrawFn) -> bytes:
    array = cbor.decode(encode_frame(draw(frames)))
    return cbor2.dumps(_spoil(draw, array))


@settings(max_examples=120)
@given(spoilt_frames())
def test_the_codec_lets_in_what_the_schema_lets_in(data: bytes) -> None:
    assert is_let_in(data) == fits(data), cbor2.loads(data)


@pytest.mark.parametrize(
    "array",
    [
        [17, "event", 1],
        [17, "event", 1, 2, 3],
        [17, "event", -1, 2],
        [17, "", 1, 2],
        [17, "event", 1, 2**63],
        [16, "event", 1, 2, "lap", 1, 3_000_000_000],
        [24, "watch", 1, 2, {"/a": "row"}, [], b"8 bytes!", 3],
        [28, "watch", 1, 2, 0, 1, {}, b"8 bytes!", 3],
        [33, 1, {}, {"body_bytes": -1}],
        [36, 1, "changed", {}],
        [0, 1, 1, 0, "site", "a", b"12345678", 1, "x", [1, 2], {"limits": [{"body_bytes": "1"}]}],
        [3],
        [127],
        [],
        17,
    ],
)
def test_wrong_frames_fit_neither(array: Any) -> None:
    data = cbor2.dumps(array)
    assert not fits(data)
    assert not is_let_in(data)


HELLO = Hello(
    major_min=1,
    major_max=2,
    minor=3,
    role="site",
    site="pits-1",
    instance=bytes(range(16)),
    attempt=4,
    software="pitlink 0.1.0",
    clock=ClockSample(5_000_000, 1_790_000_000_000_000, boot=b"boot", synchronised=True),
    features=["watch"],
    limits=Limits(body_bytes=1024, requests_in_flight=2),
    out=[OutPosition("event", 7, 8, 9)],
    committed=[InPosition("command", 10, 11)],
    topics=[TopicPosition("watch", 12, 13, bytes.fromhex("0102030405060708"))],
)

# These bytes are for ever: a peer of any later version must read them. A change here is a change of the
# protocol that old sites cannot answer.
FROZEN: list[tuple[Frame, str]] = [
    (
        HELLO,
        "8b00010203647369746566706974732d3150000102030405060708090a0b0c0d0e0f046d7069746c696e6b20302e312e"
        "30831a004c4b401b00065bfeda25e000a264626f6f7444626f6f746c73796e6368726f6e69736564f5a5686665617475"
        "72657381657761746368666c696d69747381a26a626f64795f62797465731904007272657175657374735f696e5f666c"
        "6967687402636f75748184656576656e7407080969636f6d6d6974746564818367636f6d6d616e640a0b66746f706963"
        "7381846577617463680c0d480102030405060708",
    ),
    (Refuse(4002, "duplicate-site"), "8301190fa26e6475706c69636174652d73697465"),
    (
        Refuse(4003, "no common major", 60_000),
        "8401190fa36f6e6f20636f6d6d6f6e206d616a6f72a16e72657472795f61667465725f6d7319ea60",
    ),
    (
        Bye(4007, "restarting", 2_000),
        "8402190fa76a72657374617274696e67a16e72657472795f61667465725f6d731907d0",
    ),
]


@pytest.mark.parametrize(("frame", "hexa"), FROZEN, ids=["hello", "refuse", "refuse-later", "bye"])
def test_the_opening_is_frozen(frame: Frame, hexa: str) -> None:
    assert encode_frame(frame).hex() == hexa
    assert decode_frames(bytes.fromhex(hexa)) == [frame]
