"""Sealed datagrams: each is let in once, nothing that was touched is, and loss and disorder harm nothing else."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.datagrams import DATAGRAM_BYTES_MAX, PAYLOAD_BYTES_MAX, REPLAY_WINDOW, Opener, Pass, Sealer
from protocol.frames import Batch
from protocol.streams import Entry, room_for_data
from protocol.streams_live import LiveIn

PASS = Pass(b"8 bytes!", bytes(range(32)))


def test_what_is_sealed_is_opened_once() -> None:
    sealer, opener = Sealer(PASS), Opener(PASS)
    one, two = sealer.seal(b"one"), sealer.seal(b"two")
    assert [opener.open(data) for data in (two, one, two, one)] == [b"two", b"one", None, None]
    assert (opener.opened, opener.refused) == (2, 2)


def test_a_stranger_reads_it_by_the_page() -> None:
    sealer = Sealer(PASS)
    sealer.seal(b"")
    data = sealer.seal(b"hello")
    assert data[:16] == b"8 bytes!" + bytes(7) + b"\x01"
    assert ChaCha20Poly1305(PASS.key).decrypt(bytes(11) + b"\x01", data[16:], b"8 bytes!") == b"hello"


def test_the_largest_fits_and_no_more() -> None:
    assert len(Sealer(PASS).seal(bytes(PAYLOAD_BYTES_MAX))) == DATAGRAM_BYTES_MAX
    with pytest.raises(ValueError, match="datagram"):
        Sealer(PASS).seal(bytes(PAYLOAD_BYTES_MAX + 1))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_nothing_that_was_touched_is_let_in(at: int, flip: int) -> None:
    data = bytearray(Sealer(PASS).seal(b"a row of telemetry"))
    data[at % len(data)] ^= flip
    opener = Opener(PASS)
    assert opener.open(bytes(data)) is None
    assert opener.open(Sealer(PASS).seal(b"genuine")) == b"genuine"  # the forged number has moved nothing


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert Opener(PASS).open(data) is None


def test_another_connections_key_opens_nothing() -> None:
    assert Opener(Pass(PASS.id, bytes(32))).open(Sealer(PASS).seal(b"x")) is None


def test_what_is_older_than_the_window_is_not_let_in() -> None:
    sealer, opener = Sealer(PASS), Opener(PASS)
    data = [sealer.seal(b"x") for _ in range(REPLAY_WINDOW + 2)]
    opener.open(data[-1])
    assert opener.open(data[0]) is None
    assert opener.open(data[2]) == b"x"


@settings(max_examples=50)
@given(st.lists(st.integers(0, 1500), max_size=60))
def test_whatever_comes_whenever_each_is_let_in_at_most_once(order: list[int]) -> None:
    opener, seen = Opener(PASS), set()
    sealed = {number: _sealed(number) for number in set(order)}
    for number in order:
        if opener.open(sealed[number]) is not None:
            assert number not in seen
            seen.add(number)
    assert all(number in seen for number in order if max(order) - number < REPLAY_WINDOW)


def _sealed(number: int) -> bytes:
    sealer = Sealer(PASS)
    sealer.number = number
    return sealer.seal(b"x")


# --- live entries that come both ways -------------------------------------------------------------------------------


def pieces(number: int, size: int = 2500) -> list[Batch]:
    entry = Entry(number, 2, bytes([number]) * size, 0)
    n_bytes = room_for_data(PAYLOAD_BYTES_MAX)
    return [Batch(b"s", *entry.pieced(offset, n_bytes)) for offset in range(0, size, n_bytes)]


def test_a_lost_piece_loses_its_entry_and_no_other() -> None:
    end = LiveIn()
    frames = [*pieces(0), *pieces(1)[:1], *pieces(1)[2:], *pieces(2)]
    came = [entry.number for frame in frames if (entry := end.take_loose(frame)) is not None]
    assert (came, end.missed) == ([0, 2], 1)


def test_what_comes_over_the_link_behind_a_datagram_is_not_lost() -> None:
    end = LiveIn()
    for frame in pieces(0):
        end.take(frame)
    rows = [entry for frame in pieces(2) if (entry := end.take_loose(frame)) is not None]
    assert (len(rows), end.missed) == (1, 1)
    info = [entry for frame in pieces(1) if (entry := end.take(frame)) is not None]
    assert (info[0].number, end.missed, end.next) == (1, 0, 3)
    assert all(end.take(frame) is None for frame in pieces(1))
    assert end.doubled == 1


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_each_entry_comes_once_by_whichever_way(order: list[int], twice: set[int]) -> None:
    end, came = LiveIn(), []
    for number in order:
        ways = [end.take, end.take_loose] if number in twice else [end.take_loose]
        for take in ways:
            came += [entry.number for frame in pieces(number, 30) if (entry := take(frame)) is not None]
    first = order[0]
    assert sorted(came) == sorted(number for number in range(8) if number >= first)
    assert end.missed == 0
