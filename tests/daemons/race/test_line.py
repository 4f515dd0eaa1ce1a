"""The line at the origin: shared, bounded, fair, and nobody's request is sent after he has gone."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from daemons.race.budget import Budget
from daemons.race.fetched import Fetched
from daemons.race.line import Fetch, Line
from protocol.errors import ErrorCode, RequestError

DONE = RequestError(ErrorCode.ORIGIN_DOWN, "done")


def budget() -> Budget:
    plenty = Budget(0.0, per_window=10_000, burst=5000)
    plenty.set_race_is_live(True, 0.0)
    return plenty


def test_callers_and_own_reads_take_turns() -> None:
    line = Line(8)
    for name in "abc":
        line.join(name, name, object(), math.inf, is_own=False)
    for name in "xy":
        line.join(name, name, object(), math.inf, is_own=True)
    picked = [line.pick(0.0, budget())[0] for _ in range(6)]
    assert [fetch.path if fetch else None for fetch in picked] == ["x", "a", "y", "b", "c", None]


def test_each_line_is_bounded_and_what_is_being_answered_counts() -> None:
    line = Line(2)
    line.join("a", "a", object(), math.inf, is_own=False)
    line.join("b", "b", object(), math.inf, is_own=False)
    assert line.pick(0.0, budget())[0] is not None
    with pytest.raises(RequestError) as caught:
        line.join("c", "c", object(), math.inf, is_own=False)
    assert caught.value.code is ErrorCode.BUSY
    line.join("c", "c", object(), math.inf, is_own=True)
    line.join("a", "a", object(), math.inf, is_own=False)  # sharing needs no place
    assert line.shared == 1


def test_who_waits_past_his_own_deadline_is_not_sent() -> None:
    line = Line(8)
    caller = object()
    fetch = line.join("a", "a", caller, 1.0, is_own=False)
    line.join("b", "b", object(), 3.0, is_own=False)
    line.join("b", "b", object(), 1.0, is_own=False)
    picked, _ = line.pick(2.0, budget())
    assert picked is not None
    assert picked.path == "b"
    assert fetch.is_settled
    assert line.never_sent == 1


def test_a_second_read_goes_first_when_its_time_has_come() -> None:
    line, plenty = Line(8), budget()
    line.join("a", "a", object(), math.inf, is_own=False)
    first, _ = line.pick(0.0, plenty)
    assert first is not None
    line.again(first, 1.0)
    assert line.pick(0.0, plenty) == (None, 1.0)
    line.join("b", "b", object(), math.inf, is_own=False)
    line.join("c", "c", object(), math.inf, is_own=False)
    assert [fetch.path for fetch, _ in (line.pick(0.0, plenty), line.pick(1.0, plenty)) if fetch] == [
        "b",
        "a",
    ]


def test_a_second_read_that_nobody_waits_for_is_left_out() -> None:
    line, plenty = Line(8), budget()
    caller = object()
    fetch = line.join("a", "a", caller, math.inf, is_own=False)
    line.pick(0.0, plenty)
    line.again(fetch, 1.0)
    line.leave(fetch, caller)
    assert line.pick(1.0, plenty) == (None, math.inf)
    assert fetch.is_settled
    assert line.never_sent == 0


def test_the_budget_is_kept_and_said_when() -> None:
    line, poor = Line(8), Budget(0.0, idle_saved=1)
    poor.spend(0.0)
    line.join("a", "a", object(), math.inf, is_own=False)
    fetch, at = line.pick(1.0, poor)
    assert fetch is None
    assert at == pytest.approx(5.0)
    assert line.pick(at, poor)[0] is not None


def test_a_settled_path_starts_anew() -> None:
    line = Line(8)
    first = line.join("a", "a", object(), math.inf, is_own=False)
    line.pick(0.0, budget())
    line.settle(first, DONE)
    assert line.join("a", "a", object(), math.inf, is_own=False) is not first


class Lines(RuleBasedStateMachine):
    """Any order of comings and goings: a model of who waits where."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line(3)
        self.now = 0.0
        self.callers: list[tuple[Fetch, object, float]] = []
        self.flight: Fetch | None = None

    @rule(
        name=st.sampled_from("abcdef"), is_own=st.booleans(), patience_s=st.sampled_from([0.5, 2.0, math.inf])
    )
    def join(self, name: str, is_own: bool, patience_s: float) -> None:
        caller = object()
        is_full = sum(1 for fetch in self.line.open if fetch.is_own is is_own) >= 3
        is_there = any(fetch.path == name for fetch in self.line.open)
        try:
            fetch = self.line.join(name, name, caller, self.now + patience_s, is_own=is_own)
        except RequestError:
            assert is_full
            assert not is_there
        else:
            assert is_there or not is_full
            self.callers.append((fetch, caller, self.now + patience_s))

    @rule(index=st.integers(0, 20))
    def leave(self, index: int) -> None:
        if self.callers:
            fetch, caller, _ = self.callers.pop(index % len(self.callers))
            self.line.leave(fetch, caller)

    @rule(seconds=st.sampled_from([0.1, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def pick(self) -> None:
        if self.flight is not None:
            return
        fetch, at = self.line.pick(self.now, budget())
        if fetch is None:
            assert at > self.now
            return
        assert any(other is fetch and deadline > self.now for other, _, deadline in self.callers)
        self.flight = fetch

    @rule(how=st.sampled_from(["settle", "again"]))
    def land(self, how: str) -> None:
        if self.flight is None:
            return
        if how == "again" and self.flight.is_wanted(self.now):
            self.line.again(self.flight, self.now + 0.5)
        else:
            self.line.settle(self.flight, DONE)
        self.flight = None

    @rule()
    def down(self) -> None:
        self.line.settle_all(DONE)
        assert self.line.waiting == 0

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Every caller has his answer, or waits in the line, or his fetch is the one being answered."""
        for fetch, _, _ in self.callers:
            assert fetch.is_settled or fetch in self.line.open
        unsettled = [fetch for fetch in self.line.open if fetch is not self.flight]
        assert len(unsettled) == self.line.waiting
        assert self.line.waiting <= 6


TestLines = Lines.TestCase
TestLines.settings = settings(max_examples=60, stateful_step_count=40)


async def test_each_caller_gets_an_error_of_his_own() -> None:
    fetch = Fetch("a", "a", is_own=False)
    fetch.settle(DONE)
    fetch.settle(Fetched("a", b"", None, b"", b"", 0.0))  # the first counts
    caught: list[RequestError] = []
    for _ in range(2):
        with pytest.raises(RequestError) as info:
            await fetch.wait()
        caught.append(info.value)
    assert caught[0] is not caught[1]
    assert caught[0] is not DONE
