"""What stands for lgpio and for the board in tests of the hardware."""

import sys

import pytest

from chaos.doubles.house.lgpio import RecordingLgpio


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> RecordingLgpio:
    """The module lgpio of this test, at a Pi 3B."""
    recording = RecordingLgpio()
    monkeypatch.setitem(sys.modules, "lgpio", recording)  # type: ignore[arg-type]
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: 0xA02082)
    return recording
