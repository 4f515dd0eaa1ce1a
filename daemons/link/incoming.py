"""What comes from a peer: staged by the reader, committed in batches, acknowledged when durable."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import apsw
import trio

from daemons.link.inbox import Effect, Inbox
from daemons.link.signal import Signal
from daemons.ops.storecare import FULL, patiently
from daemons.store import Store
from protocol.codec import encode_frame
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Ack, InPosition, Limits, Message, OutPosition, Skip
from protocol.reliable_in import Entry, Receiver

ACK_LATE_S = 0.05
"""An acknowledgement goes at most this late; at once when nothing else is under way."""

_Work = list[tuple[Receiver, list[Entry]]]
_Marks = list[tuple[Receiver, list[tuple[int, int]]]]


class Incoming:
    """The incoming channels of one peer. `wake` is called when there are acknowledgements to send."""

    def __init__(
        self, store: Store, peer: str, effects: Mapping[str, Effect], utc_now: Callable[[], float]
    ) -> None:
        self.inbox = Inbox(store, peer, utc_now)
        self.effects = dict(effects)
        self.wake: Callable[[], None] = _nothing
        self.generation = 0
        self.before_commit: list[Callable[[], None]] = []
        self._store = store
        self._receivers = {channel: Receiver(channel) for channel in effects}
        self._staged = Signal()
        self._late = Signal()

    def positions(self, conn: apsw.Connection) -> dict[str, list[InPosition]]:
        """Return what is committed, by channel, in the order in which the peer began its epochs."""
        return {channel: self.inbox.positions(conn, channel) for channel in self._receivers}

    def begin(self, positions: Mapping[str, Sequence[InPosition]], limits: Limits) -> None:
        """Begin a connection; what an older one had staged and not committed comes again."""
        for channel, receiver in self._receivers.items():
            committed = {position.epoch: position.committed for position in positions[channel]}
            receiver.attach(committed, limits.window_messages, limits.window_bytes)

    def detach(self) -> None:
        """End the connection."""
        self.wake = _nothing

    @staticmethod
    def rolled_back(
        positions: Sequence[InPosition], theirs: Sequence[OutPosition]
    ) -> list[tuple[int, int, int]]:
        """Return where we have more than the peer says it sent, as (epoch, committed, its next)."""
        committed = {position.epoch: position.committed for position in positions}
        return [
            (position.epoch, committed[position.epoch], position.next)
            for position in theirs
            if committed.get(position.epoch, 0) >= position.next
        ]

    def on_message(self, message: Message) -> None:
        """Stage a message."""
        receiver = self._receivers.get(message.channel)
        if receiver is None:
            raise RemoteProtocolError(f"no channel {message.channel!r} comes this way")
        if receiver.on_message(message):
            self._staged.set()
        else:
            self._acknowledge(receiver)

    def on_skip(self, skip: Skip) -> None:
        """Stage a skip."""
        receiver = self._receivers.get(skip.channel)
        if receiver is None:
            raise RemoteProtocolError(f"no channel {skip.channel!r} comes this way")
        if receiver.on_skip(skip):
            self._staged.set()
        else:
            self._acknowledge(receiver)

    def acks(self) -> list[Ack]:
        """Return the acknowledgements that may go now."""
        return [
            ack for receiver in self._receivers.values() if receiver.ack_pending for ack in receiver.acks()
        ]

    def pull_acks(self, max_bytes: int) -> bytes | None:
        """Return the acknowledgements that may go now, encoded: a handful of bytes a channel."""
        acks = self.acks()
        return b"".join([encode_frame(ack) for ack in acks]) if acks else None

    async def run(self) -> None:
        """Commit what is staged for the connection begun last, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commit_loop, self.generation)
            nursery.start_soon(self._late_loop)

    async def _commit_loop(self, generation: int) -> None:
        while True:
            await self._staged.wait()
            work = [(receiver, batch) for receiver in self._receivers.values() if (batch := receiver.take())]
            if work:  # a full disk makes it late, and what it answers; requests on this connection go on
                await patiently(partial(self._transact, generation, work), "what the peer sent", FULL)

    async def _transact(self, generation: int, work: _Work) -> None:
        for look in self.before_commit:
            look()
        await self._store.transact(partial(self._commit, generation, work))

    def _commit(self, generation: int, work: _Work, conn: apsw.Connection) -> None:
        if generation != self.generation:
            raise RemoteProtocolError("superseded by a newer connection", CloseCode.SUPERSEDED)
        marks = [
            (receiver, self.inbox.commit(conn, receiver.channel, self.effects[receiver.channel], batch))
            for receiver, batch in work
        ]
        self._store.after_commit(partial(self._committed, generation, marks))

    def _committed(self, generation: int, marks: _Marks) -> None:
        if generation == self.generation:  # else a newer connection has read the positions from the database
            for receiver, positions in marks:
                receiver.committed(positions)
                self._acknowledge(receiver)

    def _acknowledge(self, receiver: Receiver) -> None:
        if receiver.ack_wanted:
            self.wake()
        elif receiver.ack_pending:
            self._late.set()

    async def _late_loop(self) -> None:
        while True:
            await self._late.wait()
            await trio.sleep(ACK_LATE_S)
            if any(receiver.ack_pending for receiver in self._receivers.values()):
                self.wake()


def _nothing() -> None:
    """Stand for the connection while there is none."""
