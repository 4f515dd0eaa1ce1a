"""The receiving end of a state topic: a replica that is either right or known to be old.

Nothing is applied whose digest does not fit: the rows shown then stay what they were, with the age they have,
while a sync is asked for. A sync builds a table aside, which takes the place of the old one when it is whole
and its digest fits. Two failures in a row mean that asking again at once is of no use: `trouble` says so, and
the asking slows down.
"""

from collections.abc import Iterable, Mapping

from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Frame, Fresh, StateAck, SyncPart, SyncRequest, TopicPosition, Update
from protocol.topicdigest import changed_digest, digest_bytes, row_bytes
from protocol.topicsync import IncomingSync

__all__ = ["Subscriber"]

_PATIENCE_S = 30.0
"""A sync that was asked for and does not move for so long is asked for again."""

_BACKOFF_S = 5.0
_BACKOFF_S_MAX = 60.0


class Subscriber:
    """One topic's replica. It outlives connections; `attach` binds it to one. `now` is monotonic seconds.

    What `receive` and `tick` return is to be sent on the control lane. Bounded: a peer that sends more rows
    or bytes than given breaks the protocol.
    """

    def __init__(self, topic: str, *, rows_max: int = 10_000, bytes_max: int = 4 * 1024 * 1024) -> None:
        self.topic = topic
        self.as_of_us: int | None = None
        """When the source was last read successfully, in µs of the publisher's UTC; None: not known."""
        self.max_silence_s = 0.0
        """How long without a reading makes the source silent; 0: the publisher did not say."""
        self.trouble: str | None = None
        """Words for health after two failures in a row."""
        self.syncs = 0
        """How many whole tables were taken."""
        self._rows_max = rows_max
        self._bytes_max = bytes_max
        self._rows: dict[str, bytes] = {}
        self._bytes = 0
        self._epoch = self._seq = self._digest = 0
        self._changed: set[str] = set()
        self._incoming: IncomingSync | None = None
        self._failures = 0
        self._reason = ""
        self._ask_at: float | None = None  # A sync is wanted: when to ask for it (again).

    def __repr__(self) -> str:
        state = (
            "syncing" if self._incoming else "waiting for a sync" if self._ask_at is not None else "following"
        )
        return f"<Subscriber {self.topic} seq {self._seq}, {len(self._rows)} rows, {state}>"

    @property
    def rows(self) -> Mapping[str, bytes]:
        """The rows by key, none of them older than `as_of_us`. Not to be changed."""
        return self._rows

    def take_changed(self) -> set[str]:
        """Return the keys that changed or went since the last call.

        When nobody calls for so long that they outnumber the table twice, those that went are forgotten.
        """
        changed, self._changed = self._changed, set()
        return changed

    def age_s(self, peer_utc_us: int) -> float | None:
        """Return how old the rows are at this UTC of the publisher: now − as_of; None: not known."""
        return None if self.as_of_us is None else max(0.0, (peer_utc_us - self.as_of_us) * 1e-6)

    def is_silent(self, peer_utc_us: int) -> bool:
        """Tell whether the source is silent: not read for longer than the publisher allows, or ever."""
        age_s = self.age_s(peer_utc_us)
        return age_s is None or 0 < self.max_silence_s < age_s

    # --- the connection ------------------------------------------------------------------------------------

    def position(self) -> TopicPosition:
        """Return where this replica stands, for the hello. Epoch 0: it has nothing."""
        return TopicPosition(self.topic, self._epoch, self._seq, digest_bytes(self._digest))

    def attach(self, now: float) -> None:
        """Begin with a new connection: the publisher knows our position, and decides how to go on."""
        self._incoming = None
        self._ask_at = None

    def wake_at(self) -> float | None:
        """Return when to call `tick`, or None."""
        return self._ask_at

    def tick(self, now: float) -> list[Frame]:
        """Ask (again) for a sync, when it is time."""
        if self._ask_at is None or now < self._ask_at:
            return []
        self._ask_at = now + _PATIENCE_S
        self._incoming = None
        return [SyncRequest(self.topic, self._reason)]

    def receive(self, frame: Update | Fresh | SyncPart, now: float) -> list[Frame]:
        """Take a frame of this topic; return what to answer.

        Raises RemoteProtocolError for what no loss could cause.
        """
        if frame.epoch == self._epoch and frame.seq < self._seq + (not isinstance(frame, Fresh)):
            return [StateAck(self.topic, self._epoch, self._seq)]  # It came twice.
        if isinstance(frame, SyncPart):
            return self._on_part(frame, now)
        if self._incoming is not None:
            return self._fail("an update came between the parts of a sync", now)
        if self._ask_at is not None:
            return []  # Sent before the publisher heard: the sync will hold it.
        if isinstance(frame, Fresh):
            return self._on_fresh(frame, now)
        return self._on_update(frame, now)

    def _on_fresh(self, frame: Fresh, now: float) -> list[Frame]:
        if frame.epoch != self._epoch and frame.seq == 0:
            # The publisher started again and has published nothing: what we show is another's.
            self._replace({}, 0, frame.epoch)
            self._seq = self._digest = 0
        if (frame.epoch, frame.seq) != (self._epoch, self._seq):
            return self._fail("an update is missing", now)
        self.as_of_us = frame.as_of_us
        return []

    def _on_update(self, frame: Update, now: float) -> list[Frame]:
        if not frame.rows.keys().isdisjoint(frame.removed):
            raise RemoteProtocolError(f"topic {self.topic}: a key is both changed and removed")
        is_first = frame.epoch != self._epoch and frame.seq == 1
        if not is_first and (frame.epoch, frame.seq) != (self._epoch, self._seq + 1):
            return self._fail("an update is missing", now)
        # The first update of a publisher that began with nothing: what we have is another's.
        rows = {} if is_first else self._rows
        before = {key: rows.get(key) for key in (*frame.rows, *frame.removed)}
        digest = changed_digest(0 if is_first else self._digest, before, frame.rows)
        if digest_bytes(digest) != frame.digest:
            return self._fail("the digest after an update is wrong", now)
        if is_first:
            self._replace(rows, 0, frame.epoch)
        self._apply(frame, before)
        return self._stand_at(frame, digest, failures=0)

    def _on_part(self, part: SyncPart, now: float) -> list[Frame]:
        if part.index == 0:
            self._incoming = IncomingSync(part)
        incoming = self._incoming
        if incoming is None and self._ask_at is not None:
            return []  # The rest of a sync that failed already.
        if incoming is None or not incoming.is_next(part):
            return self._fail("a part of a sync is missing", now)
        if not incoming.add(part):
            return self._fail("the digest of a sync is wrong", now)
        self._check_bounds(len(incoming.rows), incoming.size_bytes)
        if not part.last:
            if self._ask_at is not None:
                self._ask_at = now + _PATIENCE_S
            self._note_silence(part)
            return []
        self._replace(incoming.rows, incoming.size_bytes, part.epoch)
        self.syncs += 1
        # A sync heals, but only an update that fits behind it says that the cause is gone.
        return self._stand_at(part, incoming.digest, failures=min(self._failures, 1))

    # --- the table -----------------------------------------------------------------------------------------

    def _replace(self, rows: dict[str, bytes], size_bytes: int, epoch: int) -> None:
        old, self._rows, self._bytes = self._rows, rows, size_bytes
        self._note_changed(key for key in old.keys() | rows.keys() if old.get(key) != rows.get(key))
        if epoch != self._epoch:
            self._epoch, self.as_of_us = epoch, None

    def _apply(self, frame: Update, before: Mapping[str, bytes | None]) -> None:
        known = {key: row for key, row in before.items() if row is not None}
        size = self._bytes - _size(known) + _size(frame.rows)
        self._check_bounds(len(self._rows) - len(known) + len(frame.rows), size)
        for key in known:
            del self._rows[key]
        self._rows.update(frame.rows)
        self._bytes = size
        self._note_changed(before)

    def _stand_at(self, frame: Update | SyncPart, digest: int, *, failures: int) -> list[Frame]:
        self._seq, self._digest = frame.seq, digest
        if frame.as_of_us:
            self.as_of_us = frame.as_of_us
        self._note_silence(frame)
        self._incoming = self._ask_at = self.trouble = None
        self._failures = failures
        return [StateAck(self.topic, self._epoch, self._seq)]

    def _note_silence(self, frame: Update | SyncPart) -> None:
        if frame.max_silence_ms:
            self.max_silence_s = frame.max_silence_ms * 1e-3

    def _note_changed(self, keys: Iterable[str]) -> None:
        self._changed.update(keys)
        if len(self._changed) > 2 * self._rows_max:
            self._changed.intersection_update(self._rows)

    def _check_bounds(self, n_rows: int, n_bytes: int) -> None:
        if n_rows > self._rows_max or n_bytes > self._bytes_max:
            raise RemoteProtocolError(f"topic {self.topic}: {n_rows} rows, {n_bytes} B", CloseCode.TOO_LARGE)

    def _fail(self, reason: str, now: float) -> list[Frame]:
        """Drop what is being built and ask for a sync: at once, or later when it failed before."""
        self._incoming = None
        self._reason = reason
        self._failures += 1
        self._ask_at = now
        if self._failures < 2:
            return self.tick(now)
        self.trouble = f"topic {self.topic} failed {self._failures} times in a row: {reason}"
        self._ask_at += min(_BACKOFF_S_MAX, _BACKOFF_S * 2 ** min(self._failures - 2, 8))
        return []


def _size(rows: Mapping[str, bytes]) -> int:
    return sum(row_bytes(key, row) for key, row in rows.items())
