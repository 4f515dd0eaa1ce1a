"""One outgoing channel in the database: numbering, rows, acknowledgements, and the machine that sends them.

Every method that takes `conn` runs inside a transaction of the store. What it changes in memory it changes in
`after_commit`, so the machine sees what the database did, in the same order, and nothing that was undone.
"""

from collections.abc import Callable, Sequence
from functools import partial

import apsw
from attrs import field, frozen

from daemons.link.retention import make_room, oldest_at, settle
from daemons.link.schema import SEQ_BITS
from daemons.store import Store, fetch, iterate
from protocol.frames import FRAME_BYTES_MAX
from protocol.messagewriter import MessageWriter
from protocol.reliable import Bounds, Full, Load, OutEpoch, Row
from protocol.reliable_out import Sender

Draft = tuple[str, int, bytes]
"""A message to be sent: its type, the schema version of its body, the body."""

Counts = tuple[int, int, int, int, int]
"""The first five fields of Held."""

# Held in memory of a channel whose peer is slower than its callers: what was just made durable need not be
# read again (measured: 2.3 µs a message).
_AHEAD_MESSAGES = 16 * 1024
_AHEAD_BYTES = 8 * 1024 * 1024

_RUN_MIN = 4  # from here on one statement for a run of rows is cheaper than one each

_OPEN = "INSERT OR IGNORE INTO link_out_channel (peer, channel) VALUES (?, ?)"
_CHANNEL = """SELECT id, messages, body_bytes, kept_messages, kept_bytes, dropped FROM link_out_channel
    WHERE peer = ? AND channel = ?"""
_EPOCHS = "SELECT id, epoch, first, next, acked, beyond FROM link_out_epoch WHERE channel_id = ? ORDER BY id"
_SKIPS = "SELECT first, last, reason FROM link_out_skip WHERE epoch_id = ? ORDER BY first"
_LOST = "SELECT epoch, theirs FROM link_out_lost WHERE channel_id = ?"
_COUNT = """UPDATE link_out_channel SET messages = messages + ?1, body_bytes = body_bytes + ?2
    WHERE id = ?3 AND messages + ?1 <= ?4 AND body_bytes + ?2 <= ?5
    RETURNING messages, body_bytes, kept_messages, kept_bytes, dropped"""
_NUMBER = """INSERT INTO link_out_epoch (channel_id, epoch, next, minted_at) VALUES (?1, ?2, ?3 + 1, ?4)
    ON CONFLICT (channel_id, epoch) DO UPDATE SET next = next + ?3 RETURNING id, next"""
_INSERT = "INSERT INTO link_out_row (id, type, version, at, body) VALUES (?, ?, ?, ?, ?)"
_INSERT_RUN = """INSERT INTO link_out_row (id, type, version, at, body)
    SELECT ? + rowid, ?, ?, ?, value FROM carray(?)"""
_LOAD = """SELECT id, type, version, body FROM link_out_row WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"""
_UNLIMITED = 2**62
_HEAD_BYTES_MAX = 512  # of a frame, with the names of channel and type


class OutboxFull(Exception):
    """A channel holds all it may and refuses more: answer BUSY, try again when it has drained."""


@frozen
class Keep:
    """How long acknowledged rows are kept to refill a peer that was restored from a backup."""

    age_s: float = 7 * 86400.0
    body_bytes: int = 64 * 1024 * 1024


@frozen
class OutChannel:
    """How one outgoing channel is kept. Without `keep_acked` what was acknowledged is never sent again."""

    name: str
    keep_acked: Keep | None = None
    bounds: Bounds = field(factory=Bounds)


@frozen
class Held:
    """What a channel's outbox holds, as of the last commit.

    `oldest_at`: UTC seconds of the oldest unacknowledged.
    """

    messages: int = 0
    body_bytes: int = 0
    kept_messages: int = 0
    kept_bytes: int = 0
    dropped: int = 0
    oldest_at: float | None = None


class Outbox:
    """One outgoing channel towards one peer. `epoch()` names the epoch that new messages belong to."""

    def __init__(
        self,
        store: Store,
        peer: str,
        config: OutChannel,
        *,
        epoch: Callable[[], int],
        utc_now: Callable[[], float],
        on_ready: Callable[[str], None],
    ) -> None:
        self.config = config
        # What is claimed for sending cannot be dropped; where that is the policy, half of the bound always
        # can.
        bounds = config.bounds
        share = 2 if bounds.full is Full.DROP_OLDEST else 1
        self.sender = Sender(
            config.name,
            keep_acked=config.keep_acked is not None,
            ahead_messages=max(1, min(_AHEAD_MESSAGES, bounds.messages // share)),
            ahead_bytes=max(1, min(_AHEAD_BYTES, bounds.body_bytes // share)),
        )
        self.held = Held()
        self.accepted = 0  # messages, since the start
        self.id = 0
        self._encoding = 0, MessageWriter(config.name, 0)
        self.store = store
        self._peer = peer
        self._epoch = epoch
        self.utc_now = utc_now
        self._on_ready = on_ready

    def __repr__(self) -> str:
        return f"<Outbox {self.config.name} to {self._peer}: {self.held.messages} held>"

    def open(self, conn: apsw.Connection) -> None:
        """Read the channel's state."""
        key = (self._peer, self.config.name)
        conn.execute(_OPEN, key)
        row = fetch(conn, _CHANNEL, key)[0]
        self.id = row[0]
        epochs = [
            OutEpoch(key, epoch, first, after, acked, beyond, fetch(conn, _SKIPS, (key,)))
            for key, epoch, first, after, acked, beyond in fetch(conn, _EPOCHS, (self.id,))
        ]
        lost = fetch(conn, _LOST, (self.id,))
        counts: Counts = row[1:]
        held = Held(*counts, oldest_at(conn, self.id))

        def opened() -> None:
            self.sender.restore(epochs, lost)
            self.held = held

        self.store.after_commit(opened)

    # --- appending ------------------------------------------------------------------------------------------

    def append(self, conn: apsw.Connection, drafts: Sequence[Draft]) -> tuple[int, int]:
        """Number and store messages; return their epoch and the first number.

        Raises OutboxFull when the bound is reached and the policy is to refuse; LocalProtocolError for a
        message that fits no frame. Nothing was changed then.
        """
        now = self.utc_now()
        epoch = self._epoch()
        encode = self._writer(epoch).encode
        for draft in drafts:
            if len(draft[2]) > FRAME_BYTES_MAX - _HEAD_BYTES_MAX:
                encode(1 << SEQ_BITS, *draft)  # raises here, where nothing was changed yet
        bounds = self.config.bounds
        refuse = bounds.full is Full.REFUSE
        count = len(drafts)
        size = sum([len(draft[2]) for draft in drafts])
        limits = (bounds.messages, bounds.body_bytes) if refuse else (_UNLIMITED, _UNLIMITED)
        counted = fetch(conn, _COUNT, (count, size, self.id, *limits))
        if not counted and self.sender.untrimmed:
            settle(self, conn)
            counted = fetch(conn, _COUNT, (count, size, self.id, *limits))
        if not counted:
            raise OutboxFull(
                f"{self.config.name} to {self._peer} holds all it may ({bounds.messages} messages)"
            )
        key, after = fetch(conn, _NUMBER, (self.id, epoch, count, now))[0]
        first = after - count
        rows = [(len(draft[2]), encode(seq, *draft)) for seq, draft in enumerate(drafts, first)]
        self._insert(conn, key << SEQ_BITS | first, now, drafts)
        self.store.after_commit(partial(self._appended, key, epoch, first, rows, counted[0], now))
        if counted[0][0] > bounds.messages or counted[0][1] > bounds.body_bytes:
            make_room(self, conn)
        return epoch, first

    def append_all(
        self, conn: apsw.Connection, groups: Sequence[Sequence[Draft]]
    ) -> Sequence[tuple[int, int]]:
        """Append several callers' messages at once, in order; one result each."""
        epoch, first = self.append(conn, [draft for group in groups for draft in group])
        results = []
        for group in groups:
            results.append((epoch, first))
            first += len(group)
        return results

    def _insert(self, conn: apsw.Connection, first_id: int, now: float, drafts: Sequence[Draft]) -> None:
        at, end = 0, len(drafts)
        while at < end:
            kind, version, body = drafts[at]
            upto = at + 1
            while upto < end and drafts[upto][0] == kind and drafts[upto][1] == version:
                upto += 1
            if upto - at >= _RUN_MIN:
                # One statement a run: the interpreter changes hands between threads twice a statement.
                bodies = apsw.carray(tuple([draft[2] for draft in drafts[at:upto]]))
                conn.execute(_INSERT_RUN, (first_id + at - 1, kind, version, now, bodies))
            else:
                upto = at + 1
                conn.execute(_INSERT, (first_id + at, kind, version, now, body))
            at = upto

    def _appended(
        self,
        key: int,
        epoch: int,
        first: int,
        rows: list[tuple[int, bytes]],
        counted: Counts,
        now: float,
    ) -> None:
        self.accepted += len(rows)
        oldest = self.held.oldest_at
        self.counted(counted, now if oldest is None else oldest)
        if self.sender.appended(key, epoch, first, rows):
            self._on_ready(self.config.name)

    def _writer(self, epoch: int) -> MessageWriter:
        if epoch != self._encoding[0]:
            self._encoding = epoch, MessageWriter(self.config.name, epoch)
        return self._encoding[1]

    def counted(self, counted: Counts, oldest_at: float | None) -> None:
        """Note what the outbox holds now that a transaction is durable."""
        self.held = Held(*counted, oldest_at)

    def tell_ready(self) -> None:
        """Say so if there is something to send: a skip needs no loading, and nobody else would."""
        if self.sender.ready:
            self._on_ready(self.config.name)

    # --- sending --------------------------------------------------------------------------------------------

    def load(self, conn: apsw.Connection, load: Load) -> None:
        """Read what the machine asked for, and hand it over."""
        base = load.key << SEQ_BITS
        encode = self._writer(load.epoch).encode
        rows: list[Row] = []
        size = 0
        end = load.end
        for row, kind, version, body in iterate(
            conn, _LOAD, (base | load.first, base | load.end, load.messages)
        ):
            seq = row - base
            rows.append((seq, len(body), encode(seq, kind, version, body)))
            size += len(body)
            if size >= load.body_bytes or len(rows) == load.messages:
                end = seq + 1
                break

        def loaded() -> None:
            self.sender.loaded(load, rows, end)
            self._on_ready(self.config.name)

        self.store.after_commit(loaded)
