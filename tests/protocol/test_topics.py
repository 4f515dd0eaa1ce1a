"""State topics: a publisher and a subscriber over a line that loses, doubles, reorders and breaks."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import decode_frames, encode_frame
from protocol.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from protocol.frames import (
    FRAME_BYTES_MAX,
    Frame,
    Fresh,
    StateAck,
    SyncPart,
    SyncRequest,
    TopicPosition,
    Update,
)
from protocol.lanes import Lane, Scheduler
from protocol.topicdigest import changed_digest, digest_bytes
from protocol.topics import ROW_BYTES_MAX, Publisher, Subscriber

INTERVAL_S = 0.1
TOPIC = "zones"


class Link:
    """Both ends, a FIFO each way, and the memory of everything that was ever published."""

    def __init__(self, *, own_lane: bool = True, epoch: int = 1, chunk: int = 4096) -> None:
        self.now = 100.0
        self.own_lane = own_lane
        self.epoch = epoch
        self.chunk = chunk
        self.publisher = Publisher(TOPIC, epoch, INTERVAL_S)
        self.subscriber = Subscriber(TOPIC)
        self.down: deque[Any] = deque()
        self.up: deque[Frame] = deque()
        self.sent: list[Frame] = []
        self.ready: set[str] = set()
        self.moment = 1
        self.versions: dict[str, list[tuple[int, bytes | None]]] = {}
        self.connect()

    # --- the owner of the table ---

    def set(self, key: str, row: bytes) -> None:
        self.publisher.set(key, row, self.now)
        self._note(key, row)

    def remove(self, key: str) -> None:
        self.publisher.remove(key, self.now)
        self._note(key, None)

    def read(self) -> None:
        self.publisher.read_at(self.moment)

    def _note(self, key: str, row: bytes | None) -> None:
        self.moment += 1
        self.versions.setdefault(key, [(0, None)]).append((self.moment, row))

    # --- the line ---

    def connect(self) -> None:
        self.down.clear()
        self.up.clear()
        self.ready.clear()
        position = self.subscriber.position()
        self.publisher.attach(
            position,
            self.now,
            lambda: self.ready.add("updates"),
            (lambda: self.ready.add("parts")) if self.own_lane else None,
        )
        self.subscriber.attach(self.now)

    def restart_publisher(self) -> None:
        self.epoch += 1
        for key in list(self.publisher._table):
            self._note(key, None)
        self.publisher = Publisher(TOPIC, self.epoch, INTERVAL_S)
        self.connect()

    def restart_subscriber(self) -> None:
        self.subscriber = Subscriber(TOPIC)
        self.connect()

    def write(self) -> None:
        """Pull until nothing is ready."""
        self.publisher.tick(self.now)
        while self.ready:
            name = "updates" if "updates" in self.ready else "parts"
            source = self.publisher if name == "updates" else self.publisher.parts
            self.ready.discard(name)
            data = source.pull(self.now, self.chunk)
            if data is not None:
                self.ready.add(name)
                assert len(data) <= FRAME_BYTES_MAX
                frames = decode_frames(data)
                self.down += frames
                self.sent += frames
        assert sum(isinstance(frame, Update) for frame in self.down) <= 2 or self.is_lossy
        assert self.publisher.wake_at(self.now) is None or self.publisher.wake_at(self.now) > self.now  # type: ignore[operator]

    is_lossy = False

    def deliver(self, count: int = 1_000_000) -> None:
        while count and (self.down or self.up):
            count -= 1
            if self.down:
                self.up += self.subscriber.receive(self.down.popleft(), self.now)
                self.check()
            elif self.up:
                frame = self.up.popleft()
                assert isinstance(frame, StateAck | SyncRequest)
                self.publisher.receive(frame, self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.up += self.subscriber.tick(self.now)

    def settle(self) -> None:
        """Let everything that is due happen, on a good line."""
        for _ in range(200):
            self.write()
            self.deliver()
            self.wait(1.0)
        assert not self.ready

    # --- what must hold ---

    def check(self) -> None:
        as_of = self.subscriber.as_of_us
        for key in self.versions.keys() | self.subscriber.rows.keys():
            row = self.subscriber.rows.get(key)
            versions = self.versions[key]
            if as_of is None:
                allowed = [version for _, version in versions]
            else:
                allowed = [version for moment, version in versions if moment > as_of]
                allowed.append(next(version for moment, version in reversed(versions) if moment <= as_of))
            assert row in allowed, f"{key} as of {as_of}"

    def check_converged(self) -> None:
        assert self.subscriber.rows == self.publisher._table
        whole = changed_digest(0, {}, self.publisher._table)
        assert self.subscriber.position() == TopicPosition(
            TOPIC, self.subscriber._epoch, self.publisher._seq, digest_bytes(whole)
        )
        assert self.subscriber._bytes == self.publisher._bytes
        assert self.subscriber.trouble is None


def kinds(frames: list[Frame]) -> list[str]:
    return [type(frame).__name__ for frame in frames]


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
    # The source wedges behind a healthy line: the age grows, whatever else is received.
    link.settle()
    assert link.subscriber.age_s(131_000_000) == pytest.approx(100.0)


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


KEYS = st.sampled_from(["a", "b", "c", "d", "ü", "long " * 20])
OPS = st.one_of(
    st.tuples(st.just("set"), KEYS, st.sampled_from([b"", b"1", b"2", b"3" * 2000, b"4" * 3000])),
    st.tuples(st.just("set"), KEYS, st.binary(max_size=3)),
    st.tuples(st.just("remove"), KEYS),
    st.tuples(st.just("read")),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.1, 6.0, 31.0])),
    st.tuples(st.just("write")),
    st.tuples(st.just("deliver"), st.integers(1, 5)),
    st.tuples(st.just("drop"), st.booleans()),
    st.tuples(st.just("double"), st.booleans()),
    st.tuples(st.just("swap"), st.booleans()),
    st.tuples(st.just("connect")),
    st.tuples(st.just("restart_publisher")),
    st.tuples(st.just("restart_subscriber")),
)


@given(ops=st.lists(OPS, max_size=60), own_lane=st.booleans())
@settings(max_examples=300)
def test_both_ends_converge_over_a_bad_line(ops: list[tuple[object, ...]], own_lane: bool) -> None:
    link = Link(own_lane=own_lane)
    link.is_lossy = True
    for name, *arguments in ops:
        if name in ("drop", "double", "swap"):
            queue = link.down if arguments[0] else link.up
            if queue and name == "drop":
                queue.popleft()
            elif queue and name == "double":
                queue.append(queue[0])
            elif len(queue) > 1:
                queue[0], queue[1] = queue[1], queue[0]
        else:
            getattr(link, str(name))(*arguments)
        link.check()
    link.connect()
    link.read()
    link.settle()
    link.check_converged()
    assert link.subscriber.as_of_us == link.moment


@given(ops=st.lists(OPS.filter(lambda op: op[0] not in ("drop", "double", "swap")), max_size=60))
@settings(max_examples=150)
def test_a_line_that_only_breaks_never_needs_a_repair(ops: list[tuple[object, ...]]) -> None:
    link = Link()
    for name, *arguments in ops:
        getattr(link, str(name))(*arguments)
        link.check()
        assert not any(isinstance(frame, SyncRequest) for frame in link.up)
    link.read()
    link.settle()
    link.check_converged()
