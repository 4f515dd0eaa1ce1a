"""The boiler: valves before it and after it, its own times, its flow, its lock-out, hot water first, exercise."""

import pytest
from attrs import evolve

from daemons.heating.plant import BurnerPlan, Curve, ZoneKind
from daemons.heating.settings import Settings
from daemons.heating.state import Fault
from tests.daemons.heating.control.rig import Rig, at_local, manual, plant_of, zone


def burner(**fields: object) -> BurnerPlan:
    plain: dict[str, object] = {
        "output": "burner", "pump": "pump", "flow": "flow", "min_on_s": 0.0, "min_off_s": 0.0, "overrun_s": 0.0,
        "exercise_s": 0.0, "starts_a_day": 0,
    }  # fmt: skip
    return BurnerPlan(**{**plain, **fields})  # type: ignore[arg-type]


def rig(*rooms: str, burner_: BurnerPlan | None = None, warm: tuple[str, ...] = (), **fields: object) -> Rig:
    """Return a house of these rooms, all but `warm` cold."""
    rooms = rooms or ("living",)
    plant = plant_of(*(zone(id_, **fields) for id_ in rooms), burner=burner_ or burner())
    made = Rig(plant, manual(20.0, *rooms))
    made.temps.update({f"{id_}-room": 20.5 if id_ in warm else 19.0 for id_ in rooms})
    made.temps["flow"] = 35.0
    made.step()
    return made


def warm(made: Rig, *rooms: str) -> None:
    for id_ in rooms:
        made.temps[f"{id_}-room"] = 20.0


def test_valve_before_burner_and_overrun_after() -> None:
    made = rig(valve_s=60.0, burner_=burner(overrun_s=300.0))
    assert made.is_on() and not made.burns and not made.last.outputs["pump"]
    assert made.last.state.boiler.cause == "waits for valves to open"
    made.run(50)
    assert not made.burns
    made.run(10)
    assert made.burns and made.last.outputs["pump"]
    assert made.last.state.boiler.cause == "fires: zones want heat, flow to be 55.0"
    made.run(600)
    warm(made, "living")
    made.run(10)
    assert not made.burns and made.is_on() and made.last.outputs["pump"]
    assert made.zone().cause == "open until the boiler's heat is out of it"
    assert made.last.state.boiler.state == "overrun"
    made.run(290)
    assert made.is_on() and made.last.outputs["pump"]
    made.run(10)
    assert not made.is_on() and not made.last.outputs["pump"]


def test_while_others_are_open_a_warm_room_is_shut_at_once() -> None:
    made = rig("living", "bed", burner_=burner(overrun_s=300.0))
    made.run(60)
    warm(made, "bed")
    made.run(10)
    assert made.burns and made.is_on("living") and not made.is_on("bed")


def test_the_burners_minimum_times() -> None:
    made = rig(burner_=burner(min_on_s=240.0, min_off_s=360.0))
    assert made.last.state.boiler.cause.startswith("waits: 6 min left of its minimum off time")
    made.run(360)
    assert made.burns
    made.run(100)
    warm(made, "living")
    made.run(130)
    assert made.burns and made.is_on()  # the valve stays open for it
    assert made.zone().cause == "open while the boiler burns on: its minimum on time"
    made.run(10)
    assert not made.burns
    made.temps["living-room"] = 19.0
    made.run(350)
    assert not made.burns and made.last.state.boiler.state == "waits"
    made.run(10)
    assert made.burns


def test_safety_comes_before_the_minimum_on_time_and_says_so() -> None:
    made = rig(burner_=burner(min_on_s=3600.0), highest=25.0)
    assert made.burns
    made.temps["living-room"] = 25.5
    made.run(60)
    assert not made.burns and not made.is_on()
    assert made.told("burner")[-1] == ("OFF", "off at once: too few valves are open")
    made = rig(burner_=burner(min_on_s=3600.0))
    for flow in (60.0, 86.0):
        made.temps["flow"] = flow
        made.run(60)
    assert not made.burns and made.told("burner")[-1] == (
        "OFF",
        "off at once: flow is close to the limit of 90.0",
    )
    assert not made.last.state.boiler.locked_out


def test_overheat_locks_until_it_is_reset_by_hand_and_the_heat_is_spread() -> None:
    made = rig("living", "bed", "attic", warm=("bed",), highest=24.0)
    made.temps["attic-room"] = 24.5
    for flow in (60.0, 80.0, 95.0):
        made.temps["flow"] = flow
        made.run(60)
    boiler = made.last.state.boiler
    assert (
        boiler.locked_out == "flow at 95.0, the limit is 90.0"
        and boiler.state == "locked out"
        and not made.burns
    )
    assert (
        made.is_on("living") and made.is_on("bed") and not made.is_on("attic") and made.last.outputs["pump"]
    )
    assert made.zone("bed").cause == "open to take heat out of the boiler, which is too hot"
    for flow in (85.0, 65.0):
        made.temps["flow"] = flow
        made.run(60)
    assert not any(made.last.outputs.values())
    made.temps["living-room"] = 5.0  # not even for frost: what burns too hot is no help
    made.run(3600)
    assert not any(made.last.outputs.values())
    assert made.zone().cause == "off: the boiler is locked out until somebody resets it"
    made.settings = evolve(made.settings, unlocked={"boiler": 1})
    made.temps["flow"] = 45.0
    made.run(60)
    assert made.burns


def test_a_reset_while_it_is_still_too_hot_locks_again() -> None:
    made = rig()
    for flow in (70.0, 95.0):
        made.temps["flow"] = flow
        made.run(60)
    made.settings = evolve(made.settings, unlocked={"boiler": 1})
    made.run(60)
    assert made.last.state.boiler.locked_out
    made.temps["flow"] = 60.0
    made.run(600)
    assert made.last.state.boiler.locked_out
    made.settings = evolve(made.settings, unlocked={})  # a backup of the settings: nobody has reset anything
    made.run(60)
    assert made.last.state.boiler.locked_out
    made.settings = evolve(made.settings, unlocked={"boiler": 1})
    made.run(60)
    assert not made.last.state.boiler.locked_out


def test_the_longest_burn_is_followed_by_a_rest() -> None:
    made = rig(burner_=burner(max_run_s=3600.0, rest_s=900.0))
    made.run(3590)
    assert made.burns
    made.run(10)
    assert not made.burns and made.alarm("max-run") is not None
    made.run(890)
    assert not made.burns and made.last.state.boiler.state == "rests"
    made.run(10)
    assert made.burns and made.alarm("max-run") is None


def test_flow_is_held_about_its_target() -> None:
    made = rig(burner_=burner(hysteresis=5.0))
    for flow, burns in (
        (57.4, True),
        (57.5, False),
        (55.0, False),
        (52.6, False),
        (52.5, True),
        (56.0, True),
    ):
        made.temps["flow"] = flow
        made.run(60)
        assert made.burns is burns, flow


@pytest.mark.parametrize(
    ("out", "target"),
    [(0.0, 45.0), (-10.0, 57.0), (-30.0, 70.0), (20.0, 30.0), (None, 55.0), (-0.7, 46.0), (Fault.LOST, 55.0)],
)
def test_the_weather_curve(out: float | Fault | None, target: float) -> None:
    plan = burner(curve=Curve(at_zero=45.0, slope=1.2))
    made = Rig(evolve(rig(burner_=plan).plant, outdoor="out"), manual(20.0))
    if out is not None:
        made.temps["out"] = out
    made.step()
    assert made.last.state.boiler.target == target


def test_without_a_flow_temperature_it_burns_for_a_while_only() -> None:
    made = rig(burner_=burner(blind_run_s=1200.0, min_off_s=600.0))
    made.run(600)
    assert made.burns
    made.temps["flow"] = Fault.LOST
    made.run(1190)
    assert made.burns
    made.run(10)
    assert not made.burns
    alarm = made.alarm("sensor")
    assert alarm is not None and alarm.of == "flow" and alarm.severity == "safety"
    made.run(600)
    assert made.burns
    made.run(1200)
    assert not made.burns


def test_enough_valves_are_open_the_coolest_first() -> None:
    made = rig("living", "bed", "bath", "attic", burner_=burner(min_open=3, overrun_s=60.0))
    warm(made, "bed", "attic")
    made.temps["bath-room"] = 20.3
    made.run(60)
    assert made.burns and [made.is_on(id_) for id_ in ("living", "bed", "bath", "attic")] == [
        True,
        True,
        False,
        True,
    ]
    assert made.zone("bed").cause == "open beside others, so that enough water flows through the boiler"
    made.temps["bed-room"] = 21.5  # more than it may help with: another one does
    made.run(60)
    assert [made.is_on(id_) for id_ in ("living", "bed", "bath", "attic")] == [True, False, True, True]
    made.temps.update({"bath-room": 21.5, "attic-room": 21.5})
    made.run(60)
    assert not made.burns and made.last.state.boiler.cause == "waits: 1 of at least 3 valves can be open"


def starts_in(made: Rig, hours: float, *, cold: float = 19.0) -> int:
    """Return how often it starts when the room wants heat every ten minutes anew."""
    before = sum(kind == "ON" for kind, _ in made.told("burner"))
    for _ in range(int(hours * 6)):
        made.temps["living-room"] = cold
        made.run(120)
        made.temps["living-room"] = cold + 1.2
        made.run(480)
    return sum(kind == "ON" for kind, _ in made.told("burner")) - before


def test_starts_of_a_day_are_spread_over_it() -> None:
    made = rig(burner_=burner(starts_a_day=24))
    made.tick = 60.0
    first = starts_in(made, 4)
    assert 6 <= first <= 11
    assert made.alarm("starts") is not None
    later = starts_in(made, 20)
    assert first + later <= 24 and later >= 12


def test_frost_waits_for_no_start() -> None:
    made = rig(burner_=burner(starts_a_day=4))
    made.tick = 60.0
    made.settings = manual(5.0)
    assert starts_in(made, 3, cold=6.9) >= 17  # each time: it is frost duty
    assert made.last.state.boiler.starts == 18


WATER = zone("water", kind=ZoneKind.DHW, call="tank", valve_s=30.0)


def water_rig(**fields: object) -> Rig:
    plant = plant_of(zone("living", valve_s=30.0), WATER, burner=burner(), **fields)
    made = Rig(plant, manual(20.0))
    made.temps.update({"living-room": 19.0, "flow": 35.0})
    made.contacts["tank"] = False
    made.step()
    made.run(60)
    assert made.burns and made.is_on("living")
    return made


def test_hot_water_goes_first_and_is_hotter() -> None:
    made = water_rig()
    assert made.last.state.boiler.target == 55.0
    made.contacts["tank"] = True
    made.run(20)
    assert (
        made.is_on("living") and made.is_on("water") and made.burns
    )  # the room until the tank's valve is open
    made.run(20)
    assert (
        not made.is_on("living") and made.burns and made.zone("living").cause == "waits: hot water goes first"
    )
    made.run(10)
    assert made.last.state.boiler.target == 70.0
    made.contacts["tank"] = False
    made.run(60)
    assert made.is_on("living") and not made.is_on("water") and made.last.state.boiler.target == 55.0


def test_frost_does_not_wait_for_hot_water() -> None:
    made = water_rig()
    made.contacts["tank"] = True
    made.temps["living-room"] = 6.5
    made.run(120)
    assert made.is_on("living") and made.zone("living").cause.startswith("frost duty")


def test_rooms_wait_for_a_stuck_tank_contact_no_longer_than_they_may() -> None:
    made = water_rig(dhw_first_s=1800.0)
    on = 0
    for minute in range(240):  # it calls, but for ten seconds now and then
        made.contacts["tank"] = minute % 20 != 19
        made.run(60)
        on += made.is_on("living")
    assert on > 180
    made = water_rig(dhw_first=False)
    made.contacts["tank"] = True
    made.run(60)
    assert made.is_on("living") and made.is_on("water") and made.last.state.boiler.target == 70.0


def test_valves_and_pump_are_moved_after_a_summer_week_one_at_a_time() -> None:
    rooms = [zone(id_, exercise_s=7 * 86_400.0, min_on_s=300.0, valve_s=60.0) for id_ in ("living", "bed")]
    made = Rig(plant_of(*rooms, burner=burner(exercise_s=7 * 86_400.0)), Settings(is_on=False), tick=60.0)
    made.temps.update({"living-room": 22.0, "bed-room": 22.0, "flow": 22.0})
    made.utc = at_local("2026-07-01 09:00")
    made.step()
    made.tick = 3600.0
    made.run(7 * 86_400)
    made.tick = 60.0
    made.run(4 * 3600)
    assert made.last.state.boiler.starts == 0
    ons = [(event.at, event.source) for event in made.events if event.kind == "ON"]
    assert [source for _, source in ons] in (["living", "pump", "bed"], ["bed", "pump", "living"])
    assert all(at_local("2026-07-08 11:00") <= at < at_local("2026-07-08 12:00") for at, _ in ons)
    ran = {event.source: event.ran_s for event in made.events if event.kind == "OFF"}
    assert ran["living"] == ran["bed"] == 300.0


def test_a_boiler_that_is_only_watched_is_called_by_its_valves() -> None:
    plan = BurnerPlan(firing="firing", exercise_s=0.0)
    made = Rig(plant_of(zone("living"), burner=plan), manual(20.0))
    made.temps["living-room"], made.contacts["firing"] = 19.0, True
    made.step()
    assert made.last.outputs == {"living-valve": True}
    assert made.last.state.boiler.is_burning is True and made.last.state.boiler.state == "called"
    warm(made, "living")
    made.run(10)
    assert not made.is_on() and made.last.state.boiler.state == "firing"
    made.run(590)
    assert made.alarm("firing") is None
    made.run(20)
    alarm = made.alarm("firing")
    assert alarm is not None and alarm.words == "the boiler fires for 10 min and no zone calls"


def test_a_watched_boiler_that_is_too_hot_is_not_called() -> None:
    plan = BurnerPlan(firing="firing", flow="flow", exercise_s=0.0)
    made = Rig(plant_of(zone("living", min_on_s=3600.0), burner=plan), manual(20.0))
    made.temps.update({"living-room": 19.0, "flow": 60.0})
    made.step()
    for flow in (80.0, 91.0, 60.0):
        made.temps["flow"] = flow
        made.run(60)
    assert made.last.outputs == {"living-valve": False} and made.last.state.boiler.state == "locked out"
    made.settings = evolve(made.settings, unlocked={"boiler": 1})
    made.run(10)
    assert made.is_on()


def test_a_burner_that_does_not_fire_is_told_of() -> None:
    made = rig(burner_=burner(firing="firing"))
    made.contacts["firing"] = False
    made.run(230)
    assert made.alarm("no-heat") is None
    made.run(20)
    assert made.alarm("no-heat") is not None
    made = rig()
    made.temps["flow"] = 22.0
    made.run(910)
    assert made.alarm("no-heat") is not None


def test_a_room_that_does_not_get_warm_has_warmer_water() -> None:
    made = rig()
    assert made.last.state.boiler.target == 55.0
    made.run(2 * 3600)
    assert made.last.state.boiler.target == 60.0
    made.run(2 * 3600)
    assert made.last.state.boiler.target == 65.0


def test_a_tank_that_waits_out_its_own_minimum_off_time_keeps_no_room_waiting() -> None:
    tank = evolve(WATER, min_off_s=300.0)
    made = Rig(plant_of(zone("living", valve_s=30.0), tank, burner=burner()), manual(20.0))
    made.temps.update({"living-room": 19.0, "flow": 35.0})
    made.contacts["tank"] = True
    made.step()
    made.run(100)
    assert not made.is_on("water") and made.is_on("living"), "after the first start it waits, too"
    made.run(400)
    assert made.is_on("water") and not made.is_on("living")
    made.contacts["tank"] = False
    while made.is_on("water"):
        made.run(10)
    made.run(60)
    made.contacts["tank"] = True
    made.run(60)
    assert not made.is_on("water") and made.is_on("living"), "it was switched off a moment ago"
    made.run(400)
    assert made.is_on("water") and not made.is_on("living")
