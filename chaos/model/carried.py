"""One connection under faults: which of them met it, and how they end it."""

import random
from collections.abc import Callable, Mapping, Sequence

import trio
from attrs import frozen

from chaos.faults import (
    CaptivePortal,
    Fin,
    Ignore,
    LimitTime,
    NatTimeout,
    Placed,
    Refuse,
    ResetPeer,
    Stream,
    Timeout,
)
from chaos.model.belt import Belt, Timer
from chaos.model.counts import Counts
from chaos.model.plan import make_plan
from chaos.simnet.link import OneWay

__all__ = ["FORGOTTEN_S", "Carried", "InForce"]

FORGOTTEN_S = 924.6
"""Linux's tcp_retries2 = 15: so long a connection of which nothing is heard is kept."""

_AT_THE_DOOR = (CaptivePortal, Ignore, Refuse)
"""These do nothing to a connection that is open already."""


@frozen(eq=False)
class InForce:
    """The faults of whoever carries: `placed` by name, the `lines` that all its connections share, and the outages that
    are at their silent phase."""

    placed: Mapping[str, Placed]
    lines: Mapping[tuple[str, Stream], OneWay]
    out: frozenset[str]


class Carried:
    """`number` counts the connections of whoever carries from 0: with `seed` it decides every draw.

    Who carries makes a subclass that has `belts` (once there are any), `abort`, `close` and `is_over`.
    """

    def __init__(self, number: int, seed: str, timer: Timer, counts: Counts) -> None:
        self.number = number
        self.met: dict[str, Placed] = {}
        self._seed = seed
        self._timer = timer
        self._counts = counts
        self._met_at: dict[str, float] = {}
        self._draws: dict[str, float] = {}
        self._looks_at = float("inf")

    # --- who carries ---------------------------------------------------------------------------------------------

    @property
    def belts(self) -> Sequence[Belt]:
        """Both directions, or none yet."""
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        raise NotImplementedError

    def abort(self) -> None:
        """Reset both ends."""
        raise NotImplementedError

    def close(self) -> None:
        """Close both ends in order."""
        raise NotImplementedError

    # --- faults --------------------------------------------------------------------------------------------------

    def adopt(self, faults: InForce) -> None:
        """Let the faults of whoever carries meet this connection."""
        now = trio.current_time()
        met = {name: one for name, one in faults.placed.items() if self._draw(name) < one.toxicity}
        for name, one in met.items():
            if name not in self.met or type(self.met[name].fault) is not type(one.fault):
                self._met_at[name] = now
                self._counts.applied[one.fault.type] += 1
                if not (self.belts and isinstance(one.fault, _AT_THE_DOOR)):
                    self._counts.met[name] += 1
        self.met = met
        self._draws = {name: draw for name, draw in self._draws.items() if name in faults.placed}
        for belt in self.belts:
            here = [one for one in met.values() if one.stream.covers(belt.stream)]
            mine = {name: line for (name, stream), line in faults.lines.items() if stream is belt.stream}
            is_silent = any(one.name in faults.out for one in here)
            plan = make_plan(here, mine, is_silent, self._rng(belt.stream), belt.plan, belt.airs)
            was_swallowing = belt.plan.swallowing
            belt.adopt(plan, now)
            if was_swallowing and not plan.swallowing and belt.has_swallowed:
                self.abort()  # a stream with a hole cannot go on
                return
        self._end_in_time(now)

    def has(self, *kinds: type) -> bool:
        """Whether a fault of these kinds met this connection."""
        return any(isinstance(one.fault, kinds) for one in self.met.values())

    def forget(self) -> None:
        """Let everything vanish from now on; both ends find out by themselves, or are reset in a quarter of an hour."""
        for belt in self.belts:
            belt.forget()
        self._timer.at(trio.current_time() + FORGOTTEN_S, lambda _: self.abort())

    def fail(self) -> None:
        """One end failed: so does the other, unless its news would vanish on the way."""
        if any(belt.is_deaf for belt in self.belts) and not all(b.has_ended_unheard for b in self.belts):
            self.forget()
        else:
            self.abort()

    def _draw(self, name: str) -> float:
        if name not in self._draws:
            self._draws[name] = random.Random(f"{self._seed}/{self.number}/{name}/toxicity").random()
        return self._draws[name]

    def _rng(self, stream: Stream) -> Callable[[str], random.Random]:
        return lambda name: random.Random(f"{self._seed}/{self.number}/{stream}/{name}")

    def _end_in_time(self, now: float) -> None:
        """End now what is to end now, and look again when the next is due."""
        next_at = float("inf")
        for name, one in self.met.items():
            match one.fault:
                case ResetPeer(timeout_s=after_s):
                    end = self.abort
                case Timeout(timeout_s=after_s) if after_s:
                    end = self.close
                case LimitTime(time_s=after_s):
                    end = self.close
                case Fin():
                    end, after_s = self.close, 0.0
                case NatTimeout(idle_s=after_s):
                    end = self.forget
                case _:
                    continue
            since = self._met_at[name]
            if isinstance(one.fault, NatTimeout):
                if not self.belts or self.belts[0].is_forgotten:
                    continue
                since = max(belt.active_at for belt in self.belts)
            if since + after_s <= now + self._timer.slack_s:
                end()
            else:
                next_at = min(next_at, since + after_s)
        if next_at < self._looks_at and not self.is_over:
            self._looks_at = next_at
            self._timer.at(next_at, self._look)

    def _look(self, now: float) -> None:
        if now >= self._looks_at - self._timer.slack_s:  # or else it was asked for before an earlier one
            self._looks_at = float("inf")
            self._end_in_time(now)
