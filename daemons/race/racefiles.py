"""The files of a race read into values: Race.json and Result.json, and the Results.json of the event.

What raises BadFile and what is forgiven: `files`. Fields as in FPVTracksideCore `DB/JSON/Race.cs` and `Result.cs`.
"""

from collections.abc import Iterator
from typing import Any

from daemons.race.model import Detection, Lap, Race, Result, RollOver, Seat, Timing
from daemons.race.parts import (
    BadFile,
    count,
    datetime_of,
    entries,
    flag,
    guid,
    integer,
    length,
    load,
    moment,
    objects,
    one_of,
    single,
    span_s,
    text,
)

__all__ = ["read_race", "read_results", "read_rollovers", "read_seats"]

SEATS_MAX = 512
"""Of an event or a race: the first ones."""


def read_race(path: str, body: bytes) -> Race:
    """Read a Race.json. Raises BadFile."""
    fields = single(path, body)
    race_id = guid(fields.get("ID"))
    if race_id is None:
        raise BadFile(path, "the race has no ID")
    bracket = text(fields.get("Bracket"))
    return Race(
        id=race_id,
        number=count(fields, "RaceNumber"),
        round_id=guid(fields.get("Round")) or "",
        target_laps=count(fields, "TargetLaps"),
        valid=flag(fields, "Valid", True),
        start=datetime_of(fields, "Start", path),
        end=datetime_of(fields, "End", path),
        bracket=bracket if bracket not in {"", "None"} else None,
        seats=tuple(read_seats(fields, path)),
        detections=tuple(_detections(fields, path)),
        laps=tuple(_laps(fields, path)),
        paused_s=max(0.0, span_s(fields.get("TotalPausedTime")) or 0.0),
        timing=one_of(Timing, fields.get("PrimaryTimingSystemLocation"), Timing.HOLESHOT),
    )


def read_seats(fields: dict[str, Any], path: str) -> Iterator[Seat]:
    """Yield the PilotChannels of a race or an event, of two for one pilot the first. Raises BadFile."""
    seen: set[str] = set()
    for item in entries(fields, "PilotChannels", path):
        pilot = guid(item.get("Pilot"))
        if pilot is not None and pilot not in seen and len(seen) < SEATS_MAX:
            seen.add(pilot)
            handicap_s = span_s(item.get("HandicapOffset")) or 0.0
            yield Seat(pilot, guid(item.get("Channel")) or "", handicap_s)


def _detections(fields: dict[str, Any], path: str) -> Iterator[Detection]:
    """Yield the gate passes that somebody made; of two with one id the first, as FPVTrackside's own page takes it."""
    seen: set[str] = set()
    for item in entries(fields, "Detections", path):
        key, pilot = guid(item.get("ID")), guid(item.get("Pilot"))
        if key is None or pilot is None or key in seen:
            continue
        seen.add(key)
        sector = integer(item.get("RaceSector"))
        if sector is None:
            lap, gate = integer(item.get("LapNumber")), integer(item.get("TimingSystemIndex"))
            if lap is None:
                continue
            sector = lap * 100 + (gate or 0)
        yield Detection(key, pilot, moment(item.get("Time")), sector, flag(item, "Valid", True))


def _laps(fields: dict[str, Any], path: str) -> Iterator[Lap]:
    for item in entries(fields, "Laps", path):
        detection, number = guid(item.get("Detection")), integer(item.get("LapNumber"))
        length_s = length(item.get("LengthSeconds"))
        if detection is not None and number is not None and length_s is not None:
            yield Lap(detection, number, length_s)


def read_results(path: str, body: bytes) -> tuple[Result, ...]:
    """Read a race's Result.json; empty while FPVTrackside recalculates. Raises BadFile."""
    results: dict[str, Result] = {}
    for fields in objects(path, load(path, body)):
        pilot = guid(fields.get("Pilot"))
        if pilot is None or not flag(fields, "Valid", True):
            continue
        result = Result(
            pilot_id=pilot,
            position=count(fields, "Position"),
            dnf=flag(fields, "DNF", False),
            points=integer(fields.get("Points")) or 0,
            time_s=span_s(fields.get("Time")),
            laps=integer(fields.get("LapsFinished")),
        )
        results.setdefault(pilot, result)
    return tuple(results.values())


def read_rollovers(path: str, body: bytes) -> tuple[RollOver, ...]:
    """Read an event's Results.json, of which only what rolls over is of use: a race's results lie with the race.

    Of two for one pilot and round the first. Raises BadFile.
    """
    found: dict[tuple[str, str], RollOver] = {}
    for fields in objects(path, load(path, body)):
        pilot, round_id = guid(fields.get("Pilot")), guid(fields.get("Round"))
        if pilot is None or round_id is None or text(fields.get("ResultType")) != "RoundRollOver":
            continue
        if flag(fields, "Valid", True):
            points, position = integer(fields.get("Points")) or 0, count(fields, "Position")
            found.setdefault((pilot, round_id), RollOver(pilot, round_id, points, position))
    return tuple(found.values())
