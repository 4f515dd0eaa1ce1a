"""Datagrams beside a link: sealed with a key that the link has carried, each opened once.

    0   8  which pass this is (random, by the receiver)
    8   8  the datagram's number, from 0, big-endian
    16     ChaCha20-Poly1305 (RFC 8439) over a CBOR sequence of frames; nonce: four zeros and the number; the pass is bound in

The key is of one connection and one direction, so a number is never used twice with it. What is forged, changed or comes
again is ignored: it has no answer. Anything may get lost.
"""

from typing import Final

from attrs import define, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

__all__ = [
    "DATAGRAM_BYTES_MAX",
    "FEATURE",
    "ID_BYTES",
    "KEY_BYTES",
    "PAYLOAD_BYTES_MAX",
    "Opener",
    "Pass",
    "Sealer",
]

FEATURE: Final = "datagrams"
"""In a hello's features: this side sends datagrams if it is given a pass."""

ID_BYTES: Final = 8
KEY_BYTES: Final = 32
_HEAD_BYTES: Final = ID_BYTES + 8
_TAG_BYTES: Final = 16
DATAGRAM_BYTES_MAX: Final = 1200
"""What passes everywhere in one piece, as QUIC takes it."""
PAYLOAD_BYTES_MAX: Final = DATAGRAM_BYTES_MAX - _HEAD_BYTES - _TAG_BYTES
REPLAY_WINDOW: Final = 1024
_NUMBERS: Final = 2**63


@frozen
class Pass:
    """What lets datagrams in: handed over through the link, good for one connection."""

    id: bytes
    key: bytes = field(repr=False)


@define(eq=False)
class Sealer:
    """The sender's end of one pass."""

    passed: Pass
    number: int = field(default=0, init=False)
    _cipher: ChaCha20Poly1305 = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cipher = ChaCha20Poly1305(self.passed.key)

    def seal(self, payload: bytes) -> bytes:
        """Return the next datagram. Raises ValueError for more than PAYLOAD_BYTES_MAX."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"{len(payload)} B in a datagram, at most {PAYLOAD_BYTES_MAX}")
        number = self.number.to_bytes(8, "big")
        self.number += 1
        head = self.passed.id + number
        return head + self._cipher.encrypt(bytes(4) + number, payload, self.passed.id)


@define(eq=False)
class Opener:
    """The receiver's end of one pass. `opened`: datagrams that were let in; `refused`: forged, damaged, too old or doubled."""

    passed: Pass
    opened: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    _newest: int = field(default=-1, init=False)
    _seen: int = field(default=0, init=False)  # bit n: the number newest - n has come
    _cipher: ChaCha20Poly1305 = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cipher = ChaCha20Poly1305(self.passed.key)

    def open(self, datagram: bytes) -> bytes | None:
        """Return what is in it; None for one that is not let in."""
        number = int.from_bytes(datagram[ID_BYTES:_HEAD_BYTES], "big")
        if len(datagram) < _HEAD_BYTES + _TAG_BYTES or not self._is_new(number):
            self.refused += 1
            return None
        try:
            nonce = bytes(4) + datagram[ID_BYTES:_HEAD_BYTES]
            payload = self._cipher.decrypt(nonce, datagram[_HEAD_BYTES:], datagram[:ID_BYTES])
        except InvalidTag:
            self.refused += 1
            return None
        self._note(number)  # only now: what is forged must not move the window
        self.opened += 1
        return payload

    def _is_new(self, number: int) -> bool:
        if number > self._newest:
            return number < _NUMBERS
        back = self._newest - number
        return back < REPLAY_WINDOW and not self._seen >> back & 1

    def _note(self, number: int) -> None:
        ahead = number - self._newest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, REPLAY_WINDOW) | 1) & (1 << REPLAY_WINDOW) - 1
            self._newest = number
        else:
            self._seen |= 1 << -ahead
