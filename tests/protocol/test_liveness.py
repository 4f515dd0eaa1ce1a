"""Life and death of a connection, on a schedule of events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import RemoteProtocolError
from protocol.frames import Pong
from protocol.liveness import Dead, Liveness, SendPing


def pong(ping_id: int, inside_s: float = 0.0) -> Pong:
    return Pong(ping_id, 1_000_000, 1_000_000 + int(inside_s * 1e6), 0)


class Peer:
    """Answers each ping after `rtt_s` until `silent_from`; ticks come exactly when they are asked for."""

    def __init__(self, rtt_s: float = 0.05, silent_from: float = float("inf")) -> None:
        self.rtt_s = rtt_s
        self.silent_from = silent_from
        self.now = 0.0
        self.live = Liveness(0.0)
        self.answers: list[tuple[float, int]] = []
        self.pings: list[float] = []
        self.dead_at: float | None = None

    def run(self, until: float, receive_every_s: float | None = None) -> None:
        receive_at = self.now + receive_every_s if receive_every_s else float("inf")
        while self.dead_at is None:
            answer_at = self.answers[0][0] if self.answers else float("inf")
            tick_at = max(self.now, self.live.wake_at())
            self.now = min(answer_at, tick_at, receive_at, until)
            if self.now == until:
                return
            if self.now == receive_at and receive_every_s:
                receive_at += receive_every_s
                if self.now < self.silent_from:
                    self.live.received(self.now)
            elif self.now == answer_at:
                self.live.received(self.now)
                self.live.pong(self.now, pong(self.answers.pop(0)[1]))
            else:
                self.tick()

    def tick(self) -> None:
        match self.live.tick(self.now):
            case SendPing(ping_id):
                self.pings.append(self.now)
                if self.now + self.rtt_s / 2 < self.silent_from:
                    self.answers.append((self.now + self.rtt_s, ping_id))
            case Dead():
                self.dead_at = self.now


def test_an_idle_link_is_asked_at_once_and_then_every_five_seconds_of_silence() -> None:
    peer = Peer()
    peer.run(20.0)
    assert peer.pings == pytest.approx([0.0, 5.05, 10.1, 15.15])
    assert peer.live.round_trips.quantile_s(0.5) == pytest.approx(0.05)


def test_a_busy_link_is_asked_every_twenty_seconds() -> None:
    peer = Peer()
    peer.run(65.0, receive_every_s=1.0)
    assert peer.pings == pytest.approx([0.0, 20.0, 40.0, 60.0])


def test_an_idle_link_that_goes_silent_is_dead_ten_seconds_later() -> None:
    peer = Peer(silent_from=7.0)
    peer.run(60.0)
    assert peer.dead_at == pytest.approx(10.1 + 5.0)


def test_a_black_hole_under_traffic_is_found_after_four_seconds() -> None:
    peer = Peer(silent_from=7.0)
    peer.run(7.0, receive_every_s=0.1)
    peer.live.sent_unacknowledged(True, 7.0)
    peer.run(60.0)
    assert peer.dead_at is not None
    assert peer.dead_at <= 7.0 + 1.0 + 3.0 + 0.01


def test_what_is_unacknowledged_later_brings_the_probe_forward() -> None:
    peer = Peer()
    peer.run(2.0)
    assert peer.live.wake_at() == pytest.approx(5.05)
    assert peer.live.sent_unacknowledged(True, 2.0)
    assert not peer.live.sent_unacknowledged(True, 2.1)
    assert peer.live.wake_at() == pytest.approx(3.0)
    assert not peer.live.sent_unacknowledged(False, 2.2)
    assert peer.live.wake_at() == pytest.approx(5.05)


def test_the_probe_waits_four_round_trips() -> None:
    peer = Peer(rtt_s=0.6)
    peer.run(2.0)
    peer.live.sent_unacknowledged(True, 2.0)
    assert peer.live.wake_at() == pytest.approx(2.0 + 4 * 0.6)


def test_a_long_path_gets_more_time() -> None:
    peer = Peer(rtt_s=2.0, silent_from=20.0)
    peer.run(20.0)
    peer.live.sent_unacknowledged(True, 20.0)
    last = peer.live.received_at
    peer.run(60.0)
    assert peer.dead_at is not None
    assert peer.dead_at - last >= 6.0
    assert peer.dead_at - peer.pings[-1] == pytest.approx(6.0), "3 × the largest round trip"


def test_no_patience_beyond_twenty_seconds() -> None:
    live = Liveness(0.0)
    assert live.tick(0.0) == SendPing(1)
    live.received(30.0)
    live.pong(30.0, pong(1))
    assert live.tick(35.0) == SendPing(2)
    assert live.wake_at() == pytest.approx(55.0), "not 35 + 3 × 30"
    assert live.tick(54.9) is None
    assert isinstance(live.tick(55.0), Dead)


def test_the_largest_round_trip_is_forgotten_after_a_minute() -> None:
    peer = Peer(rtt_s=3.0)
    peer.run(30.0)
    peer.rtt_s = 0.05
    peer.run(120.0)
    assert peer.live.round_trips.largest_s(120.0) == pytest.approx(0.05)


def test_time_inside_the_peer_is_no_round_trip() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    live.ping_left(1, 0.5)
    assert live.pong(0.9, pong(1, inside_s=0.3)) == 0.5
    assert live.round_trips.smoothed_s == pytest.approx(0.1)
    assert live.pong(1.0, pong(1)) is None, "answered twice: late, not wrong"


def test_a_pong_for_no_ping_is_an_error() -> None:
    live = Liveness(0.0)
    for ping_id in (0, 1, -1):
        with pytest.raises(RemoteProtocolError):
            live.pong(0.1, pong(ping_id))


def test_a_ping_that_left_late_counts_from_there() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    live.ping_left(1, 2.0)
    assert live.wake_at() == pytest.approx(7.0)
    assert live.tick(6.9) is None
    assert isinstance(live.tick(7.01), Dead)


def test_a_ping_that_never_left_is_a_death_all_the_same() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    assert live.wake_at() == pytest.approx(5.0)
    assert isinstance(live.tick(5.0), Dead)


def test_a_machine_that_slept_reads_first() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    live.wake_at()
    assert live.tick(3600.0) is None or not isinstance(live.tick(3600.0), Dead)
    live.received(3600.1)
    assert not isinstance(live.tick(3600.2), Dead)


def test_a_machine_that_is_always_late_finds_a_dead_peer_in_the_end() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    now = 0.0
    for _ in range(20):
        now = live.wake_at() + 0.3
        verdict = live.tick(now)
        if isinstance(verdict, Dead):
            break
    assert isinstance(verdict, Dead)
    assert "nothing received for" in verdict.words
    assert now < 12


@given(
    rtt_s=st.floats(0.0001, 2.0),
    unacknowledged=st.lists(st.tuples(st.floats(0.01, 7.0), st.booleans()), max_size=40),
    every=st.one_of(st.none(), st.floats(0.05, 30)),
)
@settings(max_examples=80)
def test_a_peer_that_answers_is_never_dead(
    rtt_s: float, unacknowledged: list[tuple[float, bool]], every: float | None
) -> None:
    # The first round trip of a long path is not known yet: half of the least limit is what anybody may take.
    peer = Peer(rtt_s=min(rtt_s, 1.4))
    for wait_s, flag in unacknowledged:
        peer.run(peer.now + wait_s, every)
        peer.live.sent_unacknowledged(flag, peer.now)
    peer.run(peer.now + 60, every)
    assert peer.dead_at is None


@given(rtt_s=st.floats(0.0001, 1.4), alive_s=st.floats(0.0, 70.0), flag=st.booleans())
@settings(max_examples=80)
def test_a_peer_that_went_silent_is_dead_in_time(rtt_s: float, alive_s: float, flag: bool) -> None:
    peer = Peer(rtt_s=rtt_s, silent_from=alive_s)
    peer.run(alive_s, receive_every_s=0.5)
    peer.live.sent_unacknowledged(flag, alive_s)
    peer.answers.clear()
    peer.run(alive_s + 60)
    assert peer.dead_at is not None
    silence_s, limit_s = (max(1.0, 4 * rtt_s), 3.0) if flag else (5.0, 5.0)
    assert peer.dead_at - alive_s <= silence_s + max(limit_s, 3 * rtt_s) + 1e-6


def test_only_a_silence_in_which_an_answer_was_owed_is_one() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    assert not live.received(0.05)
    live.pong(0.05, pong(1))
    assert not live.received(4.0), "nobody had asked anything"
    live.sent_unacknowledged(True, 5.0)
    assert not live.received(5.5), "it came in time"
    assert live.received(8.0), "something was owed all the while"
    live.sent_unacknowledged(False, 8.0)
    live.tick(13.1)  # a ping
    assert live.received(15.0), "its answer was late"
    assert not live.received(15.1)


def test_what_is_far_away_may_answer_late() -> None:
    live = Liveness(0.0)
    live.tick(0.0)
    assert live.received(1.5)
    live.pong(1.5, pong(1))
    live.sent_unacknowledged(True, 2.0)
    assert not live.received(7.0), "less than four round trips"
    assert live.received(13.5)
