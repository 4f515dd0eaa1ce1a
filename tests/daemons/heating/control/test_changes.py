"""What commands do to the settings, and what they are refused with."""

import json
import re
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from daemons.heating.control import apply_action
from daemons.heating.control.targets import in_force
from daemons.heating.plant import Plant, ZoneKind
from daemons.heating.settings import Entry, Mode, OverrideEnd, Settings, Target, ZoneSettings
from daemons.heating.settingscodec import SettingsWriter, from_json, to_json
from daemons.heating.state import Instant
from protocol.heating import (
    HeatAction,
    HeatMode,
    HeatOverride,
    HeatPreset,
    HeatResume,
    HeatSwitch,
    HeatUnlock,
    HeatUsePreset,
    HeatWeek,
    WeekEntry,
)
from tests.daemons.heating.control.rig import NOON, at_local, plant_of, zone

PLANT = plant_of(
    zone("living", call="living-call"),
    zone("bath", highest=24.0, lowest=10.0),
    zone("hall", room=None, call="hall-call"),
    zone("water", kind=ZoneKind.DHW),
)
NOW = Instant(1000.0, NOON)  # a Wednesday
WEEK = (Entry(2, 360, Target(21.0)), Entry(2, 1320, Target(17.0)))
SETTINGS = Settings(version=7, zones={id_: ZoneSettings(week=WEEK) for id_ in ("living", "bath")})


def done(
    action: HeatAction, settings: Settings = SETTINGS, *, now: Instant = NOW, against: int = 0
) -> Settings:
    return apply_action(settings, PLANT, action, now=now, by="ann", against=against)[0]


def words(action: HeatAction, settings: Settings = SETTINGS) -> str:
    return apply_action(settings, PLANT, action, now=NOW, by="ann", against=0)[1]


@pytest.mark.parametrize(
    ("action", "refusal"),
    [
        (HeatOverride("living", "permanent", celsius=41.0), "living takes 5.0 to 28.0 °C, not 41"),
        (HeatOverride("living", "permanent", celsius=float("nan")), "living takes 5.0 to 28.0 °C, not nan"),
        (HeatOverride("*", "permanent", celsius=26.0), "bath takes 10.0 to 24.0 °C, not 26"),
        (
            HeatOverride("livng", "permanent", celsius=20.0),
            "there is no zone “livng”; did you mean “living”?",
        ),
        (
            HeatOverride("garage", "permanent", celsius=20.0),
            "there is no zone “garage”; there are: living, bath",
        ),
        (HeatOverride("living", "permanent", is_on=True), "living is a room: it takes a temperature"),
        (HeatOverride("living", "permanent"), "say what living is to be: a temperature"),
        (HeatOverride("water", "permanent", celsius=50.0), "water is hot water: it takes on or off"),
        (HeatOverride("hall", "permanent", celsius=20.0), "hall has no room sensor"),
        (HeatOverride("living", "until", celsius=20.0), "say until when"),
        (HeatOverride("living", "until", celsius=20.0, until=NOON), "that time is past"),
        (HeatOverride("living", "until", celsius=20.0, until=float("nan")), "that time is past"),
        (HeatOverride("living", "until", celsius=20.0, until=NOON + 1e9), "more than two years ahead"),
        (HeatOverride("living", "permanent", celsius=20.0, until=NOON + 60), "a time goes with “until”"),
        (HeatOverride("living", "soon", celsius=20.0), "an override ends at the “boundary”"),
        (HeatOverride("water", "boundary", is_on=False), "water's week never changes"),
        (HeatMode("bath", "thermostat"), "bath has no wall thermostat"),
        (HeatMode("living", "manual"), "say what living is to be: a temperature"),
        (HeatMode("living", "auto", celsius=20.0), "auto takes no target"),
        (HeatMode("living", "party"), "a mode is “auto”, “manual” or “thermostat”"),
        (HeatWeek("living", (WeekEntry(7, 0, 20.0),)), "days are 0 (Monday) to 6"),
        (HeatWeek("living", (WeekEntry(0, 1440, 20.0),)), "minutes 0 to 1439"),
        (HeatWeek("living", (WeekEntry(0, 60, 20.0), WeekEntry(0, 60, 21.0))), "Mon 01:00 is there twice"),
        (HeatWeek("bath", (WeekEntry(6, 90, 25.0),)), "Sun 01:30: bath takes 10.0 to 24.0 °C, not 25"),
        (HeatWeek("water", (WeekEntry(0, 60, 50.0),)), "water is hot water"),
        (HeatPreset(" ", {"living": ()}), "1 to 40 characters"),
        (HeatPreset("x" * 41, {"living": ()}), "1 to 40 characters"),
        (HeatPreset("a\x1bb", {"living": ()}), "1 to 40 characters"),
        (HeatPreset("away", {"lving": ()}), "did you mean “living”?"),
        (HeatUsePreset("away"), "there is no preset “away”"),
        (HeatUsePreset("", NOON + 60), "a time goes with the name of a preset"),
        (HeatUnlock("*"), "one at a time"),
        (HeatUnlock("bolier"), "there is no zone “bolier”"),
    ],
)
def test_refused_in_words(action: HeatAction, refusal: str) -> None:
    with pytest.raises(ValueError, match=re.escape(refusal)):
        done(action)


def test_until_the_boundary_ends_when_the_week_says_something_else() -> None:
    made = done(HeatOverride("living", "boundary", celsius=22.5))
    override = made.of("living").override
    assert override is not None
    assert (override.target, override.end, override.by) == (Target(22.5), OverrideEnd.BOUNDARY, "ann")
    assert override.ends_at == at_local("2026-01-14 22:00")
    assert (made.version, made.of("living").changed_in, made.of("bath").changed_in) == (8, 8, 0)
    assert words(HeatOverride("living", "boundary", celsius=22.5)) == "living: 22.5 until 22:00"


def test_an_edit_of_the_week_moves_the_boundary() -> None:
    made = done(HeatOverride("living", "boundary", celsius=22.5))
    made = done(HeatWeek("living", (WeekEntry(2, 360, 21.0), WeekEntry(2, 1260, 17.0))), made)
    override = made.of("living").override
    assert override is not None and override.ends_at == at_local("2026-01-14 21:00")
    # A week that never changes has no boundary: the override ends when it was to.
    flat = done(HeatWeek("living", ()), made)
    override = flat.of("living").override
    assert override is not None and override.ends_at == at_local("2026-01-14 21:00")


def test_a_preset_moves_the_boundary_and_its_own_end_is_one() -> None:
    made = done(HeatPreset("away", {"*": (WeekEntry(0, 0, 15.0),)}))
    assert set(made.presets["away"]) == {"living", "bath"}
    made = done(HeatOverride("living", "boundary", celsius=22.5), made)
    made = done(HeatUsePreset("away", NOON + 7200), made)
    override = made.of("living").override
    assert override is not None and override.ends_at == NOON + 7200
    assert (made.version, made.house_changed_in) == (10, 10)


def test_an_override_that_is_over_is_not_revived_by_an_edit() -> None:
    made = done(HeatOverride("living", "boundary", celsius=22.5))
    late = evolve(NOW, utc=at_local("2026-01-15 12:00"))
    made = done(HeatWeek("living", (WeekEntry(0, 0, 21.0), WeekEntry(4, 0, 17.0))), made, now=late)
    assert in_force(made.of("living").override, late) is None


def test_while_nobody_knows_the_time_only_what_has_no_end_is_taken() -> None:
    unsure = evolve(NOW, is_sure=False)
    for action in (
        HeatOverride("living", "boundary", celsius=20.0),
        HeatOverride("living", "until", celsius=20.0, until=NOON + 60),
    ):
        with pytest.raises(ValueError, match="does not know the time"):
            done(action, now=unsure)
    made = done(HeatOverride("living", "permanent", celsius=20.0), now=unsure)
    assert in_force(made.of("living").override, unsure) is not None


def test_all_rooms_are_those_on_auto_with_a_sensor() -> None:
    made = done(HeatMode("bath", "manual", celsius=20.0))
    made = done(HeatOverride("*", "permanent", celsius=19.0), made)
    assert made.of("living").override is not None
    assert made.of("bath").override is None and made.of("hall").override is None
    with pytest.raises(ValueError, match="bath is on manual"):
        done(HeatOverride("bath", "permanent", celsius=19.0), made)


def test_an_override_goes_with_resume_and_with_another_mode() -> None:
    made = done(HeatOverride("living", "permanent", celsius=19.0))
    assert done(HeatResume("living"), made).of("living").override is None
    assert done(HeatMode("living", "manual", celsius=19.0), made).of("living").override is None
    assert done(HeatMode("living", "auto"), made) is made
    assert done(HeatResume("bath"), made) is made


def test_who_saw_an_older_version_of_a_zone_is_refused() -> None:
    made = done(HeatMode("living", "manual", celsius=19.0))  # version 8
    with pytest.raises(ValueError, match="living was changed in the meantime: version 8, yours is of 7"):
        done(HeatResume("living"), made, against=7)
    done(HeatResume("bath"), made, against=7)  # another zone is not concerned
    done(HeatResume("living"), made, against=8)
    done(HeatResume("living"), made)
    made = done(HeatSwitch(False), made)
    with pytest.raises(ValueError, match="the house was changed in the meantime: version 9, yours is of 8"):
        done(HeatSwitch(True), made, against=8)


def test_presets_are_bounded_and_one_that_holds_can_be_forgotten() -> None:
    made = SETTINGS
    for number in range(20):
        made = done(HeatPreset(f"p{number}", {"living": (WeekEntry(0, 0, 15.0),)}), made)
    with pytest.raises(ValueError, match="20 presets already"):
        done(HeatPreset("one more", {"living": ()}), made)
    made = done(HeatUsePreset("p3"), made)
    made = done(HeatPreset("p3", {}), made)
    assert made.preset == "" and "p3" not in made.presets
    assert done(HeatPreset("p3", {}), made) is made


def test_a_week_is_kept_sorted() -> None:
    made = done(HeatWeek("living", (WeekEntry(5, 60, 20.0), WeekEntry(0, 60, 18.0))))
    assert made.of("living").week == (Entry(0, 60, Target(18.0)), Entry(5, 60, Target(20.0)))
    assert words(HeatWeek("living", ())) == "living: a week that says nothing"


def test_resets_are_counted() -> None:
    made = done(HeatUnlock("boiler"), done(HeatUnlock("boiler")))
    assert made.unlocked == {"boiler": 2}
    assert done(HeatUnlock("living")).unlocked == {"living": 1}


IDS = st.sampled_from(["living", "bath", "hall", "water", "*", "nobody"])
TEMPS = st.none() | st.floats() | st.floats(4, 29)
ENTRIES = st.lists(
    st.builds(WeekEntry, st.integers(-1, 7), st.integers(-1, 1441), TEMPS, st.none() | st.booleans()),
    max_size=4,
).map(tuple)
NAMES = st.sampled_from(["", "away", "party"])
UNTIL = st.none() | st.floats() | st.floats(NOON - 100, NOON + 1e6)
ENDS = st.sampled_from(["boundary", "until", "permanent", "never"])
SWITCHED = st.none() | st.booleans()
ACTIONS: st.SearchStrategy[Any] = st.one_of(
    st.builds(HeatOverride, IDS, ENDS, TEMPS, SWITCHED, UNTIL),
    st.builds(HeatResume, IDS),
    st.builds(HeatMode, IDS, st.sampled_from(["auto", "manual", "thermostat", ""]), TEMPS, SWITCHED),
    st.builds(HeatWeek, IDS, ENTRIES),
    st.builds(HeatPreset, NAMES, st.dictionaries(IDS, ENTRIES, max_size=2)),
    st.builds(HeatUsePreset, NAMES, UNTIL),
    st.builds(HeatSwitch, st.booleans()),
    st.builds(HeatUnlock, IDS | st.just("boiler")),
)


def is_within(plant: Plant, made: Settings) -> bool:
    """Is every target of a room within its bounds, every week sorted, every zone and preset known?"""
    weeks = [(id_, own.week) for id_, own in made.zones.items()]
    weeks += [pair for preset in made.presets.values() for pair in preset.items()]
    targets = [(id_, entry.target) for id_, week in weeks for entry in week]
    for id_, own in made.zones.items():
        targets += [(id_, own.manual)] if own.manual is not None else []
        targets += [(id_, own.override.target)] if own.override is not None else []
    sound = all(
        plant.zone(id_).lowest <= target.celsius <= plant.zone(id_).highest
        if target.celsius is not None
        else plant.zone(id_).kind is ZoneKind.DHW
        for id_, target in targets
    )
    orderly = all(
        [(e.day, e.minute) for e in week] == sorted({(e.day, e.minute) for e in week}) for _, week in weeks
    )
    return sound and orderly and (not made.preset or made.preset in made.presets)


@given(st.lists(ACTIONS, max_size=8))
def test_whatever_is_asked_the_settings_stay_sound_and_can_be_kept(actions: list[HeatAction]) -> None:
    made, writer = SETTINGS, SettingsWriter()
    for action in actions:
        try:
            after = done(action, made)
        except ValueError:
            continue
        assert after.version == made.version + 1 or after is made
        made = after
        assert is_within(PLANT, made)
        assert from_json(to_json(made)) == made
        assert json.loads(writer.text(made)) == to_json(made)
        if not isinstance(action, HeatUnlock):  # done twice is as done once; resets alone are counted
            assert done(action, made) is made


@pytest.mark.parametrize("value", [{}, {"v": 2}, {"v": 1}, {"v": 1, "version": 1, "is_on": True, "zones": 3}])
def test_foreign_settings_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="settings"):
        from_json(value)


def test_a_zone_that_nobody_touched_has_the_defaults() -> None:
    assert Settings().of("living") == ZoneSettings() and ZoneSettings().mode is Mode.AUTO
