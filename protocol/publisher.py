"""The sending end of a state topic: a table of rows whose newest state the peer is to have.

What the peer has is known by number (epoch, seq) and digest. Everything else follows from one map,
`_pending`: for each key that differs, the value the peer still has. A flush takes from it, so what changes
twice meanwhile is sent once, and what changes back is not sent at all. A flush is remembered by what it
replaced, so that a peer which did not get it can be continued from where it stands: undoing it puts the keys
back into `_pending`.

`as_of` travels honestly: an update that leaves something pending carries the last `as_of` at which the peer's
table was complete (0 when none is known), and nothing is called fresh while something is pending.
"""

from collections import deque
from collections.abc import Callable

from attrs import frozen

from protocol.codec import encode_frame
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.frames import FRAME_BYTES_MAX, Fresh, StateAck, SyncPart, SyncRequest, TopicPosition, Update
from protocol.topicdigest import KEY_BYTES_MAX, ROW_BYTES_MAX, changed_digest, digest_bytes, row_bytes
from protocol.topicsync import OutgoingSync

__all__ = ["Publisher"]

_ROWS_AT_ONCE = 100
_UNACKNOWLEDGED_MAX = 2
_HEARTBEAT_S = 5.0
_UNSTEADY_HEARTBEAT_S = 0.75
_UNSTEADY_S = 60.0
"""For so long after the peer was out of reach its age is told more often: it may be out of reach again any moment."""

_REMEMBERED = 16
_HEADER_BYTES = 96


def _ignore() -> None:
    pass


@frozen
class _Flush:
    seq: int
    digest_before: int
    replaced: dict[str, bytes | None]
    """The values the peer had before, by key; None: it had no such row."""


class Parts:
    """The source of a publisher's sync parts, for the bulk lane: one frame a pull."""

    def __init__(self, publisher: "Publisher") -> None:
        self._publisher = publisher

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return the next part, or None when no sync is going on."""
        return self._publisher._part(now, max_bytes)


class Publisher:
    """One topic. It outlives connections; `attach` binds it to one. `now` is monotonic seconds.

    A `Source` for the event lane; `parts` is its source for the bulk lane. After `set`, `remove`, `read_at`,
    `tell`, `unsteady`, `receive` and `tick` it calls the wake function given to `attach` when it may have something to send, or
    when `wake_at` has changed; a pull may then still find nothing due.

    Bounded: rows and bytes as given, past which `set` raises; nothing is queued, changes are coalesced.
    """

    def __init__(
        self,
        topic: str,
        epoch: int,
        interval_s: float,
        *,
        max_silence_s: float = 0.0,
        beat_s: float = _HEARTBEAT_S,
        rows_max: int = 10_000,
        bytes_max: int = 4 * 1024 * 1024,
    ) -> None:
        """Make an empty topic. `interval_s`: how long a first change waits for more.

        `epoch`: random per process, never 0. `max_silence_s`: tell the peer to call the source silent when it
        was not read for so long (0: say nothing). `beat_s`: an age that moves on alone is told so often.
        """
        self.topic = topic
        self.parts = Parts(self)
        self._epoch = epoch
        self._interval_s = interval_s
        self._max_silence_ms = round(max_silence_s * 1e3)
        self._beat_s = beat_s
        self._rows_max = rows_max
        self._bytes_max = bytes_max
        self._table: dict[str, bytes] = {}
        self._bytes = 0
        # What the peer has: the table but for what is pending, at `_seq`, with `_digest`.
        self._pending: dict[str, bytes | None] = {}
        self._changed_at: float | None = None
        self._seq = self._acknowledged = self._digest = 0
        self._flushes: deque[_Flush] = deque(maxlen=_REMEMBERED)
        self._sync: OutgoingSync | None = None
        self._as_of_us = self._told_as_of_us = 0
        self._told_at = self._unsteady_until = float("-inf")
        self._has_told_silence = False
        self._wake: Callable[[], None] = _ignore
        self._wake_parts: Callable[[], None] | None = None
        self._is_awake = False

    def __repr__(self) -> str:
        waiting = f"{len(self._pending)} pending, {self._seq - self._acknowledged} unacknowledged"
        syncing = ", syncing" if self._sync else ""
        return f"<Publisher {self.topic} seq {self._seq}, {len(self._table)} rows, {waiting}{syncing}>"

    # --- what the owner says -------------------------------------------------------------------------------

    def set(self, key: str, row: bytes, now: float) -> None:
        """Give a row its encoded value; the same bytes again change nothing.

        Raises LocalProtocolError, and changes nothing, when key or row are too long or the table is full.
        """
        known = self._table.get(key)
        if known == row:
            return
        if len(row) > ROW_BYTES_MAX or len(key.encode()) > KEY_BYTES_MAX:
            raise LocalProtocolError(f"topic {self.topic}: a row of {len(row)} B")
        size = self._bytes + row_bytes(key, row) - (0 if known is None else row_bytes(key, known))
        if size > self._bytes_max or (known is None and len(self._table) >= self._rows_max):
            raise LocalProtocolError(
                f"topic {self.topic}: full with {len(self._table)} rows, {self._bytes} B"
            )
        self._bytes = size
        self._table[key] = row
        self._changed(key, known, row, now)

    def remove(self, key: str, now: float) -> None:
        """Take a row out; one that is not there is no error."""
        known = self._table.pop(key, None)
        if known is not None:
            self._bytes -= row_bytes(key, known)
            self._changed(key, known, None, now)

    def read_at(self, as_of_us: int) -> None:
        """Say that the source was read successfully at this UTC (µs), and that the rows are as of then.

        To be called together with the `set` and `remove` of that reading, before or after them.
        """
        was_told = self._as_of_us == self._told_as_of_us
        self._as_of_us = as_of_us
        if was_told or self._is_ahead():
            self._awake()

    @property
    def has_told_all(self) -> bool:
        """Is nothing held back, so that whatever is sent from now on comes behind every row?"""
        return not self._pending and self._sync is None

    @property
    def has_all(self) -> bool:
        """Has the peer acknowledged every row as it is now?"""
        return self.has_told_all and self._acknowledged == self._seq

    @property
    def told_as_of_us(self) -> int:
        """The age that was told last on this connection, as UTC in µs; 0: none yet."""
        return self._told_as_of_us

    def tell(self) -> None:
        """Have the age told at once, also when the peer was told the same: it is of other rows now."""
        self._told(0, float("-inf"))
        self._awake()

    def unsteady(self, now: float) -> None:
        """Note that the peer was out of reach until now: for a minute an age that moves on is told within a second."""
        self._unsteady_until = now + _UNSTEADY_S
        self._awake()

    def _changed(self, key: str, known: bytes | None, row: bytes | None, now: float) -> None:
        theirs = self._pending.setdefault(key, known)
        if theirs == row:
            del self._pending[key]
            if not self._pending:
                self._changed_at = None
        elif self._changed_at is None:
            self._changed_at = now
            self._awake()
        elif len(self._pending) == _ROWS_AT_ONCE:
            self._awake()

    # --- the connection ------------------------------------------------------------------------------------

    def attach(
        self,
        position: TopicPosition | None,
        now: float,
        wake: Callable[[], None],
        wake_parts: Callable[[], None] | None = None,
    ) -> None:
        """Begin with a new connection. `position`: where its peer stands, from its hello (None: nowhere).

        Continues from there where that is still remembered, else sends the whole table. Without `wake_parts`
        the parts come out of `pull` too.
        """
        self._wake, self._wake_parts = wake, wake_parts
        self._is_awake = False
        self._sync = None
        self._told_as_of_us, self._told_at = 0, float("-inf")
        self._has_told_silence = False
        if position is not None and position.epoch == self._epoch:
            self._unsteady_until = now + _UNSTEADY_S  # it has heard of us before: the last connection broke
            can_continue = self._rewind(position.seq, position.digest)
        else:
            # Not by flushes from nothing: a sync is shown when it is whole, flushes as they come. A table
            # that is empty because nothing was read yet says nothing: what the peer shows keeps its age.
            can_continue = self._seq == 0 and not self._table
        if not can_continue:
            self._begin_sync()
            return
        self._acknowledged = self._seq
        self._changed_at = now - self._interval_s if self._pending else None
        self._awake()

    def receive(self, frame: StateAck | SyncRequest, now: float) -> None:
        """Take what the peer says about this topic. Raises RemoteProtocolError when it cannot be true."""
        if isinstance(frame, SyncRequest):
            if self._sync is None or self._sync.next_index > 0:
                self._begin_sync()
        elif frame.epoch != self._epoch or frame.seq > self._seq:
            raise RemoteProtocolError(f"topic {self.topic}: acknowledges what was never sent")
        elif frame.seq > self._acknowledged:
            self._acknowledged = frame.seq
            self._awake()

    def _rewind(self, seq: int, digest: bytes) -> bool:
        """Go back to where the peer stands, if that is remembered and it stands there with the same table."""
        undone = [flush for flush in self._flushes if flush.seq > seq]
        if not self._seq - len(undone) == seq <= self._seq:
            return False
        if digest_bytes(undone[0].digest_before if undone else self._digest) != digest:
            return False
        for flush in reversed(undone):
            self._flushes.pop()
            for key, theirs in flush.replaced.items():
                if self._table.get(key) == theirs:
                    self._pending.pop(key, None)
                else:
                    self._pending[key] = theirs
            self._seq, self._digest = flush.seq - 1, flush.digest_before
        return True

    def _begin_sync(self) -> None:
        """Send the table as it is now, as one flush; later changes wait behind its last part."""
        after = {key: self._table.get(key) for key in self._pending}
        self._digest = changed_digest(self._digest, self._pending, after)
        self._pending.clear()
        self._changed_at = None
        self._flushes.clear()
        self._acknowledged = self._seq
        self._seq += 1
        self._sync = OutgoingSync(self._table, self._as_of_us)
        if self._wake_parts is None:
            self._awake()
        else:
            self._wake_parts()

    # --- what goes out -------------------------------------------------------------------------------------

    def wake_at(self, now: float) -> float | None:
        """Return when `tick` is to be called, or None: not before something else happens."""
        if self._is_awake or self._sync is not None:
            return None
        if self._changed_at is None:
            if self._as_of_us == self._told_as_of_us:
                return None
            beat_s = _UNSTEADY_HEARTBEAT_S if now < self._unsteady_until else self._beat_s
            return now if self._is_ahead() else self._told_at + beat_s
        if self._seq - self._acknowledged >= _UNACKNOWLEDGED_MAX:
            return None
        return now if len(self._pending) >= _ROWS_AT_ONCE else self._changed_at + self._interval_s

    def _is_ahead(self) -> bool:
        """Is the peer told an age that is older by more than what passes between two heartbeats? On a new connection
        what it was told first may be what was known on the old one."""
        return self._as_of_us - self._told_as_of_us >= self._beat_s * 1e6

    def tick(self, now: float) -> None:
        """Wake when something has become due."""
        due_at = self.wake_at(now)
        if due_at is not None and due_at <= now:
            self._awake()

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return the frame that is due, or None. One frame a pull; see `protocol.lanes.Source`."""
        self._is_awake = False
        due_at = self.wake_at(now)
        frame: bytes | None = None
        if self._sync is not None:
            frame = self._part(now, max_bytes) if self._wake_parts is None else None
        elif due_at is not None and due_at <= now:
            frame = self._update(now, max_bytes) if self._pending else self._fresh(now)
        self._is_awake = frame is not None  # The scheduler asks again by itself.
        return frame

    def _awake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def _told(self, as_of_us: int, now: float) -> None:
        self._told_as_of_us, self._told_at = as_of_us, now

    def _room(self, max_bytes: int) -> int:
        return min(max_bytes, FRAME_BYTES_MAX) - _HEADER_BYTES - len(self.topic.encode())

    def _silence_ms(self) -> int:
        """Return what to say about silence: once a connection, with the first rows."""
        if self._has_told_silence:
            return 0
        self._has_told_silence = True
        return self._max_silence_ms

    def _fresh(self, now: float) -> bytes:
        self._told(self._as_of_us, now)
        return encode_frame(Fresh(self.topic, self._epoch, self._seq, self._as_of_us))

    def _update(self, now: float, max_bytes: int) -> bytes:
        room = self._room(max_bytes)
        rows: dict[str, bytes] = {}
        removed: list[str] = []
        for key in self._pending:
            row = self._table.get(key)
            room -= row_bytes(key, row)
            if room < 0 and (rows or removed):
                break
            if row is None:
                removed.append(key)
            else:
                rows[key] = row
        replaced = {key: self._pending.pop(key) for key in (*rows, *removed)}
        self._seq += 1
        self._flushes.append(_Flush(self._seq, self._digest, replaced))
        self._digest = changed_digest(self._digest, replaced, rows)
        if not self._pending:
            self._changed_at = None
            self._told(self._as_of_us, now)
        digest = digest_bytes(self._digest)
        as_of_us, silence_ms = self._told_as_of_us, self._silence_ms()
        return encode_frame(
            Update(self.topic, self._epoch, self._seq, rows, removed, digest, as_of_us, silence_ms)
        )

    def _part(self, now: float, max_bytes: int) -> bytes | None:
        sync = self._sync
        if sync is None:
            return None
        index = sync.next_index
        rows, is_last = sync.take(self._room(max_bytes))
        if is_last:
            self._sync = None
            self._told(sync.as_of_us, now)
            self._awake()
        digest = digest_bytes(self._digest) if is_last else b""
        silence_ms = self._silence_ms()
        return encode_frame(
            SyncPart(
                self.topic, self._epoch, self._seq, index, is_last, rows, digest, sync.as_of_us, silence_ms
            )
        )
