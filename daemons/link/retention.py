"""What leaves an outbox: acknowledged, dropped because of a bound, kept long enough.

All of it runs inside transactions, with ranges instead of rows wherever it can: one statement serves a
thousand messages. What is dropped before it was delivered becomes a durable skip in its place, in the same
transaction.
"""

from functools import partial
from typing import TYPE_CHECKING

import apsw
from attrs import frozen

from daemons.link.schema import SEQ_BITS
from daemons.store import fetch
from protocol.reliable import EXPIRED, OVERFLOW, OutEpoch, RolledBack

if TYPE_CHECKING:
    from daemons.link.outbox import Outbox

POSITIONS_S = 400 * 86400.0
"""Receivers know positions for longer than the oldest backup is kept."""
EPOCHS_KEPT = 64
"""Of a channel, so many epochs are remembered however old they are: more than a peer ever names."""
ROWS_A_STEP = 4096
"""Rows looked at in one transaction: the others wait no longer than that takes."""

_NEVER = -1e300  # older than any message

_HELD = "SELECT messages, body_bytes FROM link_out_channel WHERE id = ?"
_SUM = "SELECT count(*), total(length(body)) FROM link_out_row WHERE id > ? AND id <= ?"
_DELETE = "DELETE FROM link_out_row WHERE id > ? AND id <= ?"
_CHANGE = """UPDATE link_out_channel SET messages = messages - ?1, body_bytes = body_bytes - ?2,
    kept_messages = kept_messages + ?3, kept_bytes = kept_bytes + ?4, dropped = dropped + ?5 WHERE id = ?6
    RETURNING messages, body_bytes, kept_messages, kept_bytes, dropped"""
_UNDELIVERED = """SELECT id, epoch, next, acked FROM link_out_epoch
    WHERE channel_id = ? AND id >= ? AND acked + 1 < next ORDER BY id"""
_ACKED = (
    "SELECT id, epoch, first, acked FROM link_out_epoch WHERE channel_id = ? AND first <= acked ORDER BY id"
)
_FIRST_AT = "SELECT at FROM link_out_row WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"
# The first row, of the next ?3, that need not go any more: enough went before it, and it is young enough. The
# window is streamed, so this reads what goes and one row more.
_STOP = """WITH some AS (
        SELECT id, at, length(body) AS size FROM link_out_row
        WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3),
    sums AS (
        SELECT id, at, count(*) OVER upto - 1 AS messages, sum(size) OVER upto - size AS freed FROM some
        WINDOW upto AS (ORDER BY id ROWS UNBOUNDED PRECEDING))
    SELECT id, messages, freed FROM sums WHERE messages >= ?4 AND freed >= ?5 AND at >= ?6 LIMIT 1"""
_ALL = """SELECT max(id) + 1, count(*), total(size) FROM (
    SELECT id, length(body) AS size FROM link_out_row WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)"""
_SKIPS = """SELECT first, last FROM link_out_skip
    WHERE epoch_id = ? AND last >= ? AND first <= ? ORDER BY first"""
_SKIP_ON = "UPDATE link_out_skip SET last = ? WHERE epoch_id = ? AND last = ? AND reason = ?"
_SKIP = "INSERT INTO link_out_skip (epoch_id, first, last, reason, at) VALUES (?, ?, ?, ?, ?)"
_NOTE_LOST = """INSERT OR REPLACE INTO link_out_lost (channel_id, epoch, theirs, noticed_at)
    VALUES (?, ?, ?, ?)"""


def oldest_at(conn: apsw.Connection, channel_id: int) -> float | None:
    """Return when the oldest unacknowledged message was accepted (UTC seconds)."""
    for key, _, after, acked in fetch(conn, _UNDELIVERED, (channel_id, 0)):
        base = key << SEQ_BITS
        for (at,) in fetch(conn, _FIRST_AT, (base | acked + 1, base | after)):
            oldest: float = at
            return oldest
    return None


@frozen
class _Cut:
    """The oldest rows of a range that go: up to `stop` (an id, excluded). `done`: what follows stays."""

    stop: int
    messages: int
    body_bytes: int
    done: bool


def _cut(conn: apsw.Connection, start: int, end: int, messages: int, size: int, before: float) -> _Cut:
    """Find what must go of the rows start ≤ id < end: `messages`, `size` bytes, all older than `before`."""
    found = fetch(conn, _STOP, (start, end, ROWS_A_STEP, messages, size, before))
    if found:
        stop, count, freed = found[0]
        return _Cut(stop, count, freed, done=True)
    stop, count, freed = fetch(conn, _ALL, (start, end, ROWS_A_STEP))[0]
    return _Cut(stop or end, count, int(freed), done=False)


def acknowledge(outbox: "Outbox", conn: apsw.Connection, mine: OutEpoch, acked: int) -> None:
    """Make the peer's acknowledgement of everything up to `acked` durable."""
    key = mine.key
    outbox.store.after_commit(lambda: outbox.sender.trimmed(mine, acked))
    known = fetch(conn, "SELECT acked FROM link_out_epoch WHERE id = ?", (key,))
    if not known or known[0][0] >= acked:
        return
    base = key << SEQ_BITS
    between = (base | known[0][0], base | acked)
    messages, size = fetch(conn, _SUM, between)[0]
    size = int(size)
    keep = outbox.config.keep_acked
    if keep is not None:
        conn.execute("UPDATE link_out_epoch SET acked = ? WHERE id = ?", (acked, key))
        _change(outbox, conn, (messages, size, messages, size, 0))
        if outbox.held.kept_bytes + size > keep.body_bytes:
            retain(outbox, conn, None)
    else:
        conn.execute(_DELETE, between)
        conn.execute("DELETE FROM link_out_skip WHERE epoch_id = ? AND last <= ?", (key, acked))
        conn.execute("UPDATE link_out_epoch SET acked = ?1, first = ?1 + 1 WHERE id = ?2", (acked, key))
        _change(outbox, conn, (messages, size, 0, 0, 0))


def settle(outbox: "Outbox", conn: apsw.Connection) -> None:
    """Make durable all that was acknowledged: what was delivered is not to be counted, nor dropped."""
    for mine, acked in outbox.sender.trims():
        acknowledge(outbox, conn, mine, acked)


def make_room(outbox: "Outbox", conn: apsw.Connection) -> None:
    """Drop the oldest until the outbox is within its bounds."""
    settle(outbox, conn)
    bounds = outbox.config.bounds
    messages, size = fetch(conn, _HELD, (outbox.id,))[0]
    if messages > bounds.messages or size > bounds.body_bytes:
        drop(outbox, conn, messages - bounds.messages, size - bounds.body_bytes, OVERFLOW)


def drop(
    outbox: "Outbox",
    conn: apsw.Connection,
    messages: int,
    size: int,
    reason: str,
    *,
    before: float = _NEVER,
    limit: int = 2**62,
) -> int:
    """Turn the oldest into skips: `messages` of them, `size` bytes, and all accepted before `before`.

    Never one that may be on its way. Stops when `limit` is reached. Return how many were dropped.
    """
    key_from, seq_from = outbox.sender.unclaimed()
    count = freed = 0
    for key, epoch, after, acked in fetch(conn, _UNDELIVERED, (outbox.id, key_from)):
        base = key << SEQ_BITS
        start, end = base | max(acked + 1, seq_from if key == key_from else 1), base | after
        while start < end and count < limit:
            cut = _cut(conn, start, end, messages - count, size - freed, before)
            if cut.messages:
                _skip(outbox, conn, key, epoch, start - base, cut.stop - base - 1, reason)
            count += cut.messages
            freed += cut.body_bytes
            start = cut.stop
            if cut.done:
                break
        if start < end:
            break
    if count:
        _change(outbox, conn, (count, freed, 0, 0, count))
        outbox.store.after_commit(outbox.tell_ready)
    return count


def _skip(
    outbox: "Outbox", conn: apsw.Connection, key: int, epoch: int, first: int, last: int, reason: str
) -> None:
    """Delete rows first…last and put skips in the place of those that are not skipped already."""
    base = key << SEQ_BITS
    conn.execute(_DELETE, (base | first - 1, base | last))
    for skipped_first, skipped_last in [*fetch(conn, _SKIPS, (key, first, last)), (last + 1, last + 1)]:
        if first < skipped_first:
            upto = skipped_first - 1
            conn.execute(_SKIP_ON, (upto, key, first - 1, reason))
            if not conn.changes():
                conn.execute(_SKIP, (key, first, upto, reason, outbox.utc_now()))
            outbox.store.after_commit(partial(outbox.sender.dropped, epoch, first, upto, reason))
        first = skipped_last + 1


def retain(outbox: "Outbox", conn: apsw.Connection, now: float | None) -> int:
    """Delete acknowledged rows past their bytes, or, with `now`, past their age. Return how many."""
    keep = outbox.config.keep_acked
    if keep is None:
        return 0
    (kept,) = fetch(conn, "SELECT kept_bytes FROM link_out_channel WHERE id = ?", (outbox.id,))[0]
    before = _NEVER if now is None else now - keep.age_s
    # A sixteenth at once, so that a full outbox does not look for what must go at every acknowledgement.
    too_much = 0 if kept <= keep.body_bytes else kept - keep.body_bytes * 15 // 16
    count = freed = 0
    for key, epoch, first, acked in fetch(conn, _ACKED, (outbox.id,)):
        base = key << SEQ_BITS
        cut = _cut(conn, base | first, base | acked + 1, 0, too_much - freed, before)
        if cut.stop > base | first:
            _forget(outbox, conn, key, epoch, first, cut.stop - base - 1)
        count += cut.messages
        freed += cut.body_bytes
        if cut.done or cut.stop <= base | acked:
            break
    if count:
        _change(outbox, conn, (0, 0, -count, -freed, 0))
    return count


def _forget(outbox: "Outbox", conn: apsw.Connection, key: int, epoch: int, first: int, last: int) -> None:
    base = key << SEQ_BITS
    conn.execute(_DELETE, (base | first - 1, base | last))
    conn.execute("DELETE FROM link_out_skip WHERE epoch_id = ? AND last <= ?", (key, last))
    conn.execute("UPDATE link_out_epoch SET first = ? WHERE id = ?", (last + 1, key))
    outbox.store.after_commit(partial(outbox.sender.retained, epoch, last + 1))


def expire(outbox: "Outbox", conn: apsw.Connection, now: float) -> int:
    """Drop what is older than the channel's bound of age and was not delivered. Return how many."""
    age_s = outbox.config.bounds.age_s
    if age_s is None:
        return 0
    settle(outbox, conn)
    return drop(outbox, conn, 0, 0, EXPIRED, before=now - age_s, limit=ROWS_A_STEP)


def prune(outbox: "Outbox", conn: apsw.Connection, now: float) -> None:
    """Forget epochs that were acknowledged in full longer ago than any peer, restored or not, can know of."""
    old = fetch(
        conn,
        """SELECT id, epoch FROM link_out_epoch WHERE channel_id = ?1 AND acked + 1 = next AND first = next
            AND minted_at < ?2 ORDER BY id
            LIMIT max(0, (SELECT count(*) FROM link_out_epoch WHERE channel_id = ?1) - ?3)""",
        (outbox.id, now - 2 * POSITIONS_S, EPOCHS_KEPT),
    )
    for key, epoch in old:
        conn.execute("DELETE FROM link_out_epoch WHERE id = ?", (key,))
        outbox.store.after_commit(partial(outbox.sender.pruned, epoch))


def note_lost(outbox: "Outbox", conn: apsw.Connection, lost: list[RolledBack]) -> None:
    """Remember what the peer knows of us and we do not, so that it is reported once."""
    for loss in lost:
        if loss.key is not None:
            conn.execute("UPDATE link_out_epoch SET beyond = ? WHERE id = ?", (loss.theirs, loss.key))
        else:
            conn.execute(_NOTE_LOST, (outbox.id, loss.epoch, loss.theirs, outbox.utc_now()))


def _change(outbox: "Outbox", conn: apsw.Connection, change: tuple[int, int, int, int, int]) -> None:
    counted = fetch(conn, _CHANGE, (*change, outbox.id))[0]
    oldest = oldest_at(conn, outbox.id) if counted[0] else None
    outbox.store.after_commit(lambda: outbox.counted(counted, oldest))
