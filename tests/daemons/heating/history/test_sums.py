"""Sums of samples: what parts add up to is the whole, whatever is unknown, and days are those of the house."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.heating.history.sums import Sum, days_of, merge, quarters_of, sum_of
from daemons.heating.history.tables import SUMS
from protocol.heatsamples import Sample
from tests.daemons.heating.history.houses import START, days, message

values = st.none() | st.integers(-5000, 15_000)
samples = st.lists(
    st.builds(Sample, values, values, values, st.none() | st.integers(0, 60), st.integers(0, 2)), max_size=30
)


def summed(some: list[Sample]) -> Sum:
    names = ("celsius", "supply", "target", "ran_s", "starts")
    return sum_of([[getattr(one, name) for one in some] for name in names], 60)


@settings(max_examples=30)
@given(samples, samples)
def test_parts_add_up_to_the_whole(one: list[Sample], other: list[Sample]) -> None:
    both = summed(one)
    merge(both, summed(other))
    assert both == summed(one + other)


def test_what_is_unknown_is_counted_apart() -> None:
    sums = dict(
        zip(SUMS, summed([Sample(2000, None, 2100, 60, 1), Sample(None, None, 2100, None, 0)]), strict=True)
    )
    assert (sums["samples"], sums["celsius_n"], sums["celsius_sum"]) == (2, 1, 2000)
    assert (sums["supply_n"], sums["supply_min"], sums["supply_max"]) == (0, None, None)
    assert (sums["watched_s"], sums["ran_s"], sums["starts"]) == (60, 60, 1)


@given(st.integers(0, 3600), st.integers(1, 60))
def test_a_message_is_cut_at_quarters(shift: int, count: int) -> None:
    some = [Sample(n, ran_s=1) for n in range(count)]
    quarters = quarters_of([message({"a": some}, START + shift)])
    assert sum(piece[0] or 0 for _, piece in quarters.values()) == count
    for (_, at), (_, piece) in quarters.items():
        inside = [n for n in range(count) if at <= START + shift + n * 60 < at + 900]
        assert piece[:5] == [len(inside), len(inside), sum(inside), min(inside), max(inside)]


def test_a_local_day_has_23_24_or_25_hours() -> None:
    zone = ZoneInfo("America/Denver")
    lengths = {}
    for begin in (datetime(2026, 3, 7, tzinfo=zone), datetime(2026, 10, 31, tzinfo=zone)):
        messages = []
        for at in range(int(begin.timestamp()), int(begin.timestamp()) + 3 * 86_400, 3600):
            offset = datetime.fromtimestamp(at, zone).utcoffset()
            assert offset is not None
            messages.append(message({"a": [Sample(2000)] * 60}, at, int(offset.total_seconds())))
        for (_, day), (at, piece) in days_of(quarters_of(messages)).items():
            lengths[day] = (piece[0] or 0) // 60
            assert datetime.fromtimestamp(at, zone).hour == 0
    assert sorted(lengths.values())[-4:] == [24, 24, 24, 25]
    assert 23 in lengths.values()


def test_days_are_what_their_quarters_are() -> None:
    quarters = quarters_of(list(days(1.5)))
    whole = quarters_of(list(days(1.5)))
    assert sum(piece[0] or 0 for _, piece in days_of(quarters).values()) == 3 * 1.5 * 1440
    assert quarters == whole  # which adding them up left alone
