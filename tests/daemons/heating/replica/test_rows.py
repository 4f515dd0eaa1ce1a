"""Rows of a house's state: what is told is what is read, nothing that ticks is told, what is foreign is refused in words."""

from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.heating.replica.rows import (
    REAL_TIME,
    VERSION,
    Clock,
    ForeignRows,
    Told,
    alarm_order,
    read_state,
    state_rows,
)
from daemons.heating.settings import Mode, Override, OverrideEnd, Target
from daemons.heating.state import Alarm, BoilerState, HouseState, Sense, Severity, ZoneState
from protocol import cbor

AT = 1_760_000_000

centi = st.integers(-5_000, 20_000).map(lambda value: value / 100)
temperatures = st.none() | centi
instants = st.integers(AT - 10**7, AT + 10**7).map(float)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
targets = st.builds(Target, centi) | st.builds(Target, st.none(), st.booleans())
overrides = st.builds(
    Override,
    target=targets,
    end=st.sampled_from(OverrideEnd),
    ends_at=st.none() | instants,
    by=texts,
    since=instants,
)


@st.composite
def zones(draw: st.DrawFn, id_: str) -> ZoneState:
    celsius = draw(temperatures)
    sense = draw(st.sampled_from(Sense))
    read_at = draw(st.just(float(AT)) | st.none() | st.floats(0, AT - 31).map(round).map(float))
    return ZoneState(
        id=id_, celsius=celsius, supply=draw(temperatures), target=draw(st.none() | targets),
        mode=draw(st.sampled_from(Mode)), is_on=draw(st.booleans()), call=draw(st.none() | st.booleans()),
        sense=sense, fault=draw(texts), read_at=read_at, cause=draw(texts),
        since=draw(st.none() | instants), override=draw(st.none() | overrides), next_at=draw(st.none() | instants),
        next_target=draw(st.none() | targets),
    )  # fmt: skip


alarms = st.builds(
    Alarm, st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(Severity), texts, instants
)
boilers = st.builds(
    BoilerState, state=texts, is_burning=st.none() | st.booleans(), pump_on=st.booleans(), cause=texts,
    since=st.none() | instants, flow=temperatures, back=temperatures, target=temperatures, starts=st.integers(0, 99),
    locked_out=texts,
)  # fmt: skip


@st.composite
def houses(draw: st.DrawFn) -> HouseState:
    found = draw(st.lists(alarms, max_size=3, unique_by=lambda alarm: (alarm.code, alarm.of)))
    return HouseState(
        house=draw(texts), at=float(AT),
        zones=tuple(draw(zones(f"z{number}")) for number in range(draw(st.integers(0, 14)))),
        boiler=draw(boilers), outdoor=draw(temperatures),
        outdoor_read_at=draw(st.none() | st.integers(0, AT - 31).map(float) | st.just(float(AT))),
        alarms=tuple(sorted(found, key=alarm_order)), settings_version=draw(st.integers(0, 9**9)),
        is_on=draw(st.booleans()), preset=draw(texts), preset_until=draw(st.none() | instants),
        clock_sure=draw(st.booleans()), boot=draw(texts),
    )  # fmt: skip


@given(houses())
@settings(max_examples=30)
def test_what_is_told_is_what_is_read(state: HouseState) -> None:
    assert read_state(state_rows(Told(state)), AT) == Told(state)


def _told(*zones: ZoneState, at: float = AT, clock: Clock = REAL_TIME) -> Told:
    return Told(HouseState(house="cabin", at=at, zones=zones), clock, 41)


GOOD = ZoneState(id="living", celsius=20.41, supply=44.06, read_at=AT - 3.2, since=AT - 999)


def test_nothing_ticks_while_nothing_changes() -> None:
    later = _told(evolve(GOOD, read_at=AT + 5.0), at=AT + 8.0)

    assert state_rows(_told(GOOD)) == state_rows(later)


def test_a_change_of_temperature_is_one_small_row() -> None:
    before, after = state_rows(_told(GOOD)), state_rows(_told(evolve(GOOD, celsius=20.47)))

    changed = {key: row for key, row in after.items() if before[key] != row}
    assert list(changed) == ["0"]
    assert len(changed["0"]) <= 7


@pytest.mark.parametrize(
    ("zone", "read_at"),
    [
        (GOOD, AT),  # younger than half a minute: as old as the state
        (evolve(GOOD, read_at=AT - 100.0), AT - 100),
        (evolve(GOOD, sense=Sense.STALE, read_at=AT - 3.0), AT - 3),
        (evolve(GOOD, sense=Sense.LOST, celsius=None, read_at=AT - 3.0), AT - 3),
        (evolve(GOOD, celsius=None, read_at=None), None),
    ],
)
def test_a_reading_has_its_own_age_unless_that_is_the_states(zone: ZoneState, read_at: float | None) -> None:
    told = read_state(state_rows(_told(zone)), AT)

    assert told is not None and told.state.zones[0].read_at == read_at


def test_a_missing_reading_is_missing() -> None:
    told = read_state(state_rows(_told(evolve(GOOD, celsius=None, supply=None, sense=Sense.LOST))), AT)

    assert told is not None
    zone = told.state.zones[0]
    assert (zone.celsius, zone.supply) == (None, None)
    assert told.state.outdoor is None and told.state.outdoor_read_at is None


def test_the_house_of_a_demo_has_its_own_time() -> None:
    clock = Clock(60.0, -59.0 * AT)

    told = read_state(state_rows(_told(GOOD, clock=clock)), AT + 2.0)

    assert told is not None and told.state.at == AT + 120.0 and told.clock == clock


def test_rows_of_another_version_are_refused_in_words() -> None:
    rows = state_rows(_told(GOOD))
    head = cbor.decode(rows["h"])
    rows["h"] = cbor.encode([VERSION + 1, *head[1:]])

    with pytest.raises(ForeignRows, match=f"in version {VERSION + 1}, here version {VERSION} is read"):
        read_state(rows, AT)


def test_rows_may_grow_at_their_end() -> None:
    rows = state_rows(_told(GOOD))
    grown = {
        key: cbor.encode([*cbor.decode(row), "new"])
        for key, row in rows.items()
        if key in ("h", "s0", "b", "c")
    }

    assert read_state({**rows, **grown}, AT) == read_state(rows, AT)


@given(st.dictionaries(st.sampled_from(["h", "o", "b", "c", "0", "s0", "a:x"]), st.binary(max_size=30)))
def test_rows_of_a_stranger_are_refused_never_believed(rows: Mapping[str, bytes]) -> None:
    try:
        told = read_state(rows, AT)
    except ForeignRows:
        return
    assert told is None or "h" in rows
