"""The canonical form of JSON (RFC 8785, JCS), and the names of bodies made from it.

Input is held to I-JSON (RFC 7493): UTF-8 (a byte order mark is dropped), no duplicate keys, no lone
surrogates. All numbers are IEEE doubles, integers too: two that differ beyond 2^53 have one canonical form.
Numbers are written as ECMAScript does, keys sorted by UTF-16 code units.

The C encoder of `json` says all of this but for two rare things, so it is used where they do not occur: it
writes doubles between 1e-10 and 1e-4 in another way, and sorts keys by code points. A race file of 20 KB
takes 0.3 ms, a quarter of what a writer in Python takes.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["canonicalize", "digest_of", "validator_of"]

RAW_VERSION = b"\x00"
JCS_VERSION = b"\x01"
"""What a validator begins with: how it was made. A change of the canonical form is a new number, and one
refetch."""

_BOM = b"\xef\xbb\xbf"
_EXACT = 2**53
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89aAbB]")


class _TinyDouble(Exception):
    """The document holds a double that the C encoder does not write as ECMAScript does."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a key twice")
    return members


def _constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 16 else _double(digits)


def _double(digits: str) -> int | float:
    """Return the double, as an int where the decimal digits of that int are what ECMAScript writes.

    Those are whole doubles below 2^53, and up to 1e21 the shortest digits padded with zeros. Beyond, and
    where there is a fraction, `float.__repr__` writes what ECMAScript writes, from 1e-4 up and below 1e-10.
    """
    value = float(digits)
    size = abs(value)
    if size < _EXACT:
        if value.is_integer():
            return int(value)
        return value
    if size < 1e21:
        mantissa, _, exponent = repr(value).partition("e")
        whole, _, fraction = mantissa.partition(".")
        return int(whole + fraction.ljust(int(exponent), "0")) if exponent else int(whole)
    if size == float("inf"):
        raise ValueError("a number beyond the range of doubles")
    return value


def _usual_double(digits: str) -> int | float:
    value = _double(digits)
    if 1e-10 < abs(value) < 1e-4:
        raise _TinyDouble
    return value


def _decoder(double: Any) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_float=double, parse_int=_integer, parse_constant=_constant
    )


_decode = _decoder(_usual_double).decode
_decode_any = _decoder(_double).decode
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonicalize(body: bytes) -> bytes:
    """Return the canonical form of a JSON document.

    Raises ValueError when it is not JSON, not UTF-8, has a key twice, a lone surrogate, a number beyond the
    doubles, or is nested deeper than the interpreter follows (some hundred levels).
    """
    try:
        text = body.removeprefix(_BOM).decode()
        if not _may_sort_otherwise(text):
            try:
                return _encode(_decode(text)).encode()
            except _TinyDouble:
                pass
        parts: list[str] = []
        _write(_decode_any(text), parts.append)
        return "".join(parts).encode()
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None


def _may_sort_otherwise(text: str) -> bool:
    """Tell whether a key may hold a character beyond U+FFFF: by UTF-16 it sorts before U+E000 to U+FFFF."""
    if not text.isascii() and _BEYOND_BMP.search(text):
        return True
    return "\\u" in text and _ESCAPED_SURROGATE.search(text) is not None


def _write(value: Any, put: Callable[[str], None]) -> None:
    """Write what the C encoder cannot."""
    if isinstance(value, dict) and value:
        mark = "{"
        for key in sorted(value, key=lambda name: name.encode("utf-16-be")):
            put(f"{mark}{_encode(key)}:")
            _write(value[key], put)
            mark = ","
        put("}")
    elif isinstance(value, list) and value:
        mark = "["
        for item in value:
            put(mark)
            _write(item, put)
            mark = ","
        put("]")
    elif isinstance(value, float) and 0 < abs(value) < 1e-4:
        put(_tiny(value))
    else:
        put(_encode(value))


def _tiny(value: float) -> str:
    """Write a double below 1e-4 as ECMAScript does: in digits from 1e-6 up, else with an exponent without
    zeros."""
    mantissa, _, exponent = repr(value).partition("e-")
    if abs(value) < 1e-6:
        return f"{mantissa}e-{int(exponent)}"
    sign = "-" if value < 0 else ""
    digits = mantissa.lstrip("-").replace(".", "")
    return f"{sign}0.{'0' * (int(exponent) - 1)}{digits}"


def digest_of(body: bytes) -> bytes:
    """Return the digest of exactly these bytes (sha256): what names bases of deltas, and what is verified."""
    return hashlib.sha256(body).digest()


def validator_of(body: bytes, is_json: bool) -> bytes:
    """Return what stays the same while the meaning does: a version byte and a sha256, 33 bytes.

    Raises ValueError when `is_json` and `canonicalize` refuses it.
    """
    if is_json:
        return JCS_VERSION + digest_of(canonicalize(body))
    return RAW_VERSION + digest_of(body)
