"""The hub's end of commands: issued with a lifetime, shown as they stand, closed by the site's result.

Only the site decides DONE, FAILED or EXPIRED. Until its result is here a command is QUEUED (the site has not taken
it), SENT (it has) or UNKNOWN (its time is over, or it was sent three times, and nothing was heard). What failed or
expired is a dead letter, to be asked for again under another id or to be dropped.
"""

import json
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import apsw
import trio
from attrs import define, field, frozen

from daemons.link.durable import DurableChannels
from daemons.link.limiter import per_type
from daemons.link.signal import Signal
from daemons.ops.environment import Environment
from daemons.ops.metrics import SLOW_S, Histogram
from daemons.ops.storecare import patiently
from daemons.pair.desktables import CLOSE, IS_DEAD, MIGRATIONS, Sent, forget, keep_noted, keep_sent, select
from daemons.pair.executor import CHANNEL
from daemons.store import Store, fetch
from protocol.errors import ErrorCode, RequestError
from protocol.frames import Message
from protocol.messages import (
    Action,
    Command,
    Purge,
    Result,
    ResultStatus,
    Revoke,
    action_from_map,
    action_to_map,
    decode_body,
    encode_body,
)
from protocol.tokenbucket import Buckets

__all__ = ["LIFETIME_S", "MIGRATIONS", "CommandDesk", "Note", "TooManyCommands"]

LIFETIME_S = 300.0
ATTEMPTS_MAX = 3
"""Sent so often without a word of the site: it is UNKNOWN what becomes of it, and it may be withdrawn."""
ATTEMPTS_LATE_S = 0.2
"""Attempts are on disk so long after they were made: a result is mostly there before, and needs no second fsync."""
ATTEMPTS_WAITING_MAX = 4096

NOTED_LATE_S = 0.1
"""The audit's rows follow so long after the first of them: those of one command, and of several, are one commit, and none
of it while the site's answer is awaited."""
_ISSUED, _RESULT = 2, 1
"""In column to_note: what the audit is yet to be told."""


class TooManyCommands(RequestError):
    """Come back in `retry_after_s`: commands of this type come too fast."""

    def __init__(self, type_: str, retry_after_s: float) -> None:
        super().__init__(ErrorCode.BUSY, f"too many commands {type_!r}; the next in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@frozen
class Note:
    """What the audit is to be told: a command as `listed` has it, that it was issued or what its result is."""

    command: dict[str, Any]
    is_result: bool


@define(eq=False)
class CommandDesk:
    """Issues commands to one site and takes its results.

    `note` is told what was issued for the audit, and each result, at least once and also after a restart: `run` must be
    running then.
    """

    store: Store
    durable: DurableChannels
    site: str
    environment: Environment
    rates: Callable[[], Mapping[str, float]] = dict  # commands a second, by type
    limited: int = field(default=0, init=False)
    _paces: Buckets = field(factory=Buckets, init=False)
    on_purged: Callable[[str], None] = field(default=lambda prefix: None)  # the hub's copies are to follow
    issued: int = field(default=0, init=False)
    results: Counter[str] = field(factory=Counter, init=False)  # by status
    latency: Histogram = field(factory=lambda: Histogram(SLOW_S), init=False)
    note: Callable[[Sequence[Note]], Awaitable[None]] | None = None
    on_change: list[Callable[[], None]] = field(factory=list)
    """Called when the list of commands is another: none may block."""
    _to_note: Signal = field(factory=Signal, init=False)
    _sent: deque[Sent] = field(init=False)  # not on disk yet
    _sent_more: Signal = field(factory=Signal, init=False)

    def __attrs_post_init__(self) -> None:
        self._sent = deque(maxlen=ATTEMPTS_WAITING_MAX)
        self.durable.watch_sent(CHANNEL, self._on_sent)

    def admit(self, action: Action) -> str:
        """Return the id for a command that may be issued now. Raises TooManyCommands: too many of this type came."""
        type_ = str(action_to_map(action)["do"])
        wait_s = per_type(self._paces, type_, self.rates(), trio.current_time())
        if wait_s:
            self.limited += 1
            raise TooManyCommands(type_, wait_s)
        return str(uuid.UUID(bytes=self.environment.urandom(16), version=4))

    async def issue(
        self,
        action: Action,
        issuer: str,
        lifetime_s: float = LIFETIME_S,
        *,
        id_: str | None = None,
        against: int = 0,
        replaces: str | None = None,
        is_to_note: bool = False,
    ) -> str:
        """Queue a command; return its id once that is durable. `id_`: of one that was admitted already; `against`: the
        state version it was decided on, 0: any; `replaces`: the dead letter that it is asked for again; `is_to_note`:
        have `note` told of it, because nobody else has told the audit.

        Raises OutboxFull when too many wait for the site, KeyError for a dead letter that is none any more, and without
        an id as `admit`.
        """
        id_ = self.admit(action) if id_ is None else id_
        fields = action_to_map(action)
        now = self.environment.utc_now()
        command = Command(id_, issuer, now + lifetime_s, against, action)
        row = (id_, self.site, issuer, now, now + lifetime_s, json.dumps(fields))
        to_note = _ISSUED if is_to_note and self.note is not None else 0

        def work(conn: apsw.Connection) -> None:
            if replaces is not None:
                conn.execute(
                    f"UPDATE command SET replaced_by = ? WHERE id = ? AND site = ? AND {IS_DEAD}",
                    (id_, replaces, self.site),
                )
                if not conn.changes():
                    raise KeyError(replaces)
            epoch, seq = self.durable.append_in(conn, CHANNEL, *encode_body(command))
            conn.execute(
                "INSERT INTO command (id, site, issuer, issued_at, expires_at, action, epoch, seq, against, replaces, "
                "to_note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, epoch, seq, against, replaces, to_note),
            )
            if to_note:
                self.store.after_commit(self._to_note.set)

        await self.store.transact(work)
        self.issued += 1
        self._tell()
        return id_

    async def revoke(self, id_: str) -> None:
        """Ask the site not to run a command; final when its result is FAILED with these words."""

        def work(conn: apsw.Connection) -> None:
            conn.execute("UPDATE command SET withdrawn = 1 WHERE id = ? AND site = ?", (id_, self.site))
            self.durable.append_in(conn, CHANNEL, *encode_body(Revoke(id_)))

        await self.store.transact(work)
        self._tell()

    async def drop(self, id_: str) -> bool:
        """Forget a dead letter: it stays in the list of commands. False when there is none of this id."""

        def work(conn: apsw.Connection) -> bool:
            conn.execute(
                f"UPDATE command SET dropped = 1 WHERE id = ? AND site = ? AND {IS_DEAD}", (id_, self.site)
            )
            return bool(conn.changes())

        is_dropped = await self.store.transact(work)
        self._tell()
        return is_dropped

    def _tell(self) -> None:
        for callback in self.on_change:
            callback()

    def effect(self, conn: apsw.Connection, message: Message) -> None:
        """Take one message of channel `result`, inside the commit's transaction. A result is never overwritten."""
        result = decode_body(message.type, message.version, message.body)
        if not isinstance(result, Result):
            raise ValueError(f"{message.type} is no result")
        found = fetch(
            conn, CLOSE, (result.status, result.words, result.at, self._noted_as(), result.id, self.site)
        )
        if not found:
            return
        issued_at, action = found[0]
        self.store.after_commit(partial(self._count, result.status, float(issued_at)))
        if result.status is ResultStatus.DONE:
            match action_from_map(json.loads(action)):
                case Purge(prefix=prefix):
                    self.store.after_commit(partial(self.on_purged, prefix))

    def _noted_as(self) -> int:
        return 0 if self.note is None else _RESULT

    def _count(self, status: ResultStatus, issued_at: float) -> None:
        self.results[status] += 1
        self.latency.observe(self.environment.utc_now() - issued_at)
        self._to_note.set()
        self._tell()

    def _on_sent(self, epoch: int, first: int, last: int) -> None:
        self._sent.append((epoch, first, last, self.environment.utc_now()))
        self._sent_more.set()

    async def run(self) -> None:
        """Tell `note` of results as they come, and keep when commands were sent. Never returns."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_attempts)
            if self.note is not None:
                nursery.start_soon(self._note_each, self.note)

    async def _note_each(self, note: Callable[[Sequence[Note]], Awaitable[None]]) -> None:
        while True:
            while notes := await patiently(self._to_be_noted, "commands"):
                await patiently(partial(note, notes), "audit rows")
                noted = [
                    (_RESULT if one.is_result else _ISSUED, one.command["id"], self.site) for one in notes
                ]
                await patiently(partial(self.store.transact, partial(keep_noted, noted)), "noted commands")
            await self._to_note.wait()
            await trio.sleep(NOTED_LATE_S)

    async def _to_be_noted(self) -> list[Note]:
        """Return what the audit does not have yet, in the order in which it came about, as far as one commit takes it."""
        notes = []
        for bit, is_result in ((_ISSUED, False), (_RESULT, True)):
            oldest = await self._select(f"to_note AND to_note & {bit}", order="ASC")
            notes += [Note(command, is_result) for command in oldest]
        return notes

    async def _keep_attempts(self) -> None:
        while True:
            await self._sent_more.wait()
            await trio.sleep(ATTEMPTS_LATE_S)
            sent = [(at, self.site, epoch, first, last) for epoch, first, last, at in self._sent]
            keep = partial(self.store.transact, partial(keep_sent, sent))
            await patiently(keep, "attempts to deliver commands")
            for _ in sent:
                self._sent.popleft()

    async def sweep(self, keep_s: float) -> None:
        """Forget commands that were good until so long ago, some at a time. Raises StorageError."""
        before = self.environment.utc_now() - keep_s

        await self.store.transact(partial(forget, self.site, before))

    async def listed(self) -> list[dict[str, Any]]:
        """Return the site's last commands, newest first, as they stand."""
        return await self._select("TRUE")

    async def dead(self) -> list[dict[str, Any]]:
        """Return those that failed or expired, and that nobody has withdrawn, asked for again or dropped."""
        return await self._select(IS_DEAD)

    async def find(self, id_: str) -> dict[str, Any] | None:
        """Return one as it stands; None when there is none of this id."""
        return next(iter(await self._select("id = ?", id_)), None)

    async def undecided(self, id_: str) -> dict[str, Any]:
        """Return one that may still be withdrawn. Raises KeyError for an unknown id, RequestError when it is decided."""
        found = await self.find(id_)
        if found is None:
            raise KeyError(id_)
        if found["decided_at"] is not None:
            raise RequestError(ErrorCode.BAD_REQUEST, f"it is {found['status']} already")
        return found

    async def _select(self, condition: str, *bindings: str, order: str = "DESC") -> list[dict[str, Any]]:
        now = self.environment.utc_now()
        waiting = list(self._sent)

        read = partial(select, self.site, condition, bindings, order, waiting)
        return [self._describe(row, now) for row in await self.store.read(read)]

    def _describe(self, row: tuple[Any, ...], now: float) -> dict[str, Any]:
        id_, issuer, issued_at, expires_at, action, epoch, seq, status, words, decided_at, *more = row
        against, replaces, replaced_by, is_withdrawn, attempts = more
        if status is None:
            is_taken = self.durable.is_acked(CHANNEL, epoch, seq)
            is_unknown = now > expires_at or (not is_taken and len(attempts) >= ATTEMPTS_MAX)
            status = "UNKNOWN" if is_unknown else "SENT" if is_taken else "QUEUED"
        return {
            "id": id_,
            "issuer": issuer,
            "issued_at": issued_at,
            "expires_at": expires_at,
            "action": json.loads(action),
            "status": status,
            "words": words,
            "decided_at": decided_at,
            "against": against,
            "replaces": replaces,
            "replaced_by": replaced_by,
            "withdrawn": bool(is_withdrawn),
            "attempts": [{"at": at} for at in attempts],
        }
