"""The peer's time, and an error that holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.clockoffset import ClockOffset
from protocol.frames import Pong

UTC = 1_750_000_000.0


class World:
    """The peer's UTC is our monotonic clock plus `offset_s`, running fast by `drift`."""

    def __init__(self, offset_s: float = UTC, drift: float = 0.0) -> None:
        self.offset_s = offset_s
        self.drift = drift

    def utc(self, now: float) -> float:
        return self.offset_s + now * (1 + self.drift)

    def ping(self, clock: ClockOffset, sent: float, out_s: float, inside_s: float, back_s: float) -> None:
        leaves = sent + out_s + inside_s
        stamp_us = int(leaves * 1e6)
        clock.add(
            sent,
            leaves + back_s,
            Pong(1, stamp_us - int(inside_s * 1e6), stamp_us, int(self.utc(leaves) * 1e6)),
        )


def test_nothing_is_known_before_an_answer_nor_from_a_peer_without_a_clock() -> None:
    clock = ClockOffset()
    clock.add(0.0, 0.1, Pong(1, 5, 6, 0))
    assert clock.peer_time(1.0) is None


def test_the_quickest_answer_is_believed() -> None:
    clock, world = ClockOffset(), World()
    world.ping(clock, 1.0, 0.9, 0.0, 0.1)
    world.ping(clock, 10.0, 0.01, 0.2, 0.01)
    world.ping(clock, 20.0, 0.1, 0.0, 0.9)
    peer = clock.peer_time(20.0)
    assert peer is not None
    assert peer.utc_s == pytest.approx(world.utc(20.0), abs=0.001)
    assert peer.error_s < 0.015


def test_a_step_of_a_clock_discards_what_was_measured_before() -> None:
    clock, world = ClockOffset(), World()
    for n in range(8):
        world.ping(clock, n * 20.0, 0.005, 0.0, 0.005)
    world.offset_s += 3600
    world.ping(clock, 200.0, 0.05, 0.0, 0.05)
    peer = clock.peer_time(200.0)
    assert peer is not None
    assert abs(peer.utc_s - world.utc(200.0)) <= peer.error_s
    assert clock.steps == 1


def test_another_process_of_the_peer_starts_from_nothing() -> None:
    clock = ClockOffset()
    World().ping(clock, 1.0, 0.1, 0.0, 0.1)
    clock.forget()
    assert clock.peer_time(2.0) is None


@given(
    pings=st.lists(
        st.tuples(st.floats(0.5, 20), st.floats(0, 3), st.floats(0, 1), st.floats(0, 3)),
        min_size=1,
        max_size=40,
    ),
    drift=st.floats(-150e-6, 150e-6),
    step_s=st.floats(-1e5, 1e5),
    step_at=st.integers(0, 60),
)
@settings(max_examples=150)
def test_the_error_holds(
    pings: list[tuple[float, float, float, float]], drift: float, step_s: float, step_at: int
) -> None:
    clock, world, now = ClockOffset(), World(drift=drift), 0.0
    for index, (wait_s, out_s, inside_s, back_s) in enumerate(pings):
        now += wait_s
        if index == step_at:
            world.offset_s += step_s
        world.ping(clock, now, out_s, inside_s, back_s)
        now += out_s + inside_s + back_s
        peer = clock.peer_time(now)
        assert peer is not None
        if index < step_at or clock.steps:
            assert abs(peer.utc_s - world.utc(now)) <= peer.error_s + 1e-5
