"""When the dialer tries again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.backoff import Backoff
from protocol.errors import CloseCode, LocalProtocolError
from protocol.linkstatus import RETRY, TRANSITIONS, LinkStatus, Status, status_of_close


def outage(backoff: Backoff, start: float, seconds: float, rand: float = 0.999) -> list[tuple[float, float]]:
    """Fail until the outage is so old; return (age, delay) of each retry."""
    now, result = start, []
    while now - start < seconds:
        backoff.failed(now, Status.LOST)
        delay = backoff.next_delay(now, rand)
        result.append((now - start, delay))
        now += delay + 0.001
    return result


def test_at_once_then_up_to_a_second_then_doubling_to_a_minute() -> None:
    delays = outage(Backoff(), 100.0, 3600)
    assert delays[0] == (0.0, 0.0)
    assert [delay for _, delay in delays[1:6]] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0], rel=0.01)
    assert max(delay for age, delay in delays if age < 120) <= 1.0
    old = [delay for age, delay in delays if age >= 120]
    assert old[:7] == pytest.approx([2, 4, 8, 16, 32, 60, 60], rel=0.01)
    assert max(old) <= 60


def test_the_jitter_is_full() -> None:
    assert all(delay == 0.0 for _, delay in outage(Backoff(), 0.0, 0.05, rand=0.0))
    delays = [delay for _, delay in outage(Backoff(), 0.0, 30.0, rand=0.5)]
    assert delays[-1] == pytest.approx(0.5)


def test_a_connection_that_breaks_at_once_does_not_start_over() -> None:
    backoff = Backoff()
    outage(backoff, 0.0, 10)
    backoff.succeeded(10.0)
    backoff.failed(12.0, Status.LOST)
    assert backoff.next_delay(12.0, 0.999) > 0.9


def test_a_connection_that_was_stable_starts_over() -> None:
    backoff = Backoff()
    outage(backoff, 0.0, 1000)
    backoff.succeeded(1000.0)
    backoff.failed(1010.0, Status.LOST)
    assert backoff.next_delay(1010.0, 0.999) == 0.0
    backoff.failed(1010.0, Status.LOST)
    assert backoff.next_delay(1010.0, 0.999) == pytest.approx(0.1, rel=0.01)


def test_a_flapping_link_ages_into_the_slow_retries() -> None:
    backoff, now, delays = Backoff(), 0.0, []
    for _ in range(200):
        backoff.failed(now, Status.LOST)
        delays.append(backoff.next_delay(now, 0.999))
        now += delays[-1] + 0.5
        backoff.succeeded(now)
        now += 2.0
    assert delays[-1] > 50


@pytest.mark.parametrize("status", [Status.REFUSED, Status.SUPERSEDED, Status.INCOMPATIBLE])
def test_other_endings_are_retried_slowly(status: Status) -> None:
    backoff = Backoff()
    backoff.failed(0.0, status)
    assert backoff.next_delay(0.0, 0.0) == RETRY[status].least_s >= 30
    assert backoff.next_delay(0.0, 0.999) <= RETRY[status].least_s + RETRY[status].spread_s
    backoff.failed(0.0, Status.SUPERSEDED)
    assert backoff.next_delay(0.0, 0.0) >= 60
    backoff.failed(0.0, status, retry_after_s=300.0)
    assert backoff.next_delay(0.0, 0.0) >= 300


def test_the_hub_may_say_when_and_everybody_is_spread() -> None:
    backoff = Backoff()
    backoff.failed(0.0, Status.LOST, retry_after_s=5.0)
    assert backoff.next_delay(0.0, 0.0) == 5.0
    assert backoff.next_delay(0.0, 0.5) == 5.5


@given(
    st.lists(st.tuples(st.sampled_from(["ok", *RETRY]), st.floats(0, 100), st.floats(0, 0.999)), max_size=60)
)
@settings(max_examples=100)
def test_no_wait_is_negative_or_longer_than_its_policy(steps: list[tuple[str, float, float]]) -> None:
    backoff, now = Backoff(), 0.0
    for what, wait_s, rand in steps:
        now += wait_s
        if what == "ok":
            backoff.succeeded(now)
        else:
            backoff.failed(now, Status(what))
            delay = backoff.next_delay(now, rand)
            policy = RETRY[Status(what)]
            assert 0 <= delay <= (60 if policy.is_backoff else policy.least_s + policy.spread_s)
            now += delay


def test_the_status_follows_its_table() -> None:
    link = LinkStatus(1.0)
    link.move(Status.READY, 2.0)
    with pytest.raises(LocalProtocolError):
        link.move(Status.CONNECTING, 3.0)
    link.move(Status.REFUSED, 4.0, "the token is not valid")
    assert (link.status, link.since, link.words) == (Status.REFUSED, 4.0, "the token is not valid")
    assert set(TRANSITIONS) == set(Status)
    assert set(RETRY) == {status for status in Status if TRANSITIONS[status] == {Status.CONNECTING}}


def test_what_a_close_code_leaves_behind() -> None:
    assert status_of_close(4001) is Status.SUPERSEDED
    assert status_of_close(4002) is status_of_close(4004) is Status.REFUSED
    assert status_of_close(4003) is Status.INCOMPATIBLE
    for code in (CloseCode.INTERNAL, CloseCode.PEER_SILENT, CloseCode.GOING_AWAY, 1006, 4999):
        assert status_of_close(code) is Status.LOST
