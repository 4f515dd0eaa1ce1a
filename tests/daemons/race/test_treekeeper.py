"""Versions of the tree: their names, what each viewer lacks, and what it costs."""

import json
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.files import read_race
from daemons.race.mergepatch import apply
from daemons.race.model import Day
from daemons.race.treekeeper import VERSIONS_MAX, TreeKeeper

from . import makers as make
from .test_rules import day_of


def show(keeper: TreeKeeper, day: Day) -> str:
    keeper.look_at(day, None, None, frozenset())
    return keeper.newest().id


def with_race(day: Day, race: dict[str, Any]) -> Day:
    read = read_race("Race.json", make.to_bytes([race]))
    return evolve(day, races={**day.races, read.id: read})


def flying(*laps: float, number: int = 1) -> dict[str, Any]:
    return make.race(number, start=make.START, flown={1: [4.0, *laps]}, target=200)


def read(event: bytes) -> tuple[str, str, Any]:
    """Kind, id and value of one event."""
    fields = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
    return fields["event"], fields["id"], json.loads(fields["data"])


def test_the_name_is_of_the_content_alone() -> None:
    day = day_of(flying(9.0))
    one, other = TreeKeeper(), TreeKeeper()
    first = show(one, day)
    for laps in ((), (9.0, 8.0), (9.0,)):
        show(other, with_race(day, flying(*laps)))
    assert other.newest().id == first
    assert len({show(other, with_race(day, flying(*[9.0] * count))) for count in range(5)}) == 5


def test_the_body_is_the_tree() -> None:
    keeper = TreeKeeper()
    for count in range(4):
        show(keeper, day_of(flying(*[9.0] * count), make.race(2)))
        assert json.loads(keeper.newest().body()) == keeper.newest().tree
    empty = TreeKeeper().newest()
    assert json.loads(empty.body()) == empty.tree


def test_who_lacks_one_version_gets_a_patch_and_all_the_same_bytes() -> None:
    keeper, day = TreeKeeper(), day_of(flying(9.0), *[make.race(number) for number in range(2, 40)])
    before = show(keeper, day)
    tree = keeper.newest().tree
    after = show(keeper, with_race(day, flying(9.0, 8.5)))
    events = {id(keeper.event(before)) for _ in range(1000)}
    assert len(events) == 1
    assert keeper.encodings == {"patch": 1, "snapshot": 0, "packed": 0}
    kind, name, patch = read(keeper.event(before))
    assert (kind, name) == ("patch", after)
    assert apply(tree, patch) == keeper.newest().tree
    assert len(keeper.event(before)) < 700
    assert keeper.event(after) == b""


def test_who_lacks_several_gets_one_patch_that_joins_them() -> None:
    keeper, day = TreeKeeper(), day_of(flying(9.0), make.race(2), make.race(3))
    before = show(keeper, day)
    tree = keeper.newest().tree
    for count in range(2, 8):
        day = with_race(day, flying(*[9.0] * count))
        after = show(keeper, day)
    kind, name, patch = read(keeper.event(before))
    assert (kind, name) == ("patch", after)
    assert apply(tree, patch) == keeper.newest().tree
    assert keeper.encodings["patch"] == 1


def test_who_lacks_what_is_not_known_gets_everything_once_made() -> None:
    keeper, day = TreeKeeper(), day_of(flying(9.0))
    first = show(keeper, day)
    for count in range(2, VERSIONS_MAX + 2):
        show(keeper, with_race(day, flying(*[9.0] * count)))
    for unknown in (first, "", "never seen", "\x00"):
        kind, name, tree = read(keeper.event(unknown))
        assert (kind, name, tree) == ("tree", keeper.newest().id, keeper.newest().tree)
    assert keeper.encodings["snapshot"] == 1
    assert keeper.made == VERSIONS_MAX + 1


def test_where_it_is_shorter_everything_is_sent() -> None:
    keeper = TreeKeeper()
    before = show(keeper, day_of(*[make.race(number) for number in range(1, 60)]))
    show(keeper, Day())
    assert read(keeper.event(before))[0] == "tree"


def test_nothing_is_made_until_somebody_looks() -> None:
    keeper, day = TreeKeeper(), day_of(flying(9.0))
    for count in range(20):
        keeper.look_at(with_race(day, flying(*[9.0] * count)), None, None, frozenset())
    assert keeper.made == 0
    keeper.newest()
    keeper.newest()
    assert keeper.made == 1


_RACES = st.builds(
    lambda number, laps, has_ended: (number, laps, has_ended),
    st.integers(1, 4),
    st.lists(st.sampled_from([8.0, 9.0]), max_size=3),
    st.booleans(),
)


@given(st.lists(_RACES, min_size=1, max_size=12), st.integers(0, 11))
def test_whatever_happens_a_viewer_who_applies_what_he_is_sent_has_the_tree(
    steps: list[tuple[int, list[float], bool]], seen: int
) -> None:
    keeper, day = TreeKeeper(), day_of(make.race(1))
    shown, name = keeper.newest().tree, keeper.newest().id
    for place, (number, laps, has_ended) in enumerate(steps):
        end = make.END if has_ended else make.NONE
        day = with_race(day, {**flying(*laps, number=number), "End": end})
        show(keeper, day)
        if place >= seen and (event := keeper.event(name)):
            kind, name, value = read(event)
            shown = value if kind == "tree" else apply(shown, value)
            assert shown == keeper.newest().tree
