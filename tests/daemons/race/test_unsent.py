"""Which races the hub has not the newest of."""

from hypothesis import given
from hypothesis import strategies as st

from daemons.race.paths import Kind, race_file
from daemons.race.unsent import Unsent

from . import makers as make
from .field import PILOTS, race_path, result_path

RACE = race_path(101)


def standing(unsent: Unsent) -> tuple[int, float | None]:
    return len(unsent.races), unsent.behind_since


def test_a_race_waits_from_its_change_until_the_hub_has_it() -> None:
    unsent = Unsent()
    unsent.read(RACE, b"1", 10.0)
    assert standing(unsent) == (1, 10.0)
    unsent.settled({RACE: b"1"}, 11.0, wants_no_more=False)
    assert standing(unsent) == (0, None)
    unsent.read(RACE, b"2", 20.0)
    unsent.read(result_path(101), b"r", 25.0)
    unsent.settled({RACE: b"1"}, 26.0, wants_no_more=False)
    assert standing(unsent) == (1, 20.0)
    assert unsent.races == {make.race_id(101)}
    unsent.settled({RACE: b"2", result_path(101): b"r"}, 27.0, wants_no_more=False)
    assert standing(unsent) == (0, None)


def test_what_the_hub_does_not_watch_is_not_waited_for_once_it_has_said_all() -> None:
    unsent = Unsent()
    unsent.read(RACE, b"1", 0.0)
    unsent.settled({}, 1.0, wants_no_more=False)
    assert unsent.races
    unsent.settled({}, 1.0, wants_no_more=True)
    assert not unsent.races


def test_a_hub_that_begins_anew_is_behind_again() -> None:
    unsent = Unsent()
    unsent.read(RACE, b"1", 0.0)
    unsent.settled({RACE: b"1"}, 1.0, wants_no_more=True)
    unsent.settled({RACE: b""}, 2.0, wants_no_more=True)
    assert unsent.races


def test_only_races_of_the_open_event_count() -> None:
    unsent = Unsent()
    unsent.read(PILOTS, b"p", 0.0)
    unsent.read("/current", b"c", 0.0)
    assert not unsent.races
    unsent.read(RACE, b"1", 0.0)
    other = race_file("aaaaaaaa-0000-4000-8000-000000000002", make.race_id(205), Kind.RACE)
    unsent.read(other, b"1", 1.0)
    assert unsent.races == {make.race_id(205)}


def test_what_the_hub_has_is_remembered_over_a_restart() -> None:
    unsent = Unsent()
    for number in (101, 102):
        unsent.read(race_path(number), b"1", 0.0)
    unsent.settled({race_path(101): b"1"}, 1.0, wants_no_more=False)
    written, gone = unsent.take_changed()
    assert (written, gone) == ({race_path(101): b"1"}, [])
    assert unsent.take_changed() == ({}, [])
    again = Unsent()
    again.load(written.items())
    for number in (101, 102):
        again.read(race_path(number), b"1", 0.0)
    assert again.races == {make.race_id(102)}


@given(
    st.lists(st.tuples(st.sampled_from([101, 102, 103]), st.binary(max_size=1), st.booleans()), max_size=40)
)
def test_a_race_waits_exactly_while_it_differs(steps: list[tuple[int, bytes, bool]]) -> None:
    unsent, here, there = Unsent(), dict[int, bytes](), dict[int, bytes]()
    for at, (number, name, is_sent) in enumerate(steps):
        here[number] = name
        unsent.read(race_path(number), name, float(at))
        if is_sent:
            there[number] = name
            unsent.settled(
                {race_path(key): value for key, value in there.items()}, float(at), wants_no_more=False
            )
        waiting = {make.race_id(key) for key, value in here.items() if there.get(key) != value}
        assert unsent.races == waiting
        assert (unsent.behind_since is None) == (not waiting)
