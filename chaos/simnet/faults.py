"""What goes wrong by itself: faults drawn at random, from a stream of its own for each path and program.

A stream for each, keyed by name, so that one more path or one more kind of fault does not re-roll all the
others. Outages are as recorded links have them: an LTE uplink in a moving car is gone for 3 s every 21 s, and
once for 78 s. Every fault that lasts ends by itself, and ends when the scheduler is cancelled;
`net.heal_all()` mends the rest.
"""

import contextlib
import enum
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import trio

from .network import SimNetwork
from .program import Program

OUTAGE_MEAN_S = 3.0
OUTAGE_MAX_S = 78.3
"""The longest outage of the recorded LTE uplinks."""


class Fault(enum.Enum):
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


EVERYDAY: Mapping[Fault, float] = {
    Fault.CUT: 2,
    Fault.FIN: 0.5,
    Fault.HALF_OPEN: 1,
    Fault.FREEZE: 2,
    Fault.DROP: 3,
    Fault.REFUSE: 1,
    Fault.IGNORE: 0.5,
    Fault.SLOW: 1,
    Fault.LOSSY: 1,
}
"""How often each kind comes, relative to the others."""


def outage_s(rng: random.Random) -> float:
    """Draw the length of an outage: 0.5 s and more, 3 s in the mean, with a long tail (Pareto, alpha 1.2)."""
    alpha = 1.2
    return min(OUTAGE_MAX_S, OUTAGE_MEAN_S * (alpha - 1) / alpha * rng.paretovariate(alpha))


async def random_faults(
    net: SimNetwork,
    pairs: Iterable[tuple[str, str]],
    *,
    rate_per_hour: float,
    kinds: Mapping[Fault, float] = EVERYDAY,
    programs: Sequence[Program] = (),
    kills_per_hour: float = 0.0,
    on_fault: Callable[[str], None] | None = None,
) -> None:
    """Let faults strike each of `pairs`, and kill each of `programs`, at these mean rates, until cancelled.

    A kill is a crash of the process (the kernel closes for it) or, one time in three, of the power; the
    program starts again after a few seconds. `on_fault(name)` hears of each, named as in `Fault`, "crash" or
    "power".
    """
    tell = on_fault if on_fault is not None else _tell_nobody
    async with trio.open_nursery() as nursery:
        for a, b in pairs:
            nursery.start_soon(_Striker(net, (a, b), kinds, tell).run, rate_per_hour)
        if kills_per_hour:
            for program in programs:
                nursery.start_soon(_kill_now_and_then, net, program, kills_per_hour, tell)


def _tell_nobody(fault: str) -> None:
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
    net: SimNetwork, program: Program, kills_per_hour: float, on_fault: Callable[[str], None]
) -> None:
    rng = net.rng(f"kills {program.host}")
    while True:
        await trio.sleep(rng.expovariate(kills_per_hour / 3600))
        power = rng.random() < 1 / 3
        on_fault("power" if power else "crash")
        program.kill(power=power, down_s=outage_s(rng))


class _Striker:
    """Strikes one path."""

    def __init__(
        self,
        net: SimNetwork,
        hosts: tuple[str, str],
        kinds: Mapping[Fault, float],
        on_fault: Callable[[str], None],
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
            fault = self._rng.choices(self._kinds, self._weights)[0]
            self._on_fault(fault.value)
            await self.strike(fault)

    async def strike(self, fault: Fault) -> None:
        path, rng = self._path, self._rng
        toward = rng.choice([*self._hosts, None])
        if fault is Fault.CUT:
            path.cut()
        elif fault is Fault.FIN:
            path.fin()
        elif fault is Fault.HALF_OPEN:
            path.half_open(toward=toward or self._hosts[1])
        else:
            with self._lasting(fault, toward):
                await trio.sleep(outage_s(rng))

    @contextlib.contextmanager
    def _lasting(self, fault: Fault, toward: str | None) -> Iterator[None]:
        path, rng = self._path, self._rng
        before = {host: path.wire(host).conditions for host in self._hosts}
        try:
            if fault is Fault.FREEZE:
                path.freeze(toward=toward)
            elif fault is Fault.DROP:
                path.drop(toward=toward)
            elif fault is Fault.REFUSE or fault is Fault.IGNORE:
                (path.refuse if fault is Fault.REFUSE else path.ignore)(toward=toward)
                if rng.random() < 0.5:
                    path.cut()  # or else it would mostly go unnoticed
            elif fault is Fault.SLOW:
                path.set(toward=toward, latency_s=rng.uniform(0.05, 1), rate_bytes_s=rng.uniform(2e3, 2e5))
            else:
                path.set(toward=toward, loss=rng.uniform(0.01, 0.2), jitter_s=rng.uniform(0, 0.05), split=0.2)
            yield
        finally:
            path.heal(toward=toward)
            for host in self._hosts:
                path.wire(host).set(before[host])
