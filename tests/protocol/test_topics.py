"""State topics: what is sent when, what is refused, what heals."""

import pytest

from protocol.codec import decode_frames, encode_frame
from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import (
    FRAME_BYTES_MAX,
    Fresh,
    StateAck,
    SyncPart,
    SyncRequest,
    Update,
)
from protocol.lanes import Lane, Scheduler
from protocol.topicdigest import changed_digest, digest_bytes
from protocol.topics import ROW_BYTES_MAX, Publisher, Subscriber
from tests.protocol.topic_pair import INTERVAL_S, TOPIC, Link, kinds


def health(subscriber: Subscriber) -> str:
    return "fine" if subscriber.trouble is None else f"trouble: {subscriber.trouble}"


def test_a_flush_waits_for_company_and_leaves_after_the_interval() -> None:
    link = Link()
    link.set("a", b"1")
    link.write()
    assert not link.sent
    assert link.publisher.wake_at(link.now) == pytest.approx(100.1)
    link.wait(0.05)
    link.set("b", b"1")
    link.wait(0.05)
    link.write()
    (update,) = link.sent
    assert isinstance(update, Update)
    assert (update.seq, update.rows, update.removed) == (1, {"a": b"1", "b": b"1"}, [])
    link.deliver()
    link.check_converged()


def test_a_hundred_rows_leave_at_once() -> None:
    link = Link()
    for n in range(99):
        link.set(f"k{n}", b"x")
    link.write()
    assert not link.sent
    link.set("k99", b"x")
    link.write()
    assert kinds(link.sent) == ["Update"]


def test_what_changes_back_is_not_sent() -> None:
    link = Link()
    link.set("a", b"1")
    link.settle()
    sent = len(link.sent)
    link.set("a", b"2")
    link.set("a", b"1")
    link.set("b", b"1")
    link.remove("b")
    link.remove("never there")
    link.settle()
    assert len(link.sent) == sent


def test_a_slow_line_gets_fewer_and_newer_updates() -> None:
    link = Link()
    for n in range(100):
        link.set("a", str(n).encode())
        link.wait(0.2)
        link.write()
    assert kinds(link.sent) == ["Update", "Update"]
    link.settle()
    assert kinds(link.sent) == ["Update", "Update", "Update"]
    assert link.subscriber.rows == {"a": b"99"}


def test_a_large_flush_is_split_into_numbered_flushes() -> None:
    link = Link(chunk=16 * 1024)
    for n in range(90):
        link.set(f"key {n}", bytes(1000))
    link.set("big", bytes(ROW_BYTES_MAX))
    link.read()
    link.settle()
    assert set(kinds(link.sent)) == {"Update"}
    assert len(link.sent) >= 6
    assert all(len(encode_frame(frame)) <= FRAME_BYTES_MAX for frame in link.sent)
    as_of = [frame.as_of_us for frame in link.sent if isinstance(frame, Update)]
    assert as_of == [0] * (len(as_of) - 1) + [link.moment], "as of only what is whole"
    link.check_converged()


def test_a_row_that_is_too_long_and_a_table_that_is_full_are_refused_here() -> None:
    publisher = Publisher(TOPIC, 1, INTERVAL_S, rows_max=2, bytes_max=10_000)
    with pytest.raises(LocalProtocolError):
        publisher.set("a", bytes(ROW_BYTES_MAX + 1), 0.0)
    with pytest.raises(LocalProtocolError):
        publisher.set("k" * 600, b"", 0.0)
    publisher.set("a", bytes(ROW_BYTES_MAX), 0.0)
    with pytest.raises(LocalProtocolError):
        publisher.set("b", bytes(5000), 0.0)
    publisher.set("b", b"", 0.0)
    with pytest.raises(LocalProtocolError):
        publisher.set("c", b"", 0.0)
    publisher.remove("a", 0.0)
    publisher.set("c", bytes(5000), 0.0)


def test_age_has_a_carrier_when_nothing_changes() -> None:
    link = Link()
    link.set("a", b"1")
    link.moment = 1_000_000
    link.read()
    link.settle()
    link.sent.clear()
    for second in range(2, 32):
        link.moment = second * 1_000_000
        link.read()
        link.wait(1.0)
        link.write()
        link.deliver()
    assert kinds(link.sent) == ["Fresh"] * 6, "at most every heartbeat"
    assert link.subscriber.as_of_us is not None
    assert link.subscriber.as_of_us >= 26_000_000
    # What is told first on a new connection may be old: what is known a moment later does not wait.
    link.sent.clear()
    link.moment += 60_000_000
    link.read()
    link.wait(0.001)
    link.write()
    link.deliver()
    assert link.subscriber.as_of_us == link.moment
    link.moment = 31_000_000
    link.read()
    # The source wedges behind a healthy line: the age grows, whatever else is received.
    link.settle()
    assert link.subscriber.age_s(131_000_000) == pytest.approx(100.0)


def test_an_age_is_told_when_asked_and_often_behind_trouble() -> None:
    link = Link()
    link.set("a", b"1")
    link.moment = 1_000_000
    link.read()
    link.settle()
    link.sent.clear()

    def pass_by(seconds: int) -> list[str]:
        """Read ten times a second; return what was sent."""
        link.sent.clear()
        for _ in range(10 * seconds):
            link.moment += 100_000
            link.read()
            link.wait(0.1)
            link.write()
            link.deliver()
        return kinds(link.sent)

    link.publisher.tell()
    assert pass_by(4) == ["Fresh"]
    link.sent.clear()
    link.publisher.tell()
    link.write()
    link.deliver()
    assert kinds(link.sent) == ["Fresh"]
    assert link.subscriber.as_of_us == link.moment
    link.publisher.tell()  # the same again: it may be of more than before
    link.write()
    assert kinds(link.sent) == ["Fresh"] * 2
    pass_by(5)
    link.publisher.unsteady(link.now)
    assert 50 < len(pass_by(60)) < 90
    assert len(pass_by(60)) <= 12
    link.connect()  # again
    assert 6 <= len(pass_by(5)) <= 8
    pass_by(60)
    link.restart_subscriber()  # the first connection with this one
    assert len(pass_by(10)) <= 4


def test_nothing_is_called_fresh_while_changes_are_held_back() -> None:
    link = Link()
    for n in range(3):
        link.set("a", str(n).encode())
        link.read()
        link.wait(1.0)
        link.write()
    assert kinds(link.sent) == ["Update", "Update"]
    link.wait(100.0)
    link.read()
    link.write()
    assert kinds(link.sent) == ["Update", "Update"]


def test_the_subscriber_learns_when_to_call_the_source_silent() -> None:
    link = Link()
    link.publisher = Publisher(TOPIC, 5, INTERVAL_S, max_silence_s=10.0)
    link.connect()
    assert link.subscriber.is_silent(0)
    link.set("a", b"1")
    link.read()
    link.settle()
    link.set("b", b"1")
    link.settle()
    assert [frame.max_silence_ms for frame in link.sent if isinstance(frame, Update)] == [10_000, 0]
    assert not link.subscriber.is_silent(9_000_000)
    assert link.subscriber.is_silent(11_000_000)


def test_a_reconnect_continues_where_both_stand() -> None:
    link = Link()
    for n in range(500):
        link.set(f"k{n}", bytes(20))
    link.settle()
    link.sent.clear()
    link.set("k1", b"new")
    link.remove("k2")
    link.wait(1.0)
    link.write()
    link.connect()  # the update was lost
    link.set("k3", b"newer")
    link.settle()
    (update,) = link.sent[1:]
    assert isinstance(update, Update)
    assert (update.rows, update.removed) == ({"k1": b"new", "k3": b"newer"}, ["k2"])
    link.check_converged()
    assert link.subscriber.syncs == 0


def test_a_reconnect_without_changes_sends_nothing_but_freshness() -> None:
    link = Link()
    link.set("a", b"1")
    link.settle()
    link.sent.clear()
    link.read()
    link.connect()
    link.settle()
    assert kinds(link.sent) == ["Fresh"]


def test_what_changed_back_before_a_reconnect_is_not_sent() -> None:
    link = Link()
    link.set("a", b"1")
    link.settle()
    link.sent.clear()
    link.set("a", b"2")
    link.wait(1.0)
    link.write()
    link.set("a", b"1")
    link.connect()
    link.settle()
    assert len(link.sent) == 1
    link.check_converged()


def test_a_publisher_is_a_source_of_the_scheduler() -> None:
    publisher, subscriber, scheduler = Publisher(TOPIC, 1, INTERVAL_S), Subscriber(TOPIC), Scheduler(0.0)
    for n in range(300):
        publisher.set(f"k{n}", bytes(100), 0.0)
    updates = scheduler.register(Lane.EVENT, publisher)
    parts = scheduler.register(Lane.BULK, publisher.parts)
    publisher.attach(subscriber.position(), 0.0, updates.wake, parts.wake)
    lanes: list[Lane] = []
    now, total = 0.0, 0
    for _ in range(100):
        now += 0.02
        publisher.tick(now)
        pick = scheduler.pick(now)
        if pick is None:
            continue
        scheduler.sent(now, len(pick.data), pick.counted)
        total += len(pick.data)
        scheduler.on_received(now + 0.01, total, 0)
        lanes += pick.lanes
        for frame in decode_frames(pick.data):
            assert isinstance(frame, Update | Fresh | SyncPart)
            for answer in subscriber.receive(frame, now):
                assert isinstance(answer, StateAck | SyncRequest)
                publisher.receive(answer, now)
        if lanes.count(Lane.BULK) == 3:
            publisher.set("k1", b"new", now)
    assert set(lanes[:-1]) == {Lane.BULK}
    assert lanes[-1] is Lane.EVENT
    assert subscriber.rows == publisher._table


def test_a_new_subscriber_gets_the_table_at_once_when_it_is_whole() -> None:
    link = Link()
    for n in range(500):
        link.set(f"k{n}", bytes(200))
    link.settle()
    link.sent.clear()
    link.restart_subscriber()
    link.write()
    assert set(kinds(link.sent)) == {"SyncPart"}
    link.deliver(len(link.sent) - 1)
    assert link.subscriber.rows == {}
    link.settle()
    assert link.subscriber.syncs == 1
    assert len(link.subscriber.take_changed()) == 500
    link.check_converged()


def test_a_publisher_that_started_again_replaces_the_table() -> None:
    link = Link()
    link.set("a", b"1")
    link.read()
    link.settle()
    link.restart_publisher()
    assert link.subscriber.rows == {"a": b"1"}, "with the age it has"
    link.set("b", b"2")
    link.settle()
    assert link.subscriber.rows == {"b": b"2"}
    assert link.subscriber.age_s(link.moment) is None
    assert link.subscriber.take_changed() == {"a", "b"}
    link.restart_publisher()
    link.read()
    link.settle()
    assert link.subscriber.rows == {}
    assert link.subscriber.as_of_us == link.moment
    link.check_converged()


def test_updates_wait_behind_the_last_part_of_a_sync() -> None:
    link = Link()
    for n in range(100):
        link.set(f"k{n}", bytes(200))
    link.settle()
    link.sent.clear()
    link.publisher.receive(SyncRequest(TOPIC, "test"), link.now)
    part = link.publisher.parts.pull(link.now, 4096)
    assert part is not None
    link.down += decode_frames(part)
    for n in range(100):
        link.set(f"k{n}", b"new")
        link.set(f"k{n}", b"newer")
    link.wait(1.0)
    assert link.publisher.pull(link.now, 4096) is None
    link.settle()
    assert kinds(link.sent) == ["SyncPart"] * (len(link.sent) - 1) + ["Update"], "coalesced, behind"
    assert link.subscriber.syncs == 1
    link.check_converged()


def test_a_lost_update_is_noticed_by_the_next_frame() -> None:
    for later in ("update", "fresh"):
        link = Link()
        link.set("a", b"1")
        link.settle()
        link.set("a", b"2")
        link.wait(1.0)
        link.write()
        link.down.clear()
        if later == "update":
            link.set("a", b"3")
        link.read()
        link.settle()
        assert link.subscriber.syncs == 1
        link.check_converged()


def test_a_wrong_digest_is_not_applied_and_heals() -> None:
    link = Link()
    link.set("a", b"1")
    link.read()
    link.settle()
    link.subscriber._digest ^= 1
    link.set("a", b"2")
    link.wait(1.0)
    link.write()
    link.up += link.subscriber.receive(link.down.popleft(), link.now)
    assert kinds(list(link.up)) == ["SyncRequest"]
    assert link.subscriber.rows == {"a": b"1"}
    link.settle()
    link.check_converged()


def test_two_failures_in_a_row_slow_down_and_are_reported() -> None:
    link = Link()
    link.set("a", b"1")
    link.settle()
    subscriber = link.subscriber
    part = SyncPart(TOPIC, 1, 50, 0, True, {}, bytes(8), 0)
    wrong = SyncPart(TOPIC, 1, 51, 0, True, {"a": b"x"}, bytes(8), 0)
    assert kinds(subscriber.receive(wrong, 0.0)) == ["SyncRequest"]
    assert "trouble" not in health(subscriber)
    assert subscriber.receive(wrong, 1.0) == []
    assert "trouble" in health(subscriber)
    assert subscriber.wake_at() == 6.0
    assert subscriber.tick(5.9) == []
    assert kinds(subscriber.tick(6.0)) == ["SyncRequest"]
    subscriber.receive(wrong, 7.0)
    assert subscriber.wake_at() == 17.0
    for _ in range(20):
        subscriber.receive(wrong, 8.0)
    assert subscriber.wake_at() == 68.0
    assert kinds(subscriber.receive(part, 9.0)) == ["StateAck"]
    assert "trouble" not in health(subscriber)
    assert subscriber.wake_at() is None
    # What fails again right behind a sync is no first failure.
    assert subscriber.receive(wrong, 10.0) == []


def test_a_sync_that_does_not_come_is_asked_for_again() -> None:
    link = Link()
    link.set("a", b"1")
    link.settle()
    asked = link.subscriber.receive(Fresh(TOPIC, 1, 9, 5), 0.0)
    assert kinds(asked) == ["SyncRequest"]
    assert link.subscriber.receive(Update(TOPIC, 1, 10, {}, [], bytes(8), 5), 1.0) == []
    assert kinds(link.subscriber.tick(30.0)) == ["SyncRequest"]


def test_what_no_loss_could_cause_ends_the_connection() -> None:
    link = Link()
    with pytest.raises(RemoteProtocolError):
        link.publisher.receive(StateAck(TOPIC, 1, 1), link.now)
    with pytest.raises(RemoteProtocolError):
        link.publisher.receive(StateAck(TOPIC, 2, 0), link.now)
    with pytest.raises(RemoteProtocolError):
        link.subscriber.receive(Update(TOPIC, 1, 1, {"a": b""}, ["a"], bytes(8), 0), link.now)


def test_a_table_past_the_bounds_ends_the_connection() -> None:
    for part in (False, True):
        subscriber = Subscriber(TOPIC, rows_max=2, bytes_max=1000)
        for rows in ({"a": b"", "b": b"", "c": b""}, {"a": bytes(1000)}):
            digest = digest_bytes(changed_digest(0, {}, rows))
            frame = (
                SyncPart(TOPIC, 1, 1, 0, True, rows, digest, 0)
                if part
                else Update(TOPIC, 1, 1, rows, [], digest, 0)
            )
            with pytest.raises(RemoteProtocolError) as caught:
                subscriber.receive(frame, 0.0)
            assert caught.value.code is CloseCode.TOO_LARGE


def test_changed_keys_that_nobody_takes_stay_bounded() -> None:
    subscriber = Subscriber(TOPIC, rows_max=10)
    digest = 0
    for seq in range(1, 200):
        rows, gone = {f"k{seq}": b""}, [f"k{seq - 1}"] if seq > 1 else []
        digest = changed_digest(digest, dict.fromkeys(gone, b""), rows)
        subscriber.receive(Update(TOPIC, 1, seq, rows, gone, digest_bytes(digest), 0), 0.0)
    assert len(subscriber.rows) == 1
    assert len(subscriber.take_changed()) <= 20


def test_the_digest_is_what_the_description_says() -> None:
    # BLAKE2b-64 of 00000001 61 31 and of 00000002 c3bc, added (checked with b2sum -l 64).
    digest = changed_digest(0, {}, {"a": b"1", "ü": b""})
    assert digest_bytes(digest).hex() == "1cb36f7416ed0a45"
