"""All reliable channels between this side and one peer, over all connections.

Outgoing: `send` makes messages durable, `pull` hands them to the writer of the connection, `on_ack` frees
them. Incoming: `on_message` stages, `run` commits what is staged (effect, mark and outgoing rows in one
transaction), and only then `pull_acks` acknowledges. A commit checks the generation of its connection, so
that late frames of an old one have no effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import apsw
import structlog
import trio
from attrs import frozen

from daemons.link.figures import ReliableFigures
from daemons.link.inbox import DeadLetter, Effect
from daemons.link.incoming import Incoming
from daemons.link.outbox import Draft, Held, Keep, OutboxFull, OutChannel
from daemons.link.outgoing import Outgoing
from daemons.store import Store
from protocol.errors import LocalProtocolError
from protocol.frames import Ack, InPosition, Limits, Message, OutPosition, Skip
from protocol.reliable import Resumed

__all__ = [
    "ChannelReport",
    "ChannelStatistics",
    "DeadLetter",
    "Draft",
    "DurableChannels",
    "Effect",
    "Held",
    "Keep",
    "OutChannel",
    "OutboxFull",
]

_log = structlog.stdlib.get_logger("pitlink.link")

POSITIONS_MAX = 16
"""Epochs a hello names of each channel: the newest. A sender knows what an older one must have come to."""

T = TypeVar("T")

Wake = Callable[[str | None], None]
"""Called with the channel that may have something to send, or with None for acknowledgements.

Must not block.
"""


@frozen
class ChannelReport:
    """What a new connection means for one channel.

    `resumed`: what will be sent, for a channel that goes out. `peer_rolled_back`: where we have committed
    more than the peer says it has sent, as (epoch, committed, its next): it was restored from a backup.
    """

    channel: str
    resumed: Resumed | None
    peer_rolled_back: list[tuple[int, int, int]]


@frozen
class ChannelStatistics:
    """One outgoing channel. `outstanding`: numbers not acknowledged; `in_flight`: entries on their way; `accepted`:
    messages since the start."""

    held: Held
    outstanding: int
    in_flight: int
    in_flight_bytes: int
    accepted: int


class DurableChannels:
    """The reliable channels to (`out`) and from (`inbound`: channel → effect) one peer.

    `new_epoch` mints the number that names this process's epoch; `utc_now` gives UTC seconds. `open` first;
    then `send` at any time; `attach`, `run` and `detach` for each connection.
    """

    def __init__(
        self,
        store: Store,
        peer: str,
        *,
        out: Sequence[OutChannel],
        inbound: Mapping[str, Effect],
        new_epoch: Callable[[], int],
        utc_now: Callable[[], float],
    ) -> None:
        self.peer = peer
        self._store = store
        self._out = Outgoing(store, peer, out, new_epoch, utc_now)
        self._in = Incoming(store, peer, inbound, utc_now)

    def __repr__(self) -> str:
        return f"<DurableChannels {self.peer} generation={self._in.generation}>"

    @property
    def figures(self) -> ReliableFigures:
        """What was counted since the start."""
        return self._in.inbox.figures

    async def open(self) -> None:
        """Read the state of all channels. Once, before anything else."""
        await self._store.transact(self._out.open)

    # --- sending --------------------------------------------------------------------------------------------

    async def send(self, channel: str, kind: str, version: int, body: bytes) -> tuple[int, int]:
        """Accept one message: it is durable when this returns its (epoch, number).

        Many callers share one fsync.

        Raises OutboxFull (answer BUSY), LocalProtocolError when it fits no frame, StorageError. Cancelling
        withdraws what was not begun; after that the message is accepted although the caller was cancelled.
        """
        return await self._out.send(channel, [(kind, version, body)])

    async def send_many(self, channel: str, drafts: Sequence[Draft]) -> tuple[int, int]:
        """Accept several messages, all or none, in order; return the epoch and the first number."""
        return await self._out.send(channel, drafts)

    def append_in(
        self, conn: apsw.Connection, channel: str, kind: str, version: int, body: bytes
    ) -> tuple[int, int]:
        """Accept a message inside the caller's own transaction of the store; otherwise as `send`."""
        return self._out.outboxes[channel].append(conn, [(kind, version, body)])

    def is_acked(self, channel: str, epoch: int, seq: int) -> bool:
        """Has the peer acknowledged this message? True for an epoch so old that it is forgotten."""
        epochs = self._out.outboxes[channel].sender.epochs
        return all(seq <= mine.acked for mine in epochs if mine.epoch == epoch)

    def watch_sent(self, channel: str, told: Callable[[int, int, int], None]) -> None:
        """Have `told(epoch, first, last)` called whenever messages of a channel are handed to a connection, again too.

        One listener a channel; it must not raise or block.
        """
        self._out.on_sent[channel] = told

    def watch_commits(self, look: Callable[[], None]) -> None:
        """Have `look()` called on the event loop before each attempt to commit what came: effects may not look at Trio's
        clock. It must not raise or block."""
        self._in.before_commit.append(look)

    async def drained(self, channel: str) -> None:
        """Wait until the peer has acknowledged everything that was accepted on `channel`."""
        await self._out.drained(channel)

    # --- a connection ---------------------------------------------------------------------------------------

    async def positions(self) -> tuple[list[OutPosition], list[InPosition]]:
        """Return what a hello says, read through the writer: behind every commit that was begun."""

        def read(conn: apsw.Connection) -> tuple[list[OutPosition], list[InPosition]]:
            committed = self._in.positions(conn).values()
            newest = [position for channel in committed for position in channel[-POSITIONS_MAX:]]
            return self._out.positions(POSITIONS_MAX), newest

        return await self._store.transact(read)

    async def attach(
        self,
        peer_out: Sequence[OutPosition],
        peer_in: Sequence[InPosition],
        generation: int,
        *,
        theirs: Limits,
        ours: Limits,
        wake: Wake,
    ) -> list[ChannelReport]:
        """Begin a connection with what the peer's hello said; older ones commit nothing from here on.

        `generation` must be greater than any before. `theirs` bounds what is sent, `ours` what may come.
        Returns what is replayed, skipped and lost, by channel. `wake` is called until `detach`, also when
        this was cancelled.
        """
        resumed: dict[str, Resumed] = {}
        committed: dict[str, list[InPosition]] = {}

        def begin() -> None:
            self._in.begin(committed, ours)
            resumed.update(self._out.begin(peer_in, theirs))
            self._in.wake = lambda: wake(None)
            self._out.wake = wake
            for outbox in self._out.outboxes.values():
                outbox.tell_ready()

        def fence(conn: apsw.Connection) -> None:
            if generation <= self._in.generation:
                raise LocalProtocolError(f"generation {generation} is not newer than {self._in.generation}")
            self._in.generation = generation
            committed.update(self._in.positions(conn))
            self._store.after_commit(begin)

        await self._store.transact(fence)
        await self._store.transact(lambda conn: self._out.note(conn, resumed))
        reports = [
            ChannelReport(
                channel,
                resumed.get(channel),
                Incoming.rolled_back(
                    committed.get(channel, []),
                    [position for position in peer_out if position.channel == channel],
                ),
            )
            for channel in dict.fromkeys([*resumed, *committed])
        ]
        for report in reports:
            self._tell(report)
        return reports

    def _tell(self, report: ChannelReport) -> None:
        resumed, figures = report.resumed, self.figures
        figures.lost_theirs[report.channel] += len(report.peer_rolled_back)
        if resumed is not None:
            figures.replayed[report.channel] += resumed.replayed
            figures.lost_ours[report.channel] += len(resumed.rolled_back)
        if resumed is not None and (resumed.replayed or resumed.skipped or resumed.rolled_back):
            _log.warning(
                "channel.history_differs",
                peer=self.peer,
                channel=report.channel,
                replayed=resumed.replayed,
                skipped=sum(last - first + 1 for _, (first, last, _) in resumed.skipped),
                rolled_back=len(resumed.rolled_back),
            )

    def detach(self, generation: int) -> None:
        """End the connection of this generation: nothing is on its way any more.

        A newer one is left alone.
        """
        if generation == self._in.generation:
            self._in.detach()
            self._out.detach()

    def on_message(self, message: Message) -> None:
        """Take a message from the connection. Raises RemoteProtocolError."""
        self._in.on_message(message)

    def on_skip(self, skip: Skip) -> None:
        """Take a skip from the connection. Raises RemoteProtocolError."""
        self._in.on_skip(skip)

    def on_ack(self, ack: Ack) -> None:
        """Take an acknowledgement from the connection. Raises RemoteProtocolError."""
        self._out.on_ack(ack)

    def pull(self, channel: str, now: float, max_bytes: int) -> bytes | None:
        """Return encoded frames of `channel` to be sent now, or None: a source of the lanes."""
        return self._out.pull(channel, max_bytes)

    def pull_acks(self, now: float, max_bytes: int) -> bytes | None:
        """Return the acknowledgements that may go now, or None: a source of lane 0."""
        return self._in.pull_acks(max_bytes)

    @property
    def unacknowledged(self) -> bool:
        """Is anything on its way that the peer must acknowledge?"""
        return any(outbox.sender.flight_messages for outbox in self._out.outboxes.values())

    async def run(self) -> None:
        """Commit what comes, load what is to be sent, note what was acknowledged, until cancelled.

        Serves the connection attached last. A commit that has begun is finished when this is cancelled.
        Raises StorageError: nothing of that commit happened and nothing of it will be acknowledged;
        RemoteProtocolError when a newer connection has taken over.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._in.run)
            nursery.start_soon(self._out.run)

    # --- operating ------------------------------------------------------------------------------------------

    async def sweep(self, now: float) -> None:
        """Apply the bounds of age (`now`: UTC seconds). To be called now and then, connected or not."""
        await self._out.sweep(now)
        await self._store.transact(lambda conn: self._in.inbox.sweep(conn, now))

    async def dead_letters(self) -> list[DeadLetter]:
        """Return the messages that could not be applied, oldest first."""
        return await self._store.read(self._in.inbox.dead_letters)

    def ledger(self, conn: apsw.Connection) -> dict[str, Any]:
        """Return the numbers given out and acknowledged, and those committed, by channel and epoch."""
        return {
            "out": {
                name: [{"epoch": e.epoch, "last": e.next - 1, "acked": e.acked} for e in outbox.sender.epochs]
                for name, outbox in self._out.outboxes.items()
            },
            "in": self._in.inbox.ledger(conn, list(self._in.effects)),
        }

    async def look(self, read: Callable[[apsw.Connection], T]) -> T:
        """Read from the database that the channels are in."""
        return await self._store.read(read)

    async def requeue(self, dead_id: int, rewrite: Callable[[Message], Message]) -> bool:
        """Apply a dead letter after all; `rewrite` gives it its new id. False when there is none of this id.

        Raises what the effect raises; the dead letter stays then.
        """
        inbox, effects = self._in.inbox, self._in.effects
        return await self._store.transact(lambda conn: inbox.requeue(conn, dead_id, effects, rewrite))

    async def drop_dead_letter(self, dead_id: int) -> bool:
        """Remove a dead letter for good. False when there is none of this id."""
        return await self._store.transact(lambda conn: self._in.inbox.drop(conn, dead_id))

    @property
    def channels(self) -> tuple[list[str], list[str]]:
        """The names of the channels that go out, and of those that come in."""
        return list(self._out.outboxes), list(self._in.effects)

    def fill_shares(self) -> dict[str, float]:
        """Return how full each outgoing channel is, 0 to 1, by messages or bytes, whichever is fuller."""
        shares = {}
        for name, outbox in self._out.outboxes.items():
            held, bounds = outbox.held, outbox.config.bounds
            shares[name] = max(held.messages / bounds.messages, held.body_bytes / bounds.body_bytes)
        return shares

    def statistics(self) -> dict[str, ChannelStatistics]:
        """Return what each outgoing channel holds and has under way."""
        return {
            name: ChannelStatistics(
                outbox.held,
                outbox.sender.outstanding,
                outbox.sender.flight_messages,
                outbox.sender.flight_bytes,
                outbox.accepted,
            )
            for name, outbox in self._out.outboxes.items()
        }
