"""The flag byte and the zstd stream of a connection."""

import os
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import segments
from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import MESSAGE_BYTES_MAX
from protocol.segments import COMPRESSED, COUNTED, Compressor, Decompressor
from protocol.zstd import CompressionParameter, ZstdCompressor

payloads = st.binary(max_size=300) | st.sampled_from(
    [b"", b"lap" * 3000, bytes(MESSAGE_BYTES_MAX), os.urandom(40_000)]
)


@given(st.lists(st.tuples(payloads, st.booleans(), st.booleans()), max_size=12))
def test_messages_survive(messages: list[tuple[bytes, bool, bool]]) -> None:
    compressor, decompressor = Compressor(), Decompressor()
    for payload, counted, compress in messages:
        message = compressor.wrap(payload, counted=counted, compress=compress)
        assert message[0] == (COUNTED if counted else 0) | (COMPRESSED if compress else 0)
        assert decompressor.unwrap(message) == (payload, counted)


def test_what_repeats_costs_next_to_nothing() -> None:
    compressor = Compressor()
    payload = os.urandom(1000)
    first = compressor.wrap(payload, counted=True)
    compressor.wrap(os.urandom(5000), counted=True, compress=False)
    assert len(first) > 1000
    assert len(compressor.wrap(payload, counted=True)) < 25


@pytest.mark.parametrize(
    "message", [b"", b"\x04", b"\x80abc", b"\x01not zstd at all", b"\x03\x28\xb5\x2f\xfd\x08" + bytes(20)]
)
def test_not_a_message(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Decompressor().unwrap(message)
    assert caught.value.code is CloseCode.PROTOCOL_ERROR


def stream(data: bytes, mode: Literal[1, 2], **options: int) -> bytes:
    named: Any = {CompressionParameter[name]: value for name, value in options.items()}
    return b"\x01" + ZstdCompressor(options=named).compress(data, mode)


def test_bounds() -> None:
    assert Decompressor().unwrap(b"\x00" + bytes(MESSAGE_BYTES_MAX))
    for message in (
        b"\x00" + bytes(MESSAGE_BYTES_MAX + 1),
        stream(bytes(MESSAGE_BYTES_MAX + 1), ZstdCompressor.FLUSH_BLOCK, window_log=17),
        stream(bytes(100_000_000), ZstdCompressor.FLUSH_BLOCK, window_log=17),
        stream(bytes(100_000_000), ZstdCompressor.FLUSH_FRAME, window_log=17),
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            Decompressor().unwrap(message)
        assert caught.value.code is CloseCode.TOO_LARGE
    with pytest.raises(LocalProtocolError):
        Compressor().wrap(bytes(MESSAGE_BYTES_MAX + 1), counted=True)


def test_a_larger_window_and_an_end_are_refused() -> None:
    for message in (
        stream(b"frames", ZstdCompressor.FLUSH_BLOCK, window_log=18),
        stream(b"frames", ZstdCompressor.FLUSH_FRAME, window_log=17),
    ):
        with pytest.raises(RemoteProtocolError):
            Decompressor().unwrap(message)
    assert Decompressor().unwrap(stream(b"frames", ZstdCompressor.FLUSH_BLOCK, window_log=17)) == (
        b"frames",
        False,
    )


def test_a_lost_segment_or_a_failure_ends_the_stream() -> None:
    compressor, decompressor = Compressor(), Decompressor()
    decompressor.unwrap(compressor.wrap(b"one" * 100, counted=True))
    with pytest.raises(RemoteProtocolError):
        decompressor.unwrap(b"\x01" + b"\xff" * 50)
    with pytest.raises(LocalProtocolError):
        decompressor.unwrap(b"\x00")


def test_a_compressor_that_failed_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        FLUSH_BLOCK = 1

        def __init__(self, options: object) -> None: ...

        def compress(self, data: bytes, mode: int) -> bytes:
            raise MemoryError

    monkeypatch.setattr(segments, "ZstdCompressor", Failing)
    compressor = Compressor()
    compressor.wrap(b"opening", counted=False, compress=False)
    with pytest.raises(MemoryError):
        compressor.wrap(b"frames", counted=False)
    with pytest.raises(LocalProtocolError):
        compressor.wrap(b"frames", counted=False, compress=False)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_message_or_refused(data: bytes, is_stream: bool) -> None:
    decompressor = Decompressor()
    try:
        decompressor.unwrap(Compressor().wrap(b"lap" * 50, counted=True))
        decompressor.unwrap(b"\x01" + data if is_stream else data)
    except RemoteProtocolError:
        pass
