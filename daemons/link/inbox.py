"""Incoming channels of one peer in the database: effect, mark and outgoing rows are one transaction.

A message whose handler raises is undone and committed as a *dead letter* that holds its body: the channel
goes on. A failing disk is different: nothing is committed, nothing acknowledged.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Protocol

import apsw
import structlog
from attrs import frozen

from daemons.link.figures import ReliableFigures
from daemons.link.retention import EPOCHS_KEPT, POSITIONS_S
from daemons.store import DISK_ERRORS, Store, fetch
from protocol.errors import LocalProtocolError
from protocol.frames import InPosition, Message, Skip
from protocol.reliable_in import Entry

_log = structlog.stdlib.get_logger("pitlink.link")

DEAD_MAX = 10_000
"""Dead letters kept of one peer; the oldest go first."""
_ERROR_CHARS = 500

_POSITION = "SELECT committed FROM link_in WHERE peer = ? AND channel = ? AND epoch = ?"
_MARK_ON = (
    "UPDATE link_in SET committed = ?, at = ? WHERE peer = ? AND channel = ? AND epoch = ? AND committed = ?"
)
_MARK = """INSERT INTO link_in (peer, channel, epoch, committed, at) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (peer, channel, epoch) DO UPDATE SET committed = ?4, at = ?5"""
_SKIP = (
    "INSERT INTO link_in_skip (peer, channel, epoch, first, last, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_LEDGER = """SELECT channel, epoch, committed,
    (SELECT coalesce(sum(last - first + 1), 0) FROM link_in_skip AS skip
        WHERE skip.peer = link_in.peer AND skip.channel = link_in.channel AND skip.epoch = link_in.epoch),
    (SELECT count(*) FROM link_dead AS dead
        WHERE dead.peer = link_in.peer AND dead.channel = link_in.channel AND dead.epoch = link_in.epoch)
    FROM link_in WHERE peer = ?1 ORDER BY id DESC LIMIT 256"""
_BURY = """INSERT INTO link_dead (peer, channel, epoch, seq, type, version, body, error, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def dead_letter_counts(conn: apsw.Connection) -> dict[str, int]:
    """Return how many dead letters are kept of each peer; peers without any are left out."""
    return dict(fetch(conn, "SELECT peer, count(*) FROM link_dead GROUP BY peer"))


def _first(entry: Entry) -> int:
    return entry.seq if isinstance(entry, Message) else entry.first


def _want(channel: str, number: int, due: int) -> None:
    if number != due:
        raise LocalProtocolError(f"{channel}: {number} was to be committed where {due} is due")


class Effect(Protocol):
    """What a message does, inside the transaction that commits it: it must not wait, nor ask for the time.

    Whatever it raises, save a failure of the disk, makes the message a dead letter. It may have a method
    `many(conn, messages)`, which does the same for several at once; when that raises, each is tried by
    itself.
    """

    def __call__(self, conn: apsw.Connection, message: Message, /) -> None: ...


@frozen
class DeadLetter:
    """A message that could not be applied. `at`: UTC seconds."""

    id: int
    channel: str
    epoch: int
    seq: int
    type: str
    version: int
    body: bytes
    error: str
    at: float

    @property
    def message(self) -> Message:
        """The message as it came."""
        return Message(self.channel, self.epoch, self.seq, self.type, self.version, self.body)


class Inbox:
    """All incoming channels from one peer."""

    def __init__(self, store: Store, peer: str, utc_now: Callable[[], float]) -> None:
        self.figures = ReliableFigures()
        self._store = store
        self._peer = peer
        self._utc_now = utc_now

    def positions(self, conn: apsw.Connection, channel: str) -> list[InPosition]:
        """Return the positions of a channel's epochs, in the order in which the peer began them."""
        rows = fetch(
            conn,
            "SELECT epoch, committed FROM link_in WHERE peer = ? AND channel = ? ORDER BY id",
            (self._peer, channel),
        )
        return [InPosition(channel, epoch, committed) for epoch, committed in rows]

    def ledger(self, conn: apsw.Connection, channels: Sequence[str]) -> dict[str, list[dict[str, int]]]:
        """Return what came, by channel: of each epoch how far, and how many of those were skipped or are dead.

        The newest 256 epochs.
        """
        rows = fetch(conn, _LEDGER, (self._peer,))
        return {
            name: [
                {"epoch": epoch, "committed": committed, "skipped": skipped, "dead": dead}
                for channel, epoch, committed, skipped, dead in rows
                if channel == name
            ]
            for name in channels
        }

    def commit(
        self, conn: apsw.Connection, channel: str, effect: Effect, entries: Iterable[Entry]
    ) -> list[tuple[int, int]]:
        """Apply what came, in order, and set the marks; return the new positions, (epoch, number) each."""
        now = self._utc_now()
        marks = []
        for epoch, group in groupby(entries, lambda entry: entry.epoch):
            these = list(group)
            before = last = _first(these[0]) - 1
            for entry in these:
                _want(channel, _first(entry), last + 1)
                last = entry.seq if isinstance(entry, Message) else entry.last
            self._mark(conn, channel, epoch, before, last, now)
            messages: list[Message] = []
            for entry in these:
                if isinstance(entry, Message):
                    messages.append(entry)
                else:
                    self._apply(conn, effect, messages, now)
                    messages = []
                    self._skip(conn, entry, now)
            self._apply(conn, effect, messages, now)
            marks.append((epoch, last))
            self._count(self.figures.applied, channel, last - before)
        return marks

    def _mark(
        self, conn: apsw.Connection, channel: str, epoch: int, before: int, last: int, now: float
    ) -> None:
        """Set the mark of an epoch from `before` to `last`. LocalProtocolError where it stands elsewhere."""
        conn.execute(_MARK_ON, (last, now, self._peer, channel, epoch, before))
        if not conn.changes():
            known = fetch(conn, _POSITION, (self._peer, channel, epoch))
            _want(channel, before + 1, known[0][0] + 1 if known else 1)
            conn.execute(_MARK, (self._peer, channel, epoch, last, now))

    def _count(self, counter: Counter[str], channel: str, more: int) -> None:
        """Count what this transaction does, once it is durable."""
        self._store.after_commit(lambda: counter.update({channel: more}))

    def _apply(self, conn: apsw.Connection, effect: Effect, messages: Sequence[Message], now: float) -> None:
        many = getattr(effect, "many", None)
        if many is not None and len(messages) > 1:
            try:
                with self._store.savepoint(conn):
                    many(conn, messages)
                return
            except DISK_ERRORS:
                raise
            except Exception as error:
                _log.info(
                    "messages.retried_one_by_one", peer=self._peer, count=len(messages), error=str(error)
                )
        for message in messages:
            try:
                with self._store.savepoint(conn):
                    effect(conn, message)
            except DISK_ERRORS:
                raise
            except Exception as error:
                self._bury(conn, message, error, now)

    def _bury(self, conn: apsw.Connection, message: Message, error: Exception, now: float) -> None:
        words = f"{type(error).__name__}: {error}"[:_ERROR_CHARS]
        conn.execute(
            _BURY,
            (
                self._peer,
                message.channel,
                message.epoch,
                message.seq,
                message.type,
                message.version,
                message.body,
                words,
                now,
            ),
        )
        self._count(self.figures.dead, message.channel, 1)
        self._count(self.figures.applied, message.channel, -1)
        _log.warning(
            "message.dead_letter",
            peer=self._peer,
            channel=message.channel,
            seq=message.seq,
            type=message.type,
            error=words,
        )

    def _skip(self, conn: apsw.Connection, skip: Skip, now: float) -> None:
        conn.execute(_SKIP, (self._peer, skip.channel, skip.epoch, skip.first, skip.last, skip.reason, now))
        self._count(self.figures.skipped, skip.channel, skip.last - skip.first + 1)
        self._count(self.figures.applied, skip.channel, skip.first - skip.last - 1)
        _log.info(
            "messages.skipped",
            peer=self._peer,
            channel=skip.channel,
            first=skip.first,
            last=skip.last,
            reason=skip.reason,
        )

    # --- dead letters ---------------------------------------------------------------------------------------

    def dead_letters(self, conn: apsw.Connection) -> list[DeadLetter]:
        """Return the dead letters of this peer, oldest first."""
        rows = fetch(
            conn,
            """SELECT id, channel, epoch, seq, type, version, body, error, at FROM link_dead
                WHERE peer = ? ORDER BY id""",
            (self._peer,),
        )
        return [DeadLetter(*row) for row in rows]

    def requeue(
        self,
        conn: apsw.Connection,
        dead_id: int,
        effects: Mapping[str, Effect],
        rewrite: Callable[[Message], Message],
    ) -> bool:
        """Apply a dead letter after all, as `rewrite` made it, and remove it.

        False when there is none of this id.

        Raises what the effect raises; the dead letter stays then.
        """
        for letter in self.dead_letters(conn):
            if letter.id == dead_id:
                effects[letter.channel](conn, rewrite(letter.message))
                return self.drop(conn, dead_id)
        return False

    def drop(self, conn: apsw.Connection, dead_id: int) -> bool:
        """Remove a dead letter for good. False when there is none of this id."""
        conn.execute("DELETE FROM link_dead WHERE id = ? AND peer = ?", (dead_id, self._peer))
        return bool(conn.changes())

    def sweep(self, conn: apsw.Connection, now: float) -> None:
        """Forget positions and skips of 400 days ago, save the newest, and dead letters past their number."""
        old = now - POSITIONS_S
        conn.execute("DELETE FROM link_in_skip WHERE peer = ? AND at < ?", (self._peer, old))
        conn.execute(
            """DELETE FROM link_in WHERE peer = ?1 AND at < ?2 AND id NOT IN (SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY channel ORDER BY id DESC) AS age FROM link_in
                WHERE peer = ?1) WHERE age <= ?3)""",
            (self._peer, old, EPOCHS_KEPT),
        )
        conn.execute(
            """DELETE FROM link_dead WHERE peer = ?1 AND id NOT IN
                (SELECT id FROM link_dead WHERE peer = ?1 ORDER BY id DESC LIMIT ?2)""",
            (self._peer, DEAD_MAX),
        )
