"""Names for bodies: a validator that says whether the content changed, a digest that names the exact bytes.

The validator of JSON is taken over its canonical form (RFC 8785), so that another indentation is no change. It begins
with the version of the canonicalisation: when that changes, every validator does, and nothing is taken for the same by
mistake. The original bytes travel, never the canonical form.
"""

import hashlib
import json
from collections import OrderedDict
from typing import Any

import rfc8785

__all__ = ["ValidatorCache", "canonicalize", "digest_of", "etag_of", "validator_of"]

_BOM = b"\xef\xbb\xbf"
_SEMANTIC = b"\x01"
_EXACT = b"\x00"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _number(digits: str) -> int | float:
    """RFC 8785 §3.2.2.3: numbers are IEEE 754 doubles; an integer beyond 2^53 is what the double says."""
    value = int(digits) if len(digits) < 400 else float(digits)
    return value if -(2**53) < value < 2**53 else float(digits)


def canonicalize(body: bytes) -> bytes:
    """Return the RFC 8785 form of a JSON body; a byte order mark is no part of it.

    Raises ValueError for what is no I-JSON: not UTF-8, a key twice in an object, a lone surrogate, a number that no
    double holds, nesting past the interpreter's depth.
    """
    try:
        value = json.loads(
            body.removeprefix(_BOM).decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_number,
        )
        canonical: bytes = rfc8785.dumps(value)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return canonical


def digest_of(body: bytes) -> bytes:
    """Return the SHA-256 of the exact bytes: 32 bytes."""
    return hashlib.sha256(body).digest()


def validator_of(body: bytes, *, is_json: bool) -> bytes:
    """Return the validator of a body: a version byte and a SHA-256. JSON that is none is taken by its bytes."""
    if is_json:
        try:
            return _SEMANTIC + hashlib.sha256(canonicalize(body)).digest()
        except ValueError:
            pass
    return _EXACT + hashlib.sha256(body).digest()


def etag_of(validator: bytes) -> str:
    """Return a weak entity tag (RFC 9110 §8.8.3): it promises the content, not the bytes."""
    return f'W/"{validator.hex()}"'


class ValidatorCache:
    """Validators by digest, so that bytes that did not change are not canonicalised again. Least recently used go."""

    def __init__(self, entries_max: int = 4096) -> None:
        self._entries_max = entries_max
        self._known: OrderedDict[tuple[bytes, bool], bytes] = OrderedDict()

    def validator_of(self, body: bytes, digest: bytes, *, is_json: bool) -> bytes:
        """Return the validator of `body`, whose digest is known already."""
        key = (digest, is_json)
        validator = self._known.get(key)
        if validator is None:
            validator = self._known[key] = validator_of(body, is_json=is_json)
            if len(self._known) > self._entries_max:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return validator
