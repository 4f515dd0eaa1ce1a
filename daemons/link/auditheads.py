"""Heads of audits over the link: each end tells the other the head of its own, at each connection and after changes.

Request `audit`: {"c": rows, "h": hash, "k": rows the peer is believed to keep, "p": our hash then}, answered by {"k", "h":
what is kept, "ok": true, false, or null: tell again with the hash at "k"}.
"""

from collections.abc import Mapping
from typing import Any

import structlog
import trio
from attrs import define, field

from daemons.link.peer import Peer
from daemons.link.requests import Reply
from daemons.ops.authority.audit import EMPTY, Head
from daemons.ops.authority.heads import Told, Verdict, is_hash, kept_by, tell
from daemons.ops.authority.trail import AuditTrail
from daemons.store.errors import StorageError
from protocol.errors import ErrorCode, RequestError

__all__ = ["METHOD", "HeadExchange"]

_log = structlog.stdlib.get_logger("pitlink.link")

METHOD = "audit"
ANSWER_S = 10.0
RETRY_S = 5.0
AGAIN_S = 60.0
"""A peer that did not accept our head is told again: its operator may have looked into it."""
ROWS_MAX = 2**53


@define(eq=False)
class HeadExchange:
    """Tells one peer our head and judges the one it tells. `name`: what the peer is called in our audit."""

    name: str
    trail: AuditTrail
    _ups: int = field(default=0, init=False)
    _told: tuple[int, Head] | None = field(default=None, init=False)  # at which connection, what
    _agreed: bool = field(default=True, init=False)
    _wake: trio.Event = field(factory=trio.Event, init=False)

    def poke(self) -> None:
        """Look whether there is something to tell."""
        self._wake.set()

    def _on_up(self) -> None:
        self._ups += 1
        self.poke()

    async def answer(self, params: Mapping[str, Any]) -> Reply:
        """Take what the peer tells: the handler of the request. Raises RequestError."""
        match params:
            case {"c": int(count), "h": bytes(digest), "k": int(kept), "p": bytes(then)} if (
                0 <= count <= ROWS_MAX and 0 <= kept <= ROWS_MAX and is_hash(digest) and is_hash(then)
            ):
                told = Told(Head(count, digest), kept, then)
            case _:
                raise RequestError(ErrorCode.BAD_REQUEST, "an audit's head is c, h, k and p")
        try:
            verdict = await self.trail.judge(self.name, told)
        except StorageError as exc:
            raise RequestError(ErrorCode.INTERNAL, "the head cannot be kept just now") from exc
        return Reply({"k": verdict.kept.count, "h": verdict.kept.hash, "ok": verdict.agreed})

    async def run(self, peer: Peer) -> None:
        """Tell the peer, whenever there is news, until cancelled."""
        peer.on_up.append(self._on_up)
        while True:
            await peer.wait_connected()
            self._wake = trio.Event()
            try:
                now = (self._ups, self.trail.head())
            except StorageError as exc:
                _log.info("audit.not_told", peer=self.name, words=str(exc))
                await trio.sleep(RETRY_S)
                continue
            if now == self._told:
                with trio.move_on_after(float("inf") if self._agreed else AGAIN_S) as again:
                    await self._wake.wait()
                if again.cancelled_caught:
                    self._told = None
            elif await self._tell(peer):
                self._told = now
            else:
                await trio.sleep(RETRY_S)

    async def _tell(self, peer: Peer) -> bool:
        """Return whether this head is dealt with at this connection."""
        try:
            with trio.fail_after(ANSWER_S):
                kept = self.trail.file.read(kept_by).get(self.name, EMPTY).count
                verdict = await self._ask(peer, kept)
                if verdict.agreed is None:
                    verdict = await self._ask(peer, verdict.kept.count)
                await self.trail.kept(self.name, verdict)
                self._agreed = verdict.agreed is not False
        except RequestError as exc:
            if exc.code is ErrorCode.BAD_REQUEST:  # of a version that keeps no heads
                _log.info("audit.not_kept", peer=self.name, words=exc.words)
            return exc.code is ErrorCode.BAD_REQUEST
        except (trio.TooSlowError, StorageError) as exc:
            _log.info("audit.not_told", peer=self.name, words=str(exc))
            return False
        return True

    async def _ask(self, peer: Peer, kept: int) -> Verdict:
        told = self.trail.file.read(lambda conn: tell(conn, kept))
        params = {"c": told.head.count, "h": told.head.hash, "k": told.kept_count, "p": told.hash_then}
        match (await peer.request(METHOD, params)).result:
            case {"k": int(count), "h": bytes(digest), "ok": bool() | None as agreed} if (
                0 <= count <= ROWS_MAX and is_hash(digest)
            ):
                return Verdict(Head(count, digest), agreed)
        raise RequestError(ErrorCode.BAD_REQUEST, "its answer is none of an audit's head")
