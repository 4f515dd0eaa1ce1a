"""Any order of sending, faults, kills, backups and waiting that Hypothesis can think of, on the link pair.

Site and hub are whole and unchanged, on the simulated network; between two steps they stand still. A failure is
shrunk to the fewest steps that show it.
"""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chaos.simnet import Conditions, check_happened, seeded_world
from daemons.link.durable import Keep, OutboxFull
from daemons.store import StorageError
from protocol.reliable import Bounds, Full
from tests.sim.figures import Figures
from tests.sim.guest import GuestRun
from tests.sim.link_plan import Plan
from tests.sim.link_side import Side
from tests.sim.oracle import ChannelOracle
from tests.sim.storm import Storm
from tests.sim.world_link import HOSTS, converge, judge, make_sides, watch

pytestmark = pytest.mark.sim

EXAMPLES = int(os.environ.get("PITLINK_MACHINE_EXAMPLES", "20"))
STEPS = 40
BOUNDS = (Bounds(), Bounds(8, full=Full.DROP_OLDEST), Bounds(8), Bounds(50, 4096, 20.0, Full.DROP_OLDEST))
KEEPS = (Keep(), Keep(5.0), Keep(3600.0, 500))
SIDES = st.sampled_from(["pits", "hub"])
HAPPENED: Counter[str] = Counter()


@define(eq=False)
class DrivenSide(Side):
    """A side that is killed and put back when the machine says so."""

    wanted: int | None = field(default=None, init=False)

    def while_down(self) -> None:
        if self.wanted is not None and self.backups.paths:
            self.put_back(self.wanted % len(self.backups.paths))
        self.wanted = None


class LinkPair(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.run: GuestRun | None = None

    @initialize(
        seed=st.integers(0, 2**32 - 1),
        bounds=st.sampled_from(BOUNDS),
        keep=st.sampled_from(KEEPS),
        latency_s=st.sampled_from([0.001, 0.05, 0.4]),
    )
    def begin(self, seed: int, bounds: Bounds, keep: Keep, latency_s: float) -> None:
        scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        self.world = self.stack.enter_context(seeded_world(seed))
        self.bounds = bounds
        plan = Plan(
            faults=0, kills=0, chosen_kill=0, stops=1e-9, restore=0, commands_a_s=1, poison=0, keep=keep, bounds=bounds,
            conditions=Conditions(latency_s=latency_s, split=0.02),
        )  # fmt: skip
        self.oracles = {name: ChannelOracle(name) for name in ("event", "command")}
        self.run = GuestRun(self.world.clock, partial(self._surroundings, plan, folder))
        self.do_wait(0.1)

    @contextlib.asynccontextmanager
    async def _surroundings(self, plan: Plan, folder: Path) -> AsyncIterator[None]:
        self.world.net.install()
        hub, pits = make_sides(Storm(self.world, HOSTS), plan, folder, self.oracles, DrivenSide)
        self.sides = {"hub": hub, "pits": pits}
        for side in self.sides.values():
            side.calm = True  # it sends and dies when it is told to
        self.path = self.world.net.link("pits", "hub")
        async with trio.open_nursery() as nursery:
            for side in self.sides.values():
                nursery.start_soon(side.program.run)
            for oracle in self.oracles.values():
                nursery.start_soon(watch, oracle)
            yield
            nursery.cancel_scope.cancel()

    def do_wait(self, seconds: float) -> None:
        assert self.run is not None
        self.run.do(partial(trio.sleep, seconds))

    def up(self, name: str) -> bool:
        return self.sides[name].peer is not None

    # --- what may happen -----------------------------------------------------------------------------------------

    @rule(name=SIDES, count=st.integers(1, 12), size=st.sampled_from([0, 30, 700]), poison=st.integers(0, 9))
    def send(self, name: str, count: int, size: int, poison: int) -> None:
        side = self.sides[name]
        if side.peer is None or self.run is None:
            return
        durable, oracle = side.peer.durable, self.oracles[side.out.name]
        numbers = [oracle.offer() for _ in range(count)]
        filling = b"." * size
        drafts = [
            ("t", 1, b"%d %b" % (number, b"poison" if poison == 9 else filling + b".")) for number in numbers
        ]

        async def accept() -> None:
            try:
                epoch, first = await durable.send_many(side.out.name, drafts)
            except OutboxFull:
                self.world.sometimes("refused")
                oracle.undecided.difference_update(numbers)  # what was refused must never take effect
            except StorageError:
                pass  # it was being killed: the caller does not know
            else:
                for seq, number in enumerate(numbers, first):
                    oracle.accept((epoch, seq), number)

        self.run.do(accept)

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.01, 0.06, 0.3, 1.0, 3.0, 8.0]))
    def wait(self, seconds: float) -> None:
        self.do_wait(seconds)

    @rule(seconds=st.sampled_from([30.0, 90.0]))
    def wait_long(self, seconds: float) -> None:
        self.do_wait(seconds)

    @rule(fault=st.sampled_from(["cut", "fin", "drop", "freeze", "refuse", "ignore"]))
    def break_path(self, fault: str) -> None:
        self.world.sometimes(fault)
        getattr(self.path, fault)()

    @rule(toward=SIDES)
    def half_open(self, toward: str) -> None:
        self.world.sometimes("half-open")
        self.path.half_open(toward=toward)

    @rule()
    def heal(self) -> None:
        self.world.net.heal_all()

    @rule(name=SIDES, power=st.booleans(), down_s=st.sampled_from([0.0, 0.1, 3.0, 40.0]))
    def kill(self, name: str, power: bool, down_s: float) -> None:
        self.world.sometimes("kill", self.up(name))
        self.sides[name].program.kill(power=power, down_s=down_s)

    @rule(name=SIDES)
    def back_up(self, name: str) -> None:
        if self.up(name) and self.run is not None:
            self.run.do(self.sides[name].back_up)

    @rule(name=SIDES, which=st.integers(0, 3), down_s=st.sampled_from([0.0, 3.0]))
    def restore(self, name: str, which: int, down_s: float) -> None:
        side = self.sides[name]
        if self.up(name) and side.backups.paths:
            assert isinstance(side, DrivenSide)
            side.wanted = which
            side.program.kill(down_s=down_s)

    @rule(name=SIDES)
    def sweep(self, name: str) -> None:
        peer = self.sides[name].peer
        if peer is not None and self.run is not None:
            with contextlib.suppress(StorageError):
                self.run.do(lambda: peer.durable.sweep(self.world.utc_now()))

    # --- what must hold at every step ----------------------------------------------------------------------------

    @precondition(lambda self: self.run is not None)
    @invariant()
    def bounded_and_unbroken(self) -> None:
        for oracle in self.oracles.values():
            assert not oracle.violations, oracle.violations[:3]
        pits = self.sides["pits"]
        if pits.peer is not None:
            held = pits.peer.durable.statistics()["event"].held
            # What was on its way when the bound was met cannot be dropped: half of the bound at most.
            assert held.messages <= self.bounds.messages + 12
            assert held.body_bytes <= max(self.bounds.body_bytes, 0) + 12 * 800

    def teardown(self) -> None:
        try:
            if self.run is not None:
                self._finish()
        finally:
            self.stack.close()

    def _finish(self) -> None:
        assert self.run is not None
        hub, pits = self.sides["hub"], self.sides["pits"]
        try:
            self.world.net.heal_all()
            self.do_wait(45)  # the longest that a killed program stays down
            self.run.do(lambda: converge(hub, pits))
        finally:
            self.run.end()
        judge(self.world, hub, pits, Figures("machine", self.world.seed))
        HAPPENED.update(self.world.happened)


def test_any_order_of_what_may_happen_keeps_the_promise() -> None:
    HAPPENED.clear()
    run_state_machine_as_test(
        LinkPair,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    check_happened(HAPPENED, ["kill", "cut"])
    if EXAMPLES >= 200:  # fewer need not meet these
        check_happened(HAPPENED, ["resume with a gap", "dead letter", "half-open detected", "queue full"])
