"""What survives a restart: timers by the clock that can be trusted, lock-outs, alarms, counts; and clocks that are set."""

import json

import pytest
from attrs import evolve

from daemons.heating.control import Control
from daemons.heating.plant import BurnerPlan, LossPolicy, OnLoss
from daemons.heating.state import Fault, Inputs, Instant
from tests.daemons.heating.control.rig import NOON, Rig, manual, plain_plant, plant_of, zone

WEEKS = 21 * 86_400.0


def warm_rig(**fields: object) -> Rig:
    """Return a house whose room has been heated and went off 100 s ago."""
    made = Rig(plain_plant(**{"min_off_s": 300.0, **fields}), manual(20.0))
    made.temps["living-room"] = 19.0
    made.step()
    made.run(600)
    assert made.is_on()
    made.temps["living-room"] = 20.0
    made.run(10)
    assert not made.is_on()
    made.run(100)
    made.temps["living-room"] = 19.0
    return made


@pytest.mark.parametrize(
    ("boot", "is_sure", "off_s", "wait_s"),
    [
        (None, True, 50.0, 150.0),  # the same boot: the monotonic clock goes on
        (None, False, 50.0, 150.0),  # and needs no wall clock
        ("two", True, 50.0, 150.0),  # another boot: by the wall clock
        ("two", True, 3600.0, 0.0),
        ("two", False, 3600.0, 300.0),  # nobody knows how long it was off: not at all, then
    ],
)
def test_the_minimum_off_time(boot: str | None, is_sure: bool, off_s: float, wait_s: float) -> None:
    made = warm_rig()
    made.restart(off_s=off_s, boot=boot, is_sure=is_sure)
    waited = 0.0
    while not made.is_on():
        waited += 10
        made.run(10)
    assert waited == pytest.approx(wait_s, abs=0.1)


def test_a_relay_that_was_on_is_off_as_of_the_restart() -> None:
    made = warm_rig()
    made.run(300)
    assert made.is_on()
    made.restart(off_s=3600.0)
    assert made.told("living")[-1] == ("OFF", "off: the control was started anew")
    assert made.events[-1].ran_s is None
    made.run(290)
    assert not made.is_on()
    made.run(10)
    assert made.is_on()


def test_the_first_start_ever_waits_as_if_all_had_just_been_on() -> None:
    made = Rig(plain_plant(min_off_s=300.0), manual(20.0))
    made.temps["living-room"] = 15.0
    made.step()
    made.run(290)
    assert not made.is_on() and made.zone().cause.startswith("waits: 5 min left of its minimum off time")


def test_a_rest_goes_on_over_a_restart() -> None:
    made = Rig(plain_plant(max_run_s=600.0, rest_s=900.0), manual(20.0))
    made.temps["living-room"] = 19.0
    made.step()
    made.run(600)
    assert not made.is_on()
    made.restart(off_s=300.0, boot="two")
    assert made.alarm("max-run") is not None
    made.run(590)
    assert not made.is_on()
    made.run(10)
    assert made.is_on()


@pytest.mark.parametrize("step", [WEEKS, -WEEKS, 3600.0, -3600.0])
def test_a_clock_that_is_set_fires_nothing(step: float) -> None:
    made = Rig(plain_plant(max_run_s=7200.0), manual(20.0), is_sure=False)
    made.temps["living-room"] = 19.0
    made.step()
    made.run(3000)
    made.utc += step
    made.is_sure = True
    made.run(10)
    assert (
        made.is_on()
        and made.zone().fault == ""
        and not [a for a in made.last.state.alarms if a.code != "clock"]
    )
    assert made.zone().since == pytest.approx(NOON + step)  # the same moment, by the clock as it goes now
    made.run(7200 - 3010 - 10)
    assert made.is_on()
    made.run(10)
    assert not made.is_on()


def test_alarms_are_dated_anew_when_the_clock_is_set() -> None:
    made = Rig(plain_plant(), is_sure=False)
    made.step()
    made.run(100)
    made.utc += WEEKS
    made.is_sure = True
    made.run(10)
    alarm = made.alarm("sensor")
    assert alarm is not None and alarm.since == pytest.approx(NOON + WEEKS + 60)


def test_alarms_stand_over_a_restart_and_are_not_told_twice() -> None:
    made = Rig(plain_plant(), manual(20.0))
    made.step()
    made.run(300)
    alarm = made.alarm("sensor")
    made.restart(off_s=30.0)
    assert made.alarm("sensor") == alarm
    made.run(300)
    assert made.alarm("sensor") == alarm
    assert [kind for kind, _ in made.told("living-room")] == ["ALARM"]


def test_an_alarm_has_its_beginning_back_when_the_time_is_known_again() -> None:
    made = Rig(plain_plant(), manual(20.0))
    made.step()
    made.run(300)
    alarm = made.alarm("sensor")
    assert alarm is not None and alarm.since == NOON + 60
    made.restart(off_s=600.0, boot="two", is_sure=False)
    made.run(60)
    made.is_sure = True
    made.run(10)
    again = made.alarm("sensor")
    assert again is not None and again.since == pytest.approx(NOON + 60)


def test_what_is_held_for_a_lost_sensor_is_over_when_nobody_knows_for_how_long_it_was() -> None:
    policy = LossPolicy(kind=OnLoss.HOLD, hold_s=3600.0)
    made = Rig(plain_plant(on_loss=policy), manual(20.0))
    made.temps["living-room"] = 19.0
    made.step()
    made.run(60)
    made.temps["living-room"] = Fault.LOST
    made.run(600)
    assert made.is_on()
    again = evolve(made)
    again.memory = made.memory
    made.restart(off_s=60.0, boot="two", is_sure=True)
    made.run(300)
    assert made.is_on()
    again.restart(off_s=60.0, boot="two", is_sure=False)
    again.run(2000)
    assert not again.is_on() and ("ON" not in [kind for kind, _ in again.told("living")][3:])


def burner_rig(**fields: object) -> Rig:
    burner = BurnerPlan(
        output="burner", flow="flow", min_on_s=0.0, min_off_s=0.0, overrun_s=0.0, exercise_s=0.0, **fields
    )  # type: ignore[arg-type]
    made = Rig(plant_of(zone("living"), burner=burner), manual(20.0))
    made.temps.update({"living-room": 19.0, "flow": 40.0})
    made.step()
    return made


@pytest.mark.parametrize(("boot", "is_sure"), [(None, True), ("two", True), ("two", False)])
def test_a_lock_out_survives_everything_but_a_reset_by_hand(boot: str | None, is_sure: bool) -> None:
    made = burner_rig()
    for flow in (70.0, 85.0, 91.0):
        made.run(60)
        made.temps["flow"] = flow
    made.run(10)
    assert made.last.state.boiler.locked_out
    made.temps["flow"] = 50.0
    made.restart(off_s=3600.0, boot=boot, is_sure=is_sure)
    made.run(3600)
    assert made.last.state.boiler.locked_out and not made.burns and made.alarm("overheat") is not None
    made.settings = evolve(made.settings, unlocked={"boiler": 1})
    made.run(200)
    assert not made.last.state.boiler.locked_out and made.burns and made.alarm("overheat") is None


def test_starts_of_the_day_are_counted_over_restarts() -> None:
    made = burner_rig(starts_a_day=8)
    for _ in range(2):
        made.temps["living-room"] = 20.0
        made.run(60)
        made.temps["living-room"] = 19.0
        made.run(60)
    before = made.last.state.boiler.starts
    assert before == 2 + made.burns
    made.temps["living-room"] = 20.0
    made.restart(off_s=60.0, boot="two", is_sure=False)
    made.run(600)
    assert made.last.state.boiler.starts == before
    made.is_sure = True
    made.utc += 86_400
    made.run(10)
    assert made.last.state.boiler.starts == 0


def test_valves_are_exercised_in_a_house_that_starts_anew_each_day() -> None:
    """The clock is not known at each start, a minute later it is."""
    made = Rig(plain_plant(exercise_s=7 * 86_400.0), manual(10.0), tick=600.0)
    made.temps["living-room"] = 20.0
    made.step()
    for day in range(12):
        made.run(86_100)
        made.restart(off_s=300.0, boot=f"boot {day}", is_sure=False)
        made.is_sure = True
    assert ("ON", "moved, so that it does not seize") in made.told("living")


@pytest.mark.parametrize("memory", [{}, {"v": 99, "zones": 3}, {"v": None}, {"v": 1}, {"v": 1, "zones": 3}])
def test_a_memory_that_is_not_ours_is_none(memory: dict[str, object]) -> None:
    control = Control(plain_plant(min_off_s=60.0), memory)
    decision = control.step(Instant(1.0, NOON), Inputs(), manual(20.0))
    assert decision.memory is not None and not any(decision.outputs.values())


def test_a_memory_that_lost_a_part_switches_nothing_on_too_early() -> None:
    made = warm_rig()
    assert made.memory is not None
    for part in made.memory:
        memory = {key: value for key, value in made.memory.items() if key not in (part, "v")} | {"v": 1}
        again = Rig(made.plant, made.settings, memory=memory)
        again.temps["living-room"] = 19.0
        again.step()
        assert not again.is_on()
        again.run(300)
        assert again.is_on()


def test_memory_is_json_and_only_told_when_it_changed() -> None:
    made = warm_rig()
    assert made.memory == json.loads(json.dumps(made.memory))
    made.run(300)
    told = [made.run(10).memory for _ in range(20)]
    assert told == [None] * 20


def test_a_zone_that_is_new_in_the_house_has_no_past() -> None:
    made = warm_rig()
    control = Control(plant_of(zone("living"), zone("new")), made.memory)
    decision = control.step(made.now, Inputs(), made.settings)
    assert set(decision.outputs) == {"living-valve", "new-valve"}
