"""One of the two programs of the link's world over all its lives, and its channels, which tell what happened to them."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import trio
from attrs import define, field

from chaos.simnet import Kill, Program, World
from daemons.link import schema
from daemons.link.connection import Connection
from daemons.link.durable import ChannelReport, DurableChannels
from daemons.link.outbox import OutChannel
from daemons.link.peer import Peer
from daemons.ops.environment import Environment
from daemons.store import Migration, Store, open_store
from protocol.errors import CloseCode
from protocol.frames import Ack, InPosition, Limits, Message, OutPosition
from protocol.reliable import OVERFLOW
from tests.sim.backups import Backups, reading
from tests.sim.link_plan import Plan
from tests.sim.oracle import ChannelOracle
from tests.sim.storm import Storm

__all__ = ["Side", "held_in"]

SWEEP_S = 60.0
BACKUPS = 4
REPEATED = 0.002
SLOW_COMMITS = 0.12
"""Of those that wait for the writer, an eighth of all: so many take virtual time, as on a disk that is busy."""

MIGRATIONS = (
    *schema.MIGRATIONS,
    Migration(
        "sim",
        1,
        "CREATE TABLE taken (epoch INTEGER, seq INTEGER, number INTEGER, PRIMARY KEY (epoch, seq)) STRICT",
    ),
)


class WatchedChannels(DurableChannels):
    """Durable channels that tell the world what happened to them, and die at chosen moments."""

    side: "Side"

    async def open(self) -> None:
        await super().open()
        for name, outbox in self._out.outboxes.items():
            judge, dropped = self.side.oracles[name], outbox.sender.dropped

            def declare(
                epoch: int,
                first: int,
                last: int,
                reason: str,
                *,
                judge: ChannelOracle = judge,
                dropped: Callable[[int, int, int, str], None] = dropped,
            ) -> None:
                judge.declare(epoch, first, last, reason)
                self.side.world.sometimes("queue full", reason == OVERFLOW)
                dropped(epoch, first, last, reason)

            outbox.sender.dropped = declare  # type: ignore[method-assign]
            retained = outbox.sender.retained

            def retain(
                epoch: int,
                first: int,
                *,
                judge: ChannelOracle = judge,
                retained: Callable[[int, int], None] = retained,
            ) -> None:
                judge.retain(epoch, first)
                retained(epoch, first)

            outbox.sender.retained = retain  # type: ignore[method-assign]

    async def attach(
        self,
        peer_out: Sequence[OutPosition],
        peer_in: Sequence[InPosition],
        generation: int,
        *,
        theirs: Limits,
        ours: Limits,
        wake: Callable[[str | None], None],
    ) -> list[ChannelReport]:
        reports = await super().attach(peer_out, peer_in, generation, theirs=theirs, ours=ours, wake=wake)
        for report in reports:
            happened = self.side.world.sometimes
            if report.resumed is not None:
                happened("resume with a gap", report.resumed.pending > 0)
                happened("sender was rolled back", bool(report.resumed.rolled_back))
                happened("receiver was rolled back: replayed", report.resumed.replayed > 0)
                happened("receiver was rolled back: skipped", bool(report.resumed.skipped))
        return reports

    def detach(self, generation: int) -> None:
        for receiver in self._in._receivers.values():
            self.side.world.sometimes("duplicate received", receiver.duplicates > 0)
            receiver.duplicates = 0
        super().detach(generation)

    def pull(self, channel: str, now: float, max_bytes: int) -> bytes | None:
        data = super().pull(channel, now, max_bytes)
        if data is not None and 2 * len(data) <= max_bytes and self.side.rng.random() < REPEATED:
            return data + data  # a resumed connection repeats nothing: a peer that does must do no harm
        return data

    def on_ack(self, ack: Ack) -> None:
        super().on_ack(ack)
        self.side.oracles[ack.channel].acknowledge(ack.epoch, ack.seq)
        self.side.perhaps_die("crash between ack and its note")


@define(eq=False)
class Side:
    """One of the two programs over all its lives: its file, its backups, its oracles."""

    world: World
    name: str  # the host's, and the file's
    peer_name: str
    out: OutChannel
    inbound: str
    plan: Plan
    folder: Path
    oracles: dict[str, ChannelOracle]
    storm: Storm
    program: Program = field(init=False)
    rng: random.Random = field(init=False)
    disk: random.Random = field(init=False)
    environment: Environment = field(init=False)
    peer: Peer | None = field(default=None, init=False)
    calm: bool = field(default=False, init=False)  # the storm is over: nothing more is sent, nobody dies
    restores: int = field(default=0, init=False)
    connections: int = field(default=0, init=False)
    _store: Store | None = field(default=None, init=False)
    _connection: Connection | None = field(default=None, init=False)
    backups: Backups = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.backups = Backups(self.file, BACKUPS)
        self.rng = self.world.rng(f"side {self.name}")
        self.disk = self.world.rng(f"disk {self.name}")
        entropy = self.world.rng(f"entropy {self.name}")
        boot = entropy.randbytes(16).hex().encode()
        self.environment = Environment(self.world.utc_now, entropy.randbytes, entropy.random, lambda: boot)

    @property
    def file(self) -> Path:
        return self.folder / self.name / "link.db"

    def perhaps_die(self, name: str) -> bool:
        """Be killed here and now, by the plan's chance."""
        if self.calm:
            return False
        drawn = None
        if self.rng.random() < self.plan.chosen_kill:
            drawn = Kill(self.name, self.rng.random() < 0.3, self.rng.uniform(0, 20))
        kill = self.storm.moment(name, self.name, drawn)
        if kill is None:
            return False
        self.world.sometimes(name)
        self.program.kill(power=kill.power, down_s=kill.down_s)
        return True

    def commit_s(self) -> float:
        """Draw how long a commit takes. It may be that the process is killed meanwhile: what waits behind it is lost."""
        if self.disk.random() >= SLOW_COMMITS:
            return 0.0
        if not self.calm:
            drawn = None
            if self.disk.random() < 20 * self.plan.chosen_kill:
                drawn = Kill(self.name, False, self.disk.uniform(0, 20))
            if kill := self.storm.moment("crash during a commit", self.name, drawn):
                self.world.sometimes("crash during a commit")
                self.program.kill(down_s=kill.down_s)
        return self.disk.uniform(0.002, 0.4)

    # --- the effect ----------------------------------------------------------------------------------------------

    def __call__(self, conn: apsw.Connection, message: Message) -> None:
        """Take a message: the effect of the inbound channel."""
        number = int(message.body.split()[0])
        if message.body.endswith(b"poison"):
            self.world.sometimes("dead letter")
            self.oracles[self.inbound].refuse((message.epoch, message.seq))
            raise ValueError("poison")
        if self.perhaps_die("crash in the transaction"):
            raise apsw.IOError("the power is gone")
        conn.execute("INSERT INTO taken VALUES (?, ?, ?)", (message.epoch, message.seq, number))
        assert self._store is not None
        oracle, key = self.oracles[self.inbound], (message.epoch, message.seq)
        self._store.after_commit(lambda: oracle.effected(key, number))
        if self.calm:
            return
        drawn = None
        if self.rng.random() < self.plan.chosen_kill:
            drawn = Kill(self.name, False, self.rng.uniform(0, 20))
        if kill := self.storm.moment("crash between commit and ack", self.name, drawn):
            self.world.sometimes("crash between commit and ack")
            self._store.after_commit(lambda: self.program.kill(down_s=kill.down_s))

    def many(self, conn: apsw.Connection, messages: Sequence[Message]) -> None:
        """Take several."""
        for message in messages:
            self(conn, message)

    # --- what runs inside of each life ---------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Peer]:
        """Open file and channels."""
        async with open_store(self.file, migrations=MIGRATIONS, inline=True, commit_s=self.commit_s) as store:
            self._store = store
            durable = WatchedChannels(
                store,
                self.peer_name,
                out=[self.out],
                inbound={self.inbound: self},
                new_epoch=self.environment.new_epoch,
                utc_now=self.environment.utc_now,
            )
            durable.side = self
            await durable.open()
            self.peer = Peer(self.name, "field", self.environment, durable)
            self.peer.on_up.append(self._up)
            self.peer.on_down.append(self._down)
            try:
                yield self.peer
            finally:
                self.peer = None

    def _up(self) -> None:
        assert self.peer is not None
        self.connections += 1
        self._connection = self.peer.connection

    def _down(self) -> None:
        assert self._connection is not None
        ended = self._connection._ended
        if ended is not None:
            self.world.sometimes("superseded", ended.code == CloseCode.SUPERSEDED)
            self.world.sometimes("half-open detected", ended.code == CloseCode.PEER_SILENT)
            if ended.code == CloseCode.PROTOCOL_ERROR or (
                ended.code == CloseCode.INTERNAL and "the power is gone" not in ended.words
            ):
                oracle = self.oracles[self.inbound]
                oracle._violation(f"{self.name} ended a connection: {ended}")

    async def live(self, mean_s: float) -> None:
        """Send, sweep and back up until it is time to be stopped in order."""
        peer = self.peer
        assert peer is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, peer, mean_s)
            nursery.start_soon(self._sweep, peer)
            nursery.start_soon(self._back_up)
            await self.storm.until_stopped(self.name, self.rng.expovariate(self.plan.stops / 3600))
            while self.calm:
                await trio.sleep(3600)
            nursery.cancel_scope.cancel()
        self.world.sometimes("stopped in order")

    async def _send(self, peer: Peer, mean_s: float) -> None:
        oracle, rng = self.oracles[self.out.name], self.rng
        while True:
            await trio.sleep(rng.uniform(0.0, 2.0) * mean_s if mean_s > 1 else mean_s)
            if self.calm:
                return
            # Now and then many at once and long: they arrive in pieces, and some wait while others are committed.
            is_burst = rng.random() < 0.002
            numbers = [oracle.offer() for _ in range(40 if is_burst else 1)]
            drafts = []
            for number in numbers:
                filling = rng.randbytes(rng.randrange(1500 if is_burst else 200)) + b"."
                is_poison = rng.random() < self.plan.poison
                drafts.append(("t", 1, b"%d %b" % (number, b"poison" if is_poison else filling)))
            epoch, first = await peer.durable.send_many(self.out.name, drafts)
            for seq, number in enumerate(numbers, first):
                oracle.accept((epoch, seq), number)
            self.perhaps_die("crash behind accepting")

    async def _sweep(self, peer: Peer) -> None:
        while True:
            await peer.durable.sweep(self.environment.utc_now())
            await trio.sleep(SWEEP_S)

    async def _back_up(self) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1 / 600))
            if self.plan.restore:
                await self.back_up()

    async def back_up(self) -> None:
        """Make a backup of the file as it is now. Only while the program is up."""
        assert self._store is not None
        await self.backups.take(self._store)

    # --- while it is down ----------------------------------------------------------------------------------------

    def while_down(self) -> None:
        """Perhaps put a backup back, and let the wall clock be another."""
        skew_s = self.rng.uniform(-30, 30) if self.rng.random() < 0.2 else None
        self.storm.clock_stepped(self.name, skew_s)
        count = len(self.backups.paths)
        if self.calm or not count:
            return
        drawn = self.rng.randrange(count) if self.rng.random() < self.plan.restore else None
        which = self.storm.restored(self.name, drawn, count)
        if which is not None:
            self.put_back(which)

    def put_back(self, at: int) -> None:
        """Put back one of the backups. Only while the program is down."""
        self.backups.put_back(at)
        self.restores += 1
        self.world.sometimes(f"restored {self.name}")
        with reading(self.file) as conn:
            self.oracles[self.out.name].sender_restored(
                dict(conn.execute("SELECT epoch, next FROM link_out_epoch"))
            )
            self.oracles[self.inbound].receiver_restored(held_in(conn))

    # --- the end -------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Is this side connected, and is all that it has sent acknowledged?"""
        if self.peer is None or self.peer.connection is None:
            return False
        return not any(channel.outstanding for channel in self.peer.durable.statistics().values())


def held_in(conn: apsw.Connection) -> list[tuple[tuple[int, int], int]]:
    """Return the effects that a file holds, in the order in which they came."""
    rows = conn.execute("SELECT epoch, seq, number FROM taken ORDER BY rowid")
    return [((epoch, seq), number) for epoch, seq, number in rows]
