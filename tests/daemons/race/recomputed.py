"""The race day computed a second time, slowly and in the most obvious way, from the raw files.

It imports nothing of the race model, and shares no way of thinking with it where there is a choice: it works on the
JSON as FPVTrackside serves it and computes everything anew each time it is asked. What it says is compared with the
model at every step of played and recorded days. The rules are those of `docs/race-rules.md`.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

Json = dict[str, Any]
NO_ID = "00000000-0000-0000-0000-000000000000"
TYPES = {
    "practice": "Practice", "practise": "Practice", "timetrial": "Time Trial", "race": "Race", "freestyle": "Freestyle",
    "endurance": "Endurance", "aggregatelaps": "Endurance", "enduro": "Endurance",
    "casualpractice": "Casual Practice", "game": "Game", "training": "Training",
}  # fmt: skip


P = ParamSpec("P")
T = TypeVar("T")


def once(
    method: "Callable[Concatenate[Recomputed, P], T]",
) -> "Callable[Concatenate[Recomputed, P], T]":
    """Compute it once between two reads: days are long, and this is slow enough."""

    @wraps(method)
    def remembered(self: "Recomputed", *args: P.args, **named: P.kwargs) -> T:
        key = (method, *(value if isinstance(value, str) else id(value) for value in args))
        if key not in self.computed:
            self.computed[key] = method(self, *args, **named)
        answer: T = self.computed[key]
        return answer

    return cast("Callable[Concatenate[Recomputed, P], T]", remembered)


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


class Recomputed:
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

    # --- stages ---

    def stages(self) -> list[Json]:
        """The rankings: (id, ready?, headings, rows of (pilot, values))."""
        rounds = sorted(
            (row for row in self._by_id("Rounds").values() if row["Valid"]),
            key=lambda row: (row["Order"], row["RoundNumber"], row["ID"]),
        )
        stages = self._by_id("Stages")
        tables = []
        if stages:
            for stage in sorted(stages.values(), key=lambda row: (row["Order"], row["ID"])):
                if stage["Valid"]:
                    own = [row for row in rounds if row.get("Stage") == stage["ID"]]
                    tables.append(self._stage(stage, own))
            return tables
        block: list[Json] = []
        for round_ in rounds:
            block.append(round_)
            ends = round_.get("PointSummary") or round_.get("TimeSummary") or round_.get("LapCountAfterRound")
            if ends or round_ is rounds[-1]:
                tables.append(self._stage(round_, block))
                block = []
        return tables

    def _stage(self, stage: Json, rounds: list[Json]) -> Json:
        ready = stage.get("Standings")
        if ready and ready["Rows"]:
            names = [row["Name"] for row in self._by_id("Pilots").values()]
            shown = []
            for row in ready["Rows"]:
                pilot = row.get("PilotId")
                if pilot is None and names.count(row["Name"]) == 1:
                    pilot = next(k for k, v in self._by_id("Pilots").items() if v["Name"] == row["Name"])
                shown.append((pilot, list(row["Values"])))
            return {"id": stage["ID"], "ready": True, "headings": ready["Headings"], "rows": shown}
        if stage.get("TimeSummary") and not stage.get("PointSummary"):
            headings, rows = self._by_time(stage, rounds)
        elif stage.get("LapCountAfterRound") and not stage.get("PointSummary"):
            headings, rows = self._by_laps(rounds)
        else:
            headings, rows = self._by_points(stage, rounds)
        return {"id": stage["ID"], "ready": False, "headings": headings, "rows": rows}

    def _ranked(self, totals: dict[str, float], cells: dict[str, list[str]], sign: int) -> list[Any]:
        rows = []
        for pilot in sorted(totals, key=lambda pilot: (sign * totals[pilot], self.pilot_name(pilot), pilot)):
            ahead = [other for other in totals if sign * totals[other] < sign * totals[pilot]]
            rows.append((pilot, [str(1 + len(ahead)), *cells[pilot]]))
        return rows

    def _races_in(self, rounds: list[Json]) -> list[Json]:
        return [race for race in self.order() if any(row["ID"] == race["Round"] for row in rounds)]

    def _by_points(self, stage: Json, rounds: list[Json]) -> Any:
        summary = stage.get("PointSummary") or {}
        counted = [r for r in rounds if TYPES.get(r["EventType"].lower()) in ("Race", "Endurance")]
        pilots: list[str] = []
        for race in self._races_in(counted):
            pilots += [seat["Pilot"] for seat in self.seats(race) if seat["Pilot"] not in pilots]
        totals: dict[str, float] = {}
        cells: dict[str, list[str]] = {}
        for pilot in pilots:
            results: list[tuple[Json, int]] = []  # (round, points)
            for race in self._races_in(counted):
                for row in self.results.get(race["ID"], []):
                    if row["Pilot"] == pilot and self.state(race) == "done":
                        round_ = next(r for r in counted if r["ID"] == race["Round"])
                        results.append((round_, row["Points"]))
            rollover = self._rollover(pilot, rounds) if summary.get("RoundPositionRollover") else None
            points = [value for _, value in results] + ([] if rollover is None else [rollover])
            total = sum(points)
            if summary.get("DropWorstRound") and len(points) > 1 and results:
                first = min(round_["Order"] for round_, _ in results)
                last = max(round_["Order"] for round_, _ in results)
                between = [
                    row
                    for row in self._by_id("Rounds").values()
                    if row["Valid"] and first <= row["Order"] <= last
                ]
                if len(results) >= len(between):
                    total -= min(points)
            totals[pilot] = total
            cells[pilot] = [str(total)]
            if summary.get("RoundPositionRollover"):
                cells[pilot].append("" if rollover is None else str(rollover))
            for column in counted:
                own = [value for round_, value in results if round_ is column]
                cells[pilot].append(str(sum(own)) if own else "")
        headings = ["Position", "Points"]
        headings += ["Rolled over"] if summary.get("RoundPositionRollover") else []
        return headings + [f"Round {row['RoundNumber']}" for row in counted], self._ranked(totals, cells, -1)

    def _rollover(self, pilot: str, rounds: list[Json]) -> int | None:
        best: tuple[int, int] | None = None
        by_id = self._by_id("Rounds")
        for row in self._list("Results"):
            round_ = by_id.get(row["Round"])
            if (
                row["ResultType"] != "RoundRollOver"
                or row["Pilot"] != pilot
                or not row["Valid"]
                or not rounds
            ):
                continue
            if round_ is None or not round_["Valid"] or round_["Order"] >= rounds[0]["Order"]:
                continue
            if best is None or round_["Order"] > best[0]:
                best = (round_["Order"], row["Points"])
        return None if best is None else best[1]

    def _by_time(self, stage: Json, rounds: list[Json]) -> Any:
        summary, event = stage["TimeSummary"], self.event()
        kind = summary["TimeSummaryType"]
        count = event.get("PBLaps", 0) if kind == "PB" else event.get("Laps", 0)
        best: dict[str, float] = {}
        for race in self.order() if summary["IncludeAllRounds"] else self._races_in(rounds):
            for seat in self.seats(race):
                times = self.lap_times(race, seat["Pilot"])
                if kind == "RaceTime":
                    enough = 1 <= count <= len(times)
                    holeshot = self.holeshot(race, seat["Pilot"]) or 0.0
                    seconds = holeshot + sum(times[:count]) if enough else None
                else:
                    seconds = self.best_run(times, count)
                if seconds is not None and seconds < best.get(seat["Pilot"], math.inf):
                    best[seat["Pilot"]] = seconds
        heading = "Race time" if kind == "RaceTime" else "1 lap" if count == 1 else f"{count} laps"
        cells = {pilot: [f"{seconds:.3f}"] for pilot, seconds in best.items()}
        return ["Position", heading], self._ranked(best, cells, 1)

    def _by_laps(self, rounds: list[Json]) -> Any:
        totals: dict[str, float] = {}
        cells: dict[str, list[str]] = {}
        pilots = {seat["Pilot"] for race in self._races_in(rounds) for seat in self.seats(race)}
        for pilot in pilots:
            cells[pilot] = []
            totals[pilot] = 0
            for round_ in rounds:
                flown = None
                for race in self._races_in([round_]):
                    if any(seat["Pilot"] == pilot for seat in self.seats(race)) and race["Laps"]:
                        flown = (flown or 0) + len(self.lap_times(race, pilot))
                totals[pilot] += flown or 0
                cells[pilot].append("" if flown is None else str(flown))
            cells[pilot].insert(0, str(int(totals[pilot])))
        headings = ["Position", "Laps", *(f"Round {row['RoundNumber']}" for row in rounds)]
        return headings, self._ranked(totals, cells, -1)

    # --- when ---

    @once
    def upcoming(self) -> list[Json]:
        order, here = self.order(), self.current()
        waiting = [race for race in order if self.state(race) == "pending" and self.seats(race)]
        if here is not None and self.state(here) == "done":
            here = self.last_finished()
        if here is None or here not in order:
            return waiting
        place = order.index(here)
        own = [race for race in waiting if race["Round"] == here["Round"]]
        ahead = [race for race in own if order.index(race) >= place]
        left_out = [race for race in own if order.index(race) < place]
        return ahead + left_out + [race for race in waiting if race not in own and order.index(race) > place]

    @once
    def flown(self) -> list[Json]:
        return sorted(
            (race for race in self.order() if when(race["Start"])), key=lambda race: when(race["Start"]) or 0
        )

    @once
    def rhythm(self) -> tuple[float, float, float, int] | None:
        """(gap, turnaround, spread, how many gaps)."""
        gaps: list[tuple[float, float | None]] = []
        flown = self.flown()
        for number in range(1, len(flown)):
            start, before, ended = (
                when(flown[number]["Start"]),
                when(flown[number - 1]["Start"]),
                when(flown[number - 1]["End"]),
            )
            assert start is not None
            assert before is not None
            gap = (start - before).total_seconds()
            turn = None if ended is None else max(0.0, (start - ended).total_seconds())
            if 0 < gap <= 30 * 60:
                gaps.append((gap, turn))
        gaps = gaps[-12:]
        if not gaps:
            return None
        usual = middle([gap for gap, _ in gaps])
        gaps = [(gap, turn) for gap, turn in gaps if gap <= 2.5 * usual]
        only = [gap for gap, _ in gaps]
        gap, turns = middle(only), [turn for _, turn in gaps if turn is not None]
        spread = (at_share(only, 0.8) - at_share(only, 0.2)) / 2
        if len(only) < 4:
            spread = max(spread, gap / 4)
        return gap, middle(turns) if turns else gap, spread, len(only)

    def expected(self) -> dict[str, tuple[str, float]]:
        found: dict[str, tuple[str, float]] = {}
        rhythm, flown, rounds = self.rhythm(), self.flown(), self._by_id("Rounds")
        at: datetime | None = None
        if rhythm is not None:
            start, end = when(flown[-1]["Start"]), when(flown[-1]["End"])
            assert start is not None
            at = end + timedelta(seconds=rhythm[1]) if end else start + timedelta(seconds=rhythm[0])
        for number, race in enumerate(self.upcoming()):
            scheduled = when(rounds.get(race["Round"], {}).get("ScheduledStart"))
            is_first = all(other["Round"] != race["Round"] for other in [*flown, *self.upcoming()[:number]])
            if scheduled is not None and is_first and (at is None or scheduled > at):
                at = scheduled
            if at is not None:
                spread = rhythm[2] * (number + 1) ** 0.5 if rhythm else 0.0
                found[race["ID"]] = (at.strftime("%Y-%m-%d %H:%M:%S"), float(round(spread)))
            at = at + timedelta(seconds=rhythm[0]) if at is not None and rhythm is not None else None
        return found

    def channel_changed(self, race: Json, pilot: str) -> bool:
        """Is it another channel than in the race that the pilot flew before this one?"""
        flown = self.flown()
        before = flown[: flown.index(race)] if race in flown else flown
        channels = [
            seat["Channel"] for other in before for seat in self.seats(other) if seat["Pilot"] == pilot
        ]
        here = next(seat["Channel"] for seat in self.seats(race) if seat["Pilot"] == pilot)
        return bool(channels) and channels[-1] != here

    def next_flights(self) -> dict[str, tuple[str, int, str, bool]]:
        here, found = self.current(), {}
        line = [here] if here is not None and self.state(here) == "live" else []
        for number, race in enumerate([*line, *self.upcoming()]):
            for seat in self.seats(race):
                if seat["Pilot"] not in found:
                    changed = self.channel_changed(race, seat["Pilot"])
                    found[seat["Pilot"]] = (race["ID"], number, seat["Channel"], changed)
        return found

    # --- all of it ---

    def everything(self) -> Json:
        """All that is compared with the model."""
        current, event, order = self.current(), self.event(), self.order()
        laps, pb = event.get("Laps", 0), event.get("PBLaps", 0)
        return {
            "order": [race["ID"] for race in order],
            "states": {key: self.state(race) for key, race in self.races().items()},
            "names": {race["ID"]: self.name(race) for race in order},
            "current": current["ID"] if current is not None else None,
            "rows": {race["ID"]: self.rows(race) for race in order},
            "bests": [self.bests(1), self.bests(laps) if laps > 1 else [], self.bests(pb)],
            "stages": self.stages(),
            "upcoming": [race["ID"] for race in self.upcoming()],
            "rhythm": self.rhythm(),
            "expected": self.expected(),
            "next": self.next_flights(),
            "changed": {
                race["ID"]: sorted(
                    s["Pilot"] for s in self.seats(race) if self.channel_changed(race, s["Pilot"])
                )
                for race in order
            },
        }
