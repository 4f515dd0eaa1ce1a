"""What a state topic's two ends agree on: the digest of a table, and its bounds.

The digest is an order-free sum, modulo 2⁶⁴, over a hash of each row: changing k of n rows costs O(k), and
both ends come to the same number whatever the order of what happened. It finds mistakes and lost frames, not
forgers. The hash of a row is the first 8 bytes, big-endian, of BLAKE2b (RFC 7693, digest size 8) over the
key's length in UTF-8 (4 bytes, big-endian), the key and the encoded row.
"""

from collections.abc import Mapping
from hashlib import blake2b

__all__ = ["KEY_BYTES_MAX", "ROW_BYTES_MAX", "changed_digest", "digest_bytes", "row_bytes"]

ROW_BYTES_MAX = 8 * 1024
KEY_BYTES_MAX = 512

_MODULUS = 1 << 64
_HEADER_BYTES = 6


def row_bytes(key: str, row: bytes | None) -> int:
    """Return what a row takes in a frame, and counts in a table: at most its bytes and two CBOR heads."""
    return len(key.encode()) + len(row or b"") + _HEADER_BYTES


def row_hash(key: str, row: bytes) -> int:
    """Return the number that one row adds to the digest."""
    name = key.encode()
    return int.from_bytes(blake2b(len(name).to_bytes(4) + name + row, digest_size=8).digest())


def changed_digest(digest: int, before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]) -> int:
    """Return the digest after the values of `before` have become those of `after` (None: no row)."""
    for key, row in before.items():
        if row is not None:
            digest -= row_hash(key, row)
    for key, row in after.items():
        if row is not None:
            digest += row_hash(key, row)
    return digest % _MODULUS


def digest_bytes(digest: int) -> bytes:
    """Return the digest as it stands in frames."""
    return digest.to_bytes(8)
