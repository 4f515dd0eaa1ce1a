"""A site's way in for its hub: an upgrade on /reach, proven by a secret, whose stream then carries the link."""

import math

import structlog
import trio
from attrs import define, field

from daemons.link import reach
from daemons.link.address import REACH_PATH
from daemons.link.dial import Dialer
from daemons.link.transport import tune_socket
from daemons.ops.authority.identity import Unauthorised
from daemons.ops.authority.siteproof import NonceBook
from daemons.ops.authority.trail import AuditTrail
from daemons.store import StorageError
from daemons.web.front import FrontStream, reject
from daemons.web.head import Head
from protocol.tokenbucket import Buckets

__all__ = ["ReachDoor"]

_log = structlog.stdlib.get_logger("pitlink.pair")

PER_S, BURST = 0.5, 20
"""Tries of one address: a hub needs two for a link, and dials again less often than that."""
HEAD_BYTES_MAX = 16 * 1024
USER_TIMEOUT_S = 20.0


@define(eq=False)
class ReachDoor:
    """Lets the hub in that knows `secret`. `dialer` is what lives on the stream."""

    site: str
    secret: str = field(repr=False)
    dialer: Dialer
    nonces: NonceBook
    trail: AuditTrail
    refused: int = field(default=0, init=False)
    reached: int = field(default=0, init=False)
    _paces: Buckets = field(factory=Buckets, init=False)

    async def answer(self, stream: FrontStream, head: Head, address: str) -> None:
        """Live on the stream of a hub that has proven itself, to its end; tell others why not."""
        if head.target.partition("?")[0] != REACH_PATH:
            await reject(stream, 404, (), b"this site is no hub: it is reached at /reach")
            return
        wait_s = self._paces.take(address, trio.current_time(), PER_S, BURST)
        if wait_s:
            self.refused += 1
            await reject(stream, 429, [(b"retry-after", b"%d" % math.ceil(wait_s))], b"too many tries")
            return
        try:
            self._check(head.header("authorization") or "")
        except Unauthorised as refusal:
            await self._refuse(stream, address, refusal)
            return
        try:
            await self.trail.note(f"hub at {address}", "link.reach", self.site)
        except StorageError:
            await reject(stream, 503, [(b"retry-after", b"5")], b"nothing can be audited just now")
            return
        self.reached += 1
        _log.info("hub.reached_here", address=address)
        await _take_head(stream)
        tune_socket(stream, user_timeout_s=USER_TIMEOUT_S)
        lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: pitlink-reach", b"Connection: Upgrade")
        try:
            await stream.send_all(b"\r\n".join(lines) + b"\r\n\r\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        await self.dialer.adopt(stream)

    def _check(self, authorization: str) -> None:
        """Raise Unauthorised for who does not know the secret."""
        claim = reach.claim_of(authorization)
        if claim is None:
            raise Unauthorised("prove to be this site's hub", "missing" if not authorization else "malformed")
        nonce, proof = claim
        self.nonces.check(nonce, self.site, trio.current_time())
        if not reach.proves(proof, self.secret, self.site, nonce):
            raise Unauthorised("this is not the secret of this site", "signature")
        self.nonces.use(nonce, self.site)

    async def _refuse(self, stream: FrontStream, address: str, refusal: Unauthorised) -> None:
        if refusal.code != "missing":  # every first try is refused for its nonce
            self.refused += 1
            _log.warning("hub.refused", address=address, code=refusal.code, words=refusal.words)
            await self.trail.note_refused(f"hub at {address}", "link.reach", self.site, refusal.words)
        nonce = self.nonces.challenge(trio.current_time())
        asks = f'{reach.SCHEME} nonce="{nonce}", site="{self.site}"'
        await reject(stream, 401, [(b"www-authenticate", asks.encode())], refusal.words.encode())


async def _take_head(stream: FrontStream) -> None:
    """Take the request off the stream, which gives it once more."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) <= HEAD_BYTES_MAX:
        piece = bytes(await stream.receive_some())
        if not piece:
            return
        data += piece
    stream.replay(data.partition(b"\r\n\r\n")[2])
