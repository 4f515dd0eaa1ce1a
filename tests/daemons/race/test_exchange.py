"""What crosses the link of a fetch: every form gives the body back, and nothing hostile gives anything else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.race.exchange import (
    AGE_MS_MAX,
    Ask,
    Form,
    Told,
    WrongBody,
    ask_from_wire,
    decode_answer,
    encode_answer,
    shorten,
    to_wire,
    told_from_wire,
)
from daemons.race.fetched import Fetched
from protocol import cbor
from protocol.canonical import digest_of, validator_of
from protocol.delta import compress_body, make_delta
from protocol.errors import ErrorCode, RequestError

LIMIT = 64 * 1024
BODIES = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda unit, count, end: unit * count + end, st.binary(min_size=1), st.integers(1, 400), st.binary()
    ),
)
FEW = settings(max_examples=60)


def fetched(body: bytes, content_type: str | None = None, **more: Any) -> Fetched:
    return Fetched(
        "/x.json", body, content_type, validator_of(body, is_json=False), digest_of(body), 0.0, **more
    )


def across(answer: tuple[Told, bytes]) -> tuple[Told, bytes]:
    """Send it through the real encoding of the wire."""
    told, encoded = answer
    return told_from_wire(cbor.decode(cbor.encode(to_wire(told)))), encoded


def decode(told: Told, encoded: bytes, known: list[bytes], prefix: bytes = b"") -> bytes:
    def find_body(short: bytes) -> bytes | None:
        return next((body for body in known if shorten(digest_of(body)) == short), None)

    return decode_answer(told, encoded, body_bytes_max=LIMIT, find_body=find_body, prefix=prefix)


def nothing(short: bytes) -> None:
    return None


@given(BODIES, st.one_of(st.none(), st.just("image/png"), st.just("text/json")))
@FEW
def test_a_whole_body_comes_back_as_it_was(body: bytes, content_type: str | None) -> None:
    told, encoded = across(encode_answer(fetched(body, content_type), Ask("/x.json"), 1.5, nothing))
    assert decode(told, encoded, []) == body
    assert len(encoded) <= len(body)
    assert told.content_type == (content_type or "")
    assert (told.size, told.age_ms) == (len(body), 1500)
    if content_type == "image/png":
        assert told.form == Form.RAW


@given(BODIES, BODIES)
@FEW
def test_a_delta_against_a_body_that_both_hold_comes_back_as_it_was(base: bytes, body: bytes) -> None:
    ask = Ask("/x.json", bases=[shorten(digest_of(base))])
    told, encoded = across(encode_answer(fetched(body), ask, 0, lambda short: base))
    assert decode(told, encoded, [base]) == body
    assert len(encoded) <= len(encode_answer(fetched(body), Ask("/x.json"), 0, nothing)[1])


def test_one_field_of_a_large_file_is_a_small_delta_and_a_base_that_went_is_told() -> None:
    base = b"".join(b'{"lap":%d,"seconds":%d.%d}' % (i, i * 7919 % 60, i * 104729) for i in range(500))
    body = base.replace(b'"lap":250', b'"lap":251')
    ask = Ask("/x.json", bases=[shorten(digest_of(base))])
    told, encoded = across(encode_answer(fetched(body), ask, 0, lambda short: base))
    assert told.form == Form.DELTA
    assert len(encoded) < 100
    for known in ([], [body], [base[:-1]]):
        with pytest.raises(WrongBody):
            decode(told, encoded, known)


@given(BODIES)
@FEW
def test_what_the_hub_holds_is_not_sent_again(body: bytes) -> None:
    whole = fetched(body, absent=True, stale=True)
    told, encoded = across(
        encode_answer(whole, Ask("/x.json", validator=shorten(whole.validator)), 0.25, nothing)
    )
    assert (told.form, encoded, told.age_ms, told.absent, told.stale) == (Form.SAME, b"", 250, True, True)


@given(BODIES)
@FEW
def test_head_tells_about_the_body_and_sends_none(body: bytes) -> None:
    told, encoded = across(encode_answer(fetched(body), Ask("/x.json", method="HEAD"), 0, nothing))
    assert (told.form, told.size, told.digest, encoded) == (Form.SAME, len(body), digest_of(body), b"")


@given(BODIES, st.data())
@FEW
def test_a_body_resumes_where_it_broke_off(body: bytes, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(body) + 3))
    ask = Ask("/x.json", resume=digest_of(body), offset=offset)
    told, encoded = across(encode_answer(fetched(body), ask, 0, nothing))
    assert decode(told, encoded, [], prefix=body[:offset]) == body
    assert told.offset in (0, offset)
    if 0 < offset < len(body):
        assert told.offset == offset
        assert len(encoded) <= len(body) - offset + 32
        with pytest.raises(WrongBody):
            decode(told, encoded, [], prefix=body[: offset - 1])


def test_another_body_than_the_one_that_broke_off_comes_whole() -> None:
    ask = Ask("/x.json", resume=digest_of(b"an old body"), offset=4)
    told, encoded = encode_answer(fetched(b"a new body"), ask, 0, nothing)
    assert told.offset == 0
    assert decode(told, encoded, [], prefix=b"an o") == b"a new body"


def test_a_body_over_the_limit_is_refused_before_it_is_unpacked() -> None:
    body = b"x" * (LIMIT + 1)
    told, encoded = encode_answer(fetched(body), Ask("/x.json"), 0, nothing)
    with pytest.raises(RequestError) as caught:
        decode(told, encoded, [])
    assert caught.value.code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("size", [0, 5, LIMIT])
def test_a_bomb_gives_no_more_than_was_announced(size: int) -> None:
    bomb = compress_body(bytes(16 * 1024 * 1024))
    with pytest.raises(WrongBody):
        decode(Told(Form.ZSTD, digest=bytes(32), size=size), bomb, [])
    delta = make_delta(b"12345678", bytes(16 * 1024 * 1024))
    with pytest.raises(WrongBody):
        decode(
            Told(Form.DELTA, digest=bytes(32), size=size, base=shorten(digest_of(b"12345678"))),
            delta,
            [b"12345678"],
        )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"f": True},
        {"f": "1"},
        {"f": 1, "n": -1},  # would lift the bound of what is unpacked
        {"f": 1, "o": -1, "n": 5},
        {"f": 1, "o": 6, "n": 5},
        {"f": 1, "a": -1},
        {"f": 1, "a": AGE_MS_MAX + 1},
        {"f": 1, "u": -1},
        {"f": 1, "u": 2**53 + 1},
        {"f": 1, "d": bytes(34)},
        {"f": 1, "v": bytes(34)},
        {"f": 1, "t": "text/html\r\nSet-Cookie: x"},
        {"f": 1, "t": "x" * 256},
        {"f": 1, "t": "…"},
    ],
)
def test_an_answer_that_could_not_be_used_as_it_is_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        told_from_wire(fields)
    assert caught.value.code is ErrorCode.INTERNAL


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"p": 1},
        {"p": "/", "o": -1},
        {"p": "/", "b": [b""] * 5},
        {"p": "/", "b": [1]},
        {"p": "/", "m": None},
    ],
)
def test_a_question_that_is_none_is_a_bad_request(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        ask_from_wire(fields)
    assert caught.value.code is ErrorCode.BAD_REQUEST


VALUES = st.one_of(
    st.integers(-3, 5),
    st.integers(),
    st.binary(max_size=40),
    st.text(max_size=8),
    st.booleans(),
    st.none(),
    st.floats(),
)


@given(
    st.dictionaries(st.sampled_from(list("fvdtnboaxsq")), VALUES, max_size=11),
    st.binary(max_size=64),
    st.binary(),
)
@settings(max_examples=200)
def test_whatever_a_site_answers_ends_in_the_right_body_or_one_of_two_errors(
    fields: dict[str, Any], encoded: bytes, prefix: bytes
) -> None:
    try:
        told = told_from_wire(fields)
        body = decode(told, encoded, [b"a base", prefix], prefix)
    except (RequestError, WrongBody):
        return
    assert digest_of(body) == told.digest


def test_a_content_type_that_cannot_stand_in_a_header_is_left_out() -> None:
    told, _ = encode_answer(fetched(b"x", "text/html\r\nX: y"), Ask("/x.json"), 0, nothing)
    assert told.content_type == ""
