"""Relays and valves that do not do as they are told: found from pipes, told of, acted upon, and taken back."""

import pytest
from attrs import evolve

from daemons.heating.control.zonerun import TRIES
from daemons.heating.plant import BurnerPlan
from tests.daemons.heating.control.rig import Rig, manual, plant_of, zone


def rig(**burner: object) -> Rig:
    """Return two rooms with pipe sensors, "living" cold and heated, "bed" warm and shut; the water is at 50 °C."""
    plan = {
        "output": "burner", "pump": "pump", "flow": "flow", "min_on_s": 0.0, "min_off_s": 0.0, "overrun_s": 0.0,
        "exercise_s": 0.0, "starts_a_day": 0, **burner,
    }  # fmt: skip
    rooms = [
        zone(id_, supply=f"{id_}-pipe", min_off_s=120.0, valve_s=60.0, max_run_s=1e6)
        for id_ in ("living", "bed")
    ]
    made = Rig(plant_of(*rooms, burner=BurnerPlan(**plan)), manual(20.0, "living", "bed"))  # type: ignore[arg-type]
    made.temps.update(
        {"living-room": 19.0, "bed-room": 21.6, "flow": 50.0, "living-pipe": 46.0, "bed-pipe": 22.0}
    )
    made.step()
    made.run(1800)
    assert made.burns and made.is_on("living") and not made.is_on("bed") and made.last.state.alarms == ()
    return made


def flows(made: Rig, celsius: float) -> None:
    """Have the flow go there at the rate of water."""
    now = made.temps["flow"]
    assert isinstance(now, float)
    while abs(now - celsius) > 1e-9:
        now += max(-4.0, min(4.0, celsius - now))
        made.temps["flow"] = now
        made.run(10)


def test_a_pipe_that_is_hot_behind_a_shut_valve_is_told_of_and_taken_back() -> None:
    made = rig()
    made.temps["bed-pipe"] = 45.0
    made.run(590)
    assert made.alarm("welded") is None
    made.run(40)
    alarm = made.alarm("welded")
    assert alarm is not None and (alarm.of, alarm.severity) == ("bed", "safety")
    made.temps["bed-pipe"] = 40.0  # still hot
    made.run(600)
    assert made.alarm("welded") is not None
    made.temps["bed-pipe"] = 30.0
    made.run(60)
    assert made.alarm("welded") is None


def test_a_valve_that_does_not_close_keeps_the_boiler_off_when_its_room_is_too_hot() -> None:
    made = rig()
    made.temps["bed-pipe"] = 45.0
    made.run(700)
    assert made.alarm("welded") is not None and made.burns  # the other room is heated on
    for celsius in (23.0, 25.0, 27.0, 27.6):
        made.temps["bed-room"] = celsius
        made.run(120)
    assert not made.burns and made.last.state.boiler.state == "withheld"
    assert made.last.state.boiler.cause == "off: “Bed” is at 27.6 and its valve does not close"
    for celsius in (16.0, 12.0, 8.0, 6.5):  # frost comes before that
        made.temps["living-room"] = celsius
        made.run(120)
    assert made.burns


def test_a_pipe_that_was_hot_a_moment_ago_is_not_blamed() -> None:
    made = rig()
    made.temps["bed-room"] = 19.5
    made.run(600)
    made.temps["bed-pipe"] = 46.0
    made.run(300)
    made.temps["bed-room"] = 20.2
    made.run(30)
    assert not made.is_on("bed")
    pipe = 46.0
    for _ in range(60):  # it cools over an hour
        pipe -= 0.5
        made.temps["bed-pipe"] = pipe
        made.run(60)
        assert made.alarm("welded") is None


def test_a_pipe_that_stays_cold_is_a_stuck_valve_that_is_moved_some_times() -> None:
    made = rig()
    assert made.zone("living").is_on
    made.temps["living-pipe"] = 20.0
    made.run(2 * 3600)
    alarm = made.alarm("stuck")
    assert alarm is not None and (alarm.of, alarm.severity) == ("living", "warning")
    assert made.is_on("living") and not made.is_on("bed")
    # It stays open for whenever others are heated; for it alone the water would have nowhere to go.
    assert (
        not made.burns and made.last.state.boiler.cause == "off: heat is wanted only where valves seem stuck"
    )
    moved = [cause for kind, cause in made.told("living") if kind == "OFF"]
    assert moved == ["closed and opened again: its valve seems stuck"] * TRIES
    made.temps["bed-room"] = 19.5
    made.run(240)
    assert made.burns and made.is_on("bed")
    made.temps["living-pipe"] = 46.0
    made.run(60)
    assert made.alarm("stuck") is None


def test_a_valve_that_stayed_stuck_is_tried_again_so_that_a_mended_pump_leaves_no_room_cold() -> None:
    made = rig()
    made.temps["living-pipe"] = 20.0
    made.run(2 * 3600)
    assert not made.burns and made.alarm("stuck") is not None
    made.restart(off_s=5.0)
    made.run(3600)
    assert made.burns and made.is_on("living")
    made.temps["living-pipe"] = 46.0
    made.run(600)
    assert made.alarm("stuck") is None and made.burns


def test_where_every_open_pipe_is_cold_it_is_the_pump_and_no_valve_is_blamed() -> None:
    made = rig()
    made.temps.update({"bed-room": 19.0, "bed-pipe": 46.0})
    made.run(1200)
    made.temps.update({"living-pipe": 20.0, "bed-pipe": 20.0})
    made.run(590)
    assert made.last.state.alarms == ()
    made.run(60)
    alarm = made.alarm("no-flow")
    assert alarm is not None and (alarm.of, alarm.severity) == ("pump", "safety")
    made.run(3 * 3600)
    assert made.burns and [one.code for one in made.last.state.alarms] == ["no-flow"]
    made.temps["bed-pipe"] = 46.0
    made.run(60)
    assert made.last.state.alarms == ()


def test_frost_behind_a_stuck_valve_is_tried_for_all_the_same() -> None:
    made = rig()
    made.temps["living-pipe"] = 20.0
    made.run(2 * 3600)
    assert not made.burns
    for celsius in (16.0, 12.0, 8.0, 6.5):
        made.temps["living-room"] = celsius
        made.run(120)
    assert made.burns


def test_a_reset_by_hand_has_it_tried_again() -> None:
    made = rig()
    made.temps["living-pipe"] = 20.0
    made.run(2 * 3600)
    made.settings = evolve(made.settings, unlocked={"living": 1})
    made.run(10)
    assert made.alarm("stuck") is None
    made.run(2 * 3600)
    moved = [
        cause
        for kind, cause in made.told("living")
        if kind == "OFF" and cause.startswith("closed and opened")
    ]
    assert len(moved) == 2 * TRIES


def test_verdicts_survive_a_restart() -> None:
    made = rig()
    made.temps.update({"living-pipe": 20.0, "bed-pipe": 45.0})
    made.run(1300)
    codes = {alarm.code for alarm in made.last.state.alarms}
    made.restart(off_s=30.0, boot="two")
    made.run(300)
    assert {alarm.code for alarm in made.last.state.alarms} == codes == {"stuck", "welded"}


@pytest.mark.parametrize("kind", ["cold water", "no pump", "pipe unknown", "flow unknown"])
def test_nothing_is_said_where_nothing_can_be_told(kind: str) -> None:
    made = rig()
    made.temps.update({"living-pipe": 20.0, "bed-pipe": 45.0})
    if kind == "cold water":
        made.temps["flow"] = 30.0
    elif kind == "no pump":
        made.settings = manual(10.0, "living", "bed")
    elif kind == "pipe unknown":
        del made.temps["living-pipe"], made.temps["bed-pipe"]
    else:
        del made.temps["flow"]
    made.run(7200)
    assert not {alarm.code for alarm in made.last.state.alarms} & {"stuck", "welded"}


def off_rig(**burner: object) -> Rig:
    made = rig(overrun_s=300.0, **burner)
    made.settings = manual(10.0, "living", "bed")
    made.run(600)
    assert not made.burns and not any(made.last.outputs.values())
    flows(made, 40.0)
    made.run(300)
    return made


def test_a_burner_that_burns_on_is_told_of_its_heat_is_spread_and_it_is_locked() -> None:
    made = off_rig()
    flows(made, 48.0)
    made.run(60)
    assert made.alarm("welded") is None  # that much comes from water that stood in the boiler
    flows(made, 56.0)
    made.run(70)
    alarm = made.alarm("welded")
    assert alarm is not None and (alarm.of, alarm.severity) == ("burner", "safety")
    flows(made, 74.0)
    made.run(150)
    assert made.is_on("living") and made.is_on("bed") and made.last.outputs["pump"]
    flows(made, 91.0)
    made.run(20)
    assert made.last.state.boiler.locked_out and made.last.outputs["pump"]
    flows(made, 60.0)
    made.run(60)
    assert made.alarm("welded") is None and made.alarm("overheat") is not None


def test_its_own_contact_tells_sooner() -> None:
    made = off_rig(firing="firing")
    made.contacts["firing"] = True
    made.run(50)
    assert made.alarm("welded") is None
    made.run(20)
    assert made.alarm("welded") is not None
    made.contacts["firing"] = False
    made.run(10)
    assert made.alarm("welded") is None


def test_water_that_is_pumped_past_again_is_no_fire() -> None:
    made = off_rig(min_off_s=1700.0)
    made.settings = manual(20.0, "living")
    made.run(30)
    flows(made, 60.0)  # hot water that stood: the room is opened, the pump turns, and the burner is still off
    made.run(600)
    assert made.is_on("living") and not made.burns and made.alarm("welded") is None
