"""Rows of a house's settings and plan: what is told is what is read; a week of a preset is a row of its own."""

from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.heating.plant import Curve, LossPolicy, OnLoss, Plant, SensorPlan, ZoneKind, ZonePlan
from daemons.heating.replica.planrows import VERSION, plan_rows, read_plan, read_settings, settings_rows
from daemons.heating.replica.rows import ForeignRows
from daemons.heating.settings import Entry, Mode, Settings, Target, Week, ZoneSettings
from protocol import cbor
from protocol.topics import ROW_BYTES_MAX
from tests.daemons.heating.replica.test_rows import instants, overrides, targets, texts

names = st.sampled_from(["living", "bath", "z:1", "", "dhw"])
weeks = st.lists(
    st.builds(Entry, st.integers(0, 6), st.integers(0, 1439), targets),
    max_size=6,
    unique_by=lambda entry: entry.minute,
).map(tuple)
zones = st.builds(
    ZoneSettings, mode=st.sampled_from(Mode), manual=st.none() | targets, week=weeks, override=st.none() | overrides,
    changed_in=st.integers(0, 99),
)  # fmt: skip
wishes = st.builds(
    Settings, version=st.integers(0, 9**9), is_on=st.booleans(), zones=st.dictionaries(names, zones),
    presets=st.dictionaries(texts, st.dictionaries(names, weeks, max_size=3), max_size=3), preset=texts,
    preset_until=st.none() | instants, unlocked=st.dictionaries(names, st.integers(0, 9)),
)  # fmt: skip

PLANT = Plant(
    house="cabin",
    time_zone="America/Denver",
    zones=(
        ZonePlan(
            id="living", title="Living room", output="v1", on_loss=LossPolicy(kind=OnLoss.HOLD, share=0.1)
        ),
        ZonePlan(id="dhw", title="Hot water", kind=ZoneKind.DHW, output="v2", call="c2"),
    ),
    outdoor="o",
    sensors={"r1": SensorPlan(id="r1", lowest=-10.5)},
)


@given(wishes)
@settings(max_examples=30)
def test_what_is_wished_is_what_is_read(settings: Settings) -> None:
    assert read_settings(settings_rows(settings)) == settings


@given(st.integers(0, 16), st.floats(0, 1e6), st.text(st.characters(codec="utf-8"), max_size=20))
@settings(max_examples=30)
def test_what_is_built_is_what_is_read(n_zones: int, some: float, title: str) -> None:
    built = tuple(
        evolve(PLANT.zones[0], id=f"z{number}", title=title, max_run_s=some) for number in range(n_zones)
    )
    plant = evolve(PLANT, zones=built, burner=evolve(PLANT.burner, curve=Curve(slope=some)))

    assert read_plan(plan_rows(plant)) == plant
    assert read_plan(plan_rows(PLANT)) == PLANT


def test_before_anything_was_told_nothing_is_known() -> None:
    assert read_settings({}) is None
    assert read_plan({}) is None


def test_a_change_of_one_zone_is_one_row_and_the_version() -> None:
    before = Settings(version=4, zones={"living": ZoneSettings(), "bath": ZoneSettings()})
    after = evolve(
        before, version=5, zones={**before.zones, "bath": ZoneSettings(mode=Mode.MANUAL, changed_in=5)}
    )

    rows, changed = settings_rows(before), settings_rows(after)
    assert {key for key in changed if rows.get(key) != changed[key]} == {"v", "z:bath"}


def test_the_busiest_week_fits_a_row() -> None:
    week: Week = tuple(Entry(day, minute, Target(21.5)) for day in range(7) for minute in range(0, 1440, 15))

    rows = settings_rows(
        Settings(zones={"living": ZoneSettings(week=week)}, presets={"all": {"living": week}})
    )
    assert max(map(len, rows.values())) <= ROW_BYTES_MAX


def test_settings_of_another_version_are_refused_in_words() -> None:
    rows = settings_rows(Settings())
    rows["v"] = cbor.encode([VERSION + 1, *cbor.decode(rows["v"])[1:]])

    with pytest.raises(ForeignRows, match="update the older of the two"):
        read_settings(rows)


keys = st.sampled_from(["v", "z:a", "n:0", "p:0:a", "plan", "b", "Z:0", "S:x", "Z:x"])


@given(st.dictionaries(keys, st.binary(max_size=20)))
def test_rows_of_a_stranger_are_refused_never_believed(rows: Mapping[str, bytes]) -> None:
    for read in (read_settings, read_plan):
        try:
            assert read(rows) is None or {"v", "plan"} & rows.keys()
        except ForeignRows:
            pass
