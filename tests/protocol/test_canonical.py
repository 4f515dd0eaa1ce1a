"""RFC 8785: one meaning, one form; and the names of bodies made from it."""

import hashlib
import json
import math
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import canonicalize, digest_of, validator_of

numbers = (
    st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e-3, 1e-3)
)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def meaning(value: Any) -> Any:
    """Return what a JSON value means: numbers are doubles (and no booleans), objects have no order."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, list):
        return [meaning(item) for item in value]
    return {key: meaning(item) for key, item in value.items()}


@st.composite
def texts_of(draw: st.DrawFn, value: Any) -> bytes:
    """Write `value` as JSON in one of its many ways."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in draw(st.permutations(list(value)))}
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool) and draw(st.booleans()):
            return float(value)
        return value

    text = json.dumps(
        shuffled(value), ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.integers(0, 3))
    )
    if draw(st.booleans()):
        text = f"\r\n{text}\t"
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


@given(values, st.data())
def test_one_meaning_one_form(value: Any, data: st.DataObject) -> None:
    form = canonicalize(data.draw(texts_of(value)))
    assert canonicalize(data.draw(texts_of(value))) == form
    assert canonicalize(form) == form
    assert meaning(json.loads(form)) == meaning(value)


@given(values, values)
def test_other_meaning_other_form(one: Any, other: Any) -> None:
    forms = [canonicalize(json.dumps(value).encode()) for value in (one, other)]
    assert (forms[0] == forms[1]) == (meaning(one) == meaning(other))


@given(values)
def test_the_form_is_that_of_another_implementation(value: Any) -> None:
    def doubles(value: Any) -> Any:  # the other one refuses integers beyond 2^53
        if isinstance(value, list):
            return [doubles(item) for item in value]
        if isinstance(value, dict):
            return {key: doubles(item) for key, item in value.items()}
        return float(value) if type(value) is int else value

    assert canonicalize(json.dumps(value).encode()) == rfc8785.dumps(doubles(value))


@given(st.binary(min_size=8, max_size=8).map(lambda bits: struct.unpack(">d", bits)[0]).filter(math.isfinite))
def test_any_double(value: float) -> None:
    form = canonicalize(repr(value).encode())
    assert form == rfc8785.dumps(value)
    assert float(form) == value


# IEEE bits and what ECMAScript writes (RFC 8785, appendix B).
DOUBLES = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555555": "333333333.3333333",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "form"), DOUBLES.items())
def test_doubles_of_the_rfc(bits: str, form: str) -> None:
    value = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonicalize(f"{value!r}".encode()).decode() == form
    assert canonicalize(f"[{value!r},1]".encode()).decode() == f"[{form},1]"


def test_the_examples_of_the_rfc() -> None:
    primitives = rb"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    form = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonicalize(primitives) == form.encode()
    keys = rb'{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}'
    assert list(json.loads(canonicalize(keys)).values()) == [2, 4, 6, 7, 1, 5, 3]
    written = json.dumps(json.loads(keys), ensure_ascii=False).encode()
    assert canonicalize(written) == canonicalize(keys)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"\xef\xbb\xbf[ ]", b"[]"),
        (b"{}", b"{}"),
        (b'"\x7f"', b'"\x7f"'),
        (b"[-0, -0.0, 1.0, 1E2]", b"[0,0,1,100]"),
        (b"9007199254740993", b"9007199254740992"),
        (b"123456789012345678901234567890", b"1.2345678901234568e+29"),
        (b'{"a":1e-5,"\\ud83d\\ude00":[{},[]]}', '{"a":0.00001,"😀":[{},[]]}'.encode()),
    ],
)
def test_small_print(body: bytes, form: bytes) -> None:
    assert canonicalize(body) == form


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf",
        b"[1",
        b"[1] 2",
        b"<html>",
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"-" + b"9" * 5000,
        b"01",
        b"[1,]",
        b"'a'",
        b'"\x01"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        rb'"\ud800"',
        rb'{"\udfff":1e-7}',
        b'{"a":1,"a":1}',
        rb'{"a":1,"\u0061":2}',
        '{"😀":1,"😀":2}'.encode(),
        '["ü"]'.encode("utf-16"),
    ],
)
def test_not_json_of_the_internet(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        canonicalize(body)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 50_000, b"[1e-7," * 9_000]
)
def test_hostile_depth_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"deep|Expecting"):
        canonicalize(body)
    assert canonicalize(b"[" * 200 + b"1e-7" + b"]" * 200) == b"[" * 200 + b"1e-7" + b"]" * 200


@given(st.binary(max_size=60) | st.text('[]{}",:0123456789.eE+-\\u d8aflsnurte', max_size=60).map(str.encode))
def test_any_bytes_have_a_form_or_are_refused(body: bytes) -> None:
    try:
        form = canonicalize(body)
    except ValueError:
        return
    assert canonicalize(form) == form


def test_names_of_bodies() -> None:
    compact, spread = b'{"a":1,"b":2}', b'{ "b": 2.0, "a": 1 }'
    assert digest_of(compact) == hashlib.sha256(compact).digest()
    assert validator_of(compact, is_json=True) == b"\x01" + digest_of(compact)
    assert validator_of(spread, is_json=True) == validator_of(compact, is_json=True)
    assert validator_of(spread, is_json=False) == b"\x00" + digest_of(spread)
    with pytest.raises(ValueError):  # noqa: PT011
        validator_of(b"<html>", is_json=True)
