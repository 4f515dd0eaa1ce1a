"""The hardware as a whole over a recording lgpio: what is called when it is opened, driven, broken and closed."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from attrs import evolve

from chaos.doubles.house.lgpio import RecordingLgpio
from chaos.doubles.house.w1 import W1Folder
from chaos.doubles.house.wires import adc_raw
from daemons.heating.hardware.offnote import Note, read_note
from daemons.heating.hardware.pi import PiHardware, open_pi
from daemons.heating.hardware.port import HardwareError
from daemons.heating.hardware.wiring import Ntc, RelayPin, Wiring
from daemons.heating.state import Fault, Reading
from tests.conftest import ErrorLogs

RELAYS = {"living": RelayPin(17), "burner": RelayPin(6, active_low=True)}


def wiring(folder: Path, **more: object) -> Wiring:
    return evolve(Wiring(relays=RELAYS, w1_folder=folder, read_s=0.02, deadline_s=30.0), **more)


@contextmanager
def opened(lgpio: RecordingLgpio, wiring: Wiring) -> Iterator[PiHardware]:
    for relay in wiring.relays.values():
        lgpio.lines.relay(0.0, relay.pin, relay.active_low)
    with open_pi(wiring, mono=lambda: 7.0) as hardware:
        yield hardware


def on(lgpio: RecordingLgpio) -> set[int]:
    return {line.number for line in lgpio.lines.lines.values() if line.is_energised}


def test_opened_all_are_off_driven_what_is_asked_closed_all_are_off(
    lgpio: RecordingLgpio, tmp_path: Path
) -> None:
    with opened(lgpio, wiring(tmp_path)) as hardware:
        assert lgpio.calls[1:] == [("claim_output", 17, 0, "down"), ("claim_output", 6, 1, "up")]
        hardware.drive({"living": True, "burner": False})
        assert on(lgpio) == {17}
        del lgpio.calls[:]
        hardware.drive({"living": False, "burner": True})
        assert lgpio.calls == [("write", 17, 0), ("write", 6, 0)]
        hardware.drive({"burner": True})
        hardware.drive({"living": True})
        assert on(lgpio) == {17, 6}
    assert on(lgpio) == set()
    assert lgpio.calls[-1] == ("close", 1)


def test_off_comes_before_on_whatever_the_order(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    with opened(lgpio, wiring(tmp_path)) as hardware:
        hardware.drive({"burner": True})
        del lgpio.calls[:]
        hardware.drive({"living": True, "burner": False})
        assert lgpio.calls == [("write", 6, 1), ("write", 17, 1)]


def test_an_error_on_the_way_ends_with_all_off(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    def breaks() -> None:
        with opened(lgpio, wiring(tmp_path)) as hardware:
            hardware.drive({"living": True, "burner": True})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert on(lgpio) == set()


def test_a_line_that_fails_holds_up_no_other(
    lgpio: RecordingLgpio, tmp_path: Path, error_logs: ErrorLogs
) -> None:
    with opened(lgpio, wiring(tmp_path)) as hardware:
        hardware.drive({"living": True, "burner": True})
        lgpio.fails.add(("write", 17))
        with pytest.raises(HardwareError, match=r"relay living .* could not be driven off") as told:
            hardware.drive({"living": False, "burner": False})
        assert told.value.of == ("living",)
        assert on(lgpio) == {17}
        assert "living" in hardware.warnings()["gpio.relays"]
        hardware.drive({"burner": True})
        assert "gpio.relays" not in hardware.warnings()
        with pytest.raises(HardwareError, match="living"):
            hardware.all_off()
        assert on(lgpio) == {17}
    error_logs.expect("relays.not_off")
    assert on(lgpio) == {17}


def test_a_pin_that_is_not_as_it_was_driven_is_told(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    with opened(lgpio, wiring(tmp_path)) as hardware:
        lgpio.fails.add(("read", 17))
        with pytest.raises(HardwareError, match="read of GPIO 17"):
            hardware.drive({"living": True})
        lgpio.fails.clear()
        lgpio.shorted = {17: 0}
        with pytest.raises(
            HardwareError, match="relay living was driven on, and its pin is not: is it shorted"
        ):
            hardware.drive({"living": True})
        with pytest.raises(HardwareError, match="relay attic is not wired"):
            hardware.drive({"attic": True})


@pytest.mark.parametrize("failing", [("claim_output", 6), ("claim_alert", 5), ("claim_output", 22)])
def test_opened_by_half_nothing_stays_claimed(
    lgpio: RecordingLgpio, tmp_path: Path, failing: tuple[str, int]
) -> None:
    lgpio.fails.add(failing)
    with pytest.raises(HardwareError, match=f"GPIO {failing[1]}"):
        with opened(lgpio, wiring(tmp_path, contacts={"call": 5}, alive=22)):
            raise AssertionError("opened")
    assert on(lgpio) == set()
    assert lgpio.calls[-1] == ("close", 1)
    assert not [line for line in lgpio.lines.lines.values() if line.owner is not None]


def test_without_its_library_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)  # type: ignore[arg-type]
    with pytest.raises(HardwareError, match="apt-get install python3-lgpio"):
        with open_pi(wiring(tmp_path), mono=lambda: 0.0):
            raise AssertionError("opened")


def test_the_note_is_there_before_a_line_is_claimed(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    note = tmp_path / "relays.json"
    with open_pi(wiring(tmp_path, alive=22), mono=lambda: 0.0, relays_file=note):
        assert read_note(note) == Note("pi", 0, {17: 0, 6: 1, 22: 0})
    with pytest.raises(OSError, match="No such file"):
        with open_pi(wiring(tmp_path), mono=lambda: 0.0, relays_file=tmp_path / "none" / "relays.json"):
            raise AssertionError("opened")
    claims = [call for call in lgpio.calls if call[0] == "claim_output"]
    assert len(claims) == 3  # of the first


async def test_contacts_are_told_as_one_look_and_read(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    looked: list[dict[str, bool | None]] = []
    with opened(lgpio, wiring(tmp_path, contacts={"living": 5, "firing": 13})) as hardware:
        lgpio.outside(5, 0)  # before it runs: nobody is told, and it is read
        assert hardware.inputs().contacts == {"living": True, "firing": False}
        hardware.on_change = lambda: looked.append(dict(hardware.inputs().contacts))
        async with trio.open_nursery() as nursery:
            await nursery.start(hardware.run)
            for _ in range(50):
                lgpio.outside(13, 0)
                lgpio.outside(13, None)
            lgpio.outside(13, 0)
            with trio.fail_after(30):
                while not looked or not looked[-1]["firing"]:
                    await trio.sleep(0.001)
            assert len(looked) < 20  # of 101 edges
            assert hardware.contacts.edges == len(looked)
            lgpio.fails.add(("read", 5))
            assert hardware.inputs().contacts == {"living": None, "firing": True}
            nursery.cancel_scope.cancel()
    lgpio.outside(13, None)


def test_an_edge_after_the_run_is_nothing(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    with opened(lgpio, wiring(tmp_path, contacts={"living": 5})) as hardware:

        async def run() -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(hardware.run)
                nursery.cancel_scope.cancel()

        trio.run(run)
        errors: list[object] = []
        hook, threading.excepthook = threading.excepthook, errors.append
        try:
            lgpio.outside(5, 0)
        finally:
            threading.excepthook = hook
        assert errors == []


async def test_sensors_of_both_kinds(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    house = W1Folder(tmp_path, {"living": "28-000000000001"})
    house.show({"living": 20.5})
    lgpio.adc = {0: adc_raw(60.0) or 0, 1: 1023}
    sensors = {"flow": Ntc(channel=0), "back": Ntc(channel=1), "tank": Ntc(channel=7)}
    plan = wiring(tmp_path, ds18b20={"living": "28-000000000001", "hall": "28-000000000002"}, ntc=sensors)
    with opened(lgpio, plan) as hardware:
        assert set(hardware.inputs().readings.values()) == {Reading(7.0, fault=Fault.LOST)}  # not read yet
        async with trio.open_nursery() as nursery:
            await nursery.start(hardware.run)
            readings = hardware.inputs().readings
            nursery.cancel_scope.cancel()
    assert readings["living"] == Reading(7.0, 20.5)
    assert readings["hall"] == Reading(7.0, fault=Fault.LOST)
    assert readings["flow"].celsius == pytest.approx(60.0, abs=0.2)
    assert readings["back"].fault is Fault.OPEN
    assert readings["tank"].fault is Fault.SHORT
    assert [call for call in lgpio.calls if call[0] == "spi_close"] == [("spi_close", 0)]


async def test_an_spi_that_hangs_holds_up_neither_others_nor_relays(
    lgpio: RecordingLgpio, tmp_path: Path
) -> None:
    W1Folder(tmp_path, {"living": "28-000000000001"}).show({"living": 20.5})
    lgpio.stuck = threading.Event()
    plan = wiring(
        tmp_path, ds18b20={"living": "28-000000000001"}, ntc={"flow": Ntc(channel=0)}, deadline_s=0.5
    )
    try:
        with opened(lgpio, plan) as hardware:
            async with trio.open_nursery() as nursery:
                await nursery.start(hardware.run)
                assert hardware.inputs().readings["living"].celsius == 20.5
                assert hardware.inputs().readings["flow"].fault is Fault.LOST
                assert hardware.warnings()["sensors.hanging"] == "flow: reading does not come back"
                hardware.drive({"living": True})
                assert on(lgpio) == {17}
                nursery.cancel_scope.cancel()
        assert on(lgpio) == set()
    finally:
        lgpio.stuck.set()


async def test_the_alive_output_goes_on_completed_cycles_only(lgpio: RecordingLgpio, tmp_path: Path) -> None:
    with opened(lgpio, wiring(tmp_path, alive=22, alive_half_s=0.005, alive_hold_s=0.1)) as hardware:
        alive = hardware.alive
        assert alive is not None
        async with trio.open_nursery() as nursery:
            await nursery.start(hardware.run)
            with trio.move_on_after(0.05):
                await trio.sleep_forever()
            assert alive.edges == 0  # running is not enough
            for _ in range(2):
                hardware.pulse()
                before = alive.edges
                with trio.fail_after(30):
                    while alive.edges < before + 4:
                        await trio.sleep(0.001)
                with trio.fail_after(30):
                    while lgpio.lines.lines[22].level or trio.current_time() < alive._until:
                        await trio.sleep(0.005)
                    await trio.testing.wait_all_tasks_blocked(0.01)
                stood = alive.edges
                with trio.move_on_after(0.05):
                    await trio.sleep_forever()
                assert alive.edges == stood
            # A loop that hangs: gpiozero's blink() would go on.
            hardware.pulse()
            with trio.fail_after(30):
                while alive.edges < stood + 2:
                    await trio.sleep(0.001)
            calls = len(lgpio.calls)
            time.sleep(0.05)  # noqa: ASYNC251
            assert len(lgpio.calls) == calls
            hardware.all_off()
            assert lgpio.lines.lines[22].level == 0
            nursery.cancel_scope.cancel()
