"""What goes to a peer: the outboxes, and the loops that feed the machines and note what was acknowledged."""

from collections.abc import Callable, Sequence
from functools import partial

import apsw
import structlog
import trio

from daemons.link.outbox import Draft, Outbox, OutChannel
from daemons.link.retention import acknowledge, expire, note_lost, prune, retain
from daemons.link.signal import Signal
from daemons.ops.storecare import FULL, patiently
from daemons.store import Store
from protocol.errors import RemoteProtocolError
from protocol.frames import Ack, InPosition, Limits, OutPosition
from protocol.reliable import Load, Resumed

_log = structlog.stdlib.get_logger("pitlink.link")

TRIM_LATE_S = 5.0
TRIM_MESSAGES = 512
"""An acknowledgement is noted in the database after so long, or so many messages: it costs an fsync, and is told
by the peer's hello should we forget it."""


class Outgoing:
    """The outgoing channels to one peer.

    `wake(channel)` is called when a channel may have something to send.
    """

    def __init__(
        self,
        store: Store,
        peer: str,
        channels: Sequence[OutChannel],
        new_epoch: Callable[[], int],
        utc_now: Callable[[], float],
    ) -> None:
        self.peer = peer
        self.wake: Callable[[str], None] = _nothing
        self.on_sent: dict[str, Callable[[int, int, int], None]] = {}
        self._store = store
        self._new_epoch = new_epoch
        self._epoch = new_epoch()
        self.outboxes = {
            config.name: Outbox(
                store, peer, config, epoch=lambda: self._epoch, utc_now=utc_now, on_ready=self._on_ready
            )
            for config in channels
        }
        self._load = Signal()
        self._trim = Signal()
        self._trim_now = Signal()
        self._drained = trio.Event()

    def open(self, conn: apsw.Connection) -> None:
        """Read the state of all channels."""
        for outbox in self.outboxes.values():
            outbox.open(conn)

    async def send(self, channel: str, drafts: Sequence[Draft]) -> tuple[int, int]:
        """Accept messages together; durable when this returns."""
        return await self._store.transact_batched(self.outboxes[channel].append_all, drafts)

    async def drained(self, channel: str) -> None:
        """Wait until everything accepted on `channel` was acknowledged."""
        sender = self.outboxes[channel].sender
        while sender.outstanding:
            await self._drained.wait()
        await trio.lowlevel.checkpoint()

    def positions(self, newest: int) -> list[OutPosition]:
        """Return what is held of the newest epochs of each channel."""
        return [
            OutPosition(name, mine.epoch, mine.first, mine.next)
            for name, outbox in self.outboxes.items()
            for mine in outbox.sender.epochs[-newest:]
        ]

    # --- a connection ---------------------------------------------------------------------------------------

    def begin(self, committed: Sequence[InPosition], limits: Limits) -> dict[str, Resumed]:
        """Begin a connection with the peer's positions and limits.

        If we have lost history, a new epoch is minted.
        """
        resumed = {}
        for name, outbox in self.outboxes.items():
            positions = [
                (position.epoch, position.committed) for position in committed if position.channel == name
            ]
            resumed[name] = outbox.sender.resume(positions, limits.window_messages, limits.window_bytes)
        if any(result.rolled_back for result in resumed.values()):
            self._epoch = self._new_epoch()
        self._drained_some()
        self._load.set()
        self._trim.set()
        return resumed

    def note(self, conn: apsw.Connection, resumed: dict[str, Resumed]) -> None:
        """Remember the history that was lost, so that it is reported once."""
        for name, result in resumed.items():
            note_lost(self.outboxes[name], conn, result.rolled_back)

    def detach(self) -> None:
        """End the connection."""
        self.wake = _nothing
        for outbox in self.outboxes.values():
            outbox.sender.detach()

    def pull(self, channel: str, max_bytes: int) -> bytes | None:
        """Return the frames to be sent now."""
        sender = self.outboxes[channel].sender
        told = self.on_sent.get(channel)
        before = [] if told is None else [(mine, mine.sent) for mine in sender.epochs]
        data = sender.take(max_bytes)
        if told is not None and data:
            for mine, sent in before:
                if mine.sent > sent:
                    told(mine.epoch, sent + 1, mine.sent)
        if sender.hungry:
            self._load.set()
        return data

    def on_ack(self, ack: Ack) -> None:
        """Take an acknowledgement."""
        outbox = self.outboxes.get(ack.channel)
        if outbox is None:
            raise RemoteProtocolError(f"no channel {ack.channel!r} goes that way")
        sender = outbox.sender
        sender.on_ack(ack.epoch, ack.seq)
        self._trim.set()
        if sender.untrimmed >= TRIM_MESSAGES:
            self._trim_now.set()
        if not sender.outstanding:
            self._drained_some()
        if sender.hungry:
            self._load.set()
        if sender.ready:
            self.wake(ack.channel)

    async def run(self) -> None:
        """Serve the connection begun last, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._load_loop)
            nursery.start_soon(self._trim_late)
            nursery.start_soon(self._trim_many)

    async def _load_loop(self) -> None:
        while True:
            await self._load.wait()
            wanted = [(outbox, load) for outbox in self.outboxes.values() if (load := outbox.sender.wants())]

            if wanted:
                await self._store.transact(partial(_read, wanted))

    async def _trim_late(self) -> None:
        while True:
            await self._trim.wait()
            await trio.sleep(TRIM_LATE_S)
            await self.trim()

    async def _trim_many(self) -> None:
        while True:
            await self._trim_now.wait()
            await self.trim()

    async def trim(self) -> None:
        """Note in the database what was acknowledged."""
        work = [(outbox, *trim) for outbox in self.outboxes.values() for trim in outbox.sender.trims()]

        def note(conn: apsw.Connection) -> None:
            for outbox, mine, acked in work:
                acknowledge(outbox, conn, mine, acked)

        if work:
            await patiently(partial(self._store.transact, note), "acknowledgements", FULL)

    def _on_ready(self, channel: str) -> None:
        self.wake(channel)

    def _drained_some(self) -> None:
        self._drained.set()
        self._drained = trio.Event()

    # --- operating ------------------------------------------------------------------------------------------

    async def sweep(self, now: float) -> None:
        """Apply the bounds of age, step by step, so that nobody waits long."""
        for outbox in self.outboxes.values():
            while await self._store.transact(partial(expire, outbox, now=now)):
                pass
            while await self._store.transact(partial(retain, outbox, now=now)):
                pass
            await self._store.transact(partial(prune, outbox, now=now))


def _read(wanted: list[tuple[Outbox, Load]], conn: apsw.Connection) -> None:
    for outbox, load in wanted:
        outbox.load(conn, load)


def _nothing(channel: str) -> None:
    """Stand for the connection while there is none."""
