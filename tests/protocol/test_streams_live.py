"""Live streams: newest first, late is dropped and counted, a loss is known at the other end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode_frames
from protocol.errors import RemoteProtocolError
from protocol.frames import FRAME_BYTES_MAX, Batch
from protocol.streams import ENTRY_BYTES_MAX, Entry, Pieces
from protocol.streams_live import LiveIn, LiveOut

STREAM = b"recording-1"


def opened(**options: object) -> LiveOut:
    live = LiveOut(STREAM, **options)  # type: ignore[arg-type]
    live.attach(lambda: None)
    return live


def sent(live: LiveOut, now: float, max_bytes: int = 16_384) -> list[Batch]:
    frames: list[Batch] = []
    while (data := live.pull(now, max_bytes)) is not None:
        frames += decode_frames(data)  # type: ignore[arg-type]
    return frames


def test_an_entry_crosses_in_pieces_and_whole() -> None:
    live, end = opened(), LiveIn()
    data = bytes(range(256)) * 200
    live.put(2, data, 0.0, as_of_us=77)
    pieces = sent(live, 0.1, 4096)
    assert len(pieces) > 10
    assert [end.take(piece) for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert end.take(pieces[-1]) == Entry(0, 2, data, 77)
    assert live.queued_bytes == 0


def test_nothing_waits_while_there_is_no_connection() -> None:
    live = LiveOut(STREAM)
    assert live.put(2, b"x", 0.0) is None
    live.attach(lambda: None)
    assert sent(live, 0.0) == []
    assert live.next == 0


def test_what_must_come_first_is_put_on_each_connection() -> None:
    live = LiveOut(STREAM)

    def begin(live: LiveOut) -> None:
        live.put(0, b"head", 0.0, keep=True)

    live.begin = begin
    live.attach(lambda: None)
    live.put(2, b"row", 0.0)
    live.attach(lambda: None)  # the row was not sent: it is old
    assert [(f.number, f.data) for f in sent(live, 0.0)] == [(2, b"head")]
    assert live.dropped == 2


def test_a_full_queue_drops_the_oldest_that_may_be_dropped() -> None:
    live = opened(queue_bytes_max=1000)
    live.put(0, b"h" * 300, 0.0, keep=True)
    for _ in range(5):
        live.put(2, b"r" * 300, 0.0)
    assert [f.number for f in sent(live, 0.0)] == [0, 4, 5]
    assert (live.dropped, live.dropped_bytes, live.queued_bytes) == (3, 900, 0)


def test_what_is_late_is_dropped_but_not_what_was_begun() -> None:
    live = opened(late_s=1.0)
    live.put(2, b"a" * 3000, 0.0)
    live.put(2, b"b" * 3000, 0.5)
    live.put(2, b"c" * 3000, 1.5)
    first = decode_frames(live.pull(0.0, 2000) or b"")
    rest = sent(live, 2.0)
    assert {f.number for f in first + rest} == {0, 2}  # type: ignore[union-attr]
    assert live.dropped == 1


def test_a_loss_is_known_by_number_and_a_double_is_ignored() -> None:
    end = LiveIn()
    for number in (5, 6, 9, 9, 6):
        end.take(Batch(STREAM, number, 2, 0, 0, 1, b"x"))
    assert (end.missed, end.doubled, end.next) == (2, 2, 10)


def test_what_broke_off_counts_as_missed() -> None:
    end = LiveIn()
    assert end.take(Batch(STREAM, 0, 2, 0, 0, 1, b"x"))
    assert end.take(Batch(STREAM, 1, 2, 0, 0, 2, b"x")) is None
    end.attach()
    assert end.take(Batch(STREAM, 2, 2, 0, 0, 1, b"x"))
    assert end.missed == 1


@pytest.mark.parametrize(
    "frames",
    [
        [Batch(STREAM, 0, 2, 0, 1, 2, b"x")],
        [Batch(STREAM, 0, 2, 0, 0, 4, b"xx"), Batch(STREAM, 0, 2, 0, 3, 4, b"x")],
        [Batch(STREAM, 0, 2, 0, 0, 4, b"xx"), Batch(STREAM, 0, 2, 0, 1, 4, b"x")],
        [Batch(STREAM, 0, 2, 0, 0, 4, b"xx"), Batch(STREAM, 1, 2, 0, 2, 4, b"xx")],
        [Batch(STREAM, 0, 2, 0, 0, 4, b"xx"), Batch(STREAM, 0, 2, 0, 2, 5, b"xx")],
        [Batch(STREAM, 0, 2, 0, 0, 4, b"xxxxx")],
        [Batch(STREAM, 0, 2, 0, 0, 4, b"")],
        [Batch(STREAM, 0, 2, 0, 0, ENTRY_BYTES_MAX + 1, b"x")],
    ],
    ids=[
        "begins late",
        "hole",
        "overlap",
        "another number",
        "another total",
        "too long",
        "empty",
        "too large",
    ],
)
def test_pieces_that_do_not_fit_are_refused(frames: list[Batch]) -> None:
    pieces = Pieces()
    for frame in frames[:-1]:
        pieces.take(frame)
    with pytest.raises(RemoteProtocolError):
        pieces.take(frames[-1])


def test_an_entry_that_nobody_could_take_is_not_queued() -> None:
    with pytest.raises(ValueError, match="live entry"):
        opened().put(2, b"x" * (ENTRY_BYTES_MAX + 1), 0.0)


@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.booleans(), st.floats(0, 0.5)), max_size=30),
    st.integers(1024, FRAME_BYTES_MAX),
)
def test_all_that_is_put_comes_whole_or_is_counted(
    puts: list[tuple[int, bool, float]], max_bytes: int
) -> None:
    live, end = opened(queue_bytes_max=60_000), LiveIn()
    now, taken, put = 0.0, [], {}
    for size, keep, wait_s in puts:
        number = live.put(1, bytes(size), now, keep=keep)
        put[number] = size
        data = live.pull(now, max_bytes)
        now += wait_s
        for frame in decode_frames(data or b""):
            assert isinstance(frame, Batch)
            if (entry := end.take(frame)) is not None:
                taken.append(entry)
    taken += [entry for frame in sent(live, now, max_bytes) if (entry := end.take(frame)) is not None]
    numbers = [entry.number for entry in taken]
    assert numbers == sorted(set(numbers))
    assert all(put[entry.number] == len(entry.data) for entry in taken)
    assert len(taken) + live.dropped == len(puts)
    assert live.queued_bytes == live.kept_bytes == 0
