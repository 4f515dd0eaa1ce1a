"""The audit of a running daemon: rows are added beside the event loop, refused ones of one person not without end."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import apsw
import structlog
import trio
from attrs import define, field

from daemons.ops.authority import audit, heads
from daemons.ops.authority.audit import AuditCheck, AuditEntry, AuditFault, Head, Outcome
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.heads import Told, Verdict
from daemons.ops.health import Health, Severity
from daemons.ops.metrics import Reading
from daemons.store.errors import StorageError, StorageFault
from protocol.tokenbucket import Buckets

__all__ = ["AuditTrail"]

_log = structlog.stdlib.get_logger("pitlink.ops")

REFUSED_PER_S = 0.1
REFUSED_BURST = 30.0
FAILURE_S = 5.0
"""How long one who is cancelled still waits for the row that says so."""
"""Rows a second that one who is refused can cause; what is past it is only counted and logged."""


@define(eq=False)
class AuditTrail:
    """Adds to the audit of this daemon and reads it. One for a daemon."""

    file: AuthorityFile
    utc_now: Callable[[], float]
    health: Health
    left_out: int = field(default=0, init=False)
    """Refusals that got no row of their own."""

    _refused: Buckets = field(factory=lambda: Buckets(1000), init=False)

    def __attrs_post_init__(self) -> None:
        self.file.on_fault(self._on_fault)

    def _on_fault(self, fault: StorageError | None) -> None:
        """Pages and links go on meanwhile; the file sees to it that this is taken back."""
        if fault is None:
            self.health.clear("audit")
            return
        severity = Severity.FAILING if fault.fault is StorageFault.CORRUPT else Severity.DEGRADED
        words = f"nothing can be audited, so no action is done and no right is changed: {fault}"
        self.health.set("audit", severity, words)

    async def note(
        self,
        who: str,
        action: str,
        target: str = "",
        *,
        before: Any = None,
        after: Any = None,
        outcome: Outcome = "done",
        persist: Callable[[apsw.Connection], object] | None = None,
    ) -> None:
        """Add a row, and do `persist(conn)` in the same transaction. Durable on return.

        Raises StorageError, and what `persist` raises: nothing of either happened then.
        """
        await self.note_all(
            [AuditEntry(self.utc_now(), who, action, target, before, after, outcome)], persist
        )

    async def note_all(
        self, entries: Sequence[AuditEntry], persist: Callable[[apsw.Connection], object] | None = None
    ) -> None:
        """Add rows, in this order and in one transaction; otherwise as `note`."""

        def work(conn: apsw.Connection) -> None:
            if persist is not None:
                persist(conn)
            for entry in entries:
                audit.append(conn, entry)

        await self.file.write(work)
        for entry in entries:
            _log.info(
                "audit.row", who=entry.who, action=entry.action, target=entry.target, outcome=entry.outcome
            )

    def check(self) -> None:
        """Raise StorageError while rows cannot be added, as far as is known: for what is noted right behind its deed."""
        if self.file.fault is not None:
            raise self.file.fault.copy()

    async def note_refused(self, who: str, action: str, target: str, words: str) -> None:
        """Add a row for what was not allowed, unless the same one causes too many. Never raises StorageError."""
        if self._refused.take(who, trio.current_time(), REFUSED_PER_S, REFUSED_BURST) > 0:
            self.left_out += 1
            _log.warning("audit.left_out", who=who, action=action, left_out=self.left_out)
            return
        try:
            await self.note(who, action, target, after={"words": words}, outcome="refused")
        except StorageError:
            _log.warning("audit.refusal_lost", who=who, action=action)  # health says it as well

    @asynccontextmanager
    async def noting_failure(self, who: str, action: str, target: str) -> AsyncIterator[None]:
        """Add a row "failed" when the block raises or is cancelled: its deed has a row already. Raises nothing else."""
        try:
            yield
        except BaseException as exc:
            with trio.move_on_after(FAILURE_S, shield=True):
                await self.note_failure(who, action, target, exc)
            raise

    async def note_failure(self, who: str, action: str, target: str, failure: BaseException) -> None:
        """Add a row "failed". Never raises StorageError."""
        try:
            await self.note(who, action, target, after={"words": _why(failure)}, outcome="failed")
        except StorageError:
            _log.warning("audit.failure_lost", who=who, action=action)  # health says it as well

    def head(self) -> Head:
        """Return the head as it is now, whoever added to it."""
        return self.file.read(audit.head)

    def rows(self, *, after: int = 0, last: int | None = None) -> list[audit.AuditRow]:
        """Return the rows past number `after`; `last`: the newest so many of them."""
        return self.file.read(lambda conn: audit.rows(conn, after=after, last=last))

    async def verify(self, known: Head | None = None) -> tuple[list[AuditFault], Head]:
        """Check every row, some at a time, and each head that a peer keeps; return what is wrong, and the head.

        `known`: one more head to hold against it.
        """
        found: list[AuditFault] = []
        kept = {**self.file.read(heads.kept_by), **({"": known} if known is not None else {})}
        check = AuditCheck(None)
        is_more = True
        while is_more:
            is_more = self.file.read(check.read)
            await trio.lowlevel.checkpoint()
        found += check.finish()
        for peer, theirs in kept.items():
            words = self._compare(theirs)
            if words:
                found.append(AuditFault(theirs.count, f"{words} (by the head that {peer or 'you'} kept)"))
        return found, self.head()

    def _compare(self, known: Head) -> str:
        here = self.file.read(lambda conn: audit.hash_at(conn, known.count))
        if here is None:
            return f"the tail was cut: {known.count} rows are known of, {self.head().count} are here"
        if here != known.hash:
            return f"row {known.count} is not the one that is known of: history was rewritten"
        return ""

    def readings(self) -> Iterator[Reading]:
        """Yield the audit's figures."""
        try:
            yield Reading("audit_rows", "Rows of the audit.", self.head().count)
        except StorageError:  # said in the daemon's health
            pass
        words = "Refusals without a row, because one who is refused caused too many."
        yield Reading("audit_left_out", words, self.left_out, is_counter=True)

    # --- heads at peers ------------------------------------------------------------------------------------------

    async def judge(self, peer: str, told: Told) -> Verdict:
        """Hold what a peer tells against what is kept of it; say it in the health registry when they differ."""
        now = self.utc_now()
        known = self.file.read(lambda conn: heads.kept_of(conn, peer))
        if known is not None and known.head == told.head and not known.broken:
            return Verdict(known.head, True)
        verdict, words = await self.file.write(lambda conn: heads.judge(conn, peer, told, now))
        if words:
            if known is None or known.broken != words:
                await self.note(f"link {peer}", "audit.break", peer, after={"words": words}, outcome="failed")
            self._warn(peer, words)
        elif verdict.agreed:
            self.health.clear(f"audit-{peer}")
        return verdict

    def warn_of_breaks(self) -> None:
        """Say again, after a start, which peers' audits are broken, and take back what was accepted meanwhile."""
        for kept in self.file.read(heads.list_kept):
            if kept.broken:
                self._warn(kept.peer, kept.broken)

    def _warn(self, peer: str, words: str) -> None:
        hint = f"find out why, then: pitlink ctl audit.accept peer={peer}"
        self.health.set(f"audit-{peer}", Severity.DEGRADED, f"{words}; {hint}")

    async def accept(self, peer: str, who: str) -> heads.KeptHead | None:
        """Take the head that a peer tells next, whatever was kept of it. None when nothing was."""
        found = self.file.read(lambda conn: heads.kept_of(conn, peer))
        if found is not None:
            before = {"head": str(found.head), "broken": found.broken}
            await self.note(
                who, "audit.accept", peer, before=before, persist=lambda conn: heads.accept(conn, peer)
            )
            self.health.clear(f"audit-{peer}")
        return found

    async def kept(self, peer: str, verdict: Verdict) -> None:
        """Take a peer's verdict on our head: what it keeps, and whether that is what we have."""
        if verdict.agreed is None:
            return
        known = self.file.read(heads.kept_by).get(peer)
        if known != verdict.kept and (verdict.agreed or known is None or known.count <= verdict.kept.count):
            now = self.utc_now()
            await self.file.write(lambda conn: heads.note_kept_by(conn, peer, verdict.kept, now))
        if verdict.agreed:
            self.health.clear(f"audit-kept-{peer}")
        else:
            words = self._compare(verdict.kept) or "it keeps another head of it"
            self.health.set(
                f"audit-kept-{peer}",
                Severity.DEGRADED,
                f"{peer} does not accept the audit of this daemon: {words}",
            )


def _why(exc: BaseException) -> str:
    """Return the words of what has words for people, of others no more than the kind."""
    if isinstance(exc, trio.Cancelled):
        return "given up before its end; it may have been done"
    if isinstance(exc, StorageError):
        return str(exc)
    words = getattr(exc, "words", None)
    return words if isinstance(words, str) else type(exc).__name__
