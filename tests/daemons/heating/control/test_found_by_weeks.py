"""What the simulated weeks of a house have found, each in a few steps."""

from attrs import evolve

from daemons.heating.plant import BurnerPlan, ZoneKind
from daemons.heating.settings import Mode, Settings, Target, ZoneSettings
from tests.daemons.heating.control.rig import Rig, plant_of, zone

BURNER = BurnerPlan(output="burner", pump="pump", flow="flow", exercise_s=0.0)


def _rig() -> Rig:
    """Return a house of one cold room and a tank that does not call, with its boiler."""
    plant = plant_of(
        zone("living", valve_s=60.0),
        zone("water", kind=ZoneKind.DHW, call="water-call", valve_s=60.0),
        burner=BURNER,
    )
    settings = Settings(
        version=1,
        zones={
            "living": ZoneSettings(mode=Mode.MANUAL, manual=Target(celsius=20.0)),
            "water": ZoneSettings(mode=Mode.MANUAL, manual=Target(is_on=True)),
        },
    )
    temps = {"living-room": 18.0, "flow": 30.0}
    return Rig(plant, settings, temps=dict(temps), contacts={"water-call": False})


def _burning() -> Rig:
    rig = _rig()
    rig.run(BURNER.min_off_s + 120)
    assert rig.last.outputs["burner"]
    return rig


def test_rooms_stay_open_until_the_tanks_valve_is_so_that_the_burner_burns_on() -> None:
    rig = _burning()
    rig.run(BURNER.min_on_s)
    rig.contacts["water-call"] = True
    for _ in range(12):
        rig.run(10)
        assert rig.last.outputs["burner"]
    assert [rig.last.outputs[f"{id_}-valve"] for id_ in ("living", "water")] == [False, True]


def test_behind_a_restart_the_pump_does_not_turn_against_shut_valves() -> None:
    rig = _burning()
    plan = evolve(rig.plant.zones[0], min_off_s=300.0)
    rig.plant = evolve(rig.plant, zones=(plan, rig.plant.zones[1]))
    rig.restart(off_s=3)
    assert not rig.last.outputs["living-valve"]
    assert not rig.last.outputs["pump"]


def test_a_restart_that_cuts_a_burn_short_does_not_make_the_cycle_short() -> None:
    rig = _burning()
    lit_at = rig.mono
    rig.run(60)
    rig.restart(off_s=3)
    while not rig.last.outputs["burner"]:
        rig.run(10)
    assert (
        BURNER.min_on_s + BURNER.min_off_s
        <= rig.mono - lit_at + 120
        < BURNER.min_on_s + BURNER.min_off_s + 150
    )
