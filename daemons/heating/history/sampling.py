"""Makes samples of what control decides, round after round: pure, by the instants that it is given.

A sample says what is known at its instant, the first round in or after it, and for how long each source was on since
the sample before. While the time of day is not known nothing is sampled: it would stand at a wrong time for good.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from attrs import define, field

from daemons.heating.state import HouseState, Instant
from protocol.heatsamples import HeatSamples, Sample, pack

__all__ = ["BURNER", "OUTDOOR", "Sampler"]

BURNER, OUTDOOR = "burner", "outdoor"

HELD_MAX_S = 600.0
"""Rounds further apart than this say nothing of what was between them."""


@define(eq=False)
class _Source:
    """`on_s`: since the last sample; None: it is not known whether it was on."""

    is_on: bool | None = None
    on_s: float | None = 0.0
    starts: int = 0

    def go_on(self, elapsed_s: float, is_on: bool | None) -> None:
        if self.is_on is None or is_on is None:
            self.on_s = None
        elif self.is_on and self.on_s is not None:
            self.on_s += elapsed_s
        if is_on and self.is_on is False:
            self.starts += 1
        self.is_on = is_on

    def take(self, step_s: int) -> tuple[int | None, int]:
        """Return seconds on, and starts, and begin anew; what was on beyond the step stays."""
        ran_s = None if self.on_s is None else min(step_s, round(self.on_s))
        starts, self.starts = self.starts, 0
        self.on_s = 0.0 if ran_s is None or self.on_s is None else max(0.0, self.on_s - ran_s)
        return ran_s, starts


@define(eq=False)
class Sampler:
    """Samples every `step_s` (UTC), in messages of `batch_s`; the first is a multiple of that. `step_s` divides
    `batch_s`."""

    step_s: int
    batch_s: int
    zone: ZoneInfo
    skipped: int = field(default=0, init=False)
    """Rounds of which nothing was sampled, as the time of day was not known."""
    _sources: dict[str, _Source] = field(factory=dict, init=False)
    _samples: dict[str, list[Sample]] = field(factory=dict, init=False)
    _first_at: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)
    _mono: float | None = field(default=None, init=False)
    _slot: int | None = field(default=None, init=False)

    def note(self, now: Instant, state: HouseState) -> list[HeatSamples]:
        """Take a round of control; return the messages that are complete."""
        elapsed_s = None if self._mono is None else now.mono - self._mono
        self._mono = now.mono
        is_broken = elapsed_s is None or not 0 <= elapsed_s <= HELD_MAX_S
        for name, is_on in _running(state):
            source = self._sources.setdefault(name, _Source())
            if is_broken:
                source.is_on = None if is_on is None else False
            source.go_on(0.0 if is_broken or elapsed_s is None else elapsed_s, is_on)
        if not now.is_sure:
            self.skipped += 1
            self._slot = None
            return self.flush()
        slot = int(now.utc // self.step_s)
        before, self._slot = self._slot, slot
        if before is None:
            for source in self._sources.values():
                source.take(self.step_s)
            return []
        if slot == before:
            return []
        done = self.flush() if slot != before + 1 else []
        self._add(slot * self.step_s, state)
        if (slot + 1) * self.step_s % self.batch_s == 0:
            done += self.flush()
        return done

    def flush(self) -> list[HeatSamples]:
        """Return what was begun: at the end, or where samples do not go on."""
        if not self._count:
            return []
        offset = datetime.fromtimestamp(self._first_at, UTC).astimezone(self.zone).utcoffset()
        message = HeatSamples(
            self._first_at,
            self.step_s,
            0 if offset is None else int(offset.total_seconds()),
            self._count,
            tuple(self._samples),
            tuple(map(pack, self._samples.values())),
        )
        self._samples, self._count = {}, 0
        return [message]

    def _add(self, at: int, state: HouseState) -> None:
        if not self._count:
            self._first_at = at
        for name, (celsius, supply, target) in _measured(state):
            ran_s, starts = self._sources[name].take(self.step_s)
            samples = self._samples.setdefault(name, [Sample(None, None, None, None, None)] * self._count)
            samples.append(Sample(_centi(celsius), _centi(supply), _centi(target), ran_s, starts))
        self._count += 1


def _running(state: HouseState) -> list[tuple[str, bool | None]]:
    zones: list[tuple[str, bool | None]] = [(zone.id, zone.is_on) for zone in state.zones]
    return [*zones, (BURNER, state.boiler.is_burning), (OUTDOOR, False)]


def _measured(state: HouseState) -> list[tuple[str, tuple[float | None, float | None, float | None]]]:
    boiler = state.boiler
    return [
        *(
            (zone.id, (zone.celsius, zone.supply, None if zone.target is None else zone.target.celsius))
            for zone in state.zones
        ),
        (BURNER, (boiler.flow, boiler.back, boiler.target)),
        (OUTDOOR, (state.outdoor, None, None)),
    ]


def _centi(celsius: float | None) -> int | None:
    return None if celsius is None else round(celsius * 100)
