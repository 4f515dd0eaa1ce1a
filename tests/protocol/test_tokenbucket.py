"""Buckets: never more than the burst and what flows in, and a wait that is exactly long enough."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.tokenbucket import Bucket, Buckets

TIMES = st.lists(st.floats(0, 5), max_size=60)


@given(TIMES, st.floats(0.5, 100), st.integers(1, 50))
def test_no_more_passes_than_burst_and_rate_allow(gaps: list[float], rate: float, burst: int) -> None:
    bucket, now, passed = Bucket(burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        wait_s = bucket.take(now, rate, burst)
        if not wait_s:
            passed += 1
        else:
            assert bucket.take(now + wait_s / 2, rate, burst) > 0 or wait_s < 1e-6
            now += wait_s
            assert bucket.take(now, rate, burst) == 0.0
            passed += 1
        assert passed <= burst + now * rate + 1e-6


def test_what_is_kept_is_there_for_the_urgent() -> None:
    bucket = Bucket(10, 0.0)
    assert [bucket.take(0, 1, 10, keep=5) > 0 for _ in range(7)] == [False] * 5 + [True] * 2
    assert [bucket.take(0, 1, 10) > 0 for _ in range(6)] == [False] * 5 + [True]


def test_a_cost_above_the_burst_waits_for_a_full_bucket() -> None:
    bucket = Bucket(10, 0.0)
    assert bucket.take(0, 1, 10, cost=100) == 0.0
    assert bucket.take(0, 1, 10, cost=100) == 100.0


def test_debt_is_paid_off() -> None:
    buckets = Buckets()
    assert buckets.charge("a", 0, 10, 20, 5) == 0.0
    assert buckets.charge("a", 0, 10, 20, 35) == 2.0
    assert buckets.debt_s("a", 1, 10, 20) == 1.0
    assert buckets.debt_s("a", 2, 10, 20) == 0.0
    assert buckets.debt_s("never seen", 2, 10, 20) == 0.0


def test_no_rate_is_no_limit_and_keeps_nothing() -> None:
    buckets = Buckets()
    assert not any(buckets.take("a", 0, 0, 0) for _ in range(100))
    assert buckets.charge("a", 0, 0, 0, 1e9) == buckets.debt_s("a", 0, 0, 0) == 0.0
    assert len(buckets) == 0


def test_a_limit_that_was_lowered_holds_at_once() -> None:
    buckets = Buckets()
    buckets.take("a", 0, 100, 1000)
    assert [buckets.take("a", 0, 1, 2) > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(1, 10.0)
    assert bucket.take(10, 1, 1) == 0.0
    assert bucket.take(5, 1, 1) == 1.0
    assert bucket.take(10.5, 1, 1) == 0.5


def test_keys_are_bounded_and_the_least_used_goes() -> None:
    buckets = Buckets(keys_max=3)
    for key in "abca":
        buckets.take(key, 0, 1, 1)
    buckets.take("d", 100, 1, 1)  # b goes, full again by then
    assert (len(buckets), buckets.forgotten) == (3, 0)
    buckets.take("e", 100, 1, 2)
    assert buckets.take("d", 100, 1, 1) > 0
    for number in range(3):
        buckets.take(str(number), 100, 1, 1)
    assert buckets.forgotten > 0
