"""What waits: for the disk in memory, for the hub on the disk; both bounded, both said in words or days."""

from daemons.heating.primary.backlog import EVENTS_MAX, SAMPLES_MAX, Backlog, Lot
from daemons.heating.primary.capacity import DayTold, capacity_days, expected
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import HeatSamples
from protocol.reliable import Bounds

SAMPLES = HeatSamples(0, 60, 0, 1, ("a",), (bytes(5),))


def event(number: int) -> HeatEvent:
    return HeatEvent(at=float(number), source="a", kind=EventKind.ON)


def test_what_could_not_be_written_goes_before_what_came_since() -> None:
    backlog = Backlog()
    assert not backlog
    backlog.add(Lot([event(1)], memory={"n": 1}))
    backlog.add(Lot([event(2)]))
    lot = backlog.take()
    assert lot.memory == {"n": 1}
    assert not backlog
    backlog.add(Lot([event(3)], memory={"n": 3}))
    backlog.put_back(lot)
    whole = backlog.take()
    assert [one.at for one in whole.events] == [1, 2, 3]
    assert whole.memory == {"n": 3}


def test_memory_that_could_not_be_written_is_not_forgotten() -> None:
    backlog = Backlog()
    backlog.add(Lot(memory={"n": 1}))
    backlog.put_back(backlog.take())
    assert backlog
    assert backlog.take().memory == {"n": 1}


def test_past_its_bounds_the_oldest_are_dropped_and_counted() -> None:
    backlog = Backlog()
    backlog.add(Lot([event(n) for n in range(EVENTS_MAX + 5)], [SAMPLES] * (SAMPLES_MAX + 2)))
    assert backlog.dropped == 7
    assert backlog.waiting == EVENTS_MAX + SAMPLES_MAX
    assert backlog.take().events[0].at == 5


def test_by_default_a_house_of_fourteen_zones_is_kept_for_longer_than_a_month() -> None:
    from daemons.heating.config import OutboxConfig

    days = capacity_days(OutboxConfig().bounds(), 0, 0, {}, expected(14, 300), 20_000)
    assert days >= 30


def test_the_busiest_day_says_for_how_long() -> None:
    bounds = Bounds(messages=10_000, body_bytes=1_000_000)
    told = {100: DayTold(100, 1000), 101: DayTold(500, 2000), 102: DayTold(10, 100)}
    guess = DayTold(2000, 10)
    assert capacity_days(bounds, 0, 0, told, guess, 102) == 20  # whole days were measured
    assert capacity_days(bounds, 5000, 0, told, guess, 102) == 10
    assert capacity_days(bounds, 0, 996_000, told, guess, 102) == 2
    assert capacity_days(bounds, 20_000, 0, told, guess, 102) == 0
    assert capacity_days(bounds, 0, 0, {102: DayTold(10, 10)}, guess, 102) == 5  # none was yet
    assert capacity_days(bounds, 0, 0, {50: DayTold(9999, 9), **told}, guess, 102) == 20
