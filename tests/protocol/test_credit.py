"""Credit: a body is held to what its reader consumed, and never deadlocks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.credit import CreditGranter, CreditWindow
from protocol.errors import CloseCode, RemoteProtocolError


@given(
    initial=st.integers(1, 5000),
    window=st.integers(1, 20_000),
    body=st.integers(0, 60_000),
    start=st.integers(0, 10_000),
    steps=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=30),
)
@settings(max_examples=100)
def test_a_body_arrives_whole_and_what_is_unread_is_bounded(
    initial: int, window: int, body: int, start: int, steps: list[tuple[int, int]]
) -> None:
    sender, granter = CreditWindow(initial, start), CreditGranter(initial, window, start)
    end = start + body

    def step(send: int, consume: int) -> None:
        sent = min(send, sender.available_bytes, end - sender.offset)
        sender.spend(sent)
        granter.arrived(sent)
        assert granter.unconsumed_bytes <= max(initial, window)
        upto = granter.consumed(min(consume, granter.unconsumed_bytes))
        if upto is not None:
            sender.granted(upto)

    for send, consume in steps:
        step(send, consume)
    for _ in range(200 + body):
        if sender.offset == end:
            break
        step(body, body)
    assert sender.offset == end


def test_sending_past_the_credit_is_our_bug_and_receiving_it_the_peers() -> None:
    with pytest.raises(ValueError, match="credit"):
        CreditWindow(10).spend(11)
    with pytest.raises(RemoteProtocolError) as caught:
        CreditGranter(10, 10).arrived(11)
    assert caught.value.code is CloseCode.TOO_LARGE


def test_only_a_grant_that_reopens_the_window_says_go_on() -> None:
    sender = CreditWindow(10)
    assert not sender.granted(20)
    sender.spend(20)
    assert not sender.granted(15), "a late grant takes nothing back"
    assert sender.available_bytes == 0
    assert sender.granted(30)


def test_grants_come_by_the_half_window() -> None:
    granter = CreditGranter(100, 1000)
    granter.arrived(100)
    assert granter.consumed(10) == 1010
    granter.arrived(900)
    assert granter.consumed(400) is None
    assert granter.consumed(100) == 1510
