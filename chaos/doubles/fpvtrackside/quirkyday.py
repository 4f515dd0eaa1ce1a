"""A race day on which nothing goes by the book: what `RaceDay` brings, and an operator who edits behind every race.

Stages of every sort, results that roll over, line-ups that change, rounds that move, races and pilots that vanish,
results that stay lost, a race that never ends; written by a version of the program that the seed chooses.
"""

import random
from enum import Enum, auto

from .channels import RACEBAND_IDS
from .clock import EventClock
from .edits import Edition, RaceEdits
from .notify import Notifier
from .race import Race
from .raceday import Incident, RaceDay
from .server import FPVTrackside

__all__ = ["Edit", "QuirkyDay"]

STAGES = ("Qualifying", "Time attack", "Finals", "Endurance")


class Edit(Enum):
    """What the operator does behind a race."""

    CHANNEL_MOVED = auto()
    PILOT_RENAMED = auto()
    PILOT_REMOVED = auto()
    PILOT_JOINED_LATE = auto()
    ROUNDS_SWAPPED = auto()
    ROUND_DELETED = auto()
    RACE_DELETED = auto()
    RACE_SKIPPED = auto()
    POINTS_EDITED = auto()
    RESULTS_GONE = auto()
    RACE_RESET = auto()
    LEFT_OPEN = auto()
    SCHEDULED = auto()
    BRACKET = auto()
    TARGET_CHANGED = auto()
    FILE_TORN = auto()
    ROLLED_OVER = auto()
    LOOKED_BACK = auto()
    RETIMED = auto()
    HANDICAPPED = auto()


class QuirkyDay(RaceDay):
    """A race day with every quirk on. `edits` lists what the operator did, by the race it was behind."""

    control: RaceEdits

    def __init__(self, double: FPVTrackside, seed: int, **more: float) -> None:
        self.chance = random.Random(f"edits {seed}")
        self.edits: list[tuple[str, Edit]] = []
        self._left: list[Edit] = []
        self._skipped: set[str] = set()
        super().__init__(double, seed, **more)  # type: ignore[arg-type]

    def _control(
        self,
        double: FPVTrackside,
        seed: int,
        clock: EventClock,
        target_laps: int,
        notifier: Notifier | None,
    ) -> RaceEdits:
        edition = list(Edition)[seed % len(Edition)]
        zone = None if edition is Edition.MID_2025 else "Australia/Brisbane"
        control = RaceEdits(
            double, seed, clock=clock, target_laps=target_laps, notifier=notifier, time_zone=zone
        )
        control.edition = edition
        control.ready = {name for name in STAGES if self.chance.random() < 0.3}
        return control

    async def _write_round(self) -> list[Race]:
        races = await super()._write_round()
        number, yes = len(self.control.rounds), self.chance.random() < 0.6
        if number == 1:
            points = {"RoundPositionRollover": False, "DropWorstRound": True}
            await self.control.add_stage(STAGES[0], points=points)
        elif number == 4:
            kind = self.chance.choice(["PB", "EventLap", "RaceTime"])
            times = {"IncludeAllRounds": yes, "TimeSummaryType": kind}
            await self.control.add_stage(STAGES[1], times=times)
        elif number == 5:
            points = {"RoundPositionRollover": True, "DropWorstRound": yes}
            await self.control.add_stage(STAGES[2], points=points)
        elif number == 7:
            await self.control.add_stage(STAGES[3], laps=True)
        kinds = {4: "TimeTrial", 7: self.chance.choice(["Enduro", "AggregateLaps", "Endurance"])}
        await self.control.put_in_stage(
            self.control.rounds[-1]["ID"], self.control.stages[-1]["ID"], kinds.get(number, "Race")
        )
        return races

    async def _fly(self, race: Race, incident: Incident | None) -> None:
        if race.id in self._skipped or not race.is_valid or not race.pilots:
            return
        await super()._fly(race, incident)
        if not self._left:
            self._left = list(Edit)
            self.chance.shuffle(self._left)
        for edit in (self._left.pop(), self._left.pop() if self._left else Edit.CHANNEL_MOVED):
            self.edits.append((race.id, edit))
            await self._edit(edit, race)
            await self.control.clock.sleep(1.0)

    async def _edit(self, edit: Edit, race: Race) -> None:
        control, chance = self.control, self.chance
        waiting = [other for other in control.races if other.start_utc_s is None and other.pilots]
        finished = [other for other in control.races if other.end_utc_s is not None and other.is_valid]
        rounds = [row for row in control.rounds if any(r.round_id == row["ID"] for r in waiting)]
        one = chance.choice(waiting) if waiting else None
        match edit:
            case Edit.CHANNEL_MOVED if one:
                await control.move_channel(one, chance.choice(one.pilots), chance.choice(RACEBAND_IDS))
            case Edit.PILOT_RENAMED:
                names = ["", "Kestrel", "Ann \u200f(R)", "<b>Bo</b>", "X" * 100]
                await control.rename_pilot(chance.choice(control.pilots)["ID"], chance.choice(names))
            case Edit.PILOT_REMOVED if len(control.pilots) > 5:
                await control.remove_pilot(chance.choice(control.pilots)["ID"])
            case Edit.PILOT_JOINED_LATE if one:
                await control.join_late(one, chance.choice(RACEBAND_IDS))
            case Edit.ROUNDS_SWAPPED if len(rounds) > 1:
                first, second = rounds[-2:]
                orders = first["Order"], second["Order"]
                await control.edit_round(first["ID"], Order=orders[1])
                await control.edit_round(second["ID"], Order=orders[0])
            case Edit.ROUND_DELETED:
                extra = await control.add_round()
                await control.put_in_stage(extra, control.stages[-1]["ID"])
                await control.add_race(extra, [control.pilots[0]["ID"]])
                await control.edit_round(extra, Valid=False)
            case Edit.RACE_DELETED if len(finished) > 2:
                await control.delete_race(chance.choice(finished))
            case Edit.RACE_SKIPPED if one:
                self._skipped.add(one.id)
            case Edit.POINTS_EDITED if finished:
                await control.edit_points(chance.choice(finished))
            case Edit.RESULTS_GONE if finished:
                await control.empty_result(chance.choice(finished))
            case Edit.RACE_RESET if finished:
                await control.reset_race(chance.choice(finished))
            case Edit.LEFT_OPEN if finished:
                await control.edit_race(chance.choice(finished), end_utc_s=None)
            case Edit.SCHEDULED if rounds:
                at_utc_s = control.clock.now() + chance.choice([-60.0, 5.0, 1800.0])
                await control.schedule_round(chance.choice(rounds)["ID"], at_utc_s)
            case Edit.BRACKET:
                await control.edit_race(one or race, bracket=chance.choice(["Winners", "Losers", "C"]))
            case Edit.TARGET_CHANGED:
                await control.edit_race(chance.choice(control.races), target_laps=chance.randrange(1, 5))
            case Edit.FILE_TORN:
                names = ["Pilots.json", "Event.json", f"{race.id}/Race.json", f"{race.id}/Result.json"]
                control.double.tree.tear(f"events/{control.event_id}/{chance.choice(names)}", 200)
            case Edit.ROLLED_OVER:
                await control.roll_over(chance.choice(control.rounds)["ID"])
            case Edit.LOOKED_BACK if finished:
                control.double.current_race = chance.choice(finished).id
            case Edit.RETIMED if finished:
                again = chance.choice(finished)
                await control.edit_race(again, start_utc_s=(again.start_utc_s or 0.0) - 1.0)
            case Edit.HANDICAPPED:
                await control.set_handicaps(one or race)
            case _:
                pass
