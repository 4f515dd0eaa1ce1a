"""A room that is not known: each zone's named policy, sensors that come and go, and none at all."""

import pytest
from attrs import evolve

from daemons.heating.plant import LossPolicy, OnLoss, Plant
from daemons.heating.settings import Mode, Settings, ZoneSettings
from daemons.heating.state import Fault, Inputs, Reading, Sense
from tests.daemons.heating.control.rig import Rig, manual, plant_of, zone

FAULTS = [Fault.LOST, Fault.CRC, Fault.RANGE, None]


def plant(kind: OnLoss, **fields: object) -> Plant:
    policy = LossPolicy(kind=kind, hold_s=1200.0, share=0.2, cycle_s=3600.0)
    return plant_of(zone("living", on_loss=policy, **fields), outdoor="out")


def rig(kind: OnLoss, *, celsius: float = 19.0, out: float = -5.0, **fields: object) -> Rig:
    """Return a room that has just been heated for ten minutes, or has been warm for so long."""
    made = Rig(plant(kind, **fields), manual(20.0))
    made.temps.update({"living-room": celsius, "out": out})
    made.step()
    made.run(600)
    return made


def lose(made: Rig, fault: Fault | None = Fault.LOST) -> None:
    if fault is None:
        del made.temps["living-room"]
    else:
        made.temps["living-room"] = fault


def shares(made: Rig, seconds: int) -> int:
    """Return for how many of these seconds it is heated."""
    on = 0
    for _ in range(seconds // 10):
        made.run(10)
        on += 10 * made.is_on()
    return on


@pytest.mark.parametrize("fault", FAULTS)
def test_off(fault: Fault | None) -> None:
    made = rig(OnLoss.OFF)
    assert made.is_on()
    lose(made, fault)
    made.run(50)
    assert (
        made.is_on() and made.zone().celsius is None
    )  # as it was for its grace; what is shown is nothing at once
    made.run(10)
    assert not made.is_on() and made.zone().cause.startswith("off: its sensor ")
    alarm = made.alarm("sensor")
    assert alarm is not None and alarm.of == "living-room" and "the zone is off" in alarm.words
    assert shares(made, 3 * 3600) == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_frost_duty_is_a_share_of_the_hour(fault: Fault | None) -> None:
    made = rig(OnLoss.FROST)
    lose(made, fault)
    made.run(60)
    assert not made.is_on()
    assert shares(made, 4 * 3600) == pytest.approx(4 * 720, abs=20)
    assert made.alarm("sensor") is not None
    causes = [cause for kind, cause in made.told("living") if kind == "ON"]
    assert causes[1].startswith("frost duty, 12 min of each 1 h: its sensor ")


@pytest.mark.parametrize(("out", "heats"), [(4.9, True), (5.9, True), (7.0, False), (None, True)])
def test_frost_duty_rests_while_it_is_mild_and_heats_while_that_is_not_known(
    out: float | None, heats: bool
) -> None:
    made = rig(OnLoss.FROST, out=6.0 if out is None else out)
    if out is None:
        del made.temps["out"]
    lose(made)
    made.run(60)
    assert (shares(made, 3 * 3600) > 0) is heats


def test_frost_duty_is_on_duty_in_summer_too() -> None:
    made = rig(OnLoss.FROST)
    made.settings = evolve(made.settings, is_on=False)
    lose(made)
    made.run(60)
    assert shares(made, 3 * 3600) == pytest.approx(3 * 720, abs=20)


@pytest.mark.parametrize(("celsius", "held"), [(19.0, True), (21.0, False)])
def test_hold_is_as_it_was_and_then_frost_duty(celsius: float, held: bool) -> None:
    made = rig(OnLoss.HOLD, celsius=celsius)
    lose(made)
    made.run(1190)
    assert made.is_on() is held
    if held:
        assert made.zone().cause == "its sensor does not answer: goes on heating for 20 min"
    made.run(20)
    assert not made.is_on()
    assert shares(made, 2 * 3600) == pytest.approx(2 * 720, abs=20)


def test_what_is_held_ends_with_the_summer_and_the_longest_run() -> None:
    made = rig(OnLoss.HOLD, max_run_s=900.0)
    lose(made)
    made.run(290)
    assert made.is_on()
    made.run(10)
    assert not made.is_on() and made.alarm("max-run") is not None
    made = rig(OnLoss.HOLD)
    lose(made)
    made.run(100)
    made.settings = evolve(made.settings, is_on=False)
    made.run(10)
    assert not made.is_on()


def test_a_sensor_that_flaps_does_not_begin_its_time_anew() -> None:
    made = rig(OnLoss.HOLD)
    heated = 0
    for _ in range(40):  # every three minutes one good reading, by which the room wants heat
        lose(made)
        heated += shares(made, 170)
        made.temps["living-room"] = 19.0
        made.run(10)
    # By the reading it is heated for the grace after it; the twenty minutes held are once, not forty times.
    assert heated <= 1200 + 40 * 70 + 2 * 720
    assert made.alarm("sensor") is not None
    assert sum(kind == "ALARM" for kind, _ in made.told("living-room")) == 1


def test_it_is_well_after_ten_minutes_of_readings() -> None:
    made = rig(OnLoss.OFF)
    lose(made)
    made.run(300)
    made.temps["living-room"] = 19.0
    made.run(590)
    assert made.is_on() and made.alarm("sensor") is not None
    made.run(20)
    assert made.alarm("sensor") is None
    assert made.told("living-room")[-1][0] == "CLEAR"


@pytest.mark.parametrize("kind", OnLoss)
def test_missing_at_boot(kind: OnLoss) -> None:
    made = Rig(plant(kind), manual(20.0))
    made.temps["out"] = -5.0
    made.step()
    assert shares(made, 2870) == 0
    alarm = made.alarm("sensor")
    assert alarm is not None and made.zone().sense is Sense.LOST
    assert shares(made, 3600) == (0 if kind is OnLoss.OFF else pytest.approx(720, abs=20))


def test_a_jump_is_not_heated_for_nor_is_a_frozen_one() -> None:
    made = rig(OnLoss.OFF, celsius=21.0)
    made.temps["living-room"] = 3.0  # frost, if it were so
    made.run(20)
    assert not made.is_on() and made.zone().fault == "implausible"
    made.temps["living-room"] = 21.0
    made.run(10)
    assert made.zone().celsius == 21.0
    made = Rig(plant(OnLoss.OFF), manual(20.0))
    made.temps.update({"living-room": 19.0, "out": 0.0})
    made.step()
    made.run(6 * 3600 - 10)  # it is heated and nothing moves
    assert made.zone().fault == ""
    made.run(80)
    assert made.zone().fault == "frozen" and not made.is_on()


def test_stale_readings_are_no_readings() -> None:
    made = rig(OnLoss.OFF)
    old = Inputs({"living-room": Reading(made.mono, 19.0)}, {})
    for _ in range(37):
        made.pass_(10)
        made.last = made.control.step(made.now, old, made.settings)
    assert made.zone().fault == "stale" and made.zone().sense is Sense.STALE and not made.is_on()


def test_its_wall_thermostat_knows_without_our_sensor() -> None:
    made = Rig(plant(OnLoss.OFF, call="call"), Settings(zones={"living": ZoneSettings(mode=Mode.THERMOSTAT)}))
    made.contacts["call"] = True
    made.step()
    made.run(3600)
    assert made.is_on() and made.alarm("sensor") is not None
    made.contacts["call"] = None  # then nobody knows
    made.run(10)
    assert not made.is_on()


@pytest.mark.parametrize("has_sensor", [True, False])
def test_the_share_of_an_hour_goes_on_over_boots_that_do_not_know_the_time(has_sensor: bool) -> None:
    made = rig(OnLoss.FROST, call="call", room="living-room" if has_sensor else None)
    made.temps["living-room"] = Fault.LOST
    made.contacts["call"] = None
    on = 0
    for boot in range(18):  # twenty minutes each
        made.restart(off_s=5.0, boot=f"boot-{boot}", is_sure=False)
        on += shares(made, 1200)
    # Within a boot's last five minutes nothing of its hour is kept: so much of each is lived again.
    assert 6 * 720 * 0.7 <= on <= 6 * 720 * 1.3
