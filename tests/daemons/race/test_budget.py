"""The rate budget: the bound on any window holds whatever callers do, and the idle rate in the long run."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.race.budget import Budget


def _send_greedily(budget: Budget, start: float, until: float, pause_s: float = 0.0) -> list[float]:
    sent: list[float] = []
    now = start
    while True:
        now = max(now, budget.free_at(now))
        if now > until:
            return sent
        budget.spend(now)
        sent.append(now)
        now += pause_s


def test_greedy_sending_keeps_the_window_and_is_smooth() -> None:
    budget = Budget(0.0)
    budget.set_race_is_live(True, 0.0)
    sent = _send_greedily(budget, 0.0, 100.0)
    assert len(sent) >= 340
    assert max(_most_in_window(sent, 10.0), _most_in_window(sent, 10.2)) <= 40
    assert max(b - a for a, b in pairwise(sent)) < 0.3  # no bursts with holes between


def _most_in_window(times: list[float], window_s: float) -> int:
    return max((sum(1 for t in times if start <= t <= start + window_s) for start in times), default=0)


STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "follow", "wait", "live", "idle"]), st.floats(0, 12)), max_size=150
)


@settings(max_examples=60)
@given(STEPS)
def test_no_window_ever_holds_more_than_forty(steps: list[tuple[str, float]]) -> None:
    budget, now = Budget(0.0), 0.0
    sent: list[float] = []
    for what, seconds in steps:
        match what:
            case "live" | "idle":
                budget.set_race_is_live(what == "live", now)
            case "wait":
                now += seconds
            case _:
                for _ in range(math.ceil(seconds)):
                    now = max(now, budget.free_at(now, is_follow_up=what == "follow"))
                    assert budget.free_at(now, is_follow_up=what == "follow") == now
                    budget.spend(now)
                    sent.append(now)
    assert _most_in_window(sent, 10.0) <= 40


def test_a_first_look_is_fast_and_then_it_is_one_in_five_seconds() -> None:
    budget = Budget(0.0)
    sent = _send_greedily(budget, 0.0, 600.0)
    assert sent[119] < 36.0  # a club event's files
    late = [t for t in sent if t > 60.0]
    assert all(b - a == pytest.approx(5.0) for a, b in pairwise(late))
    assert len(sent) <= 120 + 600 / 5 + 1


def test_polling_once_in_five_seconds_uses_no_savings() -> None:
    budget = Budget(0.0)
    for step in range(200):
        assert budget.free_at(step * 5.0) == step * 5.0
        budget.spend(step * 5.0)
    assert len([t for t in _send_greedily(budget, 1005.0, 1045.0) if t < 1040.0]) >= 119


def test_follow_ups_are_paid_back() -> None:
    budget = Budget(0.0, idle_saved=3)
    for now in (0.0, 0.1, 0.2):
        budget.spend(now)
    assert budget.free_at(2.0) == pytest.approx(5.0)
    assert budget.free_at(2.0, is_follow_up=True) == 2.0
    budget.spend(2.0)
    budget.spend(2.1)
    assert budget.free_at(2.2) == pytest.approx(15.0)


def test_a_live_race_lifts_the_idle_rate_and_fills_the_savings() -> None:
    budget = Budget(0.0, idle_saved=3)
    for _ in range(3):
        budget.spend(0.0)
    assert budget.free_at(2.0) == pytest.approx(5.0)
    budget.set_race_is_live(True, 2.0)
    assert budget.race_is_live
    assert budget.free_at(2.0) == 2.0
    budget.set_race_is_live(False, 2.0)
    assert len(_send_greedily(budget, 2.0, 6.0)) == 3


def test_setting_idle_while_idle_gives_nothing() -> None:
    budget = Budget(0.0, idle_saved=3)
    for _ in range(3):
        budget.spend(0.0)
    budget.set_race_is_live(False, 1.0)
    assert budget.free_at(2.0) == pytest.approx(5.0)


def test_a_burst_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="burst"):
        Budget(0.0, burst=39)


def test_one_that_begins_behind_one_that_was_killed_keeps_the_bound_with_it() -> None:
    sent: list[float] = []
    for begins_at, ends_at in ((0.0, 6.3), (6.6, 20.0)):
        budget = Budget(0.0)
        budget.set_race_is_live(True, 0.0)
        now = begins_at
        if begins_at:
            budget.begin(now)
        while (now := budget.free_at(now)) < ends_at:
            budget.spend(now)
            sent.append(now)
    for first in sent:
        assert sum(first <= at < first + 10 for at in sent) <= 40
