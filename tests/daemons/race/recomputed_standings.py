"""Rankings of stages, computed a second time from the raw files. What for, and by which rules: `recomputed`."""

import math
from typing import Any

from .recomputed_races import TYPES, Json, RecomputedRaces

__all__ = ["RecomputedStandings"]


class RecomputedStandings(RecomputedRaces):
    """The rankings of what has been read."""

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
