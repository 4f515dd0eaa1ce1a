"""What is called of lgpio when a relay is constructed, driven, closed and constructed again, and what that does to it."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from gpiozero import DigitalInputDevice, DigitalOutputDevice

from chaos.doubles.house.lgpio import RecordingLgpio, error
from chaos.doubles.house.lines import Lines
from daemons.heating.hardware import pins

Open = Callable[[RecordingLgpio], Any]


@pytest.fixture
def opened(lgpio: RecordingLgpio) -> Open:
    return lambda lgpio: pins.open_pins(lgpio, 0)


def with_relay(lgpio: RecordingLgpio, pin: int, *, active_low: bool) -> None:
    lgpio.lines.relay(0.0, pin, active_low)


@pytest.mark.parametrize("active_low", [False, True])
@pytest.mark.parametrize("pin", [4, 17])  # pulled up and down after power-on
def test_constructed_off_it_is_claimed_once_with_the_level_of_off(
    lgpio: RecordingLgpio, opened: Open, active_low: bool, pin: int
) -> None:
    factory = opened(lgpio)
    with_relay(lgpio, pin, active_low=active_low)
    energised_by_boot = lgpio.lines.lines[
        pin
    ].times  # the pull after power-on: wiring's business, not the driver's
    relay = DigitalOutputDevice(pin, active_high=not active_low, pin_factory=factory)
    off, pull = int(active_low), "up" if active_low else "down"
    assert lgpio.calls == [("open", 0), ("claim_output", pin, off, pull)]
    assert lgpio.lines.lines[pin].times == energised_by_boot
    relay.close()
    factory.close()
    assert lgpio.calls[2:] == [("write", pin, off), ("write", pin, off), ("close", 1)]
    assert lgpio.lines.lines[pin].times == energised_by_boot


def test_gpiozeros_own_pin_energises_a_relay_that_it_constructs_off(lgpio: RecordingLgpio) -> None:
    """Why ours are there. When this fails gpiozero has mended it, and ours should be looked at again."""
    factory = pins._lgpio_pins(lgpio).LGPIOFactory(0)
    factory.pins = {}
    with_relay(lgpio, 4, active_low=True)
    relay = DigitalOutputDevice(4, active_high=False, pin_factory=factory)
    assert lgpio.calls[1:] == [("claim_input", 4, "none"), ("claim_output", 4, 0, ""), ("write", 4, 1)]
    assert lgpio.lines.lines[4].times == 1
    relay.close()
    assert lgpio.calls[-1] == ("claim_input", 4, "none")  # it floats
    factory.close()


@pytest.mark.parametrize("active_low", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_driven_on_and_closed_it_is_off_before_the_line_is_let_go(
    lgpio: RecordingLgpio, opened: Open, active_low: bool, strict: bool
) -> None:
    lgpio.lines = Lines(strict=strict)
    factory = opened(lgpio)
    with_relay(lgpio, 17, active_low=active_low)
    relay = DigitalOutputDevice(17, active_high=not active_low, pin_factory=factory)
    before = lgpio.lines.lines[17].times
    relay.on()
    assert lgpio.lines.lines[17].is_energised
    del lgpio.calls[:]
    relay.close()
    assert lgpio.calls == [("write", 17, int(active_low))]
    assert not lgpio.lines.lines[17].is_energised
    factory.close()
    line = lgpio.lines.lines[17]
    assert line.owner is None
    assert line.is_output is not strict
    assert not line.is_energised
    assert line.times == before + 1


@pytest.mark.parametrize("active_low", [False, True])
def test_a_restart_after_a_death_finds_it_on_and_drives_it_off_at_once(
    lgpio: RecordingLgpio, opened: Open, active_low: bool
) -> None:
    with_relay(lgpio, 17, active_low=active_low)
    lgpio.lines.claim_output("the dead one", 0.0, 17, int(not active_low))
    lgpio.lines.gone("the dead one", 1.0)
    assert lgpio.lines.lines[17].is_energised  # a Pi's kernel
    times = lgpio.lines.lines[17].times
    factory = opened(lgpio)
    relay = DigitalOutputDevice(17, active_high=not active_low, pin_factory=factory)
    assert not lgpio.lines.lines[17].is_energised
    assert lgpio.lines.lines[17].times == times
    relay.close()
    factory.close()


def test_a_relay_that_nobody_holds_is_driven_off_when_it_is_collected(
    lgpio: RecordingLgpio, opened: Open
) -> None:
    """Why ours are held: what gpiozero does then is right, and would be a surprise."""
    factory = opened(lgpio)
    relay = DigitalOutputDevice(17, pin_factory=factory)
    relay.on()
    del relay
    gc.collect()
    assert lgpio.calls[-1] == ("write", 17, 0)
    factory.close()


def test_a_line_that_is_somebody_elses_is_refused(lgpio: RecordingLgpio, opened: Open) -> None:
    lgpio.lines.claim_output("another", 0.0, 17, 0)
    factory = opened(lgpio)
    with pytest.raises(error, match="busy"):
        DigitalOutputDevice(17, pin_factory=factory)
    factory.close()


def test_a_contact_is_an_input_with_its_pull_and_tells_its_edges(lgpio: RecordingLgpio, opened: Open) -> None:
    factory = opened(lgpio)
    contact = DigitalInputDevice(22, pull_up=True, pin_factory=factory)
    seen: list[bool] = []

    def closes() -> None:
        seen.append(True)

    contact.when_activated = closes
    assert ("claim_output", 22) not in [call[:2] for call in lgpio.calls]
    assert not contact.is_active
    lgpio.outside(22, 0)
    assert seen == [True]
    assert contact.is_active
    contact.close()
    lgpio.outside(22, None)
    factory.close()
    assert seen == [True]


def test_two_factories_have_pins_of_their_own(opened: Open) -> None:
    first, second = RecordingLgpio(), RecordingLgpio()
    factories = [opened(first), opened(second)]
    relays = [DigitalOutputDevice(17, pin_factory=factory) for factory in factories]
    relays[0].on()
    assert first.lines.lines[17].level == 1
    assert second.lines.lines[17].level == 0
    relays[1].on()
    assert second.lines.lines[17].level == 1
    for device in (*relays, *factories):
        device.close()
