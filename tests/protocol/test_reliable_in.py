"""The receiving machine, step by step."""

import pytest

from protocol.errors import RemoteProtocolError
from protocol.frames import Ack, Message, Skip
from protocol.reliable_in import Receiver


def _receiver(
    committed: dict[int, int] | None = None, messages: int = 1024, body_bytes: int = 1 << 18
) -> Receiver:
    receiver = Receiver("event")
    receiver.attach(committed or {}, messages, body_bytes)
    return receiver


def _message(epoch: int, seq: int, size: int = 10) -> Message:
    return Message("event", epoch, seq, "lap", 1, b"x" * size)


def _skip(epoch: int, first: int, last: int) -> Skip:
    return Skip("event", epoch, first, last, "overflow")


def test_nothing_is_acknowledged_before_it_is_committed() -> None:
    receiver = _receiver()
    assert receiver.on_message(_message(1, 1))
    assert receiver.on_message(_message(1, 2))
    assert receiver.acks() == []
    batch = receiver.take()
    assert [entry.epoch for entry in batch] == [1, 1]
    assert receiver.acks() == []
    assert receiver.on_message(_message(1, 3))
    assert receiver.take() == [], "one batch at a time"
    receiver.committed([(1, 2)])
    assert not receiver.ack_wanted, "more is under way: within 50 ms"
    assert receiver.ack_pending
    assert receiver.acks() == [Ack("event", 1, 2)]
    assert receiver.acks() == []
    assert receiver.take() == [_message(1, 3)]
    receiver.committed([(1, 3)])
    assert receiver.ack_wanted, "idle: at once"


def test_acknowledgement_goes_at_once_when_a_quarter_of_the_window_is_used() -> None:
    receiver = _receiver(messages=8)
    receiver.on_message(_message(1, 1))
    receiver.take()
    receiver.on_message(_message(1, 2))
    receiver.committed([(1, 1)])
    assert not receiver.ack_wanted
    receiver.take()
    receiver.on_message(_message(1, 3))
    receiver.committed([(1, 2)])
    assert receiver.ack_wanted


@pytest.mark.parametrize(("epoch", "seq"), [(1, 7), (2, 2), (1, 0), (2, 0), (1, -1)])
def test_number_that_is_not_the_next_is_a_protocol_error(epoch: int, seq: int) -> None:
    receiver = _receiver({1: 5})
    with pytest.raises(RemoteProtocolError, match="was due"):
        receiver.on_message(_message(epoch, seq))
    assert receiver.take() == []


@pytest.mark.parametrize(("first", "last"), [(7, 8), (5, 4), (0, 0), (-2, -1), (0, 9)])
def test_skip_that_does_not_go_on_from_here_is_a_protocol_error(first: int, last: int) -> None:
    with pytest.raises(RemoteProtocolError):
        _receiver({1: 5}).on_skip(_skip(1, first, last))


def test_skip_is_cut_to_what_is_not_known() -> None:
    receiver = _receiver({1: 5})
    assert receiver.on_skip(_skip(1, 3, 8))
    assert receiver.take() == [_skip(1, 6, 8)]
    assert not receiver.on_skip(_skip(1, 6, 8))
    assert receiver.on_message(_message(1, 9))


def test_what_came_before_is_dropped_and_acknowledged_no_further_than_it_was_sent() -> None:
    receiver = _receiver({1: 5})
    assert not receiver.on_message(_message(1, 2))
    assert receiver.ack_wanted
    assert receiver.acks() == [Ack("event", 1, 2)]
    assert not receiver.on_skip(_skip(1, 3, 4))
    assert receiver.acks() == [Ack("event", 1, 4)]
    assert receiver.take() == []
    assert receiver.duplicates == 2


def test_what_is_staged_already_is_acknowledged_when_it_is_committed() -> None:
    receiver = _receiver()
    receiver.on_message(_message(1, 1))
    assert not receiver.on_message(_message(1, 1))
    assert receiver.acks() == []


def test_window_is_enforced_in_messages_and_bytes() -> None:
    receiver = _receiver(messages=2)
    receiver.on_message(_message(1, 1))
    receiver.on_skip(_skip(1, 2, 100))
    with pytest.raises(RemoteProtocolError, match="beyond the window"):
        receiver.on_message(_message(1, 101))
    receiver = _receiver(body_bytes=25)
    receiver.on_message(_message(1, 1))
    receiver.on_message(_message(1, 2))
    with pytest.raises(RemoteProtocolError, match="beyond the window"):
        receiver.on_message(_message(1, 3))


def test_window_opens_with_the_acknowledgement_and_not_with_the_commit() -> None:
    receiver = _receiver(messages=2)
    receiver.on_message(_message(1, 1))
    receiver.on_message(_message(1, 2))
    receiver.take()
    receiver.committed([(1, 2)])
    with pytest.raises(RemoteProtocolError, match="beyond the window"):
        receiver.on_message(_message(1, 3))
    receiver.acks()
    assert receiver.on_message(_message(1, 3))


def test_message_larger_than_the_window_may_come_alone() -> None:
    assert _receiver(body_bytes=5).on_message(_message(1, 1))


def test_naming_epochs_costs_window() -> None:
    receiver = _receiver(messages=3)
    for epoch in range(3):
        receiver.on_message(_message(epoch, 1))
    with pytest.raises(RemoteProtocolError, match="beyond the window"):
        receiver.on_message(_message(9, 1))


def test_epochs_have_numbers_of_their_own() -> None:
    receiver = _receiver({1: 5})
    assert receiver.on_message(_message(1, 6))
    assert receiver.on_message(_message(2, 1))
    assert receiver.on_message(_message(1, 7))
    receiver.take()
    receiver.committed([(1, 7), (2, 1)])
    assert sorted((ack.epoch, ack.seq) for ack in receiver.acks()) == [(1, 7), (2, 1)]


def test_new_connection_forgets_what_was_staged() -> None:
    receiver = _receiver()
    receiver.on_message(_message(1, 1))
    receiver.take()
    receiver.on_message(_message(1, 2))
    receiver.attach({1: 1}, 1024, 1000)
    assert receiver.take() == []
    assert receiver.acks() == []
    assert receiver.on_message(_message(1, 2))
