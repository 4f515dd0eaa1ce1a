"""A race day through pits and cloud on the simulated network, with everything that goes wrong between them.

FPVTrackside's stand-in runs on a laptop of its own that nothing befalls but freezes (its name is not `localhost`
here, so that pits can lose its power without taking the stand-in along). Pits and cloud are killed, stopped in order,
and put back to backups of their files; the path between them fails as in `chaos.simnet.faults`. Watched all along:
the manners at the origin, that the cloud is never given a body that was never written, and that no board claims to be
younger than the last read. At the end: both boards and all watched files are the same, and every event of the pits'
journal stands in the cloud's record once.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import trio
from attrs import Factory, define, field

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks, RaceDay
from chaos.simnet import Kill, World
from chaos.simnet.faults import Struck
from chaos.simnet.world import EPOCH_S
from daemons.cloud import Cloud, open_cloud
from daemons.link.durable import ChannelReport, DurableChannels
from daemons.link.hazards import Hazards
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pits import Pits, open_pits
from daemons.race.cache import Key
from daemons.race.config import CloudConfig, PitsConfig
from daemons.race.fetched import Fetched
from daemons.race.privacy import is_private, strip_private
from protocol.codec import decode_frames
from protocol.errors import RequestError
from protocol.frames import Message
from protocol.messages import decode_body, event_to_map
from tests.sim.backups import reading
from tests.sim.daemon import Daemon
from tests.sim.figures import Figures
from tests.sim.oracle import ChannelOracle
from tests.sim.storm import TURN_GIVEN_EVERY, Storm

SITE = "field"
HOSTS = {"site": "pits", "hub": "cloud"}
PORT = 8443
ORIGIN_PORT = 8080
CONVERGED_S = 1500.0
"""After healing: races at rest are read again every 10 minutes, and the origin is asked once in 5 s at most."""
AGE_SLACK_S = 3.0
"""The hub knows the site's clock by pings only, wrong by half of a round trip that may be slow."""

MUST_HAPPEN = (
    "resume with a gap",
    "crash",
    "power",
    "crash during a commit",
    "stopped in order",
    "restored cloud",
    "restored pits",
    "sender was rolled back",
    "receiver was rolled back: replayed",
    "half-open",
    "origin froze",
    "killed with a fetch in flight",
)


class _Tree(EventTree):
    """An event tree that remembers every body that was ever whole, as it may be seen behind pits."""

    def __init__(self) -> None:
        super().__init__()
        self.ever = {hashlib.sha256(b"[]").digest()}

    def put(self, path: str, body: bytes, occasion: str = "") -> None:
        super().put(path, body, occasion)
        self.ever.add(hashlib.sha256(seen_behind_pits(path, body)).digest())


def seen_behind_pits(path: str, body: bytes) -> bytes:
    """Return what may leave the site of a file."""
    return strip_private(body) if is_private(path, body) else body


@define(eq=False)
class Day:
    """One run: the stand-in, both daemons, and what is known about them."""

    world: World
    folder: Path
    figures: Figures
    storm: Storm = field(
        default=Factory(lambda self: Storm(self.world, HOSTS), takes_self=True), kw_only=True
    )
    hazards: Mapping[str, Hazards] = field(factory=dict, kw_only=True)
    """By host: faults inside of a daemon, over all its lives."""
    tree: _Tree = field(factory=_Tree)
    events: ChannelOracle = field(factory=lambda: ChannelOracle("event"))
    messages: dict[tuple[int, int], Message] = field(factory=dict)
    pits: Pits | None = field(default=None, init=False)
    cloud: Cloud | None = field(default=None, init=False)
    double: FPVTrackside = field(init=False)
    pits_daemon: Daemon = field(init=False)
    cloud_daemon: Daemon = field(init=False)
    token: str = field(init=False)
    trusts_at: float = field(default=0.0, init=False)
    """From then on the cloud has noticed that its clock was set: ages are right again."""
    excused: int = field(default=0, init=False)
    """Requests at the origin that may be broken off besides those of a killed pits."""

    def __attrs_post_init__(self) -> None:
        self.token = TokenTable(self.folder / "cloud" / TOKENS_FILE).add("site", Role.SITE, SITE)
        self.double = FPVTrackside(
            self.tree, Quirks(localhost_only=False, answer_delay_s=0.03), utc_now=self.world.utc_now
        )
        self.pits_daemon = Daemon(
            self.storm, "pits", self.folder / "pits" / "pits.db", self._run_pits, self._pits_restored
        )
        self.cloud_daemon = Daemon(
            self.storm, "cloud", self.folder / "cloud" / "cloud.db", self._run_cloud, self._cloud_restored
        )

    # --- the daemons ---------------------------------------------------------------------------------------------

    async def _run_pits(self, daemon: Daemon) -> None:
        config = PitsConfig(
            site=SITE,
            origin_url=f"http://timing:{ORIGIN_PORT}",
            cloud_url=f"ws://cloud:{PORT}",
            token=Secret(self.token),
            state_dir=self.folder / "pits",
            listen=Address("0.0.0.0", 8090),
            time_zone="UTC",
        )
        async with AsyncExitStack() as stack:
            pits = await stack.enter_async_context(
                open_pits(
                    config, environment=daemon.environment, inline=True, hazards=self.hazards.get("pits")
                )
            )
            self._watch_sender(pits.durable)
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(pits.run)
            self.pits = pits
            try:
                await daemon.until_stopped(pits.store)
                await pits.stop()
            finally:
                self.pits = None
            nursery.cancel_scope.cancel()

    async def _run_cloud(self, daemon: Daemon) -> None:
        config = CloudConfig(state_dir=self.folder / "cloud", listen=Address("0.0.0.0", PORT))
        async with AsyncExitStack() as stack:
            cloud = await stack.enter_async_context(
                open_cloud(
                    config, environment=daemon.environment, inline=True, hazards=self.hazards.get("cloud")
                )
            )
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(cloud.run)
            self._watch_receiver(cloud)
            cloud.members[SITE].site.remote.observe(self._on_body)
            self.cloud = cloud
            try:
                await daemon.until_stopped(cloud.store)
                await cloud.stop()
            finally:
                self.cloud = None
            nursery.cancel_scope.cancel()

    def _watch_sender(self, durable: DurableChannels) -> None:
        """Let the oracle see what becomes durable in the journal, and what a new connection means for it."""
        sender, attach = durable._out.outboxes["event"].sender, durable.attach
        appended, dropped = sender.appended, sender.dropped

        def on_appended(key: int, epoch: int, first: int, rows: Sequence[tuple[int, bytes]]) -> bool:
            for seq, (_, data) in enumerate(rows, first):
                self.events.accept((epoch, seq), self.events.offer())
                (message,) = decode_frames(data)
                assert isinstance(message, Message)
                self.messages[epoch, seq] = message
            return appended(key, epoch, first, rows)

        def on_dropped(epoch: int, first: int, last: int, reason: str) -> None:
            self.events.declare(epoch, first, last, reason)
            dropped(epoch, first, last, reason)

        async def on_attach(*args: Any, **kwargs: Any) -> list[ChannelReport]:
            reports = await attach(*args, **kwargs)
            for report in reports:
                if report.resumed is not None:
                    self.world.sometimes("resume with a gap", report.resumed.pending > 0)
                    self.world.sometimes("sender was rolled back", bool(report.resumed.rolled_back))
                    self.world.sometimes("receiver was rolled back: replayed", report.resumed.replayed > 0)
            return reports

        sender.appended = on_appended  # type: ignore[method-assign]
        sender.dropped = on_dropped  # type: ignore[method-assign]
        durable.attach = on_attach  # type: ignore[method-assign]

    def _watch_receiver(self, cloud: Cloud) -> None:
        """Let the oracle see which events take effect, and kill the cloud behind some of those commits."""
        effects = cloud.members[SITE].site.peer.durable._in.effects
        effect, rng = effects["event"], self.cloud_daemon.rng

        def watched(conn: apsw.Connection, message: Message) -> None:
            effect(conn, message)
            key = (message.epoch, message.seq)
            cloud.store.after_commit(lambda: self.events.effected(key, self.events.accepted.get(key, 0)))
            if message != self.messages.get(key):
                self.events.violations.append(f"{key} arrived as another")
            if self.cloud_daemon.calm:
                return
            drawn = Kill("cloud", False, rng.uniform(0, 10)) if rng.random() < 0.005 else None
            if kill := self.storm.moment("crash between commit and ack", "cloud", drawn):
                self.world.sometimes("crash between commit and ack")
                cloud.store.after_commit(lambda: self.cloud_daemon.program.kill(down_s=kill.down_s))

        effects["event"] = watched

    def _pits_restored(self, conn: apsw.Connection) -> None:
        after = conn.execute(
            """SELECT epoch, next FROM link_out_epoch
                WHERE channel_id = (SELECT id FROM link_out_channel WHERE channel = 'event')"""
        )
        self.events.sender_restored(dict(after))

    def _cloud_restored(self, conn: apsw.Connection) -> None:
        committed = dict(conn.execute("SELECT epoch, committed FROM link_in WHERE channel = 'event'"))
        held = [
            (key, number) for key, number in self.events.live.items() if key[1] <= committed.get(key[0], 0)
        ]
        self.events.receiver_restored(held)

    # --- what must hold all along --------------------------------------------------------------------------------

    def _on_body(self, path: str, result: Fetched | RequestError) -> None:
        self.figures.counts["bodies at the cloud"] += 1
        if not isinstance(result, Fetched) or not path.startswith("/events/"):
            return
        if hashlib.sha256(result.body).digest() not in self.tree.ever:
            self._violation(f"{path} was given to the cloud as it never was: {result.body[:80]!r}")

    def _violation(self, words: str) -> None:
        self.events.violations.append(words)
        self.events.broken.set()

    async def watch(self) -> None:
        """Compare the age shown with the last read, every second, and end the run at the first broken rule."""
        while True:
            await trio.sleep(1)
            if self.events.violations:
                raise AssertionError(self.events.violations[0])
            if self.cloud is None or trio.current_time() < self.trusts_at:
                continue
            as_of = self.cloud.members[SITE].site.keeper.as_of
            if as_of is not None:
                shown = as_of - self.world.skew_s["cloud"] - EPOCH_S
                late = shown - self._last_read_at()
                if late > AGE_SLACK_S:
                    self._violation(f"the cloud's board claims to be {late:.1f} s younger than the last read")

    def _last_read_at(self) -> float:
        visits = self.double.visits
        return max((visit.done_at_s or 0.0 for visit in list(visits)[-4:]), default=0.0)

    async def freeze_now_and_then(self) -> None:
        """Let the timing program hang now and then, for less than the 30 s after which pits may abort."""
        rng = self.world.rng("freezes")
        try:
            while True:
                gap_s, for_s = rng.expovariate(6 / 3600), rng.uniform(1, 20)
                await self.storm.origin_frozen(gap_s, for_s, self.double.freeze, self.double.thaw)
        finally:
            self.double.thaw()

    async def kill_in_mid_fetch(self) -> None:
        """Kill pits while the timing program answers it: the one abort that nobody can spare the organiser."""
        rng = self.world.rng("kills in mid-fetch")
        while True:
            await self.storm.until_moment("killed in mid-fetch", "pits", rng.expovariate(2 / 3600))
            with trio.move_on_after(60):
                while not (self.double.visits and self.double.visits[-1].is_in_flight):
                    await trio.sleep(0.01)
                kill = self.storm.moment(
                    "killed in mid-fetch", "pits", Kill("pits", False, rng.uniform(0, 10))
                )
                if kill is not None:
                    self.pits_daemon.program.kill(down_s=kill.down_s)

    # --- the end -------------------------------------------------------------------------------------------------

    async def differences(self) -> list[str]:
        """Say in what the cloud is not yet as the field is."""
        pits, cloud = self.pits, self.cloud
        if pits is None or cloud is None or cloud.members[SITE].site.peer.connection is None:
            return ["not connected"]
        found = []
        site = cloud.members[SITE].site
        if pits.durable.statistics()["event"].outstanding:
            found.append("events are under way")
        if site.keeper.board != pits.keeper.board:
            found.append("the boards differ")
        for path in site._watched:
            body = self.tree.read(path)
            if path.startswith("/events/") and body:
                copy = await site.cache.get(Key(SITE, "GET", path))
                if copy is None or copy.body != seen_behind_pits(path, body):
                    found.append(f"{path} differs")
        return found

    def judge(self) -> None:
        """Compare the journal with the cloud's record, and ask the stand-in about its clients' manners."""
        with reading(self.cloud_daemon.file) as conn:
            rows = list(conn.execute("SELECT what FROM site_event ORDER BY id"))
            skips = list(
                conn.execute("SELECT epoch, first, last, reason FROM link_in_skip WHERE channel = 'event'")
            )
            dead = list(conn.execute("SELECT epoch, seq, error FROM link_dead"))
        assert not dead, dead
        fates = self.events.judge(self.events.live.items(), [], skips)
        told = [
            event_to_map(decode_body(message.type, message.version, message.body))
            for message in map(
                self.messages.__getitem__, sorted(self.events.live, key=self.events.live.__getitem__)
            )
        ]
        assert [json.loads(what) for (what,) in rows] == told, "the record is not what the journal told"
        self.figures.counts["messages"] += sum(fates.values())
        for fate, count in fates.items():
            self.figures.counts[f"event {fate}"] += count
        kills = self.pits_daemon.program.starts - 1 + self.pits_daemon.stops
        manners = self.double.manners()
        self.world.sometimes("killed with a fetch in flight", manners.aborted > 0)
        manners.assert_well_mannered(aborts=kills + self.excused)
        self.figures.counts["origin requests"] += manners.requests
        self.figures.counts["files written"] += len(self.tree.writes)


async def run_whole(
    world: World, hours: float, storm: Storm | None = None, hazards: Mapping[str, Hazards] | None = None
) -> Figures:
    """Run a race day of `hours`, heal, and judge; `storm`: one to be played, or looked at; `hazards`: see Day. Raises
    AssertionError for every broken rule."""
    storm = Storm(world, HOSTS) if storm is None else storm
    scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
    figures = Figures("whole", world.seed)
    net = world.net
    net.turn_given_every = TURN_GIVEN_EVERY
    with tempfile.TemporaryDirectory(prefix="pitlink-sim-", dir=scratch) as folder:
        day = Day(world, Path(folder), figures, storm=storm, hazards=hazards or {})
        net.add_host("timing")
        net.link("timing", "pits").set(latency_s=0.0005)
        race_day = RaceDay(day.double, world.seed, rounds=None)
        daemons = (day.pits_daemon, day.cloud_daemon)
        async with trio.open_nursery() as nursery:
            with net.host("timing"):
                await nursery.start(partial(day.double.serve, ORIGIN_PORT, "0.0.0.0"))
            for daemon in daemons:
                nursery.start_soon(daemon.program.run)
            nursery.start_soon(day.watch)

            def on_fault(struck: Struck) -> None:
                world.sometimes(struck.name)
                figures.counts["faults"] += 1

            with trio.move_on_after(hours * 3600):
                async with trio.open_nursery() as meanwhile:
                    with net.host("timing"):
                        meanwhile.start_soon(race_day.run)
                    meanwhile.start_soon(day.freeze_now_and_then)
                    meanwhile.start_soon(day.kill_in_mid_fetch)
                    programs = [daemon.program for daemon in daemons]
                    await storm.run(programs, on_fault, faults_an_hour=40, kills_an_hour=6)
            storm.is_over = True
            for daemon in daemons:
                daemon.calm = True
            net.heal_all()
            differences = ["nothing was compared"]
            with trio.move_on_after(CONVERGED_S):
                while differences:
                    await trio.sleep(5)
                    differences = await day.differences()
            assert not differences, f"{CONVERGED_S:.0f} s after healing: {differences}"
            nursery.cancel_scope.cancel()
        day.judge()
        figures.hours = trio.current_time() / 3600
        figures.counts["starts"] = sum(daemon.program.starts for daemon in daemons)
        figures.counts["restores"] = sum(daemon.restores for daemon in daemons)
        return figures
