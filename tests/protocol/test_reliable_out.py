"""The sending machine, step by step: what the pair's walks reach seldom or not at all."""

import pytest

from protocol.codec import decode_frames, encode_frame
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.frames import FRAME_BYTES_MAX, Message, Skip
from protocol.messagewriter import MessageWriter
from protocol.reliable import ALREADY_DONE, EXPIRED, GONE, OVERFLOW, Load, OutEpoch, Row
from protocol.reliable_out import Sender

WINDOW = (1024, 256 * 1024)


def _row(epoch: int, seq: int, size: int = 10) -> Row:
    return seq, size, MessageWriter("event", epoch).encode(seq, "lap", 1, b"x" * size)


def _sender(*epochs: OutEpoch, keep: bool = False, **limits: int) -> Sender:
    sender = Sender("event", keep_acked=keep, **limits)
    sender.restore(epochs)
    return sender


def _append(sender: Sender, epoch: int, first: int, count: int, size: int = 10) -> bool:
    rows = [_row(epoch, seq, size)[1:] for seq in range(first, first + count)]
    return sender.appended(epoch, epoch, first, rows)


def _serve(sender: Sender, *, gone: frozenset[int] = frozenset()) -> Load:
    """Answer what the machine wants from a database that holds everything but `gone`."""
    load = sender.wants()
    assert load is not None
    wanted = [seq for seq in range(load.first, load.end) if seq not in gone][: load.messages]
    end = load.end if len(wanted) < load.messages else wanted[-1] + 1
    sender.loaded(load, [_row(load.epoch, seq) for seq in wanted], end)
    return load


def _sent(sender: Sender, max_bytes: int = 100_000) -> list[tuple[int, int] | tuple[int, int, int, str]]:
    """Take all that may be sent: (epoch, number) of messages, (epoch, first, last, reason) of skips."""
    said: list[tuple[int, int] | tuple[int, int, int, str]] = []
    while data := sender.take(max_bytes):
        for frame in decode_frames(data):
            if isinstance(frame, Message):
                said.append((frame.epoch, frame.seq))
            else:
                assert isinstance(frame, Skip)
                said.append((frame.epoch, frame.first, frame.last, frame.reason))
    return said


def test_fresh_messages_are_handed_over_without_reading() -> None:
    sender = _sender()
    sender.resume([], *WINDOW)
    assert _append(sender, 1, 1, 3)
    assert sender.wants() is None
    assert _sent(sender) == [(1, 1), (1, 2), (1, 3)]
    assert (sender.flight_messages, sender.flight_bytes) == (3, 30)
    sender.on_ack(1, 3)
    assert (sender.flight_messages, sender.flight_bytes, sender.outstanding) == (0, 0, 0)


def test_nothing_is_sent_while_detached_and_all_after_the_next_resume() -> None:
    sender = _sender()
    assert not _append(sender, 1, 1, 2)
    assert sender.take(1000) is None
    assert sender.wants() is None
    sender.resume([], *WINDOW)
    _serve(sender)
    assert _sent(sender) == [(1, 1), (1, 2)]
    sender.detach()
    sender.resume([(1, 1)], *WINDOW)
    _serve(sender)
    assert _sent(sender) == [(1, 2)]


def test_take_respects_the_limit_but_sends_one_frame_always() -> None:
    sender = _sender()
    sender.resume([], *WINDOW)
    _append(sender, 1, 1, 3, size=100)
    length = len(_row(1, 1, 100)[2])
    assert len(sender.take(1) or b"") == length
    assert len(sender.take(2 * length) or b"") == 2 * length


def test_window_counts_messages_and_bytes() -> None:
    sender = _sender()
    sender.resume([], 2, 1000)
    _append(sender, 1, 1, 3)
    assert _sent(sender) == [(1, 1), (1, 2)]
    sender.on_ack(1, 1)
    assert _sent(sender) == [(1, 3)]
    sender.resume([(1, 1)], 100, 15)
    _serve(sender)
    assert _sent(sender) == [(1, 2)]
    sender.on_ack(1, 2)
    assert _sent(sender) == [(1, 3)]


def test_message_larger_than_the_window_goes_alone() -> None:
    sender = _sender()
    sender.resume([], 10, 5)
    _append(sender, 1, 1, 2)
    assert _sent(sender) == [(1, 1)]


def test_backlog_of_a_million_stays_in_the_database() -> None:
    sender = _sender(OutEpoch(7, 7, 1, 1_000_001), ahead_messages=100, ahead_bytes=10_000)
    resumed = sender.resume([(7, 250_000)], *WINDOW)
    assert resumed.pending == 750_000
    load = _serve(sender)
    assert (load.key, load.epoch, load.first, load.messages) == (7, 7, 250_001, 100)
    assert sender.wants() is None
    assert len(_sent(sender)) == 100
    assert sender.wants() is None, "held beyond the acknowledgement is what was sent, too"
    sender.on_ack(7, 250_030)
    assert _serve(sender).first == 250_101
    _append(sender, 7, 1_000_001, 1)
    assert sender.outstanding == 749_971


def test_older_epochs_go_first() -> None:
    sender = _sender(OutEpoch(1, 11, 1, 3), OutEpoch(2, 12, 1, 2))
    sender.resume([], *WINDOW)
    sender.appended(3, 13, 1, [_row(13, 1)[1:]])
    sent = []
    while sender.hungry:
        _serve(sender)
        sent += _sent(sender)
    assert sent == [(11, 1), (11, 2), (12, 1), (13, 1)]


def test_rows_that_are_missing_become_a_skip() -> None:
    sender = _sender(OutEpoch(1, 1, 1, 8))
    sender.resume([], *WINDOW)
    _serve(sender, gone=frozenset({1, 4, 5, 7}))
    assert _sent(sender) == [(1, 1, 1, GONE), (1, 2), (1, 3), (1, 4, 5, GONE), (1, 6), (1, 7, 7, GONE)]


def test_commands_acknowledged_once_are_not_sent_to_a_restored_peer() -> None:
    sender = _sender(OutEpoch(1, 1, 6, 8, acked=5))
    resumed = sender.resume([(1, 2)], *WINDOW)
    assert resumed.skipped == [(1, (3, 5, ALREADY_DONE))]
    assert (resumed.replayed, resumed.pending) == (0, 5)
    _serve(sender)
    assert _sent(sender) == [(1, 3, 5, ALREADY_DONE), (1, 6), (1, 7)]


def test_kept_events_refill_a_restored_peer_as_far_as_they_are_kept() -> None:
    sender = _sender(OutEpoch(1, 1, first=4, next=9, acked=7), keep=True)
    resumed = sender.resume([(1, 1)], *WINDOW)
    assert resumed.skipped == [(1, (2, 3, GONE))]
    assert (resumed.replayed, resumed.pending) == (4, 7)
    _serve(sender)
    assert _sent(sender) == [(1, 2, 3, GONE), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8)]
    assert sender.outstanding == 1, "what was acknowledged once does not hold up a drain"


def test_peer_that_knows_nothing_gets_every_epoch() -> None:
    sender = _sender(OutEpoch(1, 1, 3, 3, acked=2), OutEpoch(2, 2, 1, 2))
    sender.resume([], *WINDOW)
    _serve(sender)
    assert _sent(sender) == [(1, 1, 2, ALREADY_DONE), (2, 1)]


def test_epoch_older_than_one_the_peer_names_was_finished() -> None:
    sender = _sender(OutEpoch(1, 1, 1, 3, acked=2), OutEpoch(2, 2, 1, 3), keep=True)
    resumed = sender.resume([(2, 1)], *WINDOW)
    assert (resumed.pending, resumed.replayed) == (1, 0)


def test_epoch_the_peer_does_not_name_is_sent_from_its_beginning_if_never_acknowledged() -> None:
    # Not to be met with a peer that keeps the rules; one that forgot must not hold up the channel for ever.
    sender = _sender(OutEpoch(1, 1, 3, 5, acked=2), OutEpoch(2, 2, 1, 3))
    sender.resume([(2, 1)], *WINDOW)
    _serve(sender)
    assert _sent(sender) == [(1, 1, 2, ALREADY_DONE), (1, 3), (1, 4)]
    _serve(sender)
    assert _sent(sender) == [(2, 2)]


def test_position_beyond_ours_is_reported_once() -> None:
    sender = _sender(OutEpoch(5, 1, 1, 4))
    (loss,) = sender.resume([(1, 9)], *WINDOW).rolled_back
    assert (loss.epoch, loss.next, loss.theirs, loss.key) == (1, 4, 9, 5)
    assert sender.outstanding == 0
    assert sender.resume([(1, 9)], *WINDOW).rolled_back == []
    assert sender.resume([(1, 10)], *WINDOW).rolled_back != []


def test_epoch_only_the_peer_knows_is_reported_once() -> None:
    sender = _sender(OutEpoch(5, 1, 1, 4))
    (loss,) = sender.resume([(1, 3), (77, 2)], *WINDOW).rolled_back
    assert (loss.epoch, loss.next, loss.theirs, loss.key) == (77, 0, 2, None)
    assert sender.resume([(1, 3), (77, 2)], *WINDOW).rolled_back == []
    again = Sender("event", keep_acked=False)
    again.restore([OutEpoch(5, 1, 1, 4)], [(77, 2)])
    assert again.resume([(1, 3), (77, 2)], *WINDOW).rolled_back == []


@pytest.mark.parametrize(("epoch", "seq"), [(1, 3), (2, 1)])
def test_acknowledging_what_was_not_sent_is_a_protocol_error(epoch: int, seq: int) -> None:
    sender = _sender()
    sender.resume([], 2, 1000)
    _append(sender, 1, 1, 3)
    _sent(sender)
    with pytest.raises(RemoteProtocolError, match="never sent"):
        sender.on_ack(epoch, seq)


def test_acknowledgements_are_told_to_the_database_once() -> None:
    sender = _sender()
    sender.resume([], *WINDOW)
    _append(sender, 1, 1, 3)
    _sent(sender)
    sender.on_ack(1, 2)
    ((mine, acked),) = sender.trims()
    assert (mine.key, acked, sender.untrimmed) == (1, 2, 2)
    sender.on_ack(1, 3)
    sender.trimmed(mine, 2)
    assert [acked for _, acked in sender.trims()] == [3]
    sender.trimmed(mine, 3)
    assert (sender.trims(), sender.untrimmed) == ([], 0)


def test_dropping_starts_behind_what_was_claimed() -> None:
    sender = _sender(ahead_messages=2)
    sender.resume([], *WINDOW)
    _append(sender, 1, 1, 5)
    assert sender.unclaimed() == (1, 3)
    sender.dropped(1, 3, 4, OVERFLOW)
    assert _sent(sender) == [(1, 1), (1, 2), (1, 3, 4, OVERFLOW)]
    sender.on_ack(1, 4)
    _serve(sender)
    assert _sent(sender) == [(1, 5)]


def test_dropping_while_detached_starts_at_the_oldest() -> None:
    sender = _sender(OutEpoch(1, 1, 1, 5, acked=1), OutEpoch(2, 2, 1, 5))
    assert sender.unclaimed() == (1, 2)
    sender.dropped(1, 2, 3, EXPIRED)
    sender.dropped(1, 4, 4, OVERFLOW)
    sender.resume([(1, 1)], *WINDOW)
    assert _sent(sender) == [(1, 2, 3, EXPIRED), (1, 4, 4, OVERFLOW)]


def test_rows_read_in_the_moment_before_they_were_dropped_are_not_sent() -> None:
    sender = _sender(OutEpoch(1, 1, 1, 4), OutEpoch(2, 2, 1, 3, skips=[(1, 1, OVERFLOW)]))
    sender.resume([], *WINDOW)
    _serve(sender)
    sender.dropped(1, 2, 3, OVERFLOW)
    assert _sent(sender) == [(1, 1), (1, 2, 3, OVERFLOW), (2, 1, 1, OVERFLOW)]
    _serve(sender)
    assert _sent(sender) == [(2, 2)]


def test_dropping_what_was_sent_is_our_own_error() -> None:
    sender = _sender()
    sender.resume([], *WINDOW)
    _append(sender, 1, 1, 2)
    _sent(sender)
    with pytest.raises(LocalProtocolError, match="was sent"):
        sender.dropped(1, 2, 2, OVERFLOW)


def test_what_was_read_for_an_older_connection_is_ignored() -> None:
    sender = _sender(OutEpoch(1, 1, 1, 4))
    sender.resume([], *WINDOW)
    load = sender.wants()
    assert load is not None
    sender.resume([(1, 2)], *WINDOW)
    sender.loaded(load, [_row(1, seq) for seq in (1, 2, 3)], 4)
    assert _sent(sender) == []
    assert _serve(sender).first == 3


def test_skip_the_peer_has_in_part_is_cut() -> None:
    sender = _sender(OutEpoch(1, 1, 1, 6, skips=[(2, 4, OVERFLOW)]))
    sender.resume([(1, 3)], *WINDOW)
    assert _sent(sender) == [(1, 4, 4, OVERFLOW)]


def test_epochs_can_be_forgotten_in_the_middle_of_a_connection() -> None:
    sender = _sender(OutEpoch(1, 1, 3, 3, acked=2))
    sender.resume([(1, 2)], *WINDOW)
    sender.pruned(1)
    sender.pruned(99)
    _append(sender, 2, 1, 1)
    assert _sent(sender) == [(2, 1)]


def test_rows_out_of_order_are_our_own_error() -> None:
    sender = _sender()
    _append(sender, 1, 1, 1)
    with pytest.raises(LocalProtocolError, match="where 2 was due"):
        _append(sender, 1, 3, 1)


@pytest.mark.parametrize("seq", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**40])
@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 1000, 16_000])
def test_message_writer_writes_what_the_codec_writes(seq: int, size: int) -> None:
    for kind, version in (("lap", 1), ("ö" * 20, 300)):
        frame = encode_frame(Message("event", 2**61 + 5, seq, kind, version, b"x" * size))
        assert MessageWriter("event", 2**61 + 5).encode(seq, kind, version, b"x" * size) == frame


def test_message_writer_refuses_what_fits_no_frame() -> None:
    with pytest.raises(LocalProtocolError, match="at most"):
        MessageWriter("event", 1).encode(1, "lap", 1, b"x" * FRAME_BYTES_MAX)
