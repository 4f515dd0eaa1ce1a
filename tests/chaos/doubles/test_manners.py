"""The count of manners by itself: windows, idle times, and what counts as in flight when."""

import pytest

from chaos.doubles.fpvtrackside import Visit
from chaos.doubles.fpvtrackside.manners import MannersKeeper


def _visit(keeper: MannersKeeper, now: float, *, live: bool = False, method: str = "GET") -> Visit:
    visit = Visit(now, method, "/", {})
    keeper.arrived(now, visit, is_escape=False, race_is_live=live)
    return visit


def test_forty_in_ten_seconds_is_the_limit_kept_to_the_millisecond() -> None:
    keeper = MannersKeeper()
    for number in range(200):
        keeper.left(number / 4, _visit(keeper, number / 4 + (0.003 if number % 40 == 0 else 0.0)))
    keeper.manners().assert_well_mannered()
    assert keeper.manners().max_in_10_s == 40
    keeper.left(60.0, _visit(keeper, 49.76))
    with pytest.raises(AssertionError, match="at most 40 requests in any 10 s, but there were 41"):
        keeper.manners().assert_well_mannered()


def test_quiet_time_does_not_reach_across_a_race() -> None:
    keeper = MannersKeeper()
    for now in (0.0, 5.0, 6.0):
        keeper.left(now, _visit(keeper, now, live=now == 5.0))
    assert keeper.manners().max_in_10_s_idle == 1
    keeper.race_began()
    keeper.left(7.0, _visit(keeper, 7.0))
    assert keeper.manners().max_in_10_s_idle == 1
    keeper.left(8.0, _visit(keeper, 8.0))
    with pytest.raises(AssertionError, match="without a live race, but there were 2"):
        keeper.manners().assert_well_mannered(in_10_s_idle=1)


def test_who_hung_up_is_not_in_flight_any_more() -> None:
    keeper = MannersKeeper()
    first = _visit(keeper, 0.0)
    keeper.hung_up(1.0, first)
    keeper.hung_up(1.0, first)
    keeper.left(1.5, first)
    keeper.left(2.0, _visit(keeper, 2.0))
    keeper.manners().assert_well_mannered(aborts=1)
    with pytest.raises(AssertionError, match=r"none aborted \(0 excused\), but 1 were"):
        keeper.manners().assert_well_mannered()
    keeper.manners().assert_well_mannered(aborts=None)


def test_every_fault_is_named() -> None:
    keeper = MannersKeeper()
    _visit(keeper, 0.0)
    _visit(keeper, 0.0, method="HEAD")
    with pytest.raises(AssertionError) as caught:
        keeper.manners().assert_well_mannered(in_10_s=1)
    for words in (
        "one request in flight, but there were 2",
        "none but GET, but there was HEAD /",
        "at most 1",
    ):
        assert words in str(caught.value)
