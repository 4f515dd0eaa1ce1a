"""The hub's end of commands: issued with a lifetime, shown as they stand, closed by the site's result.

Only the site decides DONE, FAILED or EXPIRED. Until its result is here a command is QUEUED (the site has not taken
it), SENT (it has) or UNKNOWN (its time is over and nothing was heard).
"""

import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import apsw
import trio
from attrs import define, field

from daemons.link.durable import DurableChannels
from daemons.link.limiter import per_type
from daemons.ops.environment import Environment
from daemons.ops.metrics import SLOW_S, Histogram
from daemons.ops.storecare import patiently
from daemons.pair.executor import CHANNEL
from daemons.store import Migration, Store
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

MIGRATIONS = (
    Migration(
        "desk",
        1,
        """
        CREATE TABLE command (
            id TEXT PRIMARY KEY, site TEXT NOT NULL, issuer TEXT NOT NULL, issued_at REAL NOT NULL,
            expires_at REAL NOT NULL, action TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
            status TEXT, words TEXT, decided_at REAL
        ) STRICT;
        CREATE INDEX command_by_site ON command (site, issued_at);
        """,
    ),
    Migration(
        "desk",
        2,
        """
        ALTER TABLE command ADD COLUMN to_note INTEGER NOT NULL DEFAULT 0;  -- decided, and not in the audit yet
        CREATE INDEX command_to_note ON command (site, issued_at) WHERE to_note;
        """,
    ),
)

LIFETIME_S = 300.0
LISTED_MAX = 200


class TooManyCommands(RequestError):
    """Come back in `retry_after_s`: commands of this type come too fast."""

    def __init__(self, type_: str, retry_after_s: float) -> None:
        super().__init__(ErrorCode.BUSY, f"too many commands {type_!r}; the next in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@define(eq=False)
class CommandDesk:
    """Issues commands to one site and takes its results.

    `note` is told each result, as `listed` says it, at least once and also after a restart: `run` must be running then.
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
    note: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    _decided: trio.Event = field(factory=trio.Event, init=False)

    def admit(self, action: Action) -> str:
        """Return the id for a command that may be issued now. Raises TooManyCommands: too many of this type came."""
        type_ = str(action_to_map(action)["do"])
        wait_s = per_type(self._paces, type_, self.rates(), trio.current_time())
        if wait_s:
            self.limited += 1
            raise TooManyCommands(type_, wait_s)
        return str(uuid.UUID(bytes=self.environment.urandom(16), version=4))

    async def issue(
        self, action: Action, issuer: str, lifetime_s: float = LIFETIME_S, *, id_: str | None = None
    ) -> str:
        """Queue a command; return its id once that is durable. `id_`: of one that was admitted already.

        Raises OutboxFull when too many wait for the site, and without an id as `admit`.
        """
        id_ = self.admit(action) if id_ is None else id_
        fields = action_to_map(action)
        now = self.environment.utc_now()
        command = Command(id_, issuer, now + lifetime_s, 0, action)
        row = (id_, self.site, issuer, now, now + lifetime_s, json.dumps(fields))

        def work(conn: apsw.Connection) -> None:
            epoch, seq = self.durable.append_in(conn, CHANNEL, *encode_body(command))
            conn.execute(
                "INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, 0)",
                (*row, epoch, seq),
            )

        await self.store.transact(work)
        self.issued += 1
        return id_

    async def revoke(self, id_: str) -> None:
        """Ask the site not to run a command; final when its result is FAILED with these words."""
        await self.store.transact(
            lambda conn: self.durable.append_in(conn, CHANNEL, *encode_body(Revoke(id_))) and None
        )

    def effect(self, conn: apsw.Connection, message: Message) -> None:
        """Take one message of channel `result`, inside the commit's transaction. A result is never overwritten."""
        result = decode_body(message.type, message.version, message.body)
        if not isinstance(result, Result):
            raise ValueError(f"{message.type} is no result")
        conn.execute(
            "UPDATE command SET status = ?, words = ?, decided_at = ?, to_note = ? "
            "WHERE id = ? AND site = ? AND status IS NULL",
            (result.status, result.words, result.at, self.note is not None, result.id, self.site),
        )
        if not conn.changes():
            return
        ((issued_at,),) = conn.execute("SELECT issued_at FROM command WHERE id = ?", (result.id,))
        self.store.after_commit(partial(self._count, result.status, float(issued_at)))
        if result.status is ResultStatus.DONE:
            for (action,) in conn.execute("SELECT action FROM command WHERE id = ?", (result.id,)):
                match action_from_map(json.loads(str(action))):
                    case Purge(prefix=prefix):
                        self.store.after_commit(partial(self.on_purged, prefix))

    def _count(self, status: ResultStatus, issued_at: float) -> None:
        self.results[status] += 1
        self.latency.observe(self.environment.utc_now() - issued_at)
        self._decided.set()

    async def run(self) -> None:
        """Tell `note` of results as they come. Never returns."""
        while self.note is not None:
            self._decided = trio.Event()
            for command in await patiently(partial(self._select, "to_note"), "results"):
                await patiently(partial(self.note, command), "an audit row")
                await patiently(partial(self.store.transact, _noted(command["id"])), "a noted result")
            await self._decided.wait()

    async def listed(self) -> list[dict[str, Any]]:
        """Return the site's last commands, newest first, as they stand."""
        return await self._select("TRUE")

    async def _select(self, condition: str) -> list[dict[str, Any]]:
        now = self.environment.utc_now()

        def read(conn: apsw.Connection) -> list[tuple[Any, ...]]:
            return list(
                conn.execute(
                    "SELECT id, issuer, issued_at, expires_at, action, epoch, seq, status, words, decided_at "
                    f"FROM command WHERE site = ? AND {condition} ORDER BY issued_at DESC LIMIT ?",
                    (self.site, LISTED_MAX),
                )
            )

        return [self._describe(row, now) for row in await self.store.read(read)]

    def _describe(self, row: tuple[Any, ...], now: float) -> dict[str, Any]:
        id_, issuer, issued_at, expires_at, action, epoch, seq, status, words, decided_at = row
        if status is None:
            is_taken = self.durable.is_acked(CHANNEL, epoch, seq)
            status = "UNKNOWN" if now > expires_at else "SENT" if is_taken else "QUEUED"
        return {
            "id": id_,
            "issuer": issuer,
            "issued_at": issued_at,
            "expires_at": expires_at,
            "action": json.loads(action),
            "status": status,
            "words": words,
            "decided_at": decided_at,
        }


def _noted(id_: str) -> Callable[[apsw.Connection], object]:
    return lambda conn: conn.execute("UPDATE command SET to_note = 0 WHERE id = ?", (id_,)) and None
