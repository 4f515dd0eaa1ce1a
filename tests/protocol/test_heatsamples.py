"""Samples survive their packing, whatever is unknown in them; whatever else comes is refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.heatsamples import COUNT_MAX, HeatSamples, Sample, pack, unpack
from protocol.messages import UnknownBody, decode_body, encode_body

values = st.none() | st.integers(-(2**29), 2**29)
samples = st.builds(Sample, values, values, values, values, values)
few = st.lists(samples, min_size=1, max_size=30)


@given(few)
def test_samples_survive(given_: list[Sample]) -> None:
    assert unpack(pack(given_), len(given_)) == given_


@given(few, st.integers(0, 2**40), st.integers(-86_400, 86_400), st.text(max_size=20))
def test_a_message_survives(given_: list[Sample], at: int, offset_s: int, source: str) -> None:
    body = HeatSamples(at, 60, offset_s, len(given_), (source,), (pack(given_),))
    kind, version, data = encode_body(body)
    assert (kind, version) == ("heat.samples", 1)
    read = decode_body(kind, version, data)
    assert read == body
    assert read.of(body.sources[0]) == given_


@given(st.binary(max_size=60), st.integers(1, 20))
def test_any_bytes_are_samples_or_refused(data: bytes, count: int) -> None:
    try:
        read = unpack(data, count)
    except ValueError:
        return
    assert len(read) == count
    assert unpack(pack(read), count) == read


def test_unknown_is_not_any_value() -> None:
    gaps = [Sample(0, 0, 0, 0, 0), Sample(None, None, None, None, None), Sample(0, -1, 1, 60, 1)]
    assert unpack(pack(gaps), 3) == gaps
    unknown = [Sample(None, None, None, None, None)] * 5
    assert pack(unknown) == bytes(5)


def test_five_quiet_minutes_of_a_zone_take_few_bytes() -> None:
    minutes = [Sample(2055 + n % 2 * 6, 4820 - 12 * n, 2100, 60, 0) for n in range(5)]
    assert len(pack(minutes)) < 24


@pytest.mark.parametrize(
    "wrong",
    [
        (-1, 60, 0, 1, ("a",), (bytes(5),)),
        (0, 0, 0, 1, ("a",), (bytes(5),)),
        (0, 60, 90_000, 1, ("a",), (bytes(5),)),
        (0, 60, 0, COUNT_MAX + 1, ("a",), (bytes(5),)),
        (0, 60, 0, 1, ("a", "a"), (bytes(5), bytes(5))),
        (0, 60, 0, 1, ("a",), ()),
        (0, 60, 0, 1, ("a",), (bytes(60_000),)),
        (0, 60, 0, 1, tuple(map(str, range(257))), (bytes(5),) * 257),
    ],
)
def test_what_is_out_of_bounds_is_refused(
    wrong: tuple[int, int, int, int, tuple[str, ...], tuple[bytes, ...]],
) -> None:
    with pytest.raises(ValueError, match="samples"):
        HeatSamples(*wrong)


def test_a_stranger_s_message_is_refused_whole() -> None:
    kind, version, data = encode_body(HeatSamples(0, 60, 0, 1, ("a",), (bytes(5),)))
    with pytest.raises(UnknownBody):
        decode_body(kind, version, data.replace(b"\x65count\x01", b"\x65count\x00"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "end too early"),
        (bytes([2]), "end too early"),
        (bytes([0, 0, 0, 0, 2]), "not as long"),
        (bytes(6), "not as long"),
        (bytes([9, 0, 0, 0, 0]), "no known form"),
        (bytes([1, 0x80]), "inside"),
        (bytes([1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]), "too long"),
        (bytes([1, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]), "too great"),
    ],
)
def test_bytes_that_are_none_are_named(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack(data, 1)


def test_a_source_that_is_not_there_has_no_samples() -> None:
    assert HeatSamples(0, 60, 0, 1, ("a",), (bytes(5),)).of("b") == []
