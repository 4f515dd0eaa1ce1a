"""A whole run: seed, virtual clock, network, what must have happened, and how to replay it.

    async def main(world: World) -> None:
        with world.net.host("cloud"):
            ...
        world.sometimes("resume with a gap")

    run_world(17, main, must_happen=["resume with a gap"])

The same seed gives the same run, in every process: compare `Run.fingerprint`. `PITLINK_SIM_SEED=17` runs that
seed in place of the usual ones (`seeds()`), `PITLINK_SIM_TRACE=file` writes every entry of the fingerprint to
a file, to find with `diff` where two runs part. What is *not* under the seed: threads (refused, see
timeline.py), real files' times, TLS (OpenSSL draws its own randomness), the order of sets of strings
(PYTHONHASHSEED) in the code under test.
"""

import collections
import contextlib
import dataclasses
import gc
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, NoReturn, TypeVar

import trio
import trio.testing

from .hosts import running_on
from .link import Conditions
from .network import SimNetwork
from .seeding import replaced, seeded_process, virtual_wall_clock
from .streams import direct_streams
from .trace import Trace

T = TypeVar("T")

EPOCH_S = 1_780_000_000.0
"""UTC at virtual time 0: a day in 2026. Fixed, so that a run does not depend on the day it runs on."""

COLLECT_EVERY_S = 1800.0
"""Virtual seconds between garbage collections: often enough for memory, and at moments that belong to the
run.
"""


class NeverHappened(AssertionError):
    """Something that a run had to meet did not come about: the run proves nothing about it."""


class ThreadUnderVirtualTime(RuntimeError):
    """A thread was asked for: the clock would jump while it works, and its result come at any time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run(Generic[T]):
    """What came of a run. `fingerprint` is the hash of the wire; `happened` counts each `sometimes`."""

    value: T
    seed: int
    fingerprint: str
    virtual_s: float
    wall_s: float
    happened: collections.Counter[str]


class World:
    """What a run offers to the code in it: the network, random streams by name, UTC, and `sometimes`."""

    def __init__(self, seed: int, net: SimNetwork, clock: trio.testing.MockClock) -> None:
        self.seed = seed
        self.net = net
        self.clock = clock
        self.happened: collections.Counter[str] = collections.Counter()
        self.skew_s: dict[str, float] = {}
        """What each host's wall clock is ahead (behind: negative) by.

        May be changed at any time: the clock steps.
        """

    def rng(self, name: str) -> random.Random:
        """Return a new random stream of this seed and name: one for each purpose, so that one more re-rolls
        no other.
        """
        return self.net.rng(name)

    def utc_now(self) -> float:
        """Return UTC seconds as the wall clock of the current host shows them; true UTC outside any host."""
        host = running_on.get()
        return (
            EPOCH_S
            + self.clock.current_time()
            + (self.skew_s.get(host.name, 0.0) if host is not None else 0.0)
        )

    def sometimes(self, name: str, happened: bool = True) -> None:
        """Count something that a run should meet at least once (a duplicate, a full queue)."""
        self.happened[name] += happened


@contextlib.contextmanager
def seeded_world(seed: int, *, conditions: Conditions | None = None) -> Iterator[World]:
    """Tie this process to a seed and to virtual time for the length of the block.

    For whoever drives Trio himself (guest mode): the run takes `world.clock`, and its main task calls
    `world.net.install()` first. Everybody else: `run_world`.
    """
    with contextlib.ExitStack() as stack:
        path = os.environ.get("PITLINK_SIM_TRACE")
        trace = Trace(stack.enter_context(open(path, "w")) if path else None)
        stack.enter_context(seeded_process(seed))
        clock = trio.testing.MockClock(autojump_threshold=0)
        net = SimNetwork(seed, default=conditions, trace=trace)
        world = World(seed, net, clock)
        net.timeline.on_jump = _Collector()
        stack.enter_context(replaced(trio.to_thread, "run_sync", _refuse_thread))
        stack.enter_context(replaced(trio, "sleep", net.timeline.sleep))
        stack.enter_context(direct_streams(net))
        stack.enter_context(virtual_wall_clock(world.utc_now, clock.current_time))
        yield world


def run_world(
    seed: int,
    main: Callable[[World], Awaitable[T]],
    *,
    conditions: Conditions | None = None,
    must_happen: Iterable[str] = (),
) -> Run[T]:
    """Run `main(world)` in a world of its own to its end, and return what came of it.

    Raises what `main` raises, `Deadlock` when nothing can ever happen again, `ThreadUnderVirtualTime`, and
    `NeverHappened` for a name of `must_happen` that no `sometimes` saw. Each carries a note with the command
    that replays it, printed to stderr as well.
    """
    began = time.perf_counter()
    try:
        with seeded_world(seed, conditions=conditions) as world:

            async def install_and_run() -> T:
                world.net.install()
                return await main(world)

            value = trio.run(install_and_run, clock=world.clock)
            check_happened(world.happened, must_happen)
            return Run(
                value,
                seed,
                world.net.trace.hexdigest(),
                world.clock.current_time(),
                time.perf_counter() - began,
                world.happened,
            )
    except BaseException as error:
        note = f"simulation seed {seed}; replay: {replay_command(seed)}"
        error.add_note(note)
        print(note, file=sys.stderr)
        raise


def check_happened(happened: collections.Counter[str], names: Iterable[str]) -> None:
    """Raise NeverHappened unless each of `names` was seen, in one run or in the sum over a batch."""
    missing = [name for name in names if not happened[name]]
    if missing:
        raise NeverHappened(f"never happened: {', '.join(missing)}; happened: {dict(happened)}")


def seeds(*fixed: int, fresh: int = 0) -> list[int]:
    """Return the fixed seeds and `fresh` new ones; only the one of PITLINK_SIM_SEED when it is set."""
    replayed = os.environ.get("PITLINK_SIM_SEED")
    if replayed is not None:
        return [int(replayed)]
    return [*fixed, *(random.SystemRandom().getrandbits(32) for _ in range(fresh))]


def replay_command(seed: int) -> str:
    """Return the command line that runs this seed again: the current test, or the current program."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    program = f"./test '{test}'" if test else " ".join([os.path.basename(sys.executable), *sys.argv])
    return f"PITLINK_SIM_SEED={seed} {program}"


def _refuse_thread(work: object, *args: object, **kwargs: object) -> NoReturn:
    raise ThreadUnderVirtualTime(f"{work} in a thread under the simulated clock: run it inline")


class _Collector:
    """Collects garbage every so many virtual seconds."""

    def __init__(self) -> None:
        self._next = COLLECT_EVERY_S

    def __call__(self, now: float) -> None:
        if now >= self._next:
            self._next = now + COLLECT_EVERY_S
            gc.collect()
