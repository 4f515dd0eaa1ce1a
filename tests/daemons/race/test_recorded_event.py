"""The model against a recorded event, race by race: what FPVTrackside's own rules let a spectator see."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemons.race.files import read_channels, read_event, read_pilots, read_race, read_rounds
from daemons.race.model import Day, Race
from daemons.race.rules import best_consecutive, current_race, ordered_races, race_name, rows_of


def day_of(folder: Path) -> Day:
    (event_folder,) = (folder / "events").iterdir()
    races = [read_race(str(path), path.read_bytes()) for path in event_folder.glob("*/Race.json")]
    return Day(
        event=read_event("Event.json", (event_folder / "Event.json").read_bytes()),
        pilots=read_pilots("Pilots.json", (event_folder / "Pilots.json").read_bytes()),
        rounds=read_rounds("Rounds.json", (event_folder / "Rounds.json").read_bytes()),
        channels=read_channels("Channels.json", (folder / "httpfiles" / "Channels.json").read_bytes()),
        races={race.id: race for race in races},
    )


@pytest.fixture
def day(samples: Path) -> Day:
    return day_of(samples / "fpv" / "tree-test-1")


@pytest.fixture
def expected(samples: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((samples / "fpv" / "tree-test-1.expected-summary.json").read_bytes())
    return summary


def seen(day: Day, race: Race) -> dict[str, Any]:
    assert day.event is not None
    rows = rows_of(day, race)
    return {
        "id": race.id,
        "name": race_name(day, race),
        "order": [day.rounds[race.round_id].order, race.number],
        "state": race.state.value,
        "rows": [
            {
                "pilot": row.pilot,
                "channel": row.channel,
                "MHz": row.frequency_mhz,
                "position": row.position,
                "holeshot": rounded(row.flight.holeshot_s),
                "laps": [rounded(lap_s) for lap_s in row.flight.laps_s],
                "lapsOverTarget": row.flight.over_target,
                "best": rounded(row.flight.best_s),
                "best4": rounded(best_consecutive(row.flight.laps_s, day.event.laps)),
                "dnf": row.dnf,
            }
            for row in rows
        ],
    }


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def test_every_race_is_seen_as_fpvtrackside_sees_it(day: Day, expected: dict[str, Any]) -> None:
    assert day.event is not None
    assert (day.event.name, day.event.laps, day.event.pb_laps) == (
        expected["event"],
        expected["laps"],
        expected["pbLaps"],
    )
    races = ordered_races(day)
    assert len(races) == len(expected["races"])
    for race, wanted in zip(races, expected["races"], strict=True):
        wanted = {key: value for key, value in wanted.items() if key not in {"start", "end"}}
        assert seen(day, race) == wanted


def test_the_next_race_is_shown_when_none_is_selected(day: Day, expected: dict[str, Any]) -> None:
    race = current_race(day, None)
    assert race is not None
    assert race.id == next(r["id"] for r in expected["races"] if r["state"] == "pending")
