"""The sending half of one reliable channel: what is numbered, what is on its way, what the peer still lacks.

A channel's messages are numbered inside an *epoch*, which the sender mints at every process start; older
epochs go first, under their own numbers. The messages themselves live in the sender's database, so a backlog
of a million rows costs no memory: the machine asks for rows (`wants`, `loaded`) and holds at most `ahead` of
them. A message that was just made durable is handed over directly (`appended`) while the machine is caught
up.

One rule makes dropping exact without locks: whatever extends the claimed range (`resume`, `loaded`,
`appended`) and whatever shortens the rest (`dropped`) is called in the order in which the database did it.
What lies behind `unclaimed()` has then never been sent on this connection.

Window bytes are counted as the length of the bodies, which both ends see alike.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from protocol.codec import encode_frame
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.frames import Skip
from protocol.reliable import ALREADY_DONE, GONE, Load, OutEpoch, Range, Resumed, RolledBack, Row

# A backlog is read in pieces of this size, the next one when so little is left: the database serves others as
# well.
_READ_MESSAGES, _READ_BYTES = 1024, 1024 * 1024
_READ_WHEN_MESSAGES, _READ_WHEN_BYTES = 512, 256 * 1024

_Entry = tuple[OutEpoch, int, int, bytes]  # epoch, last number, body bytes, encoded frame


class Sender:
    """The sending machine of one channel.

    `keep_acked`: acknowledged rows are kept for a while and sent again to a peer that was restored (events);
    without it such a peer gets a skip (commands must never run twice). `ahead_messages` and `ahead_bytes`
    bound what is held in memory beyond the acknowledgement, sent or about to be; at least one message is
    always held.
    """

    def __init__(
        self,
        channel: str,
        *,
        keep_acked: bool,
        ahead_messages: int = 16 * 1024,
        ahead_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self.channel = channel
        self.keep_acked = keep_acked
        self.epochs: list[OutEpoch] = []
        self.lost: dict[int, int] = {}
        self.outstanding = 0
        self.untrimmed = 0
        self.flight_messages = 0
        self.flight_bytes = 0
        self.attached = False
        self._ahead_messages = ahead_messages
        self._ahead_bytes = ahead_bytes
        self._window_messages = 0
        self._window_bytes = 0
        self._by_epoch: dict[int, OutEpoch] = {}
        self._dirty: dict[int, OutEpoch] = {}
        self._ready: deque[_Entry] = deque()
        self._ready_bytes = 0
        self._tail: OutEpoch | None = None  # with _tail_seq: the first number not yet in _ready
        self._tail_seq = 1
        self._loading: Load | None = None

    def __repr__(self) -> str:
        return f"<Sender {self.channel} outstanding={self.outstanding} flight={self.flight_messages}>"

    # --- what the database holds ----------------------------------------------------------------------------

    def restore(self, epochs: Iterable[OutEpoch], lost: Iterable[tuple[int, int]] = ()) -> None:
        """Begin with what the database holds: own epochs, oldest first, and epochs known to be lost."""
        self.epochs = list(epochs)
        self._by_epoch = {epoch.epoch: epoch for epoch in self.epochs}
        self.lost = dict(lost)
        self.outstanding = sum(epoch.next - 1 - epoch.acked for epoch in self.epochs)
        self.untrimmed = 0

    def appended(self, key: int, epoch: int, first: int, rows: Sequence[tuple[int, bytes]]) -> bool:
        """Take over rows that have become durable, numbered from `first`: (body bytes, encoded frame) each.

        Return True when there is now something to send.
        """
        mine = self._by_epoch.get(epoch)
        if mine is None:
            mine = self._by_epoch[epoch] = OutEpoch(key, epoch)
            self.epochs.append(mine)
        if first != mine.next:
            raise LocalProtocolError(f"{self.channel}: row {first} appended where {mine.next} was due")
        mine.next = first + len(rows)
        self.outstanding += len(rows)
        if not self.attached:
            return False
        self._extend()
        if self._tail is mine and self._tail_seq == first and self._loading is None:
            for size, data in rows:
                if not self._room():
                    break
                self._push(mine, self._tail_seq, size, data)
        return bool(self._ready)

    def unclaimed(self) -> tuple[int, int]:
        """Return where rows begin that may be dropped, as (key, number); what is before may be on its way."""
        if self.attached:
            return (self._tail.key, self._tail_seq) if self._tail else (0, 1)
        for mine in self.epochs:
            if mine.acked + 1 < mine.next:
                return mine.key, mine.acked + 1
        return (self.epochs[-1].key, self.epochs[-1].next) if self.epochs else (0, 1)

    def dropped(self, epoch: int, first: int, last: int, reason: str) -> None:
        """Put a durable skip in the place of rows first…last, which lie at or behind `unclaimed()`."""
        mine = self._by_epoch[epoch]
        if self.attached and mine.sent >= first:
            raise LocalProtocolError(f"{self.channel}: {first} was sent and cannot be dropped")
        self._unclaim(mine, first)
        self._loading = None
        mine.drop(first, last, reason)
        self._extend()

    def retained(self, epoch: int, first: int) -> None:
        """Note that acknowledged rows below `first` are no longer kept."""
        mine = self._by_epoch[epoch]
        mine.first = max(mine.first, first)
        mine.skips = [skip for skip in mine.skips if skip[1] >= first]

    def pruned(self, epoch: int) -> None:
        """Forget an epoch that was acknowledged in full long ago."""
        mine = self._by_epoch.pop(epoch, None)
        if mine is not None:
            if self._tail is mine:
                self._tail = self._after(mine)
                self._tail_seq = self._tail.start if self._tail else 1
            self.epochs.remove(mine)
        self.lost.pop(epoch, None)

    # --- a connection ---------------------------------------------------------------------------------------

    def resume(
        self, committed: Sequence[tuple[int, int]], window_messages: int, window_bytes: int
    ) -> Resumed:
        """Begin a connection with the peer's positions, (epoch, highest committed) each, and its window.

        The peer lists the epochs it began last. One of ours that it does not list, older than one that it
        does, was finished before: we send oldest first. If we know of no acknowledgement, it is sent all the
        same, behind a skip of what is done; the peer drops what it has.
        """
        self.detach()
        theirs = dict(committed)
        rolled_back = [
            RolledBack(epoch, 0, seq, None)
            for epoch, seq in committed
            if epoch not in self._by_epoch and self.lost.get(epoch, -1) < seq
        ]
        newest = max((at for at, epoch in enumerate(self.epochs) if epoch.epoch in theirs), default=-1)
        pending = replayed = 0
        skipped: list[tuple[int, Range]] = []
        for at, mine in enumerate(self.epochs):
            held = mine.next - 1
            if at < newest and mine.epoch not in theirs:
                mine.begin(held if mine.acked == held else 0, mine.acked + 1, ALREADY_DONE)
            else:
                has = theirs.get(mine.epoch, 0)
                if has > max(held, mine.beyond):
                    rolled_back.append(RolledBack(mine.epoch, mine.next, has, mine.key))
                    mine.beyond = has
                has = min(has, held)
                floor, reason = (mine.first, GONE) if self.keep_acked else (mine.acked + 1, ALREADY_DONE)
                mine.begin(has, floor, reason)
                if mine.plan and mine.plan[0][0] == mine.start and mine.start < floor:
                    skipped.append((mine.epoch, mine.plan[0]))
                replayed += max(0, mine.acked - max(has, floor - 1))
                self._advance(mine, has)
            pending += held - (mine.start - 1)
        for loss in rolled_back:
            if loss.key is None:
                self.lost[loss.epoch] = loss.theirs
        self._window_messages, self._window_bytes = window_messages, window_bytes
        self.attached = True
        self._tail = self.epochs[0] if self.epochs else None
        self._tail_seq = self._tail.start if self._tail else 1
        self._extend()
        return Resumed(pending, replayed, skipped, rolled_back)

    def detach(self) -> None:
        """End the connection: nothing is on its way any more."""
        self.attached = False
        self._ready.clear()
        self._ready_bytes = 0
        self._loading = None
        self.flight_messages = self.flight_bytes = 0
        for mine in self.epochs:
            mine.flight.clear()

    @property
    def hungry(self) -> bool:
        """Is there something to be read from the database, and room for it?"""
        tail = self._tail
        if not self.attached or self._loading is not None or tail is None or self._tail_seq >= tail.next:
            return False
        if len(self._ready) >= _READ_WHEN_MESSAGES or self._ready_bytes >= _READ_WHEN_BYTES:
            return False
        held = self.flight_messages + len(self._ready)
        held_bytes = self.flight_bytes + self._ready_bytes
        # A quarter of the room at least, so that reads are few.
        return not held or (held * 4 <= self._ahead_messages * 3 and held_bytes * 4 <= self._ahead_bytes * 3)

    @property
    def ready(self) -> bool:
        """Is there something to send as soon as the window allows?"""
        return bool(self._ready)

    def wants(self) -> Load | None:
        """Return what to read from the database now, once; None while there is enough, or nothing more."""
        tail = self._tail
        if not self.hungry or tail is None:
            return None
        held = self.flight_messages + len(self._ready)
        held_bytes = self.flight_bytes + self._ready_bytes
        skip = tail.skip_at(self._tail_seq)
        end = min(tail.next, skip[0]) if skip else tail.next
        self._loading = Load(
            tail.key,
            tail.epoch,
            self._tail_seq,
            end,
            max(1, min(_READ_MESSAGES, self._ahead_messages - held)),
            max(1, min(_READ_BYTES, self._ahead_bytes - held_bytes)),
        )
        return self._loading

    def loaded(self, load: Load, rows: Sequence[Row], end: int) -> None:
        """Take over rows read for `load`; every number below `end` that is not among them is gone.

        Ignored when the connection, or the range, has changed meanwhile.
        """
        if load is not self._loading or self._tail is None:
            return
        self._loading = None
        for seq, size, data in rows:
            if seq > self._tail_seq:
                self._push_skip(self._tail, seq - 1, GONE)
            self._push(self._tail, seq, size, data)
        if end > self._tail_seq:
            self._push_skip(self._tail, end - 1, GONE)
        self._extend()

    def take(self, max_bytes: int) -> bytes | None:
        """Return the frames that may be sent now, or None.

        Together they have at most `max_bytes`; a single one may always be longer.
        """
        ready = self._ready
        parts: list[bytes] = []
        length = 0
        while ready:
            mine, last, size, data = ready[0]
            length += len(data)
            if parts and length > max_bytes:
                break
            if self.flight_messages and (
                self.flight_messages >= self._window_messages or self.flight_bytes + size > self._window_bytes
            ):
                break
            ready.popleft()
            self._ready_bytes -= size
            self.flight_messages += 1
            self.flight_bytes += size
            mine.flight.append((last, size))
            mine.sent = last
            parts.append(data)
        return b"".join(parts) if parts else None

    def on_ack(self, epoch: int, seq: int) -> None:
        """Take the peer's acknowledgement.

        RemoteProtocolError when it names what was not sent on this connection.
        """
        mine = self._by_epoch.get(epoch)
        if mine is None or seq > mine.sent:
            raise RemoteProtocolError(f"{self.channel}: {seq} was acknowledged and never sent")
        flight = mine.flight
        while flight and flight[0][0] <= seq:
            self.flight_messages -= 1
            self.flight_bytes -= flight.popleft()[1]
        self._advance(mine, seq)

    def trims(self) -> list[tuple[OutEpoch, int]]:
        """Return the epochs whose acknowledgement the database does not know yet, with that number."""
        dirty = list(self._dirty.values())  # at one stroke: the database's thread asks too
        return [(mine, mine.acked) for mine in dirty]

    def trimmed(self, mine: OutEpoch, acked: int) -> None:
        """Note that the database knows this acknowledgement."""
        self.untrimmed -= max(0, acked - mine.trimmed)
        mine.trimmed = max(mine.trimmed, acked)
        if not self.keep_acked:
            mine.first = max(mine.first, acked + 1)
            mine.skips = [skip for skip in mine.skips if skip[1] > acked]
        if mine.trimmed >= mine.acked:
            self._dirty.pop(mine.epoch, None)

    # --- inside ---------------------------------------------------------------------------------------------

    def _advance(self, mine: OutEpoch, acked: int) -> None:
        if acked > mine.acked:
            self.outstanding -= acked - mine.acked
            self.untrimmed += acked - mine.acked
            mine.acked = acked
            self._dirty[mine.epoch] = mine

    def _after(self, mine: OutEpoch) -> OutEpoch | None:
        at = self.epochs.index(mine) + 1
        return self.epochs[at] if at < len(self.epochs) else None

    def _room(self) -> bool:
        held = self.flight_messages + len(self._ready)
        return not held or (
            held < self._ahead_messages and self.flight_bytes + self._ready_bytes < self._ahead_bytes
        )

    def _unclaim(self, mine: OutEpoch, first: int) -> None:
        """Let go of what was claimed from `first` on:

        a read can finish in the moment before a drop of its rows.
        """
        at = self.epochs.index(mine)
        while self._ready:
            entry = self._ready[-1]
            behind = self.epochs.index(entry[0]) - at
            if behind < 0 or (behind == 0 and entry[1] < first):
                break
            self._ready_bytes -= self._ready.pop()[2]
        if self._tail is not None and (
            self.epochs.index(self._tail) > at or (self._tail is mine and self._tail_seq > first)
        ):
            self._tail, self._tail_seq = mine, first

    def _push(self, mine: OutEpoch, seq: int, size: int, data: bytes) -> None:
        self._ready.append((mine, seq, size, data))
        self._ready_bytes += size
        self._tail_seq = seq + 1

    def _push_skip(self, mine: OutEpoch, last: int, reason: str) -> None:
        frame = Skip(self.channel, mine.epoch, self._tail_seq, last, reason)
        self._push(mine, last, 0, encode_frame(frame))

    def _extend(self) -> None:
        """Bring skips, which need no loading, into _ready;

        stop at a row that must be loaded, or at the end.
        """
        if not self.attached:
            return
        if self._tail is None and self.epochs:
            self._tail, self._tail_seq = self.epochs[0], self.epochs[0].start
        while self._tail is not None:
            if self._tail_seq >= self._tail.next:
                after = self._after(self._tail)
                if after is None:
                    return
                self._tail, self._tail_seq = after, after.start
                continue
            skip = self._tail.skip_at(self._tail_seq)
            if skip is None or skip[0] > self._tail_seq:
                return
            self._push_skip(self._tail, skip[1], skip[2])
