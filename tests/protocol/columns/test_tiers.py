"""Which channels travel live, how often, and how a wish for them is packed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor
from protocol.columns import ColumnsError, Group, Precision, Wish, groups_of
from protocol.columns.steps import COARSER, step_of
from protocol.irsdk import Type, Variable
from tests.protocol.columns.rowsof import layout_of

LAYOUT = layout_of(
    ("Speed", Type.FLOAT, 1, "m/s"), ("CarIdxLap", Type.INT, 72, ""), ("YawRate_ST", Type.FLOAT, 6, "rad/s"),
    ("Gear", Type.INT, 1, ""), ("CarIdxLapDistPct", Type.FLOAT, 72, "%"),
)  # fmt: skip
CARS = ("CarIdxLap", "CarIdxLapDistPct")


@pytest.mark.parametrize(
    ("wish", "groups"),
    [
        (Wish(), [Group(("Speed", "Gear"), 1, Precision.FINE), Group(CARS, 12, Precision.FINE)]),
        (
            Wish(scalars_every=2, cars_every=60, sub_samples=True, precision=Precision.COARSE),
            [Group(("Speed", "YawRate_ST", "Gear"), 2, Precision.COARSE), Group(CARS, 60, Precision.COARSE)],
        ),
        (Wish(names=frozenset({"Gear", "YawRate_ST"})), [Group(("YawRate_ST", "Gear"), 1, Precision.FINE)]),
        (Wish(names=frozenset({"CarIdxLap", "Nothing"})), [Group(("CarIdxLap",), 12, Precision.FINE)]),
        (Wish(names=frozenset()), []),
    ],
)
def test_groups_of_a_wish(wish: Wish, groups: list[Group]) -> None:
    assert groups_of(LAYOUT, wish) == groups


@given(
    st.builds(
        Wish,
        names=st.none() | st.frozensets(st.text(max_size=64), max_size=9),
        scalars_every=st.integers(1, 3600), cars_every=st.integers(1, 3600), sub_samples=st.booleans(),
        precision=st.sampled_from(Precision), batch_ticks=st.integers(1, 600),
    )
)  # fmt: skip
def test_a_wish_comes_back(wish: Wish) -> None:
    assert Wish.unpack(wish.pack()) == wish


@given(st.binary(max_size=40))
def test_noise_is_no_wish(data: bytes) -> None:
    try:
        assert isinstance(Wish.unpack(data), Wish)
    except ColumnsError:
        pass


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (7, "six fields"),
        ([None, 1, 12, False, 1], "six fields"),
        (["Speed", 1, 12, False, 1, 15], "no names"),
        ([["S" * 65], 1, 12, False, 1, 15], "no names"),
        ([[1], 1, 12, False, 1, 15], "no names"),
        ([None, True, 12, False, 1, 15], "another type"),
        ([None, 1, 12, 0, 1, 15], "another type"),
        ([None, 1, 12, False, 3, 15], "precision 3"),
        ([None, 0, 12, False, 1, 15], "scalars_every of 0: 1 to 3600"),
        ([None, 1, 4000, False, 1, 15], "cars_every of 4000"),
        ([None, 1, 12, False, 1, 601], "batch_ticks of 601"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(fields: object, words: str) -> None:
    with pytest.raises(ColumnsError, match=words):
        Wish.unpack(cbor.encode(fields))


@pytest.mark.parametrize(
    ("name", "kind", "unit", "step"),
    [
        ("Speed", Type.FLOAT, "m/s", 0.1 / 3.6),
        ("speed", Type.FLOAT, "km/h", 0.1),
        ("RPM", Type.FLOAT, "revs/min", 1),
        ("Throttle", Type.FLOAT, "%", 1e-3),
        ("throttle", Type.FLOAT, "percent", 0.1),
        ("SteeringWheelAngle", Type.FLOAT, "rad", 0.1 * 3.141592653589793 / 180),
        ("Lat", Type.DOUBLE, "deg", 1e-6),
        ("longitude", Type.DOUBLE, "deg", 1e-6),
        ("LapDistPct", Type.FLOAT, "%", 1e-5),
        ("CarIdxLapDistPct", Type.FLOAT, "%", 1e-5),
        ("LFshockDefl_ST", Type.FLOAT, "m", 1e-4),
        ("SessionTime", Type.DOUBLE, "s", 1 / 1200),
        ("Gear", Type.INT, "", None),
        ("Flags", Type.BITFIELD, "%", None),
        ("dcBrakeBias", Type.FLOAT, "", None),
        ("New", Type.FLOAT, "furlong", None),
    ],
)
def test_steps(name: str, kind: Type, unit: str, step: float | None) -> None:
    variable = Variable(name, kind, 0, unit=unit)
    assert step_of(variable, Precision.FINE) == step
    assert step_of(variable, Precision.COARSE) == (None if step is None else step * COARSER)
    assert step_of(variable, Precision.LOSSLESS) is None
