"""What goes wrong by itself: faults drawn at random, from a stream of its own for each path and program.

A stream for each, keyed by name, so that one more path or one more kind of fault does not re-roll all the
others. Outages are as recorded links have them: an LTE uplink in a moving car is gone for 3 s every 21 s, and
once for 78 s. Every fault that lasts ends by itself, and ends when the scheduler is cancelled;
`net.heal_all()` mends the rest.
"""

import contextlib
import dataclasses
import enum
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import trio

from .network import SimNetwork
from .path import Path
from .program import Program

OUTAGE_MEAN_S = 3.0
OUTAGE_MAX_S = 78.3
"""The longest outage of the recorded LTE uplinks."""


class Mishap(enum.Enum):
    """The kinds. The first five strike connections, the others what is needed for new ones, or the speed."""

    CUT = "cut"
    FIN = "fin"
    HALF_OPEN = "half-open"
    FREEZE = "freeze"
    DROP = "drop"
    REFUSE = "refuse"
    IGNORE = "ignore"
    SLOW = "slow"
    LOSSY = "lossy"


EVERYDAY: Mapping[Mishap, float] = {
    Mishap.CUT: 2,
    Mishap.FIN: 0.5,
    Mishap.HALF_OPEN: 1,
    Mishap.FREEZE: 2,
    Mishap.DROP: 3,
    Mishap.REFUSE: 1,
    Mishap.IGNORE: 0.5,
    Mishap.SLOW: 1,
    Mishap.LOSSY: 1,
}
"""How often each kind comes, relative to the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Strike:
    """What befalls a path: in the direction `toward` a host (None: both), for `for_s`.

    `cuts`: with a reset of what is open at the beginning. `changes`: of `Conditions`, as long as it lasts.
    """

    mishap: Mishap
    toward: str | None = None
    for_s: float = 0.0
    cuts: bool = False
    changes: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.mishap.value

    async def run(self, path: Path) -> None:
        """Do it, and undo it when its time is over, or when cancelled."""
        if self.mishap is Mishap.CUT:
            path.cut()
        elif self.mishap is Mishap.FIN:
            path.fin()
        elif self.mishap is Mishap.HALF_OPEN:
            assert self.toward is not None, "a half-open path is deaf in one direction"
            path.half_open(toward=self.toward)
        else:
            with self._lasting(path):
                await trio.sleep(self.for_s)

    @contextlib.contextmanager
    def _lasting(self, path: Path) -> Iterator[None]:
        toward = self.toward
        before = {host: path.wire(host).conditions for host in path.hosts}
        try:
            match self.mishap:
                case Mishap.FREEZE:
                    path.freeze(toward=toward)
                case Mishap.DROP:
                    path.drop(toward=toward)
                case Mishap.REFUSE:
                    path.refuse(toward=toward)
                case Mishap.IGNORE:
                    path.ignore(toward=toward)
                case _:
                    path.set(toward=toward, **self.changes)
            if self.cuts:
                path.cut()
            yield
        finally:
            path.heal(toward=toward)
            for host in path.hosts:
                path.wire(host).set(before[host])


@dataclasses.dataclass(frozen=True, slots=True)
class Kill:
    """What befalls a program: killed, or (`power`) its machine's plug is pulled; it starts again after `down_s`."""

    host: str
    power: bool
    down_s: float

    @property
    def name(self) -> str:
        """What it is called."""
        return "power" if self.power else "crash"


Struck = Strike | Kill


def outage_s(rng: random.Random) -> float:
    """Draw the length of an outage: 0.5 s and more, 3 s in the mean, with a long tail (Pareto, alpha 1.2)."""
    alpha = 1.2
    return min(OUTAGE_MAX_S, OUTAGE_MEAN_S * (alpha - 1) / alpha * rng.paretovariate(alpha))


async def random_faults(
    net: SimNetwork,
    pairs: Iterable[tuple[str, str]],
    *,
    rate_per_hour: float,
    kinds: Mapping[Mishap, float] = EVERYDAY,
    programs: Sequence[Program] = (),
    kills_per_hour: float = 0.0,
    on_fault: Callable[[Struck], None] | None = None,
) -> None:
    """Let faults strike each of `pairs`, and kill each of `programs`, at these mean rates, until cancelled.

    A kill is a crash of the process (the kernel closes for it) or, one time in three, of the power; the
    program starts again after a few seconds. `on_fault` hears of each before it strikes.
    """
    tell = on_fault if on_fault is not None else _tell_nobody
    async with trio.open_nursery() as nursery:
        for a, b in pairs:
            nursery.start_soon(_Striker(net, (a, b), kinds, tell).run, rate_per_hour)
        if kills_per_hour:
            for program in programs:
                nursery.start_soon(_kill_now_and_then, net, program, kills_per_hour, tell)


def _tell_nobody(struck: Struck) -> None:
    pass


async def swizzle(net: SimNetwork, pairs: Sequence[tuple[str, str]], rng: random.Random) -> None:
    """Freeze a random part of the paths one by one, thaw them in another order (FoundationDB's fault)."""
    clogged = rng.sample(pairs, rng.randint(1, len(pairs)))
    try:
        for a, b in clogged:
            net.link(a, b).freeze()
            await trio.sleep(rng.uniform(0, OUTAGE_MEAN_S))
        for a, b in rng.sample(clogged, len(clogged)):
            net.link(a, b).heal()
            await trio.sleep(rng.uniform(0, OUTAGE_MEAN_S))
    finally:
        for a, b in clogged:
            net.link(a, b).heal()


async def _kill_now_and_then(
    net: SimNetwork, program: Program, kills_per_hour: float, on_fault: Callable[[Struck], None]
) -> None:
    rng = net.rng(f"kills {program.host}")
    while True:
        await trio.sleep(rng.expovariate(kills_per_hour / 3600))
        kill = Kill(program.host, rng.random() < 1 / 3, outage_s(rng))
        on_fault(kill)
        program.kill(power=kill.power, down_s=kill.down_s)


class _Striker:
    """Strikes one path."""

    def __init__(
        self,
        net: SimNetwork,
        hosts: tuple[str, str],
        kinds: Mapping[Mishap, float],
        on_fault: Callable[[Struck], None],
    ) -> None:
        self._path = path = net.link(*hosts)
        self._hosts = hosts
        self._kinds = list(kinds)
        self._weights = list(kinds.values())
        self._on_fault = on_fault
        self._rng = net.rng(f"faults {path.name}")

    async def run(self, rate_per_hour: float) -> None:
        while True:
            await trio.sleep(self._rng.expovariate(rate_per_hour / 3600))
            strike = self._draw()
            self._on_fault(strike)
            await strike.run(self._path)

    def _draw(self) -> Strike:
        rng = self._rng
        mishap = rng.choices(self._kinds, self._weights)[0]
        toward = rng.choice([*self._hosts, None])
        if mishap is Mishap.CUT or mishap is Mishap.FIN:
            return Strike(mishap)
        if mishap is Mishap.HALF_OPEN:
            return Strike(mishap, toward or self._hosts[1])
        changes: dict[str, float] = {}
        cuts = False
        if mishap is Mishap.REFUSE or mishap is Mishap.IGNORE:
            cuts = rng.random() < 0.5  # or else it would mostly go unnoticed
        elif mishap is Mishap.SLOW:
            changes = {"latency_s": rng.uniform(0.05, 1), "rate_bytes_s": rng.uniform(2e3, 2e5)}
        elif mishap is Mishap.LOSSY:
            changes = {"loss": rng.uniform(0.01, 0.2), "jitter_s": rng.uniform(0, 0.05), "split": 0.2}
        return Strike(mishap, toward, outage_s(rng), cuts, changes)
