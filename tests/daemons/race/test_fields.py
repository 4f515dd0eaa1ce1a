"""A version of FPVTrackside that drops or adds a field is noticed, named and told once."""

import hashlib
import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chaos.doubles.fpvtrackside import Edition, EventTree, FPVTrackside, RaceEdits
from daemons.race.dayfiles import DayFiles
from daemons.race.fetched import Fetched
from daemons.race.fields import FieldNews, field_news
from daemons.race.paths import Kind, file_of

from . import makers as make
from .field import fetched


async def written(edition: Edition) -> dict[str, bytes]:
    """The files of a small event with a race flown and everything in use, as a version writes them."""
    tree = EventTree()
    control = RaceEdits(FPVTrackside(tree), seed=1)
    control.edition = edition
    await control.open_event(pilots=3)
    stage = await control.add_stage("Day", points={"RoundPositionRollover": True, "DropWorstRound": True})
    round_id = await control.add_round()
    await control.put_in_stage(round_id, stage)
    race = await control.add_race(round_id, [row["ID"] for row in control.pilots])
    await control.start_race(race)
    for _ in range(2):
        await trio.sleep(8)
        await control.add_lap(race, race.pilots[0])
    await control.end_race(race)
    await control.roll_over(round_id)
    return {path: tree.read(path) or b"" for path in tree.paths() if path.endswith(".json")}


@pytest.mark.parametrize("edition", Edition)
async def test_no_known_version_is_news(edition: Edition, autojump_clock: MockClock) -> None:
    seen = set()
    for path, body in (await written(edition)).items():
        file = file_of(f"/{path}")
        assert file is not None
        assert field_news(file.kind, json.loads(body)) is None, path
        seen.add(file.kind)
    gone = {Kind.STAGES} if edition is Edition.MID_2025 else set()
    assert seen == set(Kind) - {Kind.HOME, Kind.CURRENT} - gone


async def test_a_new_field_and_a_vanished_one_are_named(autojump_clock: MockClock) -> None:
    files = await written(Edition.NEW)
    path = next(path for path in files if path.endswith("/Race.json"))
    (race,) = json.loads(files[path])
    race["Weather"] = "rain"
    race["Laps"][1]["Altitude"] = 3
    del race["Detections"][0]["Valid"], race["Start"]
    assert field_news(Kind.RACE, [race]) == FieldNews(
        "Race.json", ("Laps.Altitude", "Weather"), ("Detections.Valid", "Start")
    )
    assert field_news(Kind.RACE, "no list") is None
    assert field_news(Kind.HOME, [{}]) is None


def read(files: DayFiles, path: str, body: bytes) -> None:
    digest = hashlib.sha256(body).digest()
    files.take(path, Fetched(path, body, None, digest, digest, 0.0))


async def test_it_is_told_once_a_version_and_looked_for_again_when_a_race_has_laps(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[Any]:
        return [record for record in caplog.records if "race.file_changed" in record.getMessage()]

    good = await written(Edition.NEW)
    event_id = next(path.split("/")[1] for path in good if path.startswith("events/"))
    path = next(f"/{path}" for path in good if path.endswith("/Race.json"))
    (race,) = json.loads(good[path[1:]])
    files = DayFiles()
    read(files, "/", make.home(event_id))
    pending = race | {"Laps": [], "Detections": [], "Start": make.NONE, "End": make.NONE}
    read(files, path, make.to_bytes([pending]))
    assert told() == []
    race["Laps"][0]["Altitude"] = 3
    read(files, path, make.to_bytes([race]))
    assert [news.unknown for news in files.field_news] == [("Laps.Altitude",)]
    assert len(told()) == 1
    read(files, path, make.to_bytes([race | {"RaceNumber": 7}]))
    read(files, path, make.to_bytes([pending | {"RaceNumber": 8}]))
    read(files, path, make.to_bytes([race | {"RaceNumber": 9}]))
    assert len(told()) == 1
    race["Weather"] = "rain"  # the next version; it shows when the race's state is another
    read(files, path, make.to_bytes([race | {"End": make.NONE}]))
    assert len(told()) == 2
    assert files.day.races[race["ID"]].laps


def test_what_is_not_there_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    files = DayFiles()
    read(files, "/", make.home())
    path = f"/events/{make.EVENT_ID}/Stages.json"
    files.take(path, fetched(path, b"[]", absent=True))
    assert files.field_news == ()
    assert files.day.stages == {}
