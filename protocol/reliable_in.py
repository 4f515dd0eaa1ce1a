"""The receiving half of one reliable channel:

what is in order, what waits to be committed, what may be acknowledged.

`ack(n)` means that the effects of all messages ≤ n are committed, so an acknowledgement is only ever made
from `committed`. Numbers are checked here, when a frame arrives, and once more inside the transaction that
applies it.

What the peer sends again is dropped by its number and acknowledged again, but never beyond what it sent on
this connection: a peer that was restored from a backup may know less of its own epoch than we do.
"""

from collections.abc import Iterable, Mapping

from attrs import define

from protocol.errors import RemoteProtocolError
from protocol.frames import Ack, Message, Skip

__all__ = ["Entry", "Receiver"]

Entry = Message | Skip


@define(eq=False)
class _InEpoch:
    """`tail`: the highest number known, staged or committed.

    `heard`: the highest that came on this connection.
    """

    committed: int = 0
    tail: int = 0
    heard: int = 0


class Receiver:
    """The receiving machine of one channel.

    The window bounds what may be unacknowledged: a peer that sends more broke the protocol, so the reader of
    the connection never has to wait and memory is bounded.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.duplicates = 0
        self._window_messages = 0
        self._window_bytes = 0
        self._epochs: dict[int, _InEpoch] = {}
        self._reset()

    def _reset(self) -> None:
        self._staged: list[Entry] = []
        self._staged_bytes = 0
        self._committing: tuple[int, int] = (0, 0)  # entries and bytes of the batch that is being committed
        self._held = 0  # entries that came and were not acknowledged, with their bytes
        self._held_bytes = 0
        self._committed = 0  # those of them that are committed
        self._committed_bytes = 0
        self._due: dict[int, _InEpoch] = {}
        self._epoch = 0
        self._current = _InEpoch()

    def __repr__(self) -> str:
        return f"<Receiver {self.channel} staged={len(self._staged)} unacknowledged={self._held}>"

    def attach(self, committed: Mapping[int, int], window_messages: int, window_bytes: int) -> None:
        """Begin a connection:

        positions (epoch → committed) as the database has them, and the window we announced.
        """
        self._epochs = {epoch: _InEpoch(seq, seq) for epoch, seq in committed.items()}
        self._window_messages, self._window_bytes = window_messages, window_bytes
        self._reset()

    # --- what comes -----------------------------------------------------------------------------------------

    def on_message(self, message: Message) -> bool:
        """Stage a message.

        Return False for one that came before. RemoteProtocolError on a gap or beyond the window.
        """
        seq = message.seq
        current = self._current if message.epoch == self._epoch else self._enter(message.epoch)
        if seq != current.tail + 1:
            return self._again(message.epoch, current, seq, seq)
        size = len(message.body)
        self._hold(size)
        current.tail = current.heard = seq
        self._staged.append(message)
        self._staged_bytes += size
        return True

    def on_skip(self, skip: Skip) -> bool:
        """Stage a skip, cut to what is not known yet; otherwise as `on_message`."""
        if skip.last < skip.first:
            raise RemoteProtocolError(f"{self.channel}: a skip from {skip.first} back to {skip.last}")
        current = self._current if skip.epoch == self._epoch else self._enter(skip.epoch)
        if skip.last <= current.tail or skip.first > current.tail + 1:
            return self._again(skip.epoch, current, skip.first, skip.last)
        if skip.first < 1:
            raise RemoteProtocolError(f"{self.channel}: a skip from {skip.first}")
        self._hold(0)
        first = current.tail + 1
        current.tail = current.heard = skip.last
        self._staged.append(
            skip if first == skip.first else Skip(skip.channel, skip.epoch, first, skip.last, skip.reason)
        )
        return True

    def _enter(self, epoch: int) -> _InEpoch:
        # A new epoch is remembered with its first entry only: naming epochs must cost the peer window.
        self._epoch, self._current = epoch, self._epochs.get(epoch) or _InEpoch()
        return self._current

    def _hold(self, size: int) -> None:
        if self._held and (
            self._held >= self._window_messages or self._held_bytes + size > self._window_bytes
        ):
            raise RemoteProtocolError(f"{self.channel}: sent beyond the window")
        if self._current.tail == 0:
            self._epochs[self._epoch] = self._current
        self._held += 1
        self._held_bytes += size

    def _again(self, epoch: int, current: _InEpoch, first: int, last: int) -> bool:
        if last < 1 or first > current.tail:
            raise RemoteProtocolError(f"{self.channel}: {first} came where {current.tail + 1} was due")
        self.duplicates += 1
        current.heard = max(current.heard, last)
        if current.committed >= current.heard:
            self._due[epoch] = current
        return False

    # --- what is committed ----------------------------------------------------------------------------------

    def take(self) -> list[Entry]:
        """Return everything staged, in order, to be committed as one; empty while a batch is under way."""
        if self._committing[0] or not self._staged:
            return []
        batch = self._staged
        self._committing = (len(batch), self._staged_bytes)
        self._staged = []
        self._staged_bytes = 0
        return batch

    def committed(self, positions: Iterable[tuple[int, int]]) -> None:
        """Note that the batch taken is durable: (epoch, highest number) each."""
        for epoch, seq in positions:
            mine = self._epochs[epoch]
            mine.committed = seq
            self._due[epoch] = mine
        self._committed += self._committing[0]
        self._committed_bytes += self._committing[1]
        self._committing = (0, 0)

    @property
    def staged(self) -> int:
        """Entries that wait to be committed."""
        return len(self._staged)

    @property
    def ack_pending(self) -> bool:
        """Is there anything to acknowledge? It goes within 50 ms."""
        return bool(self._due)

    @property
    def ack_wanted(self) -> bool:
        """Should the acknowledgement go at once:

        nothing else is under way, or a quarter of the window is used up?
        """
        if not self._due:
            return False
        idle = not self._staged and not self._committing[0]
        return (
            idle
            or self._committed * 4 >= self._window_messages
            or self._committed_bytes * 4 >= self._window_bytes
        )

    def acks(self) -> list[Ack]:
        """Return the acknowledgements that may go now, and count them as sent."""
        acks = []
        for epoch, mine in self._due.items():
            seq = min(mine.committed, mine.heard)
            acks.append(Ack(self.channel, epoch, seq))
        self._due.clear()
        self._held -= self._committed
        self._held_bytes -= self._committed_bytes
        self._committed = self._committed_bytes = 0
        return acks
