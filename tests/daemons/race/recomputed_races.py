"""Races, laps, line-ups and bests, computed a second time from the raw files. What for, and by which rules: `recomputed`."""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

__all__ = ["TYPES", "Json", "RecomputedRaces", "at_share", "middle", "once", "when"]

Json = dict[str, Any]
NO_ID = "00000000-0000-0000-0000-000000000000"
TYPES = {
    "practice": "Practice", "practise": "Practice", "timetrial": "Time Trial", "race": "Race", "freestyle": "Freestyle",
    "endurance": "Endurance", "aggregatelaps": "Endurance", "enduro": "Endurance",
    "casualpractice": "Casual Practice", "game": "Game", "training": "Training",
}  # fmt: skip


P = ParamSpec("P")
S = TypeVar("S", bound="RecomputedRaces")
T = TypeVar("T")


def once(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Compute it once between two reads: days are long, and this is slow enough."""

    @wraps(method)
    def remembered(self: S, *args: P.args, **named: P.kwargs) -> T:
        key = (method, *(value if isinstance(value, str) else id(value) for value in args))
        if key not in self.computed:
            self.computed[key] = method(self, *args, **named)
        answer: T = self.computed[key]
        return answer

    return cast(Callable[Concatenate[S, P], T], remembered)


def parsed(body: bytes) -> Any:
    """The JSON, or None when it does not parse."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except ValueError:
        return None


def rows_of(body: bytes) -> list[Json] | None:
    """The objects of a file, or None when it is not a list of objects."""
    value = parsed(body)
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return value
    return None


@cache
def when(text: Any) -> datetime | None:
    """A time; None for the year 1 and for what is no time."""
    if not isinstance(text, str):
        return None
    match = re.fullmatch(r"(\d{4})/(\d\d)/(\d\d) (\d{1,2}):(\d\d):(\d\d)(\.\d+)?", text)
    if match is None or int(match[1]) < 1900:
        return None
    whole = datetime(int(match[1]), int(match[2]), int(match[3]), int(match[4]), int(match[5]), int(match[6]))
    return whole + timedelta(microseconds=round(float("0" + (match[7] or ".0")) * 1_000_000))


def middle(numbers: list[float]) -> float:
    """The median."""
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def at_share(numbers: list[float], share: float) -> float:
    """The number at that share of the sorted list, between two by the straight line."""
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * share
    left, right = ordered[math.floor(place)], ordered[math.ceil(place)]
    return left + (right - left) * (place - math.floor(place))


class RecomputedRaces:
    """What has been read of an event, as raw JSON: of each file the last one that was good."""

    def __init__(self) -> None:
        self.event_id: str | None = None
        self.selected: str | None = None
        self.files: dict[str, list[Json]] = {}
        self.results: dict[str, list[Json]] = {}  # by race: as long as the race stays what it is
        self.computed: dict[Any, Any] = {}

    # --- reading ---

    def read(self, path: str, body: bytes) -> None:
        """Take what was read at a path."""
        self.computed = {}
        if path == "/":
            found = re.search(rb'new EventManager\("events/([0-9a-f-]{36})"', body)
            if found is not None and found[1].decode() != self.event_id:
                self.event_id = found[1].decode()
                self.selected = None
                self.results = {}
                self.files = {path: rows for path, rows in self.files.items() if "Channels" in path}
            return
        if path == "/current":
            value = parsed(body)
            self.selected = value.get("CurrentRace") if isinstance(value, dict) else None
            return
        rows = rows_of(body)
        if rows is None or (path.startswith("/events/") and f"/{self.event_id}/" not in path):
            return
        if path.endswith("/Result.json"):
            self._read_results(path.split("/")[3], rows)
            return
        if path.endswith("/Event.json") and not rows:
            return
        if path.endswith("/Race.json"):
            if not rows:
                return
            before = self.races().get(rows[0]["ID"])
            is_done = self.state(rows[0]) == "done"
            if not is_done or (before is not None and before["Start"] != rows[0]["Start"]):
                self.results.pop(rows[0]["ID"], None)
        self.files[path] = rows
        self.computed = {}

    def _read_results(self, race_id: str, rows: list[Json]) -> None:
        race = self.races().get(race_id)
        if race is None or self.state(race) != "done":
            return
        valid: list[Json] = []
        for row in rows:
            if row.get("Valid", True) and all(row["Pilot"] != other["Pilot"] for other in valid):
                valid.append(row)
        if valid:
            self.results[race_id] = valid

    def _list(self, name: str) -> list[Json]:
        return self.files.get(f"/events/{self.event_id}/{name}.json", [])

    @once
    def _by_id(self, name: str) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for row in self._list(name):
            if row["ID"] not in found:
                found[row["ID"]] = row
        return found

    def event(self) -> Json:
        events = self._list("Event")
        return events[0] if events else {}

    @once
    def races(self) -> dict[str, Json]:
        return {rows[0]["ID"]: rows[0] for path, rows in self.files.items() if path.endswith("/Race.json")}

    # --- races ---

    def state(self, race: Json) -> str:
        if when(race["Start"]) is None:
            return "pending"
        return "live" if when(race["End"]) is None else "done"

    @once
    def type(self, race: Json) -> str:
        round_ = self._by_id("Rounds").get(race["Round"])
        raw = round_["EventType"] if round_ is not None else self.event().get("EventType", "Race")
        return TYPES.get(raw.lower(), "Heat")

    def name(self, race: Json) -> str:
        round_ = self._by_id("Rounds").get(race["Round"])
        number = f"{round_['RoundNumber']}-{race['RaceNumber']}" if round_ else str(race["RaceNumber"])
        bracket = "" if race.get("Bracket", "None") == "None" else f" ({race['Bracket']})"
        return f"{self.type(race)} {number}{bracket}"

    @once
    def order(self) -> list[Json]:
        rounds = self._by_id("Rounds")
        known, unknown = [], []
        for race in self.races().values():
            if race["Valid"] and race["Round"] not in rounds:
                unknown.append(race)
            elif race["Valid"] and rounds[race["Round"]]["Valid"]:
                known.append(race)
        known.sort(key=lambda race: race["ID"])
        known.sort(key=lambda race: race["RaceNumber"])
        known.sort(key=lambda race: rounds[race["Round"]]["Order"])
        unknown.sort(key=lambda race: race["ID"])
        unknown.sort(key=lambda race: race["RaceNumber"])
        return known + unknown

    @once
    def last_finished(self) -> Json | None:
        last = None
        for race in self.order():
            if self.state(race) == "done" and (last is None or when(race["End"]) > when(last["End"])):  # type: ignore[operator]
                last = race
        return last

    @once
    def current(self) -> Json | None:
        chosen = self.races().get(self.selected or "")
        if chosen is not None and chosen["Valid"]:
            return chosen
        live = None
        for race in self.order():
            if self.state(race) == "live" and (live is None or when(race["Start"]) > when(live["Start"])):  # type: ignore[operator]
                live = race
        if live is not None:
            return live
        last = self.last_finished()
        order = self.order()
        behind = order[order.index(last) + 1 :] if last is not None else order
        for race in behind:
            if race["PilotChannels"] and self.state(race) != "done":
                return race
        return last

    # --- laps ---

    @once
    def laps(self, race: Json, pilot: str) -> list[Json]:
        """The valid laps of a pilot, by number."""
        found = []
        for lap in race["Laps"]:
            for detection in race["Detections"]:
                if detection["ID"] == lap["Detection"]:
                    if detection["Valid"] and detection["Pilot"] == pilot and lap["LengthSeconds"] > 0:
                        found.append(lap)
                    break
        return sorted(found, key=lambda lap: lap["LapNumber"])

    @once
    def lap_times(self, race: Json, pilot: str) -> list[float]:
        return [lap["LengthSeconds"] for lap in self.laps(race, pilot) if lap["LapNumber"] > 0]

    def holeshot(self, race: Json, pilot: str) -> float | None:
        for lap in self.laps(race, pilot):
            if lap["LapNumber"] == 0:
                return float(lap["LengthSeconds"])
        return None

    def best_run(self, times: list[float], count: int) -> float | None:
        best = None
        for first in range(len(times)):
            run = times[first : first + count]
            if count >= 1 and len(run) == count and (best is None or sum(run) < best):
                best = sum(run)
        return best

    @once
    def positions(self, race: Json) -> dict[str, int]:
        """Who got furthest, and there first: a place each, shared in a dead heat."""
        furthest: dict[str, tuple[int, datetime]] = {}
        for detection in race["Detections"]:
            if not detection["Valid"]:
                continue
            if self.type(race) == "Race" and detection["RaceSector"] > race["TargetLaps"] * 100:
                continue
            here = (detection["RaceSector"], when(detection["Time"]) or datetime.max)
            there = furthest.get(detection["Pilot"])
            if there is None or here[0] > there[0] or (here[0] == there[0] and here[1] < there[1]):
                furthest[detection["Pilot"]] = here
        places = {}
        for pilot, (sector, time) in furthest.items():
            ahead = [1 for s, t in furthest.values() if s > sector or (s == sector and t < time)]
            places[pilot] = 1 + len(ahead)
        return places

    # --- what a race shows ---

    @once
    def channel(self, channel_id: str) -> dict[str, Any]:
        channels = {row["ID"]: row for row in reversed(self.files.get("/httpfiles/Channels.json", []))}
        row, event = channels.get(channel_id), self.event()
        name = None
        if row is not None:
            prefix = row["ChannelPrefix"].strip("\0 ")
            name = row["DisplayName"] or f"{row['ShortBand']}{prefix}{row['Number']}"
        given = dict(
            reversed(
                list(zip(event.get("Channels", []), event.get("ChannelDisplayNames") or [], strict=False))
            )
        )
        colours: dict[str, str] = {}
        palette = event.get("ChannelColors", [])
        step, before = -1, None
        for known in sorted(
            (channels[key] for key in event.get("Channels", []) if key in channels),
            key=lambda row: row["Frequency"],
        ):
            if before is None or known["Frequency"] - before >= 15:
                step += 1
            before = known["Frequency"]
            colours[known["ID"]] = palette[step % len(palette)]
        return {
            "name": given.get(channel_id) or name,
            "mhz": row["Frequency"] if row else 0,
            "colour": colours.get(channel_id),
        }

    def pilot_name(self, pilot: str) -> str:
        row = self._by_id("Pilots").get(pilot)
        return str(row["Name"]).strip()[:80] if row else ""

    @once
    def seats(self, race: Json) -> list[Json]:
        found: list[Json] = []
        for seat in race["PilotChannels"]:
            if seat["Pilot"] != NO_ID and all(seat["Pilot"] != other["Pilot"] for other in found):
                found.append(seat)
        return found

    def seconds(self, span: str) -> float:
        """Of a TimeSpan within a day."""
        hours, minutes, seconds = span.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)

    def handicap(self, race: Json, seat: Json) -> float | None:
        round_ = self._by_id("Rounds").get(race["Round"], {})
        return (
            (self.seconds(seat.get("HandicapOffset", "00:00:00")) or None)
            if round_.get("Handicapped")
            else None
        )

    def paused(self, race: Json) -> float | None:
        return (
            None
            if self.state(race) == "pending"
            else round(self.seconds(race.get("TotalPausedTime", "00:00:00")), 3) or None
        )

    def rows(self, race: Json) -> list[Json]:
        """The pilots of a race as they are shown."""
        state, shown = self.state(race), []
        official = self.results.get(race["ID"], []) if state == "done" else []
        places = self.positions(race)
        for seat in self.seats(race):
            pilot = seat["Pilot"]
            times = self.lap_times(race, pilot)
            result = next((row for row in official if row["Pilot"] == pilot), None)
            is_race = self.type(race) == "Race"
            if result is not None:
                position, dnf = result["Position"] or None, result["DNF"]
            else:
                position = places.get(pilot)
                dnf = state == "done" and is_race and len(times) < race["TargetLaps"]
            over = [lap for lap in self.laps(race, pilot) if lap["LapNumber"] > race["TargetLaps"]]
            shown.append(
                {
                    "pilot": pilot,
                    "name": self.pilot_name(pilot),
                    **{f"channel_{key}": value for key, value in self.channel(seat["Channel"]).items()},
                    "position": position,
                    "dnf": dnf,
                    "points": result["Points"] if result is not None else None,
                    "handicap": self.handicap(race, seat),
                    "holeshot": self.holeshot(race, pilot),
                    "laps": times,
                    "over": len(over) if is_race else 0,
                    "best": min(times) if times else None,
                    "best_run": self.best_run(times, self.event().get("Laps", 0)),
                }
            )
        if state == "pending":
            shown.sort(key=lambda row: row["channel_mhz"] or 1_000_000)
        else:
            shown.sort(key=lambda row: row["position"] or 1_000_000)
            shown.sort(key=lambda row: row["dnf"])
        return shown

    # --- bests ---

    def bests(self, count: int) -> list[tuple[str, str, float]]:
        """(pilot, race, seconds) of the best so many laps in a row of each pilot, the fastest first."""
        best: dict[str, tuple[str, str, float]] = {}
        for race in self.order():
            for seat in self.seats(race):
                seconds = self.best_run(self.lap_times(race, seat["Pilot"]), count)
                if seconds is None:
                    continue
                if seat["Pilot"] not in best or seconds < best[seat["Pilot"]][2]:
                    best[seat["Pilot"]] = (seat["Pilot"], race["ID"], seconds)
        return sorted(best.values(), key=lambda entry: (entry[2], self.pilot_name(entry[0]), entry[0]))
