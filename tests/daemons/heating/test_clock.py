"""The time of a house: this machine's own, or a multiple of it; and whether anybody has set it."""

from pathlib import Path

import pytest

from daemons.heating import clock as clock_module
from daemons.heating.clock import SANE_UTC, HouseClock, was_clock_set
from daemons.heating.state import Fault, Inputs, Reading
from tests.daemons.heating.primary.parts import START, Hands


def test_a_house_has_the_time_of_its_machine() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.go_on(10)
    now = clock.instant()
    assert (now.utc, now.mono, now.boot, now.is_sure) == (START + 10, 1010.0, "boot", True)
    inputs = Inputs({"a": Reading(5.0, celsius=20.0)})
    assert clock.of_inputs(inputs) is inputs


def test_in_a_demonstration_it_goes_faster_and_on_after_a_restart() -> None:
    hands = Hands()

    def clock() -> HouseClock:
        return HouseClock(hands.environment(), 60.0, START, was_set=lambda: True, mono=lambda: hands.mono)

    first = clock()
    assert first.instant().utc == pytest.approx(START)
    hands.go_on(10)
    assert first.instant().utc == pytest.approx(START + 600)
    assert clock().instant().utc == pytest.approx(START + 600)
    assert first.instant().mono == pytest.approx(1010 * 60)
    assert first.real_s(60) == 1
    read = first.of_inputs(Inputs({"a": Reading(1010.0, fault=Fault.CRC)})).readings["a"]
    assert read.mono == pytest.approx(first.instant().mono)
    assert read.fault is Fault.CRC


def test_what_was_set_stays_so_until_the_next_boot() -> None:
    hands, answers = Hands(), [False, True, False]
    clock = HouseClock(hands.environment(), was_set=lambda: answers.pop(0), mono=lambda: hands.mono)
    assert [clock.instant().is_sure for _ in range(4)] == [False, True, True, True]
    other = HouseClock(hands.environment(), was_set=lambda: False, mono=lambda: hands.mono)
    other.known_set("another boot")
    assert not other.instant().is_sure
    other.known_set("boot")
    assert other.instant().is_sure


def test_a_clock_of_the_seventies_was_never_set() -> None:
    hands = Hands(utc=SANE_UTC - 1)
    assert not hands.clock().instant().is_sure


@pytest.mark.parametrize(("state", "was_set"), [(0, True), (5, False), (-1, False)])
def test_a_raspberry_pi_asks_its_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: int, was_set: bool
) -> None:
    model = tmp_path / "model"
    assert was_clock_set(model)  # no Pi: its clock runs on a battery
    model.write_text("Raspberry Pi 5 Model B Rev 1.0\0")

    class Kernel:
        def __init__(self, name: None) -> None: ...

        def adjtimex(self, timex: object) -> int:
            return state

    monkeypatch.setattr(clock_module.ctypes, "CDLL", Kernel)
    assert was_clock_set(model) is was_set
    model.write_text("A board of another maker\0")
    assert was_clock_set(model)
