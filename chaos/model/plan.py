"""What the faults on one direction of one connection add up to: the same one-way models as in the simulated network."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from attrs import field, frozen

from chaos.faults import (
    BitFlip,
    Fault,
    HalfOpen,
    Latency,
    LimitData,
    Loss,
    MtuHole,
    Placed,
    Silence,
    Slicer,
    SlowClose,
    Timeout,
)
from chaos.simnet.link import Conditions, OneWay

T = TypeVar("T", bound=Fault)

__all__ = ["PLAIN", "Plan", "make_plan"]


@frozen(eq=False)
class Plan:
    """`lines` are shared by all connections of the relay, `airs` (delay, one for each fault) are this pipe's own.

    `stall`: loss, and the whole delay, which its timers depend on.
    """

    lines: tuple[OneWay, ...] = ()
    airs: tuple[OneWay, ...] = ()
    stall: OneWay = field(factory=lambda: OneWay(Conditions(latency_s=0.0), random.Random(0)))
    frozen: bool = False
    swallowing: bool = False
    slicer: Slicer | None = None
    slices: random.Random = field(factory=random.Random)
    flip: BitFlip | None = None
    flips: random.Random = field(factory=random.Random)
    largest_bytes: float = float("inf")
    limits: Mapping[str, int] = field(factory=dict)
    slow_close_s: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether bytes may go straight through."""
        return not (
            self.frozen
            or self.swallowing
            or self.lines
            or self.airs
            or self.slicer
            or self.flip
            or self.limits
            or self.slow_close_s
            or self.stall.loss
            or self.largest_bytes < float("inf")
        )

    def pieces(self, data: bytes) -> Iterator[tuple[float, bytes]]:
        """Cut, and turn bits: yield (seconds after the first piece, bytes)."""
        if self.flip is not None and self.flips.random() < self.flip.share:
            turned = bytearray(data)
            turned[self.flips.randrange(len(turned))] ^= 1 << self.flips.randrange(8)
            data = bytes(turned)
        slicer = self.slicer
        if slicer is None:
            yield 0.0, data
            return
        at, after_s = 0, 0.0
        while at < len(data):
            size = slicer.average_bytes + self.slices.uniform(-1, 1) * slicer.variation_bytes
            end = at + max(1, round(size))
            yield after_s, data[at:end]
            at, after_s = end, after_s + slicer.delay_s


PLAIN = Plan()


def make_plan(
    faults: Sequence[Placed],
    lines: Mapping[str, OneWay],
    is_silent: bool,
    rng: Callable[[str], random.Random],
    before: Plan,
    airs: dict[str, OneWay],
) -> Plan:
    """Add up `faults`, those of this direction that met this connection.

    `lines` has the shared line of each Bandwidth by name; `rng(name)` gives a fault its own draws; `airs` is where the
    pipe keeps its delays from plan to plan, so that one more fault does not begin the others' draws again.
    """
    if not faults and not is_silent:
        return PLAIN
    kinds = {type(placed.fault): placed for placed in faults}
    delays = [placed for placed in faults if isinstance(placed.fault, Latency)]
    for name in set(airs) - {placed.name for placed in delays}:
        del airs[name]
    passing = 1.0
    for placed in faults:
        if isinstance(placed.fault, Loss):
            passing *= 1.0 - placed.fault.share
    whole = Conditions(
        latency_s=sum(placed.fault.latency_s for placed in delays if isinstance(placed.fault, Latency)),
        loss=min(0.9, 1.0 - passing),
    )
    slicer, flip = kinds.get(Slicer), kinds.get(BitFlip)
    my_lines = tuple(lines[placed.name] for placed in faults if placed.name in lines)
    return Plan(
        lines=my_lines,
        airs=tuple(_air(placed, airs, rng) for placed in delays),
        stall=OneWay(whole, rng("loss") if before.stall.loss == 0 else before.stall.rng),
        frozen=is_silent or Silence in kinds or any(line.paused for line in my_lines),
        swallowing=HalfOpen in kinds or Timeout in kinds,
        slicer=_the(slicer, Slicer),
        slices=before.slices if before.slicer else rng("slicer"),
        flip=_the(flip, BitFlip),
        flips=before.flips if before.flip else rng("flip"),
        largest_bytes=min(
            (p.fault.size_bytes for p in faults if isinstance(p.fault, MtuHole)), default=float("inf")
        ),
        limits={p.name: int(p.fault.limit_bytes) for p in faults if isinstance(p.fault, LimitData)},
        slow_close_s=sum(p.fault.delay_s for p in faults if isinstance(p.fault, SlowClose)),
    )


def _the(placed: Placed | None, kind: type[T]) -> T | None:
    return placed.fault if placed is not None and isinstance(placed.fault, kind) else None


def _air(placed: Placed, airs: dict[str, OneWay], rng: Callable[[str], random.Random]) -> OneWay:
    fault = placed.fault
    assert isinstance(fault, Latency)
    conditions = Conditions(
        latency_s=fault.latency_s,
        jitter_s=fault.jitter_s,
        distribution=fault.distribution,
        correlation=fault.correlation,
        hold_s=fault.hold_s,
    )
    air = airs.get(placed.name)
    if air is None:
        air = airs[placed.name] = OneWay(conditions, rng(placed.name))
    elif air.conditions != conditions:
        air.change(conditions, 0.0)
    return air
