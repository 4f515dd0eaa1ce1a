"""What is believed of a sensor: tables of what it says over time."""

import pytest

from daemons.heating.control.senses import Sensor
from daemons.heating.plant import SensorPlan
from daemons.heating.state import Fault, Reading, Sense

PLAN = SensorPlan(id="s", rate_k_per_min=5.0, agree=3, stale_s=300.0, frozen_s=3600.0)


def believed(said: list[float | Fault | None], *, is_pipe: bool = False, each: float = 10.0) -> list[object]:
    """Return what is known after each of these readings: a temperature or a fault."""
    sensor, heard = Sensor(PLAN, is_pipe), []
    for number, value in enumerate(said):
        mono = each * number
        if value is None:
            reading = None
        elif isinstance(value, Fault):
            reading = Reading(mono, fault=value)
        else:
            reading = Reading(mono, value)
        sensor.step(mono, reading, 0.0)
        assert (sensor.celsius is None) is (sensor.fault is not None)
        heard.append(sensor.celsius if sensor.fault is None else sensor.fault)
    return heard


JUMP, LOST, RANGE = Fault.IMPLAUSIBLE, Fault.LOST, Fault.RANGE


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ([20.0, 20.1, 20.0], [20.0, 20.1, 20.0]),
        ([None, 20.0], [LOST, 20.0]),  # missing at boot
        ([20.0, None, 20.0], [20.0, LOST, 20.0]),  # never the last value
        ([20.0, Fault.CRC, 20.0], [20.0, Fault.CRC, 20.0]),
        ([20.0, -127.0, 20.0], [20.0, RANGE, 20.0]),
        ([20.0, 127.94, float("inf"), 20.0], [20.0, RANGE, RANGE, 20.0]),
        ([float("nan"), 20.0], [RANGE, 20.0]),
        ([20.0, 85.0, 20.0], [20.0, JUMP, 20.0]),  # one spike
        ([20.0, 85.0, 85.0, 20.0], [20.0, JUMP, JUMP, 20.0]),
        ([20.0, 25.0, 25.0, 25.0, 25.0], [20.0, JUMP, JUMP, 25.0, 25.0]),  # it stays so: it is so
        ([20.0, 25.0, 15.0, 25.0, 15.0], [20.0, JUMP, JUMP, JUMP, JUMP]),  # up and down is no agreement
        ([20.0, 25.0, 25.0, 20.0, 25.0], [20.0, JUMP, JUMP, 20.0, JUMP]),  # nor is one after a good one
        ([0.0, -0.1, 0.0], [0.0, -0.1, 0.0]),  # zero is a temperature
    ],
)
def test_what_is_known_after_each_reading(said: list[float | Fault | None], known: list[object]) -> None:
    assert believed(said) == known


def test_water_in_a_pipe_may_change_quickly() -> None:
    ramp = [20.0, 28.0, 36.0, 44.0, 50.0]
    assert believed(list(ramp), is_pipe=True) == ramp
    assert believed(list(ramp))[1:3] == [JUMP, JUMP]


def test_the_rate_counts_the_time_that_passed() -> None:
    assert believed([20.0, 25.0], each=120.0) == [20.0, 25.0]


def test_stale() -> None:
    sensor, reading = Sensor(PLAN, False), Reading(0.0, 20.0)
    sensor.step(0.0, reading, 0.0)
    sensor.step(300.0, reading, 0.0)
    assert (sensor.celsius, sensor.sense) == (20.0, Sense.GOOD)
    sensor.step(300.1, reading, 0.0)
    assert (sensor.celsius, sensor.fault, sensor.sense) == (None, Fault.STALE, Sense.STALE)
    assert sensor.good_at == sensor.read_at == 0.0
    sensor.step(310.0, Reading(310.0, 20.0), 0.0)
    assert sensor.celsius == 20.0


@pytest.mark.parametrize(("worked", "fault"), [(0.0, None), (0.9, None), (1.0, Fault.FROZEN)])
def test_frozen_is_what_does_not_move_while_the_plant_does(worked: float, fault: Fault | None) -> None:
    sensor = Sensor(PLAN, False)
    for second in range(0, 3601, 60):
        sensor.step(float(second), Reading(float(second), 20.0), worked * second / 3600)
        if second < 3600:
            assert sensor.fault is None
    assert sensor.fault is fault
    sensor.step(3660.0, Reading(3660.0, 20.0625), worked)
    assert sensor.fault is None and sensor.celsius == 20.0625
