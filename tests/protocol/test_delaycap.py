"""The delay cap, alone and on the model of a slow line."""

import random

import pytest

from protocol.delaycap import CAP_BYTES_MAX, CHUNK_BYTES_MAX, FLOOR_BYTES, DelayCap
from protocol.errors import RemoteProtocolError
from protocol.lanes import Lane
from tests.protocol.bottleneck import Backlog, Body, Bottleneck

UPLINK = 250_000.0
"""2 Mbit/s in bytes a second."""

BODY = 8 * 1024 * 1024
NEAR_S, FAR_S = 0.0006, 0.6


def line(rtt_s: float, *, rate: float = UPLINK, commands: bool = True, body_bytes: int = BODY) -> Bottleneck:
    """A line with a body on the bulk lane from 1 s on, and a command every 300 ms."""
    model = Bottleneck(rate, lambda now: rtt_s)
    model.at(1.0, model.scheduler.register(Lane.BULK, Body(body_bytes), compress=False).wake)
    if commands:
        model.command_every(0.3)
    return model


def body_s(model: Bottleneck) -> float:
    return model.finished_at() - 1.0


def test_a_command_hardly_waits_behind_a_body_and_the_body_not_at_all() -> None:
    alone, together = line(NEAR_S, commands=False), line(NEAR_S)
    alone.run(60)
    together.run(60)
    assert together.latency_ms(0.95, 1, together.finished_at()) <= 100
    assert together.latency_ms(1.0, 1, together.finished_at()) <= 120
    assert body_s(together) <= 1.01 * body_s(alone)
    assert body_s(alone) <= 1.05 * BODY / UPLINK, "the cap costs throughput"


def test_a_deeper_buffer_changes_nothing() -> None:
    model = line(NEAR_S)
    model.buffer_bytes = 1024 * 1024
    model.run(60)
    assert model.latency_ms(0.95, 1, model.finished_at()) <= 100


def test_the_model_shows_what_happens_without_a_cap() -> None:
    model = line(NEAR_S)
    model.scheduler.cap._adapt = lambda *_: None  # type: ignore[method-assign]
    model.scheduler.cap.cap_bytes = CAP_BYTES_MAX
    model.run(60)
    assert model.latency_ms(0.5, 2, model.finished_at()) >= 900


def test_a_long_path_is_kept_full() -> None:
    model = line(FAR_S)
    model.run(60)
    assert model.delivered_bytes(5, 35) >= 0.95 * 30 * UPLINK
    assert model.scheduler.cap.cap_bytes >= UPLINK * FAR_S
    assert model.latency_ms(0.95, 5, model.finished_at()) <= 1e3 * FAR_S + 100
    assert model.latency_ms(1.0, 1, model.finished_at()) <= 1e3 * FAR_S + 250, "the start overshoots"
    assert body_s(model) <= 1.1 * BODY / UPLINK


def test_a_switch_to_a_longer_path_is_noticed_after_ten_seconds() -> None:
    model = line(0.04)
    model.rtt_s = lambda now: 0.04 if now < 10 else FAR_S
    model.run(70)
    assert model.delivered_bytes(5, 10) >= 0.95 * 5 * UPLINK
    assert model.delivered_bytes(25, 40) >= 0.95 * 15 * UPLINK
    assert model.latency_ms(0.95, 10, model.finished_at()) <= 1e3 * FAR_S + 150


def test_a_switch_by_less_than_the_raised_mark_is_noticed_too() -> None:
    model = line(0.04)
    model.rtt_s = lambda now: 0.04 if now < 10 else 0.15
    model.run(70)
    assert model.delivered_bytes(25, 35) >= 0.95 * 10 * UPLINK


def test_a_switch_to_a_shorter_path_leaves_no_queue_behind() -> None:
    model = line(FAR_S)
    model.rtt_s = lambda now: FAR_S if now < 10 else 0.04
    model.run(60)
    assert model.latency_ms(0.95, 15, model.finished_at()) <= 150
    assert model.delivered_bytes(15, 35) >= 0.95 * 20 * UPLINK


@pytest.mark.parametrize("rtt_s", [NEAR_S, FAR_S])
def test_a_command_hardly_waits_behind_ten_thousand_events(rtt_s: float) -> None:
    model = line(rtt_s, body_bytes=1024 * 1024)
    model.at(1.0, model.scheduler.register(Lane.EVENT, Backlog(400, 10_000)).wake)
    model.run(60)
    assert model.latency_ms(0.95, 1, model.finished_at()) <= 1e3 * rtt_s + 100
    assert model.delivered_bytes(5, 18) >= 0.95 * 13 * UPLINK


@pytest.mark.parametrize("rtt_s", [NEAR_S, FAR_S])
def test_the_queue_does_not_creep_up_on_a_line_that_is_always_busy(rtt_s: float) -> None:
    model = line(rtt_s, body_bytes=150_000_000)
    model.run(600)
    assert model.latency_ms(0.95, 480, 600) <= 1e3 * rtt_s + 100
    assert model.delivered_bytes(480, 600) >= 0.93 * 120 * UPLINK


def test_the_floor_keeps_a_very_slow_line_going() -> None:
    model = line(NEAR_S, rate=20_000.0, body_bytes=512 * 1024)
    model.run(40)
    assert body_s(model) <= 1.1 * 512 * 1024 / 20_000
    assert model.latency_ms(0.95, 1, model.finished_at()) <= 500


def test_jitter_costs_little() -> None:
    rand = random.Random(1)
    model = line(0.01)
    model.jitter_s = lambda: rand.expovariate(1 / 0.02)
    model.run(70)
    assert body_s(model) <= 1.1 * BODY / UPLINK
    assert model.latency_ms(0.95, 1, model.finished_at()) <= 250


@pytest.mark.parametrize("rtt_s", [0.04, FAR_S])
def test_a_line_that_delivers_in_bursts_is_not_taken_for_a_faster_one(rtt_s: float) -> None:
    model = line(rtt_s)
    model.grid_s = 0.03
    model.run(60)
    assert model.latency_ms(0.95, 1, model.finished_at()) <= 1e3 * rtt_s + 150
    assert model.latency_ms(1.0, 1, model.finished_at()) <= 1e3 * rtt_s + 350
    assert body_s(model) <= 1.1 * BODY / UPLINK + rtt_s


def test_a_fast_line_is_not_held_back() -> None:
    model = Bottleneck(100e6, lambda now: 0.0003, buffer_bytes=4 * 1024 * 1024)
    model.scheduler.register(Lane.EVENT, Backlog(1000, 100_000)).wake()
    model.run(0.5)
    assert model.delivered_bytes(0.05, 0.5) >= 0.9 * 0.45 * 100e6
    assert model.scheduler.cap.chunk_bytes == CHUNK_BYTES_MAX


def test_a_satellite_line_of_fifty_megabits_is_filled() -> None:
    model = Bottleneck(6.25e6, lambda now: FAR_S, buffer_bytes=4 * 1024 * 1024)
    model.scheduler.register(Lane.BULK, Body(80 * 1024 * 1024)).wake()
    model.run(13)
    assert model.delivered_bytes(8, 13) >= 0.95 * 5 * 6.25e6


def test_growth_needs_a_cap_that_was_used() -> None:
    cap = DelayCap(0.0)
    total = 0
    for n in range(100):
        cap.sent(float(n), 100)
        total += 100
        cap.received(n + 0.01, total, 0)
    assert cap.cap_bytes == DelayCap(0.0).cap_bytes


def test_one_late_answer_shrinks_nothing() -> None:
    cap = DelayCap(0.0)
    total = 0
    for n in range(10):
        cap.sent(float(n), 100)
        total += 100
        cap.received(n + (0.4 if n in (5, 6) else 0.01), total, 0)
    assert cap.cap_bytes == DelayCap(0.0).cap_bytes


def test_what_the_peer_held_back_is_no_delay() -> None:
    cap = DelayCap(0.0)
    cap.sent(1.0, 100)
    cap.received(1.06, 100, 50_000)
    assert cap.delay_s == pytest.approx(0.01)


def test_at_the_floor_two_chunks_are_under_way() -> None:
    cap = DelayCap(0.0)
    cap.cap_bytes = FLOOR_BYTES
    sizes = 0
    while cap.is_open:
        cap.sent(0.0, cap.chunk_bytes + 5)
        sizes += 1
    assert (sizes, cap.chunk_bytes) == (2, 4096)


@pytest.mark.parametrize("total", [-1, 99, 250, 301])
def test_an_acknowledgement_that_cannot_be_true(total: int) -> None:
    cap = DelayCap(0.0)
    for _ in range(3):
        cap.sent(0.0, 100)
    cap.received(0.1, 100, 0)
    cap.received(0.1, 100, 0)
    with pytest.raises(RemoteProtocolError):
        cap.received(0.2, total, 0)
    with pytest.raises(RemoteProtocolError):
        cap.received(0.2, 300, -1)
