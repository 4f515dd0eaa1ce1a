"""When a room is heated: hysteresis, minimum times, the longest run, frost, modes, overrides, what is too hot."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from daemons.heating.control import apply_action
from daemons.heating.plant import ZoneKind
from daemons.heating.settings import Entry, Mode, Settings, Target, ZoneSettings
from daemons.heating.state import Fault
from protocol.heating import HeatOverride, HeatWeek, WeekEntry
from tests.daemons.heating.control.rig import NOON, Rig, at_local, manual, plain_plant, plant_of, zone


def rig(settings: Settings | None = None, *, celsius: float = 19.0, **fields: object) -> Rig:
    made = Rig(plain_plant(**fields), manual(20.0) if settings is None else settings)
    made.temps["living-room"] = celsius
    made.step()
    return made


def say(made: Rig, celsius: float) -> bool:
    """Have the room be as warm as that, half an hour later; is it heated?"""
    made.run(1800)
    made.temps["living-room"] = celsius
    made.run(30)
    return made.is_on()


def test_hysteresis() -> None:
    made = rig(celsius=19.8, max_run_s=1e6)
    said = [19.8, 19.75, 19.7, 19.9, 19.99, 20.0, 19.8, 19.71, 19.7, 20.0]
    on = [False, False, True, True, True, False, False, False, True, False]
    assert [say(made, celsius) for celsius in said] == on
    assert made.told("living")[:2] == [
        ("ON", "19.7 is 0.3 below 20.0, set by hand"),
        ("OFF", "20.0 has reached 20.0, set by hand"),
    ]


def test_events_have_readings_and_how_long_it_ran() -> None:
    made = rig()
    made.temps["living-room"] = 20.0
    made.run(600)
    on, off = made.events
    assert (on.celsius, on.outdoor, on.ran_s, on.at) == (19.0, None, None, NOON)
    assert (off.celsius, off.ran_s, off.at) == (20.0, 10.0, NOON + 10)


def test_minimum_times_hold_back_both_ways() -> None:
    made = rig(min_on_s=300.0, min_off_s=200.0)
    assert not made.is_on()  # just started: it may have been on a moment ago
    assert made.zone().cause == "waits: 3 min 20 s left of its minimum off time, until 12:03"
    made.run(190)
    assert not made.is_on()
    made.run(10)
    assert made.is_on()
    made.temps["living-room"] = 20.0
    made.run(290)
    assert made.is_on()
    assert made.zone().cause == "stays on: 4 min 50 s left of its minimum on time, until 12:08"
    made.run(10)
    assert not made.is_on()
    assert made.events[-1].ran_s == pytest.approx(300.0)


def test_the_longest_run_is_followed_by_a_rest_and_an_alarm() -> None:
    made = rig(max_run_s=3600.0, rest_s=600.0)
    made.run(3590)
    assert made.is_on() and made.alarm("max-run") is None
    made.run(10)
    assert not made.is_on()
    alarm = made.alarm("max-run")
    assert alarm is not None and (alarm.of, alarm.since) == ("living", NOON + 3600)
    assert made.told("living")[-2] == ("OFF", "off for 10 min: has run for 1 h, the longest it may")
    made.run(590)
    assert not made.is_on() and made.zone().cause.startswith("waits: 9 min 50 s left of its rest")
    made.run(10)
    assert made.is_on() and made.alarm("max-run") is None
    assert made.told("living")[-1][0] == "CLEAR"


def test_too_hot_is_off_at_once_whatever_the_minimum() -> None:
    made = rig(manual(28.0), celsius=27.0, highest=28.0, min_on_s=3600.0)
    assert made.is_on()
    made.temps["living-room"] = 28.2
    made.run(10)
    assert not made.is_on()
    assert made.zone().cause == "off at once: 28.2 is at its highest, 28.0"
    assert made.alarm("too-hot") is None
    made.temps["living-room"] = 29.1
    made.run(10)
    alarm = made.alarm("too-hot")
    assert alarm is not None and "above its highest of 28.0" in alarm.words and alarm.severity == "safety"


FROSTY: Mapping[str, Settings] = {
    "summer": Settings(is_on=False),
    "by hand": manual(5.0),
    "wall thermostat": Settings(zones={"living": ZoneSettings(mode=Mode.THERMOSTAT)}),
    "override": Settings(zones={"living": ZoneSettings(week=(Entry(0, 0, Target(5.0)),))}),
}


@pytest.mark.parametrize("name", FROSTY)
def test_frost_duty_always(name: str) -> None:
    made = Rig(plain_plant(call="call"), FROSTY[name])
    made.temps["living-room"], made.contacts["call"] = 7.1, False
    made.step()
    assert not made.is_on()
    made.temps["living-room"] = 7.0
    made.run(30)
    assert made.is_on()
    assert made.zone().cause == "frost duty: 7.0, never below 7.0"
    made.temps["living-room"] = 7.9
    made.run(30)
    assert made.is_on()
    made.temps["living-room"] = 8.0
    made.run(30)
    assert not made.is_on()
    made.run(600)
    made.temps["living-room"] = 6.4
    made.run(30)
    alarm = made.alarm("frost")
    assert alarm is not None and alarm.severity == "safety"


def test_summer() -> None:
    made = rig(manual(20.0, is_on=False))
    assert not made.is_on() and made.zone().cause == "heating is off for the summer"


def test_a_new_house_whose_weeks_say_nothing_is_fit_to_live_in() -> None:
    made = Rig(plain_plant(), Settings())
    made.temps["living-room"] = 17.6
    made.step()
    assert made.is_on() and made.zone().cause == "17.6 is 0.4 below 18.0, its week says nothing yet"
    made.temps["living-room"] = 18.0
    made.run(600)
    assert not made.is_on()


@pytest.mark.parametrize(("call", "on"), [(True, True), (False, False), (None, False)])
def test_the_wall_thermostat_drives(call: bool | None, on: bool) -> None:
    made = Rig(plain_plant(call="call"), FROSTY["wall thermostat"])
    made.temps["living-room"], made.contacts["call"] = 15.0, call
    made.step()
    assert made.is_on() is on
    assert (made.alarm("contact") is not None) is (call is None)
    made.settings = evolve(made.settings, is_on=False)
    made.run(10)
    assert not made.is_on()


def test_its_contact_is_only_shown_in_other_modes() -> None:
    made = Rig(plain_plant(call="call"), manual(20.0))
    made.temps["living-room"], made.contacts["call"] = 21.0, True
    made.step()
    assert not made.is_on() and made.zone().call is True


def test_a_room_without_a_sensor_follows_its_wall_thermostat() -> None:
    made = Rig(plant_of(zone("hall", room=None, call="call")), Settings())
    made.contacts["call"] = True
    made.step()
    assert made.is_on("hall") and made.zone("hall").sense == "none"
    made.contacts["call"] = None
    made.run(10)
    assert not made.is_on("hall")


WEEK = (Entry(2, 360, Target(21.0)), Entry(2, 1320, Target(17.0)))


def test_the_week_holds_and_what_comes_next_is_told() -> None:
    made = rig(Settings(zones={"living": ZoneSettings(week=WEEK)}))
    state = made.zone()
    assert state.target == Target(21.0) and made.is_on()
    assert state.cause == "19.0 is 2.0 below 21.0, week since 06:00"
    assert (state.next_at, state.next_target) == (at_local("2026-01-14 22:00"), Target(17.0))
    made.run(36_000)
    assert made.zone().target == Target(17.0) and not made.is_on()


@pytest.mark.parametrize(
    ("end", "until", "ends"),
    [
        ("boundary", None, "2026-01-14 22:00"),
        ("until", "2026-01-14 13:30", "2026-01-14 13:30"),
        ("permanent", None, None),
    ],
)
def test_an_override_holds_until_its_end(end: str, until: str | None, ends: str | None) -> None:
    made = rig(Settings(zones={"living": ZoneSettings(week=WEEK)}))
    action = HeatOverride("living", end, celsius=23.0, until=None if until is None else at_local(until))
    made.settings, _ = apply_action(made.settings, made.plant, action, now=made.now, by="ann", against=0)
    made.run(3600)  # many ticks: it is not over after one
    assert made.zone().target == Target(23.0)
    override = made.zone().override
    assert override is not None and override.by == "ann"
    if ends is None:
        made.run(12 * 3600)
        assert made.zone().target == Target(23.0)
        return
    left = at_local(ends) - made.utc
    made.run(left - 10)
    assert made.zone().target == Target(23.0) and made.zone().next_at == at_local(ends)
    made.run(10)
    assert made.zone().override is None
    assert made.zone().target == (Target(21.0) if end == "until" else Target(17.0))


def test_a_boundary_override_survives_an_edit_of_the_week() -> None:
    made = rig(Settings(zones={"living": ZoneSettings(week=WEEK)}))
    for action in (
        HeatOverride("living", "boundary", celsius=23.0),
        HeatWeek("living", (WeekEntry(2, 360, 20.0), WeekEntry(2, 1260, 17.0))),
    ):
        made.settings, _ = apply_action(made.settings, made.plant, action, now=made.now, by="ann", against=0)
    made.run(9 * 3600 - 10)
    assert made.zone().target == Target(23.0)
    made.run(10)
    assert made.zone().target == Target(17.0)


def test_while_the_time_is_not_known_no_week_holds() -> None:
    made = Rig(plain_plant(), Settings(zones={"living": ZoneSettings(week=WEEK)}), is_sure=False)
    made.temps["living-room"] = 17.5
    made.step()
    assert made.zone().target == Target(18.0) and made.is_on()
    assert made.zone().cause == "17.5 is 0.5 below 18.0, the time of day is not known yet"
    assert made.alarm("clock") is not None and not made.last.state.clock_sure
    made.is_sure = True
    made.run(130)
    assert made.zone().target == Target(21.0) and made.alarm("clock") is None


@pytest.mark.parametrize(
    ("call", "target", "on"),
    [(True, None, True), (False, None, False), (True, False, False), (None, None, False)],
)
def test_hot_water_runs_while_its_tank_calls(call: bool | None, target: bool | None, on: bool) -> None:
    own = ZoneSettings() if target is None else ZoneSettings(mode=Mode.MANUAL, manual=Target(is_on=target))
    made = Rig(
        plant_of(zone("water", kind=ZoneKind.DHW, call="tank")), Settings(is_on=False, zones={"water": own})
    )
    made.contacts["tank"] = call
    made.step()
    assert made.is_on("water") is on


def test_a_target_out_of_bounds_that_were_drawn_closer_is_bounded() -> None:
    made = rig(manual(26.0), highest=24.0, celsius=20.0)
    assert made.zone().target == Target(24.0)
    assert Rig(plain_plant(lowest=15.0), manual(10.0)).step().state.zones[0].target == Target(15.0)


def test_nothing_is_invented() -> None:
    made = Rig(plain_plant(supply="pipe"), manual(20.0))
    made.step()
    state = made.zone()
    assert (state.celsius, state.supply, state.read_at, state.fault, state.sense) == (
        None,
        None,
        None,
        "lost",
        "lost",
    )
    made.temps.update({"living-room": 0.0, "pipe": Fault.CRC})
    made.run(10)
    state = made.zone()
    assert (state.celsius, state.supply, state.read_at, state.fault) == (0.0, None, NOON + 10, "")
