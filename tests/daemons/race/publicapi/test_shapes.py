"""Every answer and every record is of the shape that the document tells: of a recorded event, of a played day as it goes
on, and of an event that somebody wrote to break things."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from trio.testing import MockClock

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, RaceDay
from daemons.race.keeper import BoardKeeper
from daemons.race.paths import HOME
from daemons.race.pocketbase.book import RecordBook
from daemons.race.pocketbase.records import SiteDay
from daemons.race.publicapi import cuts
from daemons.race.publicapi.cuts import Wanted
from daemons.race.publicapi.document import document
from daemons.race.treebytes import to_json

from .. import makers as make
from ..field import Field, feed, fetched
from ..hostile import hostile_event

SHAPES = document()["components"]


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": SHAPES}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


VALIDATORS = {name: validator(name) for name in SHAPES["schemas"]}


def answers(keeper: BoardKeeper) -> Iterator[tuple[str, Any]]:
    """Yield every answer there is about a site, with the name of its shape."""
    tree = keeper.tree.newest().tree
    age = {"stale_after_s": 5.0, "stale": False}
    yield "Tree", tree
    yield "Site", cuts.summary("field", tree, age)
    yield "Now", cuts.now(tree, age)
    yield "Races", cuts.races(tree, Wanted())
    yield "Pilots", cuts.pilots(tree)
    yield "Rounds", cuts.rounds(tree)
    yield "Stages", cuts.stages(tree)
    yield "Bests", cuts.bests(tree)
    yield from (("Race", cuts.race(tree, key)) for key in tree["races"])
    yield from (("Pilot", cuts.pilot(tree, key)) for key in tree["pilots"])
    board = {"version": keeper.version, **keeper.board}
    yield (
        "Board",
        {"age_s": None, "stale_after_s": 5.0, "stale": True, "why": None, "as_of": None, "board": board},
    )


def check(keeper: BoardKeeper, book: RecordBook) -> None:
    for name, value in answers(keeper):
        _valid(name, value)
    now = keeper.tree.newest().tree["now"]
    list(book.look({"field": SiteDay(keeper.day, now.get("race"))}, 1_000.0))
    for name, records in book.records.items():
        for record in records.values():
            _valid(f"record_{name}", record)


def _valid(name: str, value: Any) -> None:
    to_json(value)  # which is refused for numbers that JSON has not
    errors = [
        f"{error.instance_path}: {error.message[:200]}" for error in VALIDATORS[name].iter_errors(value)
    ]
    assert not errors, (name, errors[:3])


def keeper_of(files: Mapping[str, bytes], event_id: str) -> BoardKeeper:
    keeper = BoardKeeper()
    day = Field()
    day.files = {HOME: make.home(event_id), **files}
    feed(keeper, day)
    return keeper


def test_an_event_that_is_meant_to_break_things() -> None:
    files = hostile_event()
    event_id = next(path for path in files if path.startswith("/events/")).split("/")[2]
    keeper = keeper_of(files, event_id)
    assert len(keeper.tree.newest().tree["races"]) > 3
    check(keeper, RecordBook())


def test_a_recorded_event(samples: Path) -> None:
    folder = samples / "fpv" / "tree-test-1"
    files = {f"/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*.json")}
    (event_folder,) = (folder / "events").iterdir()
    keeper = keeper_of(files, event_folder.name)
    assert len(keeper.tree.newest().tree["races"]) >= 10
    check(keeper, RecordBook())


class Watched(EventTree):
    """A day's files, read as they are written; what is made of them is looked at every now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper, self.book, self.written = BoardKeeper(), RecordBook(), 0

    def put(self, path: str, body: bytes, occasion: str = "") -> None:
        super().put(path, body, occasion)
        path = "/" + path.lstrip("/")
        if path.startswith("/events/") and not self.written:
            self.keeper.apply(HOME, fetched(HOME, make.home(path.split("/")[2])))
        self.written += path.startswith("/events/")
        self.keeper.apply(path, fetched(path, body))
        if self.written % 40 == 0:
            check(self.keeper, self.book)


async def test_a_played_day(autojump_clock: MockClock) -> None:
    tree = Watched()
    await RaceDay(FPVTrackside(tree), 3, rounds=2).run()
    races = tree.keeper.tree.newest().tree["races"].values()
    assert {race["state"] for race in races} >= {"done"}
    assert len(tree.book.records["laps"]) > 20
    check(tree.keeper, tree.book)


@pytest.mark.parametrize("name", ["Tree", "Now", "Race", "record_laps"])
def test_what_is_of_another_shape_is_noticed(name: str) -> None:
    assert not VALIDATORS[name].is_valid({"surprise": 1})
