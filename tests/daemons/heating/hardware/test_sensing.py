"""Sensors that block: deadlines, a thread that hangs and comes back, others that do not wait for it, tries, bulk conversion."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chaos.doubles.house.w1 import W1Folder
from daemons.heating.hardware.ds18b20 import Said
from daemons.heating.hardware.sensing import Sensing
from daemons.heating.hardware.w1bus import convert_all, read_sensor
from daemons.heating.state import Fault, Reading

ROMS = {
    name: f"28-00000000000{i}" for i, name in enumerate(("living", "hall", "bath", "attic", "flow", "back"))
}


def sensing(sensors: dict[str, Callable[[], Said]], *, deadline_s: float = 30.0, **more: object) -> Sensing:
    return Sensing(sensors, lambda: 7.0, read_s=0.01, deadline_s=deadline_s, **more)  # type: ignore[arg-type]


def of_folder(folder: Path) -> dict[str, Callable[[], Said]]:
    return {name: lambda rom=rom: read_sensor(folder, rom) for name, rom in ROMS.items()}  # type: ignore[misc]


async def test_a_folder_is_read(tmp_path: Path) -> None:
    house = W1Folder(tmp_path, ROMS)
    house.show(
        {"living": 20.5, "hall": "crc", "bath": "power-on", "attic": "lost", "flow": 85.0, "back": "range"}
    )
    sensors = sensing(of_folder(tmp_path))
    await sensors.round()
    assert sensors.readings == {
        "living": Reading(7.0, 20.5),
        "hall": Reading(7.0, fault=Fault.CRC),
        "bath": Reading(7.0, fault=Fault.POWER_ON),
        "attic": Reading(7.0, fault=Fault.LOST),
        "flow": Reading(7.0, 85.0),
        "back": Reading(7.0, fault=Fault.RANGE),
    }
    assert (sensors.read, sensors.failed, sensors.late) == (6, 4, 0)
    house.show({"living": "lost", "hall": 19.0})
    await sensors.round()
    assert sensors.readings["living"] == Reading(7.0, fault=Fault.LOST)  # not what it said before
    assert sensors.readings["hall"] == Reading(7.0, 19.0)


async def test_a_sensor_that_hangs_is_lost_and_starves_nobody(tmp_path: Path) -> None:
    """A pipe that nobody writes into: opening it blocks for ever, as a bus that hangs does."""
    house = W1Folder(tmp_path, ROMS)
    house.show(dict.fromkeys(ROMS, 20.0))
    house.show({"hall": "hangs"})
    sensors = sensing(of_folder(tmp_path), deadline_s=1.0)
    before = threading.active_count()
    try:
        for _ in range(5):
            began = time.monotonic()
            await sensors.round()
        assert sensors.late == 1  # and never again waited for
        assert time.monotonic() - began < 1.0
        assert sensors.hanging == ["hall"]
        assert {name for name, reading in sensors.readings.items() if reading.fault} == {"hall"}
        assert threading.active_count() <= before + 6
    finally:
        house.show({"hall": 21.0})
    with trio.fail_after(30):
        while sensors.readings["hall"] != Reading(7.0, 21.0):
            await sensors.round()
    assert sensors.hanging == []


async def test_all_hang_and_the_loop_goes_on(tmp_path: Path) -> None:
    release = threading.Event()

    def hangs() -> Said:
        release.wait()
        return 20.0

    sensors = sensing({str(i): hangs for i in range(12)}, deadline_s=0.05)
    before = threading.active_count()
    try:
        for _ in range(4):
            await sensors.round()
        assert len(sensors.hanging) == 12
        assert sensors.late == 12
        assert threading.active_count() <= before + 12
        assert {reading.fault for reading in sensors.readings.values()} == {Fault.LOST}
    finally:
        release.set()
    with trio.fail_after(30):
        while sensors.hanging:
            await trio.sleep(0.005)


async def test_what_was_damaged_on_the_way_is_asked_for_again_at_once() -> None:
    says: list[Said] = [Fault.CRC, 20.0]
    raises: list[object] = []

    def flaky() -> Said:
        return says.pop(0)

    def breaks() -> Said:
        raises.append(1)
        raise OSError("gone")

    sensors = sensing({"flaky": flaky, "breaks": breaks})
    await sensors.round()
    assert sensors.readings == {"flaky": Reading(7.0, 20.0), "breaks": Reading(7.0, fault=Fault.LOST)}
    assert len(raises) == 2


async def test_it_has_started_when_each_was_asked_once() -> None:
    rounds: list[int] = []

    def reads() -> Said:
        rounds.append(1)
        return 20.0

    sensors = sensing({"living": reads}, prepare=lambda: rounds.append(0))
    async with trio.open_nursery() as nursery:
        await nursery.start(sensors.run)
        assert rounds[:2] == [0, 1]
        assert sensors.readings == {"living": Reading(7.0, 20.0)}
        with trio.fail_after(30):
            while len(rounds) < 6:
                await trio.sleep(0.002)
        nursery.cancel_scope.cancel()


async def test_when_all_hang_it_has_started_after_two_deadlines() -> None:
    release = threading.Event()
    sensors = sensing({str(i): lambda: release.wait() and 20.0 for i in range(40)}, deadline_s=0.2)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(sensors.run)
            assert 1 <= len(sensors.readings) < 40  # ten times four of them take two seconds
            nursery.cancel_scope.cancel()
    finally:
        release.set()


async def test_a_bus_that_hangs_in_converting_holds_up_a_round_once() -> None:
    release = threading.Event()
    sensors = sensing({"living": lambda: 20.0}, deadline_s=0.05, prepare=lambda: release.wait() and None)
    try:
        await sensors.round()
        await sensors.round()
        assert sensors.late == 1
        assert sensors.hanging == ["1-wire conversion"]
        assert sensors.readings["living"].celsius == 20.0
    finally:
        release.set()
    with trio.fail_after(30):
        while sensors.hanging:
            await trio.sleep(0.005)


def test_all_convert_at_once_and_are_waited_for(tmp_path: Path) -> None:
    master = tmp_path / "w1_bus_master1"
    master.mkdir()
    trigger = master / "therm_bulk_read"
    trigger.write_text("0\n")
    times: list[float] = []

    def clock() -> float:
        if len(times) == 0:
            assert trigger.read_text() == "trigger\n"
        trigger.write_text("-1\n" if len(times) < 3 else "1\n")
        times.append(len(times) / 10)
        return times[-1]

    assert convert_all(tmp_path, 30.0, clock) == 1
    assert len(times) >= 4
    assert trigger.read_text() == "1\n"


def test_without_it_nothing_is_waited_for(tmp_path: Path) -> None:
    assert convert_all(tmp_path, 30.0) == 0
    assert convert_all(tmp_path / "none", 30.0) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_bus_that_may_not_be_written_to_is_left(tmp_path: Path) -> None:
    master = tmp_path / "w1_bus_master1"
    master.mkdir()
    (master / "therm_bulk_read").write_text("0\n")
    (master / "therm_bulk_read").chmod(0o444)
    assert convert_all(tmp_path, 30.0) == 0
