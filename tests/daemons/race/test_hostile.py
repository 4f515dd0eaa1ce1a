"""An event written to break things: every file of it is read, and whatever is made of it is bounded and is JSON."""

import hashlib
import json
from typing import Any

import attrs
import pytest

from daemons.race.bests import bests
from daemons.race.board import make_board
from daemons.race.dayfiles import DayFiles
from daemons.race.fetched import Fetched
from daemons.race.files import NAME_CHARACTERS_MAX, BadFile
from daemons.race.model import Day
from daemons.race.schedule import channel_changes, expected, line, next_flights, rhythm
from daemons.race.standings import stage_tables

from . import makers as make
from .hostile import LONG, NAMES, RACES, hostile_event

BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def read(files: dict[str, bytes]) -> DayFiles:
    """What is made of the files in whatever order they come."""
    taken = DayFiles()
    for path, body in files.items():
        digest = hashlib.sha256(body).digest()
        assert taken.concerns(path)
        taken.take(path, Fetched(path, body, None, digest, digest, 0.0))
    return taken


@pytest.fixture(scope="module")
def taken() -> DayFiles:
    return read(hostile_event())


def test_every_file_of_it_is_read(taken: DayFiles) -> None:
    day = taken.day
    assert day.event is not None
    assert len(day.races) == RACES
    assert len(day.pilots) == len(NAMES) + 300
    assert day.pilots[make.pilot_id(1)].name == NAMES[1]
    assert len(day.stages) == 64
    assert len(day.races[make.race_id(106)].seats) == 512
    assert taken.selected == make.race_id(102)


def test_every_word_of_it_is_short_and_turns_nothing_round(taken: DayFiles) -> None:
    seen = list(words(attrs.asdict(taken.day)))
    assert NAMES[0] in seen
    assert LONG[:NAME_CHARACTERS_MAX] in seen
    for word in seen:
        assert len(word) <= NAME_CHARACTERS_MAX
        assert not BIDI & set(word)
        assert not any(ord(char) < 0x20 for char in word)
        word.encode()  # no half characters


def test_every_number_of_it_is_one(taken: DayFiles) -> None:
    json.dumps(made_of(taken.day, taken.selected), allow_nan=False, default=str)


def test_it_is_computed_whatever_has_been_read() -> None:
    """Files come in any order, and most views are asked for before all are there."""
    files = hostile_event()
    for skipped in list(files)[1::3]:
        taken = read({path: body for path, body in files.items() if path != skipped})
        made_of(taken.day, taken.selected)
        board = make_board(taken.day, taken.selected, kept_results=taken.kept_results)
        assert len(json.dumps(board, allow_nan=False)) < 200_000


def test_of_fields_nobody_knew_a_few_are_told_once(taken: DayFiles) -> None:
    (told,) = [news for news in taken.field_news if news.file == "Event.json"]
    assert len(told.unknown) == 20
    assert all(len(name) <= 60 for name in told.unknown)
    assert len(taken.field_news) <= 32


@pytest.mark.parametrize("cut", [0, 1, 200, -1])
def test_half_of_a_file_leaves_the_last_good_one(taken: DayFiles, cut: int) -> None:
    files = hostile_event()
    taken = read(files)
    before = taken.day
    for path, body in files.items():
        if path.endswith(".json"):
            digest = hashlib.sha256(body[:cut]).digest()
            with pytest.raises(BadFile):
                taken.take(path, Fetched(path, body[:cut], None, digest, digest, 0.0))
    assert taken.day == before


def made_of(day: Day, selected: str | None) -> list[Any]:
    beat = rhythm(day)
    return [
        attrs.asdict(bests(day)),
        [attrs.asdict(table) for table in stage_tables(day)],
        {key: attrs.asdict(at) for key, at in expected(day, selected).items()},
        {key: attrs.asdict(flight) for key, flight in next_flights(day, selected).items()},
        {key: sorted(pilots) for key, pilots in channel_changes(day).items()},
        [race.id for race in line(day, selected)],
        attrs.asdict(beat) if beat is not None else None,
    ]


def words(value: Any) -> Any:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from words(key)
            yield from words(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from words(item)
