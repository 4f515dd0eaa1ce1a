"""The operator and the gate, by hand: every step of a race day as one call that writes what FPVTrackside
would write.

The race day is played on it, and tests drive it step by step. Each write is in `double.writes` with its time
and its occasion, and is announced to the notifier when there is one.
"""

import random
from collections.abc import Sequence

import trio

from .channels import RACEBAND_IDS, channel_rows
from .clock import NO_TIME, EventClock, format_iso, format_local, format_span
from .notify import Notifier
from .pages import default_httpfiles
from .race import Detection, Race, new_id
from .server import START_UTC_S, FPVTrackside
from .shapes import Row, dump, event_row, pilot_channel_row, pilot_row, round_row, stage_row

__all__ = ["PILOTS", "RaceControl"]

PILOTS = [  # name on the board, and what must not leave the laptop
    ("Kestrel", "Mia", "Hartigan"),
    ("Zoë", "Zoë", "van Dam"),
    ("Flappy", "Tom", "Okafor"),
    ("ブンブン", "Haru", "Sato"),
    ("Ol' Prop", "Edna", "Rossi"),
    ("Søren42", "Søren", "Lund"),
    ("RipTide", "Jo", "Baker"),
    ("Tiny Whoopsie", "Ana", "Silva"),
    ("Gremlin", "Max", "Weber"),
    ("Half Throttle", "Li", "Chen"),
    ("Yaw Dropper", "Sam", "Novak"),
    ("Lipo", "Eve", "Murphy"),
]
EMPTIED_S = 0.05  # how long a Result.json stays `[]` before it is filled, at each recalculation


class RaceControl:
    """Write what the program writes, one step of the day after the other. Not for two tasks at once.

    Ids come from `seed`, times from `clock`, written as local time of a laptop `utc_offset_s` east of UTC,
    named `time_zone` in Event.json (None: left out, as before October 2025).
    """

    def __init__(
        self,
        double: FPVTrackside,
        seed: int = 0,
        *,
        clock: EventClock | None = None,
        utc_offset_s: float = 36_000.0,
        time_zone: str | None = "Australia/Brisbane",
        target_laps: int = 4,
        notifier: Notifier | None = None,
    ) -> None:
        self.double = double
        self.rng = random.Random(seed)
        self.clock = EventClock(START_UTC_S) if clock is None else clock
        self.target_laps = target_laps
        self.event_id = new_id(self.rng)
        self.event_name = ""
        self.rounds: list[Row] = []
        self.races: list[Race] = []
        self.pilots: list[Row] = []
        self._utc_offset_s = utc_offset_s
        self._time_zone = time_zone
        self._notifier = notifier
        self._stage_id = new_id(self.rng)
        self._club = new_id(self.rng)
        self._event_pilots: list[Row] = []
        self._start = NO_TIME

    # The event

    async def open_event(self, name: str = "Whoop Night", pilots: int = 8) -> None:
        """Make an event with that many pilots (12 at most), two to a channel at most, and open it."""
        self.event_name = name
        offset_s = self._utc_offset_s
        local_midnight_s = (self.clock.now() + offset_s) // 86_400 * 86_400 - offset_s
        self._start = format_local(local_midnight_s, offset_s)
        for index, (board_name, first, last) in enumerate(PILOTS[:pilots]):
            row = pilot_row(new_id(self.rng), board_name, first, last, f"{first.lower()}#{index:04d}")
            self.pilots.append(row)
            channel = RACEBAND_IDS[index % len(RACEBAND_IDS)]
            self._event_pilots.append(pilot_channel_row(new_id(self.rng), row["ID"], channel, in_race=False))
        self.double.tree.add_missing(default_httpfiles().items())
        await self._write("httpfiles/Channels.json", channel_rows(), "channels")
        await self.save_event()
        await self._save("Pilots.json", self.pilots, "pilots")
        await self._save("Rounds.json", self.rounds, "rounds")
        await self._save_stages()
        self.double.open_event(self.event_id)

    async def save_event(self) -> None:
        """Write Event.json; only then does its list of races (deleted ones too) become current."""
        row = event_row(
            self.event_id,
            name=self.event_name,
            start=self._start,
            laps=self.target_laps,
            race_length=format_span(120),
            time_zone=self._time_zone,
            club=self._club,
            pilot_channels=self._event_pilots,
            channels=RACEBAND_IDS,
            rounds=[round_["ID"] for round_ in self.rounds],
            races=sorted(race.id for race in self.races),
        )
        await self._save("Event.json", [row], "event")

    async def add_round(self) -> str:
        """Add a round at the end of the day; returns its id."""
        number = len(self.rounds) + 1
        row = round_row(new_id(self.rng), number=number, order=number * 100, stage=self._stage_id)
        self.rounds.append(row)
        await self._save("Rounds.json", self.rounds, "rounds")
        return str(row["ID"])

    async def add_race(self, round_id: str, pilots: Sequence[str]) -> Race:
        """Add a race to a round, each pilot (by id) on the channel of the event."""
        channels = {row["Pilot"]: row["Channel"] for row in self._event_pilots}
        lineup = Race.lineup_rows(self.rng, [(pilot, channels[pilot]) for pilot in pilots])
        number = 1 + sum(race.round_id == round_id for race in self.races)
        race = Race(new_id(self.rng), self.event_id, round_id, number, self.target_laps, lineup)
        self.races.append(race)
        await self._save_race(race, "race added")
        await self.save_event()
        return race

    async def rename_pilot(self, pilot: str, name: str) -> None:
        """Change the name on the board."""
        for row in self.pilots:
            if row["ID"] == pilot:
                row["Name"] = row["Phonetic"] = name
        await self._save("Pilots.json", self.pilots, "pilots")

    # A race

    def select(self, race: Race) -> None:
        """Put a race up next: `/current` names it until it has ended. No file changes."""
        self.double.current_race = race.id
        self._tell(
            "RaceLoaded", race, targetLaps=race.target_laps, pilots=[self._pilot(p) for p in race.pilots]
        )

    async def start_race(self, race: Race) -> None:
        """Start at the tone; selects the race when it is not."""
        if self.double.current_race != race.id:
            self.select(race)
        self._tell("RacePreStart", race, scheduledStart=format_iso(self.clock.now()))
        race.start_utc_s, race.end_utc_s, race.paused_s = self.clock.now(), None, 0.0
        self.double.live_race = race.id
        start = format_iso(race.start_utc_s)
        await self._save_race(race, "start", hint=("RaceStart", {"actualStart": start}))

    async def detect(
        self, race: Race, pilot: str, *, gate: int = 0, is_valid: bool = True, at_utc_s: float | None = None
    ) -> Detection:
        """Let a pilot cross a gate, now or at a moment just past.

        The lap gate rewrites the file; a split is only in it from the next lap on.
        """
        at_utc_s = self.clock.now() if at_utc_s is None else at_utc_s
        detection = race.detect(self.rng, pilot, at_utc_s, gate=gate, is_valid=is_valid)
        hint = ("DetectionExt", self._detection(race, detection))
        if gate:
            self._tell(hint[0], race, **hint[1])
        else:
            occasion = "holeshot" if detection.lap == 0 else "lap"
            await self._save_race(race, occasion if is_valid else "invalid", hint=hint)
        return detection

    async def add_lap(self, race: Race, pilot: str) -> Detection:
        """Let a pilot cross the lap gate, validly; the first time is the holeshot."""
        return await self.detect(race, pilot)

    async def end_race(self, race: Race) -> None:
        """End a race, then write its results."""
        race.end_utc_s = self.clock.now()
        await self._save_race(race, "end")
        self.double.current_race = self.double.live_race = None
        await self.recalculate(race)
        self._tell("RaceEnd", race)

    async def resume_race(self, race: Race) -> None:
        """Let a finished race go on: End is year 1 again, while its Result.json is still there.

        What its clock stood still is noted; of several times the last, as the program does it.
        """
        if race.end_utc_s is not None:
            race.paused_s = self.clock.now() - race.end_utc_s
        race.end_utc_s = None
        self.double.current_race = self.double.live_race = race.id
        await self._save_race(race, "resume", hint=("RaceStart", {}))

    async def reset_race(self, race: Race) -> None:
        """Undo a race: no laps, no times, no results."""
        race.reset()
        self.double.live_race = None
        await self._save_race(race, "reset")
        await self.empty_result(race)
        self.select(race)

    async def delete_race(self, race: Race) -> None:
        """Delete a race: its file stays, marked as not valid."""
        race.is_valid = False
        await self._save_race(race, "delete")

    async def invalidate(self, race: Race, detection: Detection) -> None:
        """Marshal a crossing away: that pilot's laps get fewer. Of a finished race the results follow."""
        race.marshal(detection, is_valid=False)
        await self._save_race(race, "marshal")
        if race.end_utc_s is not None:
            await self.recalculate(race)

    # Results

    async def empty_result(self, race: Race) -> None:
        """Write `[]` into Result.json; the notification says "cleared"."""
        await self._write(self._path(race, "Result.json"), [], "result emptied")
        self._tell("RaceResult", race, pilots=[])

    async def write_result(self, race: Race) -> None:
        """Write Result.json and the standings."""
        await self._write(self._path(race, "Result.json"), race.result_rows(self.rng), "result")
        names = {row["ID"]: row["Name"] for row in self.pilots}
        entries = [
            {
                "pilot": {"name": names.get(place.pilot, "")},
                "position": place.position,
                "totalLaps": place.laps,
            }
            for place in race.places()
        ]
        self._tell("RaceResult", race, pilots=entries)
        await self._save_stages()

    async def recalculate(self, race: Race) -> None:
        """Empty and fill Result.json, as every recalculation does."""
        await self.empty_result(race)
        await trio.sleep(EMPTIED_S)
        await self.write_result(race)

    # Within

    async def _save_race(self, race: Race, occasion: str, hint: tuple[str, Row] | None = None) -> None:
        lead_s = self.double.quirks.hint_lead_s
        if hint and lead_s:
            self._tell(hint[0], race, **hint[1])
            await trio.sleep(lead_s)
        await self._write(self._path(race, "Race.json"), [race.row(self._utc_offset_s)], occasion)
        if hint and not lead_s:
            self._tell(hint[0], race, **hint[1])

    async def _save_stages(self) -> None:
        points = dict.fromkeys((row["ID"] for row in self.pilots), 0)
        for race in self.races:
            if race.is_valid and race.end_utc_s is not None:
                for place in race.places():
                    if place.pilot in points:  # who is removed is not ranked
                        points[place.pilot] += place.points
        standings = [(row["ID"], row["Name"], points[row["ID"]]) for row in self.pilots]
        standings.sort(key=lambda entry: -entry[2])
        await self._save("Stages.json", [stage_row(self._stage_id, "Qualifying", standings)], "stages")

    async def _save(self, name: str, rows: Sequence[Row], occasion: str) -> None:
        await self._write(f"events/{self.event_id}/{name}", rows, occasion)

    async def _write(self, path: str, rows: Sequence[Row], occasion: str) -> None:
        await self.double.tree.write(
            path, dump(rows), torn_s=self.double.quirks.torn_write_s, occasion=occasion
        )

    def _path(self, race: Race, name: str) -> str:
        return f"events/{self.event_id}/{race.id}/{name}"

    def _tell(self, kind: str, race: Race, **fields: object) -> None:
        if self._notifier is not None:
            number = next(row["RoundNumber"] for row in self.rounds if row["ID"] == race.round_id)
            self._notifier.notify_nowait(
                kind, {"round": number, "race": race.number, "raceType": "Race", **fields}
            )

    def _pilot(self, pilot: str) -> Row:
        row = next((row for row in self.pilots if row["ID"] == pilot), None) or pilot_row(
            pilot, "", "", "", ""
        )
        return {
            "name": row["Name"],
            "phonetic": row["Phonetic"],
            "discordID": row["DiscordID"],
            "photoPath": row["PhotoPath"],
            "videoFlipped": False,
            "videoMirrored": False,
        }

    def _detection(self, race: Race, detection: Detection) -> Row:
        order = sorted(race.pilots, key=lambda pilot: -len(race.laps_of(pilot)))
        return {
            "detectionId": detection.id,
            "pilotName": self._pilot(detection.pilot)["name"],
            "timingSystemIndex": detection.gate,
            "isLapEnd": detection.gate == 0,
            "lapNumber": detection.lap,
            "raceSector": detection.lap * 100 + detection.gate,
            "raceTime": round(detection.at_utc_s - (race.start_utc_s or 0), 3),
            "lapTimeSoFar": round(detection.length_s, 3),
            "position": order.index(detection.pilot) + 1,
            "valid": detection.is_valid,
            "raceFinishedForPilot": len(race.laps_of(detection.pilot)) >= race.target_laps,
        }
