"""Hours of a site and a hub with nothing on top of the link, on the simulated network, with everything that goes wrong.

The site sends an `event` a second, the hub a `command` now and then. Paths fail as in `chaos.simnet.faults`; both
programs are killed at random moments and at the chosen ones (inside a transaction, between commit and
acknowledgement, between an acknowledgement and its note in the file, behind an acceptance), stopped in order, and
now and then start on a backup of their file. Each seed draws its own bounds and rates.
"""

import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import apsw
import trio
from attrs import define, field, frozen

from chaos.simnet import Conditions, Kill, Program, World
from chaos.simnet.faults import Struck
from daemons.link import schema
from daemons.link.address import HubAddress
from daemons.link.connection import Connection
from daemons.link.dial import Dialer
from daemons.link.durable import ChannelReport, DurableChannels
from daemons.link.listen import SiteListener
from daemons.link.outbox import Keep, OutChannel
from daemons.link.peer import Peer
from daemons.link.registry import MemoryRegistry
from daemons.ops.environment import Environment
from daemons.store import Migration, Store, fetch, open_store
from daemons.web.front import FrontStream, open_listeners, serve_http
from daemons.web.head import Head
from protocol.errors import CloseCode
from protocol.frames import Ack, InPosition, Limits, Message, OutPosition
from protocol.reliable import OVERFLOW, Bounds, Full
from tests.sim.figures import Figures
from tests.sim.oracle import ChannelOracle
from tests.sim.storm import TURN_GIVEN_EVERY, Storm

PORT = 8443
HOSTS = {"site": "pits", "hub": "hub"}
TOKEN = "throw-away"
SWEEP_S = 60.0
BACKUPS = 4
REPEATED = 0.002
SLOW_COMMITS = 0.06
"""Of those that wait for the writer, a quarter of all: so many take virtual time, as on a disk that is busy."""
CONVERGED_S = 180.0
"""After healing: the longest retry wait (superseded: 70 s) twice, and what there is to send."""

MIGRATIONS = (
    *schema.MIGRATIONS,
    Migration(
        "sim",
        1,
        "CREATE TABLE taken (epoch INTEGER, seq INTEGER, number INTEGER, PRIMARY KEY (epoch, seq)) STRICT",
    ),
)
MUST_HAPPEN = (
    "resume with a gap",
    "skip received",
    "crash in the transaction",
    "crash between commit and ack",
    "crash between ack and its note",
    "crash behind accepting",
    "stopped in order",
    "restored hub",
    "restored pits",
    "sender was rolled back",
    "receiver was rolled back: replayed",
    "receiver was rolled back: skipped",
    "superseded",
    "half-open detected",
    "dead letter",
    "power",
    "duplicate received",
    "queue full",
    "crash during a commit",
)


@frozen
class Plan:
    """What a seed draws: rates an hour, the bounds of the site's outbox, the path."""

    faults: float
    kills: float
    chosen_kill: float  # probability, of each message and place
    stops: float
    restore: float  # probability, of each start
    commands_a_s: float
    poison: float
    keep: Keep
    bounds: Bounds
    conditions: Conditions

    @staticmethod
    def draw(rng: random.Random) -> "Plan":
        """Draw one."""
        small = Bounds(rng.randint(5, 60), 64 * 1024, rng.choice([None, 30.0]), Full.DROP_OLDEST)
        return Plan(
            faults=rng.choice([10, 30, 90]),
            kills=rng.choice([0.5, 2, 6]),
            chosen_kill=rng.choice([1, 3]) / 3600,
            stops=rng.choice([0.5, 2]),
            restore=rng.choice([0.0, 0.2, 0.4]),
            commands_a_s=rng.choice([0.02, 0.1]),
            poison=0.001,
            keep=rng.choice([Keep(), Keep(600.0, 64 * 1024)]),
            bounds=rng.choice([Bounds(), small]),
            conditions=Conditions(
                latency_s=rng.choice([0.002, 0.02, 0.1, 0.3]), jitter_s=rng.choice([0.0, 0.002]), split=0.02
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
    _backups: list[Path] = field(factory=list, init=False)
    _backup_number: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
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
        self._backup_number += 1
        path = self.folder / f"{self.name}-{self._backup_number}.db"
        await self._store.backup_to(path)
        self._backups.append(path)
        if len(self._backups) > BACKUPS:
            self._backups.pop(0).unlink()

    # --- while it is down ----------------------------------------------------------------------------------------

    def while_down(self) -> None:
        """Perhaps put a backup back, and let the wall clock be another."""
        skew_s = self.rng.uniform(-30, 30) if self.rng.random() < 0.2 else None
        self.storm.clock_stepped(self.name, skew_s)
        if self.calm or not self._backups:
            return
        drawn = self.rng.randrange(len(self._backups)) if self.rng.random() < self.plan.restore else None
        which = self.storm.restored(self.name, drawn, len(self._backups))
        if which is not None:
            self.put_back(which)

    def put_back(self, at: int) -> None:
        """Put back one of the backups. Only while the program is down."""
        for newer in self._backups[at + 1 :]:  # of a history that ends here
            newer.unlink()
        del self._backups[at + 1 :]
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self._backups[at], self.file)
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


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """Open a file that no program holds now."""
    conn = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        yield conn
    finally:
        conn.close()


def held_in(conn: apsw.Connection) -> list[tuple[tuple[int, int], int]]:
    """Return the effects that a file holds, in the order in which they came."""
    rows = conn.execute("SELECT epoch, seq, number FROM taken ORDER BY rowid")
    return [((epoch, seq), number) for epoch, seq, number in rows]


# --- the two programs ------------------------------------------------------------------------------------------------


async def _hub(side: Side) -> None:
    async def no_app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("nothing but the link is served here")

    while True:
        async with side.open() as peer:
            listener = SiteListener(peer, MemoryRegistry(), site_role="pits")

            async def on_control(
                stream: FrontStream, head: Head, address: str, listener: SiteListener = listener
            ) -> None:
                await listener.serve(stream, dict(head.headers), address)

            async with trio.open_nursery() as nursery:
                listeners = await open_listeners("0.0.0.0", PORT)

                async def serve(
                    task_status: trio.TaskStatus[object], listeners: list[trio.SocketListener] = listeners
                ) -> None:
                    await serve_http(listeners, no_app, on_control=on_control, task_status=task_status)

                await nursery.start(serve)
                await side.live(1 / side.plan.commands_a_s)
                await listener.drain()
                nursery.cancel_scope.cancel()


async def _site(side: Side) -> None:
    while True:
        async with side.open() as peer:
            dialer = Dialer(peer, HubAddress("hub", PORT, is_tls=False), TOKEN, hub_role="hub")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(dialer.run)
                await side.live(1.0)
                nursery.cancel_scope.cancel()


# --- a run -----------------------------------------------------------------------------------------------------------


def make_sides(
    storm: Storm, plan: Plan, folder: Path, oracles: dict[str, ChannelOracle], kind: type[Side] = Side
) -> tuple[Side, Side]:
    """Return hub and pits with a path between them; their programs wait to be run."""
    world = storm.world
    hub = kind(world, "hub", "site", OutChannel("command"), "event", plan, folder, oracles, storm)
    event = OutChannel("event", plan.keep, plan.bounds)
    pits = kind(world, "pits", "hub", event, "command", plan, folder, oracles, storm)
    net = world.net
    for side, main in ((hub, _hub), (pits, _site)):
        net.add_host(side.name)
        side.program = Program(net, side.name, partial(main, side), while_down=side.while_down)
    conditions = plan.conditions
    net.link("pits", "hub").set(
        latency_s=conditions.latency_s, jitter_s=conditions.jitter_s, split=conditions.split
    )
    return hub, pits


async def converge(hub: Side, pits: Side) -> None:
    """Wait until both ends, healed and calm, have told each other everything. Raises AssertionError when they do not."""
    with trio.move_on_after(CONVERGED_S) as bound:
        await trio.sleep(1)  # what was being accepted is
        while not (hub.settled and pits.settled):
            await trio.sleep(1)
        await trio.sleep(2)  # a skip of what is done is under way, and nobody waits for its acknowledgement
    assert not bound.cancelled_caught, f"not converged {CONVERGED_S:.0f} s after healing: {hub} {pits}"
    for sender, receiver in ((pits, hub), (hub, pits)):
        await _compare_positions(sender, receiver)


def judge(world: World, hub: Side, pits: Side, figures: Figures) -> None:
    """Look into both files, behind the end of both programs. Raises AssertionError with every broken rule."""
    for sender, receiver in ((pits, hub), (hub, pits)):
        _judge(world, sender, receiver, figures)


async def run_link(world: World, hours: float, storm: Storm | None = None) -> Figures:
    """Run `hours` of it, heal, and judge; `storm`: one to be played, or looked at. Raises AssertionError for every
    broken rule."""
    storm = Storm(world, HOSTS) if storm is None else storm
    plan = Plan.draw(world.rng("plan"))
    scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="pitlink-sim-", dir=scratch) as folder:
        oracles = {name: ChannelOracle(name) for name in ("event", "command")}
        hub, pits = make_sides(storm, plan, Path(folder), oracles)
        net = world.net
        net.turn_given_every = TURN_GIVEN_EVERY
        figures = Figures("link", world.seed)

        def on_fault(struck: Struck) -> None:
            world.sometimes(struck.name)
            figures.counts["faults"] += 1

        async with trio.open_nursery() as nursery:
            for side in (hub, pits):
                nursery.start_soon(side.program.run)
            for oracle in oracles.values():
                nursery.start_soon(watch, oracle)
            programs = [hub.program, pits.program]
            with trio.move_on_after(hours * 3600):
                await storm.run(programs, on_fault, faults_an_hour=plan.faults, kills_an_hour=plan.kills)
            hub.calm = pits.calm = storm.is_over = True
            net.heal_all()
            await converge(hub, pits)
            nursery.cancel_scope.cancel()
        judge(world, hub, pits, figures)
        figures.hours = trio.current_time() / 3600
        figures.counts["starts"] = hub.program.starts + pits.program.starts
        figures.counts["restores"] = hub.restores + pits.restores
        figures.counts["connections"] = pits.connections
        return figures


async def watch(oracle: ChannelOracle) -> None:
    """Raise AssertionError as soon as a rule is broken."""
    await oracle.broken.wait()
    raise AssertionError(oracle.violations[0])


async def _compare_positions(sender: Side, receiver: Side) -> None:
    """Require that both ends agree on every epoch that both name in a hello, and on the newest."""
    assert sender.peer is not None
    assert receiver.peer is not None
    out, _ = await sender.peer.durable.positions()
    _, committed = await receiver.peer.durable.positions()
    known = {position.epoch: position.committed for position in committed}
    used = [position for position in out if position.next > 1]
    for position in used:
        theirs = known.get(position.epoch, position.next - 1)
        is_same = theirs >= position.next - 1 if sender.restores else theirs == position.next - 1
        assert is_same, f"{sender.name} sent {position}, {receiver.name} has {theirs}"
    # A hello names the receiver's newest epochs only; a sender put back to an old file may hold none of them.
    assert receiver._store is not None
    rows = await receiver._store.read(
        lambda conn: fetch(conn, "SELECT epoch FROM link_in WHERE channel = ?", (sender.out.name,))
    )
    assert not used or (used[-1].epoch,) in rows, (
        f"{receiver.name} does not know the newest epoch of {sender.name}"
    )


def _judge(world: World, sender: Side, receiver: Side, figures: Figures) -> None:
    name = sender.out.name
    with reading(receiver.file) as conn:
        dead = [
            ((epoch, seq), int(body.split()[0]))
            for epoch, seq, body in conn.execute("SELECT epoch, seq, body FROM link_dead ORDER BY id")
        ]
        skips = list(conn.execute("SELECT epoch, first, last, reason FROM link_in_skip ORDER BY id"))
        fates = sender.oracles[name].judge(held_in(conn), dead, skips)
        assert all(body.endswith(b"poison") for (body,) in conn.execute("SELECT body FROM link_dead"))
    world.sometimes("skip received", bool(skips))
    figures.counts["messages"] += sum(fates.values())
    for fate, count in fates.items():
        figures.counts[f"{name} {fate}"] += count
