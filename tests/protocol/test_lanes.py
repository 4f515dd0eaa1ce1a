"""Who goes first, and who may not be starved."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.lanes import Handle, Lane, Pick, Scheduler


class Letters:
    """A source of equal frames of one letter; `left` of them."""

    def __init__(self, letter: str, frame_bytes: int, left: int) -> None:
        self.frame = letter.encode() * frame_bytes
        self.left = left
        self.asked = 0

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        self.asked += 1
        count = min(self.left, max(1, max_bytes // len(self.frame)))
        self.left -= count
        return self.frame * count or None


def put(scheduler: Scheduler, lane: Lane, letter: str, frame_bytes: int = 100, left: int = 1) -> Handle:
    handle = scheduler.register(lane, Letters(letter, frame_bytes, left))
    handle.wake()
    return handle


def drain(scheduler: Scheduler, now: float = 0.0, picks: int = 10_000) -> list[Pick]:
    """Pick until nothing is left; everything is acknowledged after 1 ms, so that the cap is no bound."""
    result = []
    for _ in range(picks):
        pick = scheduler.pick(now)
        if pick is None:
            break
        scheduler.sent(now, len(pick.data), pick.counted)
        if pick.counted:
            scheduler.on_received(now + 0.001, scheduler.cap._total, 0)
        result.append(pick)
    return result


def test_lower_lanes_go_first_and_only_the_upper_ones_are_counted() -> None:
    scheduler = Scheduler(0.0)
    for lane, letter in ((Lane.EVENT, "e"), (Lane.COMMAND, "c"), (Lane.CONTROL, "o")):
        put(scheduler, lane, letter)
    first, second = drain(scheduler)
    assert first.data == b"o" * 100 + b"c" * 100
    assert (first.counted, first.lanes) == (False, (Lane.CONTROL, Lane.COMMAND))
    assert (second.data, second.counted, second.lanes) == (b"e" * 100, True, (Lane.EVENT,))


def test_on_a_fast_line_shared_bytes_follow_a_command_in_its_message() -> None:
    scheduler = Scheduler(0.0)
    scheduler.cap.cap_bytes = 4 * 1024 * 1024
    put(scheduler, Lane.EVENT, "e", left=1000)
    put(scheduler, Lane.COMMAND, "c")
    pick = scheduler.pick(0.0)
    assert pick is not None
    assert pick.data.startswith(b"c")
    assert pick.lanes == (Lane.COMMAND, Lane.EVENT)
    assert pick.counted
    assert len(pick.data) <= scheduler.cap.chunk_bytes


def test_a_pick_is_one_chunk_with_one_bulk_frame() -> None:
    scheduler = Scheduler(0.0)
    put(scheduler, Lane.BULK, "b", 2000, 50)
    for pick in drain(scheduler):
        assert len(pick.data) <= scheduler.cap.chunk_bytes, "asked once for what fits"
    # Behind others it gets what is left of the chunk, or its turn in the next.
    for _ in range(3):
        put(scheduler, Lane.BULK, "b", 1100, 3)
    put(scheduler, Lane.EVENT, "e", 1100, 6)
    for pick in drain(scheduler):
        assert len(pick.data) <= scheduler.cap.chunk_bytes
        assert pick.data.count(b"b") <= 3300


def test_a_bulk_source_is_asked_once_a_pick() -> None:
    scheduler = Scheduler(0.0)
    sources = [Letters("b", 1100, 1) for _ in range(5)]
    for source in sources:
        scheduler.register(Lane.BULK, source).wake()
    assert [len(pick.data) for pick in drain(scheduler)] == [1100] * 5


def test_sources_of_a_lane_take_turns() -> None:
    scheduler = Scheduler(0.0)
    for letter in "abc":
        put(scheduler, Lane.EVENT, letter, 1400, 20)
    order = "".join(chr(byte) for pick in drain(scheduler) for byte in pick.data[::1400])
    assert len(order) == 60
    counts = Counter(order[:18])
    assert set(counts.values()) == {6}


def test_shared_lanes_share_by_weight() -> None:
    scheduler = Scheduler(0.0)
    for lane, letter in ((Lane.EVENT, "e"), (Lane.ANSWER, "a"), (Lane.LIVE, "l"), (Lane.BULK, "b")):
        put(scheduler, lane, letter, 500, 100_000)
    counts = Counter(b"".join(pick.data for pick in drain(scheduler, picks=3000)))
    of_all = {chr(byte): count / counts.total() for byte, count in counts.items()}
    assert of_all["e"] == pytest.approx(4 / 11, rel=0.05)
    assert of_all["a"] == pytest.approx(2 / 11, rel=0.05)
    assert of_all["l"] == pytest.approx(4 / 11, rel=0.05)
    assert of_all["b"] == pytest.approx(1 / 11, rel=0.1)


def test_nobody_starts_with_a_debt_from_when_the_line_was_free() -> None:
    scheduler = Scheduler(0.0)
    put(scheduler, Lane.BULK, "b", 1000, 100_000)
    drain(scheduler, picks=500)
    put(scheduler, Lane.EVENT, "e", 1000, 100_000)
    counts = Counter(b"".join(pick.data for pick in drain(scheduler, picks=200)))
    assert counts[ord("b")] / counts.total() == pytest.approx(1 / 5, rel=0.2)


def test_a_flood_of_commands_leaves_a_fifth_to_the_others() -> None:
    scheduler = Scheduler(0.0)
    put(scheduler, Lane.COMMAND, "c", 120, 1_000_000)
    put(scheduler, Lane.EVENT, "e", 120, 1_000_000)
    sent: list[tuple[float, Counter[int]]] = []
    now, total = 0.0, 0
    for _ in range(6000):
        pick = scheduler.pick(now)
        if pick is None:
            wake = scheduler.next_wake(now)
            assert wake is not None
            now = wake
            continue
        scheduler.sent(now, len(pick.data), pick.counted)
        now += len(pick.data) / 250_000
        if pick.counted:
            total += len(pick.data)
            scheduler.on_received(now, total, 0)
        sent.append((now, Counter(pick.data)))
    for end in range(2, int(now)):
        second = Counter[int]()
        for at, counts in sent:
            if end - 1 <= at < end:
                second.update(counts)
        share = second[ord("c")] / second.total()
        assert 0.7 <= share <= 0.81


def test_commands_alone_have_the_line_to_themselves() -> None:
    scheduler = Scheduler(0.0)
    put(scheduler, Lane.COMMAND, "c", 120, 10_000)
    picks = drain(scheduler)
    assert sum(len(pick.data) for pick in picks) == 1_200_000
    # And what they sent alone is not held against them.
    put(scheduler, Lane.EVENT, "e")
    put(scheduler, Lane.COMMAND, "c", 120, 1)
    assert drain(scheduler)[0].data == b"c" * 120


def test_while_the_others_are_stalled_a_command_a_second_goes_and_more_is_held() -> None:
    scheduler = Scheduler(0.0)
    put(scheduler, Lane.EVENT, "e", 1000, 1000)
    while (pick := scheduler.pick(0.0)) is not None:
        scheduler.sent(0.0, len(pick.data), pick.counted)
    now = 5.0
    put(scheduler, Lane.COMMAND, "c", 1024, 8)
    sent: list[float] = []
    while len(sent) < 8:
        pick = scheduler.pick(now)
        if pick is None:
            wake = scheduler.next_wake(now)
            assert wake is not None
            assert wake > now
            now = wake
            continue
        assert not pick.counted
        sent += [now] * (len(pick.data) // 1024)
    assert sent == [5.0] * 4 + [pytest.approx(6.1)] * 4


def test_others_that_have_nothing_after_all_hold_nobody_back() -> None:
    scheduler = Scheduler(0.0)
    for _ in range(4):
        put(scheduler, Lane.EVENT, "e", left=1)
        put(scheduler, Lane.COMMAND, "c", 4096)
        drain(scheduler)
    put(scheduler, Lane.EVENT, "e", left=0)
    put(scheduler, Lane.COMMAND, "c", 100)
    assert [pick.data for pick in drain(scheduler)] == [b"c" * 100]


def test_a_closed_cap_holds_the_shared_lanes_until_something_arrives() -> None:
    ready: list[None] = []
    scheduler = Scheduler(0.0, on_ready=lambda: ready.append(None))
    put(scheduler, Lane.EVENT, "e", 1000, 1000)
    assert len(ready) == 1
    total = 0
    while (pick := scheduler.pick(0.0)) is not None:
        scheduler.sent(0.0, len(pick.data), pick.counted)
        total += len(pick.data)
    assert total <= scheduler.cap.cap_bytes + scheduler.cap.chunk_bytes // 2
    assert scheduler.next_wake(0.0) is None
    put(scheduler, Lane.COMMAND, "c")
    pick = scheduler.pick(0.1)
    assert pick is not None
    assert not pick.counted
    ready.clear()
    scheduler.on_received(0.2, total, 0)
    assert len(ready) == 1
    assert scheduler.pick(0.2) is not None


def test_a_rider_goes_along_but_not_by_itself() -> None:
    scheduler = Scheduler(0.0)
    rider = scheduler.register(Lane.CONTROL, Letters("r", 10, 2))
    rider.ride()
    rider.ride()
    assert scheduler.pick(0.0) is None
    put(scheduler, Lane.EVENT, "e")
    assert [pick.data for pick in drain(scheduler)] == [b"e" * 100 + b"r" * 20]
    rider.ride()
    put(scheduler, Lane.EVENT, "e")
    assert [pick.data for pick in drain(scheduler)] == [b"e" * 100]


def test_a_message_is_compressed_when_most_of_it_is_worth_it() -> None:
    scheduler = Scheduler(0.0)
    scheduler.register(Lane.ANSWER, Letters("z", 3000, 1), compress=False).wake()
    put(scheduler, Lane.EVENT, "e", 1000, 1)
    assert [pick.compress for pick in drain(scheduler)] == [False]
    put(scheduler, Lane.EVENT, "e", 1000, 1)
    assert [pick.compress for pick in drain(scheduler)] == [True]


def test_a_closed_handle_is_never_asked_again() -> None:
    scheduler = Scheduler(0.0)
    source = Letters("e", 100, 10)
    handle = scheduler.register(Lane.EVENT, source)
    handle.wake()
    handle.ride()
    handle.close()
    handle.close()
    handle.wake()
    handle.ride()
    assert scheduler.pick(0.0) is None
    assert source.asked == 0
    assert "closed" in repr(handle)


def test_a_source_may_close_its_own_handle_while_it_is_asked() -> None:
    scheduler = Scheduler(0.0)

    class Last:
        def pull(self, now: float, max_bytes: int) -> bytes | None:
            handle.close()
            return b"last"

    handle = scheduler.register(Lane.EVENT, Last())
    handle.wake()
    assert [pick.data for pick in drain(scheduler)] == [b"last"]


@given(
    st.lists(
        st.tuples(st.sampled_from(Lane), st.integers(1, 6000), st.integers(0, 30)), min_size=1, max_size=12
    )
)
@settings(max_examples=60)
def test_everything_goes_out_once_and_in_chunks(sources: list[tuple[Lane, int, int]]) -> None:
    scheduler = Scheduler(0.0)
    for index, (lane, frame_bytes, left) in enumerate(sources):
        put(scheduler, lane, chr(ord("a") + index), frame_bytes, left)
    now, total, out = 0.0, 0, Counter[int]()
    while True:
        pick = scheduler.pick(now)
        if pick is None:
            wake = scheduler.next_wake(now)
            if wake is None:
                break
            now = max(wake, now)
            continue
        assert len(pick.data) < scheduler.cap.chunk_bytes + 6000
        assert pick.counted == any(lane >= Lane.EVENT for lane in pick.lanes)
        scheduler.sent(now, len(pick.data), pick.counted)
        now += 0.001
        if pick.counted:
            total += len(pick.data)
            scheduler.on_received(now, total, 0)
        out.update(pick.data)
    expected = {
        ord("a") + index: frame_bytes * left for index, (_, frame_bytes, left) in enumerate(sources) if left
    }
    assert dict(out) == expected
