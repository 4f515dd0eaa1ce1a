"""What an operator changes behind the races: line-ups, pilots, rounds, points, stages; and how older versions wrote it.

None of it happens on the plain race day, and all of it on real ones.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any

from .clock import NO_TIME, format_local, format_span
from .control import PILOTS, RaceControl
from .race import POINTS, Race, new_id
from .shapes import Row, pilot_channel_row, pilot_row, result_row, stage_row

__all__ = ["Edition", "RaceEdits"]


class Edition(Enum):
    """Which version of the program writes the files."""

    MID_2025 = "mid_2025"  # no stages: a round says what is summed after it; Locked; no time zone
    LATE_2025 = "late_2025"  # stages, but nobody has worked out their standings
    EARLY_2026 = "early_2026"  # standings by name, without the pilots' ids
    NEW = "new"


_OLD_GONE = {"TimeZone", "RulesLocked", "IsGQ", "PackLimit", "MultiGPDisabledSlots", "Flags", "GameTypeName"}
_SUMMARIES = ("PointSummary", "TimeSummary", "LapCountAfterRound", "SheetFormatFilename")


class RaceEdits(RaceControl):
    """Race control with everything that an operator may change.

    To be set before the event opens: `edition`, who writes the files; `ready`, the stages whose standings are worked out.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.edition = Edition.NEW
        self.ready: Collection[str] = ("Day", "Qualifying")
        self.stages: list[Row] = []
        self._removed: list[str] = []
        self._rolled_over: list[Row] = []

    # Stages and rounds

    async def add_stage(
        self, name: str, *, points: Row | None = None, times: Row | None = None, laps: bool = False
    ) -> str:
        """Add a stage behind the others, ranked by what is given; returns its id."""
        row = stage_row(new_id(self.rng), name, [])
        row |= {"Order": 100 * (1 + len(self.stages)), "PointSummary": points, "TimeSummary": times}
        row["LapCountAfterRound"] = laps
        self.stages.append(row)
        await self._save_stages()
        return str(row["ID"])

    async def put_in_stage(self, round_id: str, stage_id: str, event_type: str = "Race") -> None:
        """Say to which stage a round belongs, and how it is flown."""
        row = self._round(round_id)
        row["Stage"], row["EventType"] = stage_id, event_type
        await self._save("Rounds.json", self.rounds, "round edited")

    async def edit_round(self, round_id: str, **fields: object) -> None:
        """Change a round: its Order, Name, Valid."""
        self._round(round_id).update(fields)
        await self._save("Rounds.json", self.rounds, "round edited")

    async def schedule_round(self, round_id: str, at_utc_s: float) -> None:
        """Set when a round should begin."""
        start = format_local(at_utc_s, self._utc_offset_s)
        await self.edit_round(round_id, ScheduledStart=start)

    def _round(self, round_id: str) -> Row:
        return next(row for row in self.rounds if row["ID"] == round_id)

    # Pilots and line-ups

    async def remove_pilot(self, pilot: str) -> None:
        """Take a pilot out of the event, its lists and all races that were not started."""
        self.pilots = [row for row in self.pilots if row["ID"] != pilot]
        self._event_pilots = [row for row in self._event_pilots if row["Pilot"] != pilot]
        self._removed.append(pilot)
        for race in self.races:
            if race.start_utc_s is None and pilot in race.pilots:
                race.lineup = [row for row in race.lineup if row["Pilot"] != pilot]
                await self._save_race(race, "pilot removed")
        await self._save("Pilots.json", self.pilots, "pilots")
        await self.save_event()

    async def join_late(self, race: Race, channel: str) -> None:
        """Add a pilot in the middle of the day: first the race names him, then the lists do."""
        name, first, last = PILOTS[(len(self.pilots) + len(self._removed)) % len(PILOTS)]
        row = pilot_row(new_id(self.rng), f"{name} II", first, last, "late#0001")
        race.lineup = [*race.lineup, *Race.lineup_rows(self.rng, [(row["ID"], channel)])]
        await self._save_race(race, "pilot added")
        self.pilots.append(row)
        self._event_pilots.append(pilot_channel_row(new_id(self.rng), row["ID"], channel, in_race=False))
        await self._save("Pilots.json", self.pilots, "pilots")
        await self.save_event()

    async def set_handicaps(self, race: Race) -> None:
        """Have the pilots of a race start one after the other; its round is one with handicaps from now on."""
        for place, row in enumerate(race.lineup):
            row["HandicapOffset"] = format_span(1.25 * place)
        await self._save_race(race, "handicaps set")
        await self.edit_round(race.round_id, Handicapped=True)

    async def move_channel(self, race: Race, pilot: str, channel: str) -> None:
        """Put a pilot of a race on another channel."""
        for row in race.lineup:
            if row["Pilot"] == pilot:
                row["Channel"] = channel
        await self._save_race(race, "channel moved")

    async def edit_race(self, race: Race, **fields: object) -> None:
        """Change a race: its number, target_laps, bracket, is_valid, end_utc_s."""
        for name, value in fields.items():
            setattr(race, name, value)
        await self._save_race(race, "race edited")

    # Results

    async def edit_points(self, race: Race) -> None:
        """Set results by hand: other points, one disqualified, one result struck out."""
        rows = race.result_rows(self.rng)
        for row in rows:
            row["Points"] = self.rng.choice([0, 1, 3, 5, 7, 25])
        rows[0]["DNF"] = True
        rows[-1]["Valid"] = False
        await self._write(self._path(race, "Result.json"), rows, "points edited")

    async def roll_over(self, round_id: str) -> None:
        """Write the points that each pilot takes from the rounds up to this one into what follows."""
        ranked = list(self.pilots)
        self.rng.shuffle(ranked)
        rows = [row for row in self._rolled_over if row["Round"] != round_id]
        for position, pilot in enumerate(ranked, start=1):
            points = POINTS[min(position, len(POINTS)) - 1]
            row = result_row(
                new_id(self.rng), event=self.event_id, pilot=pilot["ID"], race="", round_id=round_id,
                points=points, position=position, dnf=False, time="00:00:00", laps=0,
            )  # fmt: skip
            del row["Race"]
            rows.append(row | {"ResultType": "RoundRollOver"})
        self._rolled_over = rows
        await self._save("Results.json", rows, "rolled over")

    # What older versions wrote

    async def _save_stages(self) -> None:
        if self.edition is Edition.MID_2025:
            return
        await super()._save_stages()

    async def _save(self, name: str, rows: Sequence[Row], occasion: str) -> None:
        if name == "Stages.json":
            rows = [self._stage(stage, rows[0]) for stage in self.stages]
        elif name == "Event.json":
            rows = [row | {"RemovedPilots": self._removed} for row in rows]
        if self.edition is Edition.MID_2025 and name == "Event.json":
            rows = [
                {key: row[key] for key in row if key not in _OLD_GONE} | {"Locked": False} for row in rows
            ]
        if self.edition is Edition.MID_2025 and name == "Rounds.json":
            rows = [self._old_round(row) for row in rows]
        await super()._save(name, rows, occasion)

    def _stage(self, stage: Row, ranked: Row) -> Row:
        row = stage | {"Standings": ranked["Standings"] if stage["Name"] in self.ready else None}
        if self.edition is Edition.LATE_2025:
            del row["Standings"], row["ScriptFormatFilename"]
        elif self.edition is Edition.EARLY_2026 and row["Standings"]:
            places = [
                {"Name": place["Name"], "Values": place["Values"]} for place in row["Standings"]["Rows"]
            ]
            row["Standings"] = row["Standings"] | {"Rows": places}
        return row

    def _old_round(self, row: Row) -> Row:
        """A round as it was before there were stages: the last one of a stage has its summary."""
        stage = next((stage for stage in self.stages if stage["ID"] == row["Stage"]), None)
        last = [other for other in self.rounds if other["Stage"] == row["Stage"]][-1]
        is_end = stage is not None and last is row
        old = {
            key: value for key, value in row.items() if key not in ("Stage", "ScheduledStart", "Handicapped")
        }
        for key in _SUMMARIES:
            old[key] = (
                stage[key] if is_end and stage is not None else (None if key != _SUMMARIES[2] else False)
            )
        return old | {"RoundType": "Round", "ScheduledStart": row.get("ScheduledStart", NO_TIME)}
