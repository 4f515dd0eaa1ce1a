"""A race day from a seed: heats, laps, and everything that goes wrong on a real one.

The first race is a plain one, a few seconds after the event opens, so that a demo soon has something to show.
From the second on each race brings one incident; every kind comes once in each run of as many races, in an
order of the seed. Races of a round are flown out of order from the second round on; a round is written when
the one two before it begins, so that new rounds and races turn up all day.
"""

import random
from collections.abc import Sequence
from enum import Enum

import attrs
import trio

from .clock import EventClock
from .control import PILOTS, RaceControl
from .notify import Notifier
from .race import Detection, Race
from .server import START_UTC_S, FPVTrackside

__all__ = ["GatePass", "Incident", "RaceDay", "plan_passes"]

WARM_UP_S = 1.0
CUED_S = 2.5  # how long a race is selected before it starts
INVALID_SHARE = 0.2  # the gate sees a pilot twice
CRASH_SHARE = 0.08


class Incident(Enum):
    """What may happen in or after a race."""

    LATE_INVALID = "late_invalid"  # a lap is struck out after the next one: the count goes down in mid-race
    MARSHALLED = "marshalled"  # a lap of the finished race is struck out
    RESUMED = "resumed"  # the finished race goes live again
    RESULTS_LOST = "results_lost"  # Result.json is emptied and only much later rewritten
    FALSE_START = "false_start"  # started, reset, started anew
    STRAY_RACE = "stray_race"  # a race is added by mistake and deleted


@attrs.frozen(order=True)
class GatePass:
    """One crossing of a gate, in seconds after the start."""

    at_s: float
    pilot: str
    gate: int
    is_valid: bool


def plan_passes(rng: random.Random, pilots: Sequence[str], target_laps: int) -> list[GatePass]:
    """Return the crossings of a whole race in order of time: holeshot, laps of 5.5 to 9 s with a split at
    half, double detections. Somebody flies every lap."""
    passes: list[GatePass] = []
    finisher = rng.choice(pilots)
    for pilot in pilots:
        at_s = rng.uniform(1.0, 2.5)
        passes.append(GatePass(at_s, pilot, 0, True))
        pace_s = rng.uniform(6.0, 8.0)
        laps = target_laps
        if pilot != finisher and rng.random() < CRASH_SHARE:
            laps = rng.randrange(target_laps)
        for _ in range(laps):
            if rng.random() < INVALID_SHARE:
                passes.append(GatePass(at_s + rng.uniform(0.5, 2.0), pilot, 0, False))
            lap_s = pace_s * rng.uniform(0.92, 1.12)
            passes.append(GatePass(at_s + lap_s / 2, pilot, 1, True))
            at_s += lap_s
            passes.append(GatePass(at_s, pilot, 0, True))
    return sorted(passes)


class RaceDay:
    """Play a day on a double, `speed` times as fast as it would be.

    `rounds` None never ends. `gap_s` is the pause between two races, in the day's own seconds. All randomness
    is of the seed, all times are of the Trio clock from `start_utc_s` on: the same seed writes the same bytes
    under MockClock. `incidents` lists what happened so far; `control` has the state of the day.
    """

    def __init__(
        self,
        double: FPVTrackside,
        seed: int,
        speed: float = 1.0,
        *,
        start_utc_s: float = START_UTC_S,
        rounds: int | None = 4,
        heats: int = 2,
        pilots: int = 8,
        target_laps: int = 4,
        gap_s: float = 15.0,
        notifier: Notifier | None = None,
    ) -> None:
        if not 1 <= heats <= pilots <= len(PILOTS) or target_laps < 2:
            raise ValueError("a day wants 1 heat or more, as many pilots, 12 at most, and 2 laps or more")
        clock = EventClock(start_utc_s, speed)
        self.control = self._control(double, seed, clock, target_laps, notifier)
        self.incidents: list[tuple[str, Incident]] = []  # race id, what
        self._rng = random.Random(f"day {seed}")
        self._rounds = rounds
        self._heats = heats
        self._pilots = pilots
        self._gap_s = gap_s
        self._coming: list[Incident] = []

    def _control(
        self,
        double: FPVTrackside,
        seed: int,
        clock: EventClock,
        target_laps: int,
        notifier: Notifier | None,
    ) -> RaceControl:
        return RaceControl(double, seed, clock=clock, target_laps=target_laps, notifier=notifier)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the event and play the day; returns after the last race. Starts when the event is open.

        Cancelling leaves every file whole, and the day where it stood.
        """
        control = self.control
        await control.open_event(pilots=self._pilots)
        rounds = [await self._write_round(), await self._write_round()]
        task_status.started()
        await control.clock.sleep(WARM_UP_S)
        number = 0
        while self._rounds is None or number < self._rounds:
            number += 1
            races = rounds.pop(0)
            if self._rounds is None or number + 2 <= self._rounds:
                rounds.append(await self._write_round())
            elif not rounds:
                rounds.append([])
            for index, race in enumerate(_flying_order(self._rng, races, is_first=number == 1)):
                is_plain = number == 1 and index == 0
                await self._fly(race, None if is_plain else self._next_incident())
                await control.clock.sleep(self._gap_s)

    async def _write_round(self) -> list[Race]:
        round_id = await self.control.add_round()
        pilots = [row["ID"] for row in self.control.pilots]
        self._rng.shuffle(pilots)
        return [
            await self.control.add_race(round_id, pilots[heat :: self._heats]) for heat in range(self._heats)
        ]

    def _next_incident(self) -> Incident:
        if not self._coming:
            self._coming = list(Incident)
            self._rng.shuffle(self._coming)
        return self._coming.pop()

    async def _fly(self, race: Race, incident: Incident | None) -> None:
        control, clock = self.control, self.control.clock
        if incident is not None:
            self.incidents.append((race.id, incident))
        control.select(race)
        await clock.sleep(CUED_S)
        if incident is Incident.FALSE_START:
            await self._race(race, race.pilots, seconds=4.0)
            await control.reset_race(race)
            await clock.sleep(CUED_S)
        await self._race(race, race.pilots, strike_out=incident is Incident.LATE_INVALID)
        await control.end_race(race)
        await clock.sleep(2.0)
        if incident is Incident.MARSHALLED:
            await control.invalidate(race, self._some_lap(race))
        elif incident is Incident.RESUMED:
            await control.resume_race(race)
            await clock.sleep(3.0)
            await control.add_lap(race, self._rng.choice(race.pilots))
            await control.end_race(race)
        elif incident is Incident.RESULTS_LOST:
            await control.empty_result(race)
            await clock.sleep(8.0)
            await control.write_result(race)
        elif incident is Incident.STRAY_RACE:
            stray = await control.add_race(race.round_id, race.pilots[:1])
            await clock.sleep(2.0)
            await control.delete_race(stray)

    async def _race(
        self, race: Race, pilots: Sequence[str], *, seconds: float = float("inf"), strike_out: bool = False
    ) -> None:
        control, clock = self.control, self.control.clock
        await control.start_race(race)
        start_s = race.start_utc_s or 0.0
        for gate_pass in plan_passes(self._rng, pilots, control.target_laps):
            if gate_pass.at_s > seconds:
                break
            at_utc_s = start_s + gate_pass.at_s
            await clock.sleep_until(at_utc_s)
            await control.detect(
                race, gate_pass.pilot, gate=gate_pass.gate, is_valid=gate_pass.is_valid, at_utc_s=at_utc_s
            )
            laps = race.laps_of(gate_pass.pilot)
            if strike_out and len(laps) >= 2:
                strike_out = False
                await control.invalidate(race, laps[-2])

    def _some_lap(self, race: Race) -> Detection:
        return self._rng.choice([lap for pilot in race.pilots for lap in race.laps_of(pilot)])


def _flying_order(rng: random.Random, races: list[Race], *, is_first: bool) -> list[Race]:
    """Return the races as written in the first round, in any other order in the later ones."""
    order = list(races)
    while not is_first and len(races) > 1 and order == races:
        rng.shuffle(order)
    return order
