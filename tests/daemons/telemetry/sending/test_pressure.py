"""What is thinned when something does not keep up, in which order, and when it is given back."""

import pytest

from daemons.telemetry.sending import Bounds, Degree, Load, Pressure
from daemons.telemetry.sending.pressure import CALM_MAX_S, thinned
from protocol.columns import Precision, Wish

CALM = Load(core_share=0.05, memory_mb=50.0)


def seconds(pressure: Pressure, start: float, count: int, load: Load) -> list[int]:
    return [int(pressure.look(start + second, load)) for second in range(count)]


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(waited_s=0.6), "the link does not carry everything"),
        (Load(dropped=1), "the link does not carry everything"),
        (Load(missed=1), "this PC does not keep up"),
        (Load(unencoded=2), "this PC does not keep up"),
        (Load(core_share=0.3), "the relay takes 30% of a core, 25% are allowed"),
        (Load(memory_mb=300), "the relay holds 300 MB, 256 are allowed"),
    ],
)
def test_each_pressure_thins_at_once_and_says_why(load: Load, words: str) -> None:
    pressure = Pressure()
    assert pressure.look(0.0, CALM) is Degree.FULL
    assert pressure.words == ""
    assert pressure.look(1.0, load) is Degree.FEWER_CARS
    assert pressure.words == f"{words}: cars half as often, no 360 Hz channels"


def test_each_step_is_given_time_to_show_what_it_does() -> None:
    assert seconds(Pressure(), 0.0, 9, Load(dropped=3)) == [1, 1, 2, 2, 3, 3, 4, 4, 5]


def test_only_memory_stops_it_altogether() -> None:
    assert seconds(Pressure(), 0.0, 30, Load(dropped=1, missed=1))[-1] == Degree.HZ_10
    pressure = Pressure(Bounds(memory_mb=100))
    assert seconds(pressure, 0.0, 30, Load(memory_mb=101))[-1] == Degree.NOTHING
    assert pressure.words.endswith("nothing is sent live")


def test_between_pressed_and_calm_nothing_changes() -> None:
    pressure = Pressure()
    pressure.look(0.0, Load(core_share=0.3))
    assert set(seconds(pressure, 1.0, 100, Load(core_share=0.2))) == {1}
    assert set(seconds(pressure, 101.0, 100, Load(waited_s=0.3))) == {1}


def test_it_is_given_back_step_by_step_after_a_calm() -> None:
    pressure = Pressure()
    seconds(pressure, 0.0, 4, Load(dropped=1))
    assert pressure.degree == 2
    degrees = seconds(pressure, 10.0, 25, CALM)
    assert degrees[9:11] == [2, 1]
    assert degrees[19:21] == [1, 0]


def test_what_was_too_much_is_tried_again_later_and_later_and_a_long_calm_forgives() -> None:
    pressure = Pressure()
    now, waits = 0.0, []
    pressure.look(now, Load(dropped=1))
    for _ in range(6):
        start = now
        while pressure.degree:
            now += 1.0
            pressure.look(now, CALM)
        waits.append(now - start)
        now += 1.0
        pressure.look(now, Load(dropped=1))
    assert [round(wait) for wait in waits] == [11, 21, 41, 81, 161, 161]
    seconds(pressure, now, int(4 * CALM_MAX_S), CALM)
    now += 4 * CALM_MAX_S
    pressure.look(now, Load(dropped=1))
    assert seconds(pressure, now + 1, 13, CALM)[-1] == 0


def test_tiers_and_precision_go_first_and_rate_second() -> None:
    wish = Wish(sub_samples=True)
    table = [
        (w.sub_samples, w.cars_every, w.precision, w.scalars_every)
        for degree in Degree
        if (w := thinned(wish, degree)) is not None
    ]
    assert table == [
        (True, 12, Precision.FINE, 1),
        (False, 24, Precision.FINE, 1),
        (False, 60, Precision.COARSE, 1),
        (False, 60, Precision.COARSE, 2),
        (False, 120, Precision.COARSE, 4),
        (False, 120, Precision.COARSE, 6),
    ]
    assert thinned(wish, Degree.NOTHING) is None


def test_never_more_than_was_wished() -> None:
    wish = Wish(
        frozenset({"Speed"}), scalars_every=60, cars_every=600, batch_ticks=120, precision=Precision.COARSE
    )
    assert all(thinned(wish, degree) == wish for degree in Degree if degree is not Degree.NOTHING)
