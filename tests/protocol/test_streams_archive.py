"""Archive streams: every entry once, in order, acknowledged when durable, whatever happens to either end."""

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import decode_frames
from protocol.errors import RemoteProtocolError
from protocol.frames import Fill, Filled, Offer
from protocol.streams import Entry
from protocol.streams_in import ArchivesIn
from protocol.streams_out import RETRY_S, ArchivesOut

A, B = b"archive-a", b"archive-b"


def entry(number: int, size: int = 10) -> Entry:
    return Entry(number, 2, bytes([number % 251]) * size, number)


def load(out: ArchivesOut, held: dict[bytes, list[Entry]], most: int = 4) -> None:
    while (want := out.wants()) is not None:
        out.loaded(want, held[want.stream][want.number : want.number + most])


def pulled(out: ArchivesOut, max_bytes: int = 16_384) -> list[Fill]:
    fills: list[Fill] = []
    while (data := out.pull(0.0, max_bytes)) is not None:
        fills += decode_frames(data)  # type: ignore[arg-type]
    return fills


def flowing(
    count: int = 3, size: int = 10, window: int = 1000
) -> tuple[ArchivesOut, dict[bytes, list[Entry]]]:
    out = ArchivesOut()
    out.add(A, count)
    out.attach(window)
    assert out.offers(0.0) == [Offer(A)]
    held = {A: [entry(n, size) for n in range(count)]}
    return out, held


def test_it_is_sent_from_where_the_peer_stands() -> None:
    out, held = flowing(5)
    assert out.wants() is None  # nobody has said from where
    assert out.on_filled(0.0, Filled(A, 2)) == 2
    load(out, held)
    assert [fill.number for fill in pulled(out)] == [2, 3, 4]
    assert out.on_filled(0.0, Filled(A, 2)) is None
    assert out.on_filled(0.0, Filled(A, 5)) == 5
    assert out.unacknowledged_bytes == 0


def test_no_more_than_the_window_is_under_way_but_always_one_entry() -> None:
    out, held = flowing(6, size=400, window=1000)
    out.on_filled(0.0, Filled(A, 0))
    load(out, held)
    assert [fill.number for fill in pulled(out)] == [0, 1]
    out.on_filled(0.0, Filled(A, 1))
    assert [fill.number for fill in pulled(out)] == [2]
    out, held = flowing(2, size=4000, window=10)
    out.on_filled(0.0, Filled(A, 0))
    load(out, held)
    assert [fill.number for fill in pulled(out)] == [0]


def test_the_urgent_one_goes_first_even_behind_one_that_was_begun() -> None:
    out, held = flowing(3, size=40_000, window=1_000_000)
    out.on_filled(0.0, Filled(A, 0))
    load(out, held)
    out.pull(0.0, 4096)
    out.add(B, 1, urgent=True)
    assert out.offers(0.0) == [Offer(B)]
    out.on_filled(0.0, Filled(B, 0))
    held[B] = [entry(0)]
    load(out, held)
    assert decode_frames(out.pull(0.0, 4096) or b"")[0].stream == B  # type: ignore[union-attr]
    assert {fill.stream for fill in pulled(out)} == {A}


def test_what_grew_is_sent_and_what_cannot_be_read_is_asked_for_when_it_grew() -> None:
    out, held = flowing(1)
    out.on_filled(0.0, Filled(A, 0))
    want = out.wants()
    assert want is not None
    out.loaded(want, ())
    assert out.wants() is None
    out.grew(A, 2)
    held[A].append(entry(1))
    load(out, held)
    assert [fill.number for fill in pulled(out)] == [0, 1]


def test_what_is_lost_is_told_and_jumped_over() -> None:
    out, end = ArchivesOut(), ArchivesIn(1000)
    out.add(A, 10)
    out.attach(1000)
    out.offers(0.0)
    position(end, A, 2)
    out.on_filled(0.0, Filled(A, 2))
    want = out.wants()
    assert want is not None
    out.loaded(want, [entry(5), entry(6), entry(9)])
    assert all(end.on_fill(fill) for fill in pulled(out, 1024))
    assert [one.number for _, entries in end.take() for one in entries] == [5, 6, 9]
    assert out.on_filled(0.0, Filled(A, 10)) == 10
    assert out.unacknowledged_bytes == 0


def test_a_refusal_is_held_and_offered_again() -> None:
    out, held = flowing(3)
    out.on_filled(0.0, Filled(A, 0))
    load(out, held)
    pulled(out)
    out.on_filled(1.0, Filled(A, 1, "the disk is full", 5000))
    assert (out.refused(A), out.unacknowledged_bytes, out.wants()) == ("the disk is full", 0, None)
    assert (out.offers(5.9), out.wake_at()) == ([], 6.0)
    assert out.offers(6.0) == [Offer(A)]
    assert out.refused(A) == ""
    out.on_filled(6.0, Filled(A, 1, "still"))
    assert out.wake_at() == 6.0 + RETRY_S


def test_a_peer_that_has_more_than_there_is_is_believed_as_far_as_there_is() -> None:
    out, _ = flowing(3)
    assert out.on_filled(0.0, Filled(A, 9)) == 3
    assert out.wants() is None


@pytest.mark.parametrize("number", [0, 4])
def test_what_was_not_sent_cannot_be_durable(number: int) -> None:
    out, held = flowing(5)
    out.on_filled(0.0, Filled(A, 1))
    load(out, held, most=2)
    out.pull(0.0, 4096)
    with pytest.raises(RemoteProtocolError):
        out.on_filled(0.0, Filled(A, number))


def test_what_is_taken_away_counts_until_the_peer_has_it() -> None:
    out, held = flowing(4, size=30_000, window=100_000)
    out.on_filled(0.0, Filled(A, 0))
    load(out, held)
    out.pull(0.0, 4096)
    out.remove(A)
    assert {fill.number for fill in pulled(out)} == {0}
    assert out.unacknowledged_bytes == 30_064
    assert out.streams() == []
    out.on_filled(0.0, Filled(A, 1))
    assert out.unacknowledged_bytes == 0
    assert out.on_filled(0.0, Filled(A, 1)) is None  # nothing is known of it any more


def position(end: ArchivesIn, stream: bytes, number: int) -> None:
    end.on_offer(Offer(stream))
    end.position(stream, number)


@pytest.mark.parametrize(
    "frames",
    [
        [Fill(A, 4, 2, 0, 0, 1, b"x")],
        [Fill(A, 4, 2, 0, 0, 1, b"x", 2)],
        [Fill(A, 3, 2, 0, 0, 9, b"x"), Fill(A, 4, 2, 0, 0, 1, b"x")],
        [Fill(A, 3, 2, 0, 0, 80, b"x" * 80), Fill(A, 4, 2, 0, 0, 80, b"x" * 80)],
        [Fill(A, 3, 2, 0, 0, 80, b"x" * 80), Fill(A, 4, 2, 0, 0, 90, b"x" * 80)],
        [Fill(A, 3, 2, 0, 0, 0, b""), Fill(A, 4, 2, 0, 0, 0, b"")],
    ],
    ids=[
        "hole",
        "another hole than is said",
        "hole while one is not whole",
        "too much",
        "too much in pieces",
        "too many that are empty",
    ],
)
def test_what_breaks_the_rules_ends_the_connection(frames: list[Fill]) -> None:
    end = ArchivesIn(100)
    position(end, A, 3)
    for frame in frames[:-1]:
        end.on_fill(frame)
    with pytest.raises(RemoteProtocolError):
        end.on_fill(frames[-1])


def test_what_was_not_asked_for_is_no_protocol() -> None:
    end = ArchivesIn(100)
    end.on_offer(Offer(A))
    with pytest.raises(RemoteProtocolError):
        end.on_fill(Fill(A, 0, 2, 0, 0, 1, b"x"))
    with pytest.raises(RemoteProtocolError):
        end.on_offer(Offer(A))


def test_one_entry_larger_than_the_window_is_taken() -> None:
    end = ArchivesIn(100)
    position(end, A, 0)
    end.on_fill(Fill(A, 0, 2, 0, 0, 300, b"x" * 150))
    assert end.on_fill(Fill(A, 0, 2, 0, 150, 300, b"x" * 150))
    assert [len(e.data) for _, entries in end.take() for e in entries] == [300]
    assert end.durable(A, 1) == Filled(A, 1)
    assert end.held_bytes == 0


def test_what_comes_behind_a_refusal_is_ignored_until_it_is_offered_again() -> None:
    end = ArchivesIn(100)
    position(end, A, 0)
    end.on_fill(Fill(A, 0, 2, 0, 0, 1, b"x"))
    end.take()
    assert end.refuse(A, "no", 2.0) == Filled(A, 0, "no", 2000)
    assert not end.on_fill(Fill(A, 1, 2, 0, 0, 1, b"x"))
    assert end.durable(A, 1) is None
    position(end, A, 1)
    assert end.on_fill(Fill(A, 1, 2, 0, 0, 1, b"x"))
    assert end.held_bytes == 65


def test_doubles_are_ignored() -> None:
    end = ArchivesIn(100)
    position(end, A, 2)
    assert not end.on_fill(Fill(A, 1, 2, 0, 0, 1, b"x"))
    assert (end.doubled, end.take()) == (1, [])


class _Link:
    """Both ends, a disk at each, and a line of frames between: drops, restarts, slow disks, all by a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.held = {
            name: [entry(n, self.rng.choice([0, 1, 500, 20_000])) for n in range(n_)]
            for name, n_ in ((A, 30), (B, 12))
        }
        self.durable: dict[bytes, list[Entry]] = {A: [], B: []}
        self.told = {A: 0, B: 0}
        self.window = self.rng.choice([1, 1000, 50_000])
        self.out = self.sender()
        self.connect()

    def sender(self) -> ArchivesOut:
        out = ArchivesOut()
        for name in (A, B):
            out.add(name, self.rng.randint(self.told[name], len(self.held[name])), urgent=name == B)
        return out

    def connect(self) -> None:
        self.there: deque[Offer | Fill] = deque()
        self.back: deque[Filled] = deque()
        self.inbound = ArchivesIn(self.window)
        self.out.attach(self.window)
        self.taken: deque[tuple[bytes, list[Entry]]] = deque()

    def step(self) -> None:
        match self.rng.randrange(40):
            case 0:
                self.connect()
            case 1:
                self.out = self.sender()  # the site's process starts anew
                self.connect()
            case 2:
                for name in (A, B):
                    self.out.grew(name, len(self.held[name]))
            case _:
                self.flow()

    def flow(self) -> None:
        self.there.extend(self.out.offers(0.0))
        if self.rng.random() < 0.7:
            load(self.out, self.held, self.rng.randint(1, 9))
        if (data := self.out.pull(0.0, self.rng.choice([1024, 4096, 16_384]))) is not None:
            self.there.extend(decode_frames(data))  # type: ignore[arg-type]
        for _ in range(self.rng.randrange(4)):
            if self.there:
                self.arrive(self.there.popleft())
            if self.back:
                self.answered(self.back.popleft())
        if self.rng.random() < 0.3:
            self.taken.extend(self.inbound.take())
        if self.taken and self.rng.random() < 0.5:
            self.keep(*self.taken.popleft())

    def arrive(self, frame: Offer | Fill) -> None:
        if isinstance(frame, Offer):
            self.inbound.on_offer(frame)
            self.back.append(self.inbound.position(frame.stream, len(self.durable[frame.stream])))
        else:
            self.inbound.on_fill(frame)

    def answered(self, frame: Filled) -> None:
        number = self.out.on_filled(0.0, frame)
        if number is not None:
            assert number <= len(self.durable[frame.stream]), "acknowledged before it was durable"
            self.told[frame.stream] = max(number, self.told[frame.stream])

    def keep(self, stream: bytes, entries: list[Entry]) -> None:
        disk = self.durable[stream]
        disk += [one for one in entries if one.number >= len(disk)]  # idempotent by number, as a wing must be
        frame = self.inbound.durable(stream, len(disk))
        if frame is not None:
            self.back.append(frame)


@settings(max_examples=60)
@given(st.integers(0, 10**9))
def test_every_entry_is_durable_once_and_in_order(seed: int) -> None:
    link = _Link(seed)
    for _ in range(300):
        link.step()
    for name in (A, B):
        link.out.grew(name, len(link.held[name]))
    link.connect()
    for _ in range(20_000):
        if link.told == {A: 30, B: 12}:
            break
        link.flow()
    assert link.durable == link.held
    assert link.told == {A: 30, B: 12}
    assert link.out.unacknowledged_bytes == 0
