"""A thermistor at an MCP3008: temperatures by Beta and by Steinhart and Hart, rails are faults."""

import math

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from chaos.doubles.house.wires import adc_raw
from daemons.heating.hardware.ntc import FULL, celsius_of, celsius_of_all
from daemons.heating.hardware.wiring import Ntc
from daemons.heating.state import Fault

NTC = Ntc(channel=0)
# A common thermistor of 10 kΩ and B25/85 3977 K: Ω by °C, and the three coefficients that fit it.
COMMON = evolve(NTC, beta=3977.0, steinhart=(1.1279e-3, 2.3429e-4, 8.7298e-8))
TABLE = {-20: 96_358.0, 0: 32_554.0, 25: 10_000.0, 60: 2_490.0, 85: 1_070.0}


def raw_of(ohms: float, *, to_ground: bool = True, series: float = 10_000.0) -> int:
    share = ohms / (ohms + series)
    return round(FULL * (share if to_ground else 1 - share))


@pytest.mark.parametrize("celsius", TABLE)
@pytest.mark.parametrize("to_ground", [True, False])
def test_a_table(celsius: int, to_ground: bool) -> None:
    raw = raw_of(TABLE[celsius], to_ground=to_ground)
    by_steinhart = celsius_of(raw, evolve(COMMON, to_ground=to_ground))
    by_beta = celsius_of(raw, evolve(COMMON, to_ground=to_ground, steinhart=None))
    assert isinstance(by_steinhart, float)
    assert isinstance(by_beta, float)
    assert by_steinhart == pytest.approx(celsius, abs=0.4)  # a step is 0.1 to 0.4 K there
    assert by_beta == pytest.approx(celsius, abs=1.8)  # Beta is that between 25 and 85 °C


@pytest.mark.parametrize(
    ("raw", "to_ground", "fault"),
    [
        (0, True, Fault.SHORT), (1, True, Fault.SHORT), (6, True, Fault.SHORT),
        (1023, True, Fault.OPEN), (1017, True, Fault.OPEN), (0, False, Fault.OPEN),
        (1023, False, Fault.SHORT), (-1, True, Fault.RANGE), (1024, True, Fault.RANGE),
    ],
)  # fmt: skip
def test_rails_are_faults(raw: int, to_ground: bool, fault: Fault) -> None:
    assert celsius_of(raw, evolve(NTC, to_ground=to_ground)) is fault


def test_beyond_what_can_be_is_out_of_range() -> None:
    assert celsius_of(8, NTC) is Fault.RANGE  # 204 °C
    assert celsius_of(1015, NTC) is Fault.RANGE  # −54 °C
    assert celsius_of(500, evolve(NTC, steinhart=(-1.0, 0.0, 0.0))) is Fault.RANGE


def test_of_several_one_spike_says_nothing() -> None:
    assert celsius_of_all([512, 1023, 511, 511, 0], NTC) == celsius_of(511, NTC)
    assert celsius_of_all([0, 0, 512], NTC) is Fault.SHORT


@given(st.floats(-30, 110))
def test_what_the_double_shows_is_read_as_it_was_meant(celsius: float) -> None:
    raw = adc_raw(celsius)
    assert raw is not None
    said = celsius_of(raw, NTC)
    assert isinstance(said, float)
    step = celsius_of(min(raw + 1, FULL), NTC)
    assert isinstance(step, float)
    assert abs(said - celsius) <= abs(said - step)
    assert math.isfinite(said)
