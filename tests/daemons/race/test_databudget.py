"""What the link has carried, today and this hour, by the clock of the event, over restarts."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from daemons.race.databudget import SLOT_S, SLOTS_KEPT, Carried, DataBudget

ADELAIDE = ZoneInfo("Australia/Adelaide")  # half an hour beside the others


def utc(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


def test_a_day_begins_at_midnight_where_the_event_is() -> None:
    budget = DataBudget()
    midnight = datetime(2026, 2, 7, tzinfo=ADELAIDE).timestamp()
    budget.count(midnight - 1.0, Carried(100, 10, 1000))
    budget.count(midnight + 1.0, Carried(130, 15, 1400))
    assert budget.today(midnight - 1.0, ADELAIDE) == Carried(100, 10, 1000)
    assert budget.today(midnight + 1.0, ADELAIDE) == Carried(30, 5, 400)
    assert budget.today(midnight + 1.0, UTC) == Carried(130, 15, 1400)


def test_an_hour_begins_when_the_clock_strikes() -> None:
    budget = DataBudget()
    budget.count(utc(2026, 2, 7, 10, 29), Carried(7))
    budget.count(utc(2026, 2, 7, 10, 31), Carried(12))
    now = utc(2026, 2, 7, 10, 40)
    assert budget.this_hour(now, UTC).sent == 12
    assert budget.this_hour(now, ADELAIDE).sent == 5  # half past ten is nine o'clock there


def test_counters_that_begin_anew_and_an_earlier_run() -> None:
    now = utc(2026, 2, 7, 10)
    before = DataBudget()
    before.count(now, Carried(50, 5, 500))
    after = DataBudget()
    after.load(before.slots.items())
    after.count(now + 5, Carried(3, 1, 30))
    assert after.today(now + 5, UTC) == Carried(53, 6, 530)
    after.count(now + 6, Carried(1, 0, 10))  # fewer than before: another connection's
    assert after.today(now + 6, UTC) == Carried(54, 6, 540)


@given(st.lists(st.tuples(st.floats(0, 3 * 86400), st.integers(0, 10**6)), max_size=40))
def test_nothing_is_lost_within_two_days_and_nothing_is_kept_for_long(steps: list[tuple[float, int]]) -> None:
    budget, total, at = DataBudget(), 0, utc(2026, 2, 7)
    counted: list[tuple[float, int]] = []
    for wait_s, size in steps:
        at, total = at + wait_s, total + size
        budget.count(at, Carried(total))
        counted.append((at, size))
        assert len(budget.slots) <= SLOTS_KEPT
    day = at // 86400 * 86400
    assert budget.today(at, UTC).sent == sum(size for when, size in counted if when >= day // SLOT_S * SLOT_S)
