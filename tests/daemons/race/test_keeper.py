"""The keeper: boards from files as they come, the last good ones kept, and how old it all is."""

import json
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.keeper import IDLE_STALE_S, LIVE_STALE_S, BoardKeeper
from daemons.race.paths import CHANNELS, CURRENT, HOME, Kind, race_file
from protocol.errors import ErrorCode, RequestError

from . import makers as make
from .field import EVENT, PILOTS, ROUNDS, Field, feed, fetched, open_field, race_path, result_path

LIVE: dict[str, Any] = {"start": make.START}
DONE: dict[str, Any] = {"start": make.START, "end": make.END}


def kept(day: Field, at: float = 0.0) -> BoardKeeper:
    keeper = BoardKeeper()
    feed(keeper, day, at)
    return keeper


def apply(keeper: BoardKeeper, day: Field, path: str, at: float = 0.0) -> bool:
    return keeper.apply(path, fetched(path, day.files[path], at))


def pilots(keeper: BoardKeeper) -> list[str]:
    return [row["pilot"] for row in keeper.board["race"]["rows"]]


def watched(keeper: BoardKeeper) -> dict[str, tuple[float, int]]:
    return {watch.path: (watch.period_s, watch.priority) for watch in keeper.watches()}


# --- from files to boards ---


def test_a_board_grows_out_of_the_home_page() -> None:
    """Each file names the next ones: page, event, races; nothing has to be known beforehand."""
    keeper = BoardKeeper()
    assert keeper.board["phase"] == "no_event"
    assert list(watched(keeper)) == [HOME]
    day = open_field([101, 102])
    day.race(101, **LIVE, flown={1: [4.0, 9.0], 2: [5.0]})
    feed(keeper, day)
    assert keeper.board["headline"] == "Race 1-1 is on"
    assert pilots(keeper) == ["Ann", "Bo"]
    assert keeper.is_live
    for path in (HOME, CURRENT, CHANNELS, EVENT, PILOTS, ROUNDS, race_path(101), race_path(102)):
        assert path in watched(keeper)


def test_only_another_board_is_another_version() -> None:
    day = open_field([101])
    keeper = kept(day)
    version, serial = keeper.version, keeper.serial
    assert not apply(keeper, day, race_path(101), at=1.0)
    assert not keeper.apply(race_path(101), fetched(race_path(101), day.files[race_path(101)] + b"\r\n", 2.0))
    assert (keeper.version, keeper.serial) == (version, serial)
    day.race(101, **LIVE)
    assert apply(keeper, day, race_path(101))
    assert (keeper.version, keeper.serial) == (version + 1, serial + 1)


def test_a_board_is_encoded_once_a_version() -> None:
    day = open_field([101])
    keeper = kept(day)
    before = keeper.encodings
    first, etag = keeper.encoded(), keeper.etag
    assert (keeper.encoded(), keeper.etag, keeper.encodings) == (first, etag, before + 1)
    assert json.loads(first) == {"version": keeper.version, **keeper.board}
    day.race(101, **LIVE)
    apply(keeper, day, race_path(101))
    assert keeper.encoded() != first
    assert keeper.etag != etag
    assert keeper.encodings == before + 2


def test_lap_counts_may_go_down_and_finished_races_go_live_again() -> None:
    day = open_field([101])
    keeper = kept(day)
    laps = []
    for more in (
        LIVE | {"flown": {1: [4.0, 9.0, 9.0]}},
        LIVE | {"flown": {1: [4.0, 9.0]}},
        DONE | {"flown": {1: [4.0, 9.0]}},
        LIVE | {"flown": {1: [4.0, 9.0, 8.0]}},
    ):
        day.race(101, **more)
        assert apply(keeper, day, race_path(101))
        laps.append((keeper.board["phase"], keeper.board["race"]["rows"][0]["laps"]))
    assert laps == [("live", 2), ("live", 1), ("done", 1), ("live", 2)]


def test_another_event_starts_anew_and_files_of_the_old_one_are_ignored() -> None:
    day = open_field([101])
    keeper = kept(day)
    other = "aaaaaaaa-0000-4000-8000-00000000000f"
    keeper.apply(HOME, fetched(HOME, make.home(other)))
    assert keeper.apply(race_path(101), fetched(race_path(101), b"[]")) is False
    assert keeper.board["phase"] == "no_event"
    assert race_file(other, make.race_id(101), Kind.RACE) not in watched(keeper)
    assert f"/events/{other}/Event.json" in watched(keeper)
    feed(keeper, day)
    assert keeper.board["headline"] == "Race 1-1 is next"


def test_what_was_selected_in_another_event_is_forgotten() -> None:
    day = open_field([101, 102])
    keeper = kept(day)
    current = fetched(CURRENT, make.to_bytes({"CurrentRace": make.race_id(102)}))
    keeper.apply(CURRENT, current)
    keeper.apply(HOME, fetched(HOME, make.home("aaaaaaaa-0000-4000-8000-00000000000f")))
    feed(keeper, day)
    assert keeper.board["race"]["id"] == make.race_id(101)
    keeper.apply(CURRENT, current)
    assert keeper.board["race"]["id"] == make.race_id(102)


def test_a_home_page_that_names_no_event_changes_nothing() -> None:
    keeper = kept(open_field([101]))
    assert not keeper.apply(HOME, fetched(HOME, make.home(None)))
    assert keeper.board["event"]["name"] == "Winter Cup"


# --- results ---


def test_results_that_turn_empty_are_kept_and_marked() -> None:
    day = open_field([101])
    day.race(101, **DONE, flown={1: [4.0, 9.0], 2: [5.0]})
    day.put(result_path(101), [make.result(2, 1), make.result(1, 2)])
    keeper = kept(day)
    assert pilots(keeper) == ["Bo", "Ann"]
    keeper.apply(result_path(101), fetched(result_path(101), b"[]"))
    assert (pilots(keeper), keeper.board["race"]["results_from_memory"]) == (["Bo", "Ann"], True)
    apply(keeper, day, result_path(101))
    assert (pilots(keeper), keeper.board["race"]["results_from_memory"]) == (["Bo", "Ann"], False)


def test_results_of_an_earlier_flight_are_not_shown_for_the_next() -> None:
    day = open_field([101])
    day.race(101, **DONE, flown={1: [4.0, 9.0], 2: [5.0]})
    day.put(result_path(101), [make.result(2, 1), make.result(1, 2)])
    keeper = kept(day)
    day.race(101, start="2026/02/07 4:00:00", end="2026/02/07 4:02:00", flown={1: [4.0, 9.0], 2: [5.0]})
    apply(keeper, day, race_path(101))
    assert (pilots(keeper), keeper.board["race"]["official"]) == (["Ann", "Bo"], False)
    apply(keeper, day, result_path(101))  # the same bytes as before, but read for this flight
    assert keeper.board["race"]["official"]


def test_results_are_looked_for_at_once_when_a_race_ends_but_not_for_ever() -> None:
    day = open_field([101])
    day.race(101, **LIVE)
    keeper = kept(day)
    assert result_path(101) not in watched(keeper)
    day.race(101, **DONE)
    apply(keeper, day, race_path(101))
    assert result_path(101) in keeper.take_urgent()
    assert watched(keeper)[result_path(101)] == (1.0, 0)
    for _ in range(5):
        keeper.apply(result_path(101), fetched(result_path(101), b"[]", absent=True))
    assert watched(keeper)[result_path(101)][0] > 60
    assert keeper.take_urgent() == ()


# --- what does not parse, and what is missing ---


@pytest.mark.parametrize("path", [race_path(101), EVENT, PILOTS, ROUNDS, CHANNELS])
@pytest.mark.parametrize("body", [b"", b"[{", b"<html>", b'[{"ID": 1}, 5]'])
def test_a_bad_file_leaves_the_last_good_one(path: str, body: bytes) -> None:
    day = open_field([101])
    day.race(101, **LIVE, flown={1: [4.0, 9.0]})
    keeper = kept(day, at=100.0)
    board, bad = keeper.board, keeper.bad_files
    assert not keeper.apply(path, fetched(path, body, 109.0))
    assert (keeper.board, keeper.bad_files) == (board, bad + 1)
    fresh = keeper.freshness(110.0)
    assert fresh.age_s == 10.0  # what was not understood is no news
    assert (fresh.why is not None) == (path == race_path(101))
    apply(keeper, day, path, at=110.0)
    assert keeper.freshness(110.0).why is None


def test_a_race_file_under_another_races_name_is_a_bad_file() -> None:
    day = open_field([101, 102])
    keeper = kept(day)
    keeper.apply(race_path(101), fetched(race_path(101), day.files[race_path(102)]))
    assert keeper.bad_files == 1
    assert keeper.board["race"]["id"] == make.race_id(101)


def test_a_race_that_is_absent_is_no_race() -> None:
    day = open_field([101])
    keeper = kept(day)
    assert not keeper.apply(race_path(101), fetched(race_path(101), b"[]", absent=True))
    assert keeper.board["race"]["id"] == make.race_id(101)
    assert keeper.bad_files == 0


def test_an_unknown_pilot_or_round_is_asked_for_at_once_and_then_with_patience() -> None:
    day = open_field([101])
    keeper = kept(day)
    day.race(101, **LIVE, seats={1: 9, 8: 10})
    apply(keeper, day, race_path(101))
    assert pilots(keeper) == ["Ann", "Unknown pilot"]
    assert keeper.take_urgent() == (PILOTS,)
    for _ in range(5):
        assert watched(keeper)[PILOTS] == (1.0, 0)
        apply(keeper, day, PILOTS)
        assert keeper.take_urgent() == ()
    assert watched(keeper)[PILOTS][0] > 1.0
    day.race(101, **LIVE, seats={1: 9, 7: 10})
    apply(keeper, day, race_path(101))
    assert keeper.take_urgent() == (PILOTS,)
    day.put(PILOTS, [make.pilot(1, "Ann"), make.pilot(7, "Dee")])
    apply(keeper, day, PILOTS)
    assert pilots(keeper) == ["Ann", "Dee"]
    assert watched(keeper)[PILOTS][0] > 1.0


def test_a_selected_race_that_was_never_seen_is_watched() -> None:
    keeper = kept(open_field([101]))
    keeper.apply(CURRENT, fetched(CURRENT, make.to_bytes({"CurrentRace": make.race_id(105)})))
    assert watched(keeper)[race_path(105)][1] == 0
    assert keeper.board["race"]["id"] == make.race_id(101)


def test_a_race_that_becomes_current_is_read_at_once_unless_it_just_was() -> None:
    day = open_field([101, 102])
    keeper = kept(day, at=100.0)
    body = make.to_bytes({"CurrentRace": make.race_id(102)})
    keeper.apply(CURRENT, fetched(CURRENT, body, 160.0))
    assert keeper.take_urgent() == (race_path(102),)
    keeper.apply(race_path(101), fetched(race_path(101), day.files[race_path(101)], 161.0))
    keeper.apply(CURRENT, fetched(CURRENT, b'{"CurrentRace": null}', 161.0))
    assert keeper.take_urgent() == ()


@pytest.mark.parametrize("how", ["home page", "error"])
def test_an_old_version_without_current_is_asked_for_it_rarely(how: str) -> None:
    day = open_field([101, 102])
    keeper = kept(day)
    keeper.apply(CURRENT, fetched(CURRENT, make.to_bytes({"CurrentRace": make.race_id(102)})))
    assert keeper.board["race"]["id"] == make.race_id(102)
    if how == "error":
        keeper.failed(CURRENT, RequestError(ErrorCode.ORIGIN_INVALID))
    else:
        keeper.apply(CURRENT, fetched(CURRENT, make.home()))
    assert keeper.board["race"]["id"] == make.race_id(101)
    assert watched(keeper)[CURRENT][0] > 60
    keeper.apply(CURRENT, fetched(CURRENT, make.to_bytes({"CurrentRace": make.race_id(102)})))
    assert keeper.board["race"]["id"] == make.race_id(102)


# --- what is read how often ---


def test_the_live_race_is_read_most_often_and_nothing_is_left_out() -> None:
    day = open_field([101, 102, 103, 104])
    day.race(101, **DONE)
    day.race(102, **LIVE)
    keeper = kept(day)
    plan = watched(keeper)
    assert plan[race_path(102)] == (0.5, 0)
    assert all(period_s > 0.5 for path, (period_s, _) in plan.items() if path != race_path(102))
    assert {race_path(n) for n in (101, 103, 104)} < plan.keys()
    assert sum(1 / period_s for period_s, _ in plan.values()) < 3.5  # of the 4 a second that the origin bears


def test_the_period_of_the_live_race_is_the_callers() -> None:
    day = open_field([101])
    day.race(101, **LIVE)
    keeper = BoardKeeper(live_s=0.25)
    feed(keeper, day)
    assert watched(keeper)[race_path(101)] == (0.25, 0)


def test_a_big_event_stays_within_bounds() -> None:
    numbers = (
        [100 + n for n in range(1, 100)] + [200 + n for n in range(1, 100)] + [300 + n for n in range(1, 100)]
    )
    day = open_field(numbers)
    for number in numbers[:100]:
        day.race(number, **DONE)
    day.race(150, **LIVE)
    keeper = kept(day)
    plan = watched(keeper)
    assert len(plan) <= 512
    assert sum(1 / period_s for period_s, _ in plan.values()) < 4.0


# --- age ---


def test_the_age_is_that_of_the_current_race() -> None:
    day = open_field([101])
    keeper = BoardKeeper()
    assert (keeper.as_of, keeper.freshness(5.0).is_stale) == (None, True)
    day.race(101, **LIVE)
    feed(keeper, day, at=100.0)
    apply(keeper, day, PILOTS, at=150.0)
    fresh = keeper.freshness(100.0 + LIVE_STALE_S + 0.1)
    assert (keeper.as_of, fresh.is_stale) == (100.0, True)
    assert fresh.age_s == pytest.approx(5.1)
    apply(keeper, day, race_path(101), at=150.0)
    assert keeper.freshness(149.0).age_s == 0.0
    assert not keeper.freshness(150.0 + LIVE_STALE_S).is_stale


def test_with_no_race_live_the_board_may_be_older() -> None:
    keeper = kept(open_field([101]), at=100.0)
    assert not keeper.freshness(100.0 + IDLE_STALE_S).is_stale
    assert keeper.freshness(100.1 + IDLE_STALE_S).is_stale


def test_a_clock_that_is_put_back_makes_nothing_younger() -> None:
    keeper = kept(open_field([101]), at=1000)
    keeper.clock_stepped(-90)
    assert keeper.freshness(1002 - 90).age_s == pytest.approx(2)


def test_a_machine_that_slept_shows_how_old_it_all_is() -> None:
    """That looks like a clock that was put forward."""
    keeper = kept(open_field([101]), at=1000)
    keeper.clock_stepped(3600)
    assert keeper.freshness(1002 + 3600).age_s == pytest.approx(3602)


def test_a_confirmation_moves_the_age_on() -> None:
    keeper = kept(open_field([101]), at=100.0)
    keeper.confirm(160.0, {race_path(101)})
    assert keeper.as_of == 160.0
    keeper.confirm(150.0, {race_path(101)})
    assert keeper.as_of == 160.0
    keeper.confirm(170.0, {PILOTS})  # of another file than the one that is shown
    assert keeper.as_of == 160.0


def test_a_copy_that_the_origin_no_longer_has_is_as_old_as_it_was() -> None:
    day = open_field([101])
    keeper = kept(day, at=100.0)
    keeper.failed(HOME, RequestError(ErrorCode.ORIGIN_DOWN))
    keeper.apply(race_path(101), fetched(race_path(101), day.files[race_path(101)], 100.0, stale=True))
    assert keeper.as_of == 100.0
    assert keeper.freshness(101.0).why is not None


@pytest.mark.parametrize(
    "code",
    [ErrorCode.ORIGIN_DOWN, ErrorCode.DISCONNECTED, ErrorCode.TIMEOUT, ErrorCode.PAUSED, ErrorCode.INTERNAL],
)
def test_trouble_is_told_in_plain_words_until_it_is_over(code: ErrorCode) -> None:
    day = open_field([101])
    keeper = kept(day)
    serial = keeper.serial
    for _ in range(3):
        keeper.failed(race_path(101), RequestError(code, "http://localhost:8080 refused"))
    why = keeper.freshness(0.0).why
    assert why is not None
    assert "localhost" not in why
    assert keeper.serial == serial + 1
    apply(keeper, day, race_path(101))
    assert keeper.freshness(0.0).why is None
    assert keeper.serial == serial + 2
    assert keeper.take_urgent() == (HOME,)  # another event may have been opened meanwhile


def test_trouble_with_one_file_is_told_only_if_it_is_the_one_shown() -> None:
    keeper = kept(open_field([101, 102]))
    keeper.failed(race_path(102), RequestError(ErrorCode.ORIGIN_INVALID))
    keeper.failed(race_path(101), RequestError(ErrorCode.BUSY))
    assert keeper.freshness(0.0).why is None
    keeper.failed(race_path(101), RequestError(ErrorCode.ORIGIN_INVALID))
    assert keeper.freshness(0.0).why is not None


# --- waiting ---


async def test_a_change_wakes_all_who_wait() -> None:
    day = open_field([101])
    keeper = kept(day)
    seen: list[int] = []

    async def viewer() -> None:
        await keeper.wait_change(keeper.serial)
        seen.append(keeper.version)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(viewer)
        await trio.testing.wait_all_tasks_blocked()
        day.race(101, **LIVE)
        apply(keeper, day, race_path(101))
    assert seen == [keeper.version] * 50
    await keeper.wait_change(keeper.serial - 1)


# --- whatever comes ---

_BODIES = st.sampled_from(
    [b"", b"[]", b"[{", b"<html>", make.home(), make.to_bytes({"CurrentRace": make.race_id(102)}), b"[{}]"]
)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), _BODIES, st.booleans()), max_size=30))
def test_whatever_comes_in_whatever_order_the_keeper_stands(
    steps: list[tuple[int, int, bytes, bool]],
) -> None:
    """Files right and wrong, in any order, and failures: no exception, and always a board that encodes."""
    day = open_field([101, 102])
    paths = [*day.files, CURRENT, result_path(101), "/other", race_path(109)]
    variants = [{}, LIVE, DONE, {"Valid": False}, LIVE | {"flown": {1: [4.0, 9.0]}}]
    keeper = BoardKeeper()
    version = 0
    for which, variant, body, is_good in steps:
        path = paths[which % len(paths)]
        if is_good and "Race.json" in path:
            day.race(101 if path == race_path(101) else 102, **variants[variant])
        if not is_good and variant == 0:
            keeper.failed(path, RequestError(list(ErrorCode)[which]))
        else:
            keeper.apply(path, fetched(path, day.files.get(path, body) if is_good else body, float(which)))
        assert keeper.version >= version
        version = keeper.version
        json.loads(keeper.encoded())
        assert len({watch.path for watch in keeper.watches()}) == len(keeper.watches())
        keeper.freshness(10.0)
    feed(keeper, open_field([101]), at=20.0)
    assert keeper.board["event"]["name"] == "Winter Cup"
