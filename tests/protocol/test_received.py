"""When the arrival of counted bytes is reported."""

import pytest

from protocol.frames import Received
from protocol.received import ReceivedMeter


def test_a_little_waits_for_company_but_not_for_long() -> None:
    meter = ReceivedMeter()
    assert meter.due_at() is None
    assert meter.take(0.0) is None
    meter.counted(1.0, 100)
    meter.counted(1.01, 100)
    assert meter.due_at() == pytest.approx(1.05)
    assert meter.take(1.05) == Received(200, 40_000)
    assert meter.due_at() is None


def test_two_kibibytes_are_reported_at_once() -> None:
    meter = ReceivedMeter()
    meter.counted(1.0, 1000)
    meter.counted(1.001, 1048)
    assert meter.due_at() == 1.001
    assert meter.take(1.001) == Received(2048, 0)


def test_reports_keep_two_milliseconds_apart() -> None:
    meter = ReceivedMeter()
    meter.counted(1.0, 16_000)
    meter.take(1.0)
    meter.counted(1.0005, 16_000)
    meter.counted(1.001, 16_000)
    assert meter.due_at() == pytest.approx(1.002)
    assert meter.take(1.0015) == Received(48_000, 500), "taken earlier when something else goes"
