"""A drill in the simulated pair: the scenario and the seed of a real one, judged by the same rules.

FPVTrackside's stand-in, pits and cloud live in `world_whole`'s day; the runner of real drills looks at them as it does at
real daemons, and the simulated network's carrier places the faults. Machines are killed, stopped, and put back to a backup
made before; what happens inside of daemons (messages, names) happens inside of these. Besides what a drill can see, the
day's oracle accounts for every event.
"""

import io
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import define, evolve, frozen

from chaos.carrier import Carrier, NotCarried
from chaos.doubles.fpvtrackside import RaceDay
from chaos.drills.daemoncarrier import DaemonCarrier
from chaos.drills.drill import BUILT_IN, Bound, Drill, RecoveryBound
from chaos.drills.ground import Ground
from chaos.drills.joined import JoinedCarriers
from chaos.drills.record import Check, Kind, Record, Verdict
from chaos.drills.runner import Runner
from chaos.drills.show import Show
from chaos.faults import Placed
from chaos.inside.inside import Inside, open_inside
from chaos.scenario import Deed, Step
from chaos.simnet import Program, World
from chaos.simnet.carrier import SimCarrier, open_carrier
from tests.sim.drillends import Client, Machines, Orders
from tests.sim.figures import Figures
from tests.sim.script import Script
from tests.sim.world_whole import CONVERGED_S, HOSTS, ORIGIN_PORT, SITE, Day

GUARD_FOR_S = 3.0
"""A record does not say for how long a guard had to be broken."""
LATENCY_S = 0.0005
STARTED_S = 10.0
"""Real programs need so long until the drill begins: the race day has begun by then."""

_LIMIT = re.compile(r"at (least|most) ([-+0-9.e]+)")


@define(eq=False)
class _Paths:
    """Faults of one target on the path that it means here."""

    carrier: SimCarrier
    target: str

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        if target.partition(":")[0] != self.target:
            raise NotCarried(f"{target} is not {self.target}")
        await self.carrier.place(step_name, "uplink", placed, lease_s)

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        if self.target != "uplink":
            raise NotCarried("machines are the uplink's carrier's")
        await self.carrier.deed(step_name, deed, lease_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.carrier, name)


@frozen
class DrillDay:
    """`rest`: what the day's oracle has to say, "" when every event is accounted for."""

    record: Record
    rest: str


def drill_of(record: Record) -> Drill:
    """Return the drill that a record is of, as far as it says: bounds on figures that every drill has."""
    bounds: dict[Kind, list[Bound]] = {kind: [] for kind in Kind}
    recovery: list[RecoveryBound] = []
    for check in record.checks:
        limits = {way: float(value) for way, value in _LIMIT.findall(check.limit)}
        if check.kind is Kind.RECOVERY and " after " in check.name:
            what, _, step = check.name.partition(" after ")
            recovery.append(RecoveryBound(what, limits["most"], step.partition(" (with ")[0]))
        elif check.name in BUILT_IN:
            for_s = GUARD_FOR_S if check.kind is Kind.GUARD else 0.0
            bounds[check.kind].append(Bound(check.name, limits.get("least"), limits.get("most"), for_s))
    return Drill(
        name=record.drill, proves=record.proves, scenario=record.scenario,
        steady=tuple(bounds[Kind.BEFORE]), guards=tuple(bounds[Kind.GUARD]), recovery=tuple(recovery),
        converge=tuple(bounds[Kind.CONVERGENCE]), seed=record.seed,
    )  # fmt: skip


async def run_drill(
    world: World, drill: Drill, versions: Mapping[str, str], tell: Callable[[str], None]
) -> DrillDay:
    """Run a drill in the simulated pair, heal, and let the oracle judge. `tell` hears what the runner says."""
    scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="pitlink-sim-", dir=scratch) as folder:
        async with _insides(world, drill) as insides:
            return await _run_in(Path(folder), world, drill, versions, tell, insides)


async def _run_in(
    folder: Path,
    world: World,
    drill: Drill,
    versions: Mapping[str, str],
    tell: Callable[[str], None],
    insides: Mapping[str, Inside],
) -> DrillDay:
    net = world.net
    orders = Orders(world, HOSTS, Script.empty("drill"))
    hazards = {HOSTS[side]: inside for side, inside in insides.items()}
    day = Day(world, folder, Figures("drill", world.seed), storm=orders, hazards=hazards)
    world.skew_s.update(dict.fromkeys(HOSTS.values(), 0.0))  # a drill's ground is one machine
    net.add_host("timing")
    for a, b in (("timing", "pits"), ("pits", "cloud")):
        net.link(a, b).set(latency_s=LATENCY_S)
    day.double.quirks = evolve(day.double.quirks, torn_write_s=drill.torn_s)
    origin = Program(net, "timing", partial(day.double.serve, ORIGIN_PORT, "0.0.0.0"))
    race_day = RaceDay(day.double, world.seed, drill.speed, rounds=None, target_laps=int(drill.laps))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(origin.run)
        for daemon in (day.pits_daemon, day.cloud_daemon):
            nursery.start_soon(daemon.program.run)
        nursery.start_soon(day.watch)
        nursery.start_soon(race_day.run)
        await _until(lambda: _is_shown(day))
        await trio.sleep(STARTED_S)
        await _back_up(day, drill)
        machines = Machines(day, orders, origin, insides)
        site = Client(day, "pits", lambda: day.pits)
        hub = Client(day, "cloud", lambda: day.cloud)
        async with _carrier(world, drill, machines, {"site": site, "hub": hub}) as carrier:
            ground = Ground(
                words="a simulated site and hub",
                site_name=SITE,
                site=site,  # type: ignore[arg-type]
                hub=hub,  # type: ignore[arg-type]
                carrier=carrier,
                is_throwaway=True,
                versions=versions,
            )
            show = Show(_Lines(tell))
            seed = world.seed
            record = await Runner(drill, ground, seed, show, replay=f"seed {seed}", may_race=True).run()
        net.heal_all()
        if any(step.target == "origin" for step in drill.scenario.timeline):
            day.excused = day.double.manners().requests  # by the fault: nobody's manners
        rest = await _judge(day)
        nursery.cancel_scope.cancel()
    if not rest:
        try:
            day.judge()
        except AssertionError as exc:
            rest = str(exc)
    return DrillDay(record, rest)


async def _judge(day: Day) -> str:
    """Wait until both ends are the same; return what is not."""
    day.pits_daemon.calm = day.cloud_daemon.calm = day.storm.is_over = True
    differences: Sequence[str] = ["nothing was compared"]
    with trio.move_on_after(CONVERGED_S):
        while differences:
            await trio.sleep(5)
            differences = await day.differences()
    return "; ".join(differences)


async def _back_up(day: Day, drill: Drill) -> None:
    """Make the backups that are to be put back."""
    targets = {step.target for step in drill.scenario.timeline if step.kind == "restore"}
    for target, daemon, program in (
        ("site", day.pits_daemon, day.pits),
        ("hub", day.cloud_daemon, day.cloud),
    ):
        if target in targets and program is not None:
            await daemon.backups.take(program.store)


@asynccontextmanager
async def _insides(world: World, drill: Drill) -> AsyncIterator[dict[str, Inside]]:
    """Give what is inside of the daemons where the drill has use for it: it costs, and nothing else needs it."""
    async with AsyncExitStack() as stack:
        sides = HOSTS if any(map(_is_inside, drill.scenario.timeline)) else ()
        yield {
            side: await stack.enter_async_context(open_inside(side, world.utc_now, f"{world.seed}/{side}"))
            for side in sides
        }


def _is_inside(step: Step) -> bool:
    """Whether neither a path nor a machine does it."""
    if isinstance(step.fault, Deed):
        return step.kind in ("dns_dead", "dns_slow")
    return type(step.fault.fault).knows_messages


def _is_shown(day: Day) -> bool:
    """Whether both are there, and the hub shows what was read: a drill's ground is not handed over before."""
    cloud, pits = day.cloud, day.pits
    return cloud is not None and pits is not None and cloud.members[SITE].site.keeper.as_of is not None


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await trio.sleep(0.1)


@asynccontextmanager
async def _carrier(
    world: World, drill: Drill, machines: Machines, doors: Mapping[str, Client]
) -> AsyncIterator[JoinedCarriers]:
    """Give what carries faults on the uplink, on the origin's path, inside of daemons, and deeds. Draws are the relay's."""
    every = dict.fromkeys(("site", "hub", "origin"), machines)
    async with AsyncExitStack() as stack:
        carriers: list[Carrier] = [
            _Paths(
                await stack.enter_async_context(
                    open_carrier(world.net, {name: hosts}, machines=every, seed=str(world.seed), proxy=name)
                ),
                name,
            )
            for name, hosts in (("uplink", ("pits", "cloud")), ("origin", ("pits", "timing")))
        ]
        if machines.insides:
            carriers.append(DaemonCarrier(doors, SITE))  # type: ignore[arg-type]
        yield JoinedCarriers(carriers)


class _Lines(io.TextIOBase):
    """Hands each written line on."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def write(self, text: str) -> int:
        if text.strip():
            self.tell(text.rstrip())
        return len(text)


def verdict_of(day: DrillDay) -> Verdict:
    """Return the drill's verdict; what the oracle found is a failure."""
    return Verdict.FAIL if day.rest and day.record.verdict is Verdict.PASS else day.record.verdict


def oracle_check(day: DrillDay) -> Check:
    """Return what the oracle found as a check."""
    words = "every event once and in order, both ends alike" if not day.rest else day.rest
    return Check("the oracle", Kind.CONVERGENCE, "at most 0", float(bool(day.rest)), "", not day.rest, words)
