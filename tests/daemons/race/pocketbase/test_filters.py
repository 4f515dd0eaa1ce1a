"""The filter language: what it lets through, what it refuses, and that it agrees with SQLite about both."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.pocketbase.filters import CHARACTERS_MAX, BadFilter, parse_filter

RACES = {
    "r1": {
        "collectionName": "races",
        "id": "r1",
        "raceNumber": 3,
        "valid": True,
        "round": "o1",
        "bracket": "A",
    }
}
ROUNDS = {"o1": {"collectionName": "rounds", "id": "o1", "name": "Finals", "roundNumber": 2}}
LAP: dict[str, Any] = {
    "collectionName": "laps", "id": "l1", "lapNumber": 2, "lengthSeconds": 5.25, "race": "r1", "site": "North 50%",
}  # fmt: skip


def lookup(collection: str, key: str) -> Mapping[str, Any] | None:
    return {"races": RACES, "rounds": ROUNDS}.get(collection, {}).get(key)


def passes(text: str, record: Mapping[str, Any] = LAP, collection: str = "laps") -> bool:
    return parse_filter(text, collection)(record, lookup)


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "lapNumber = 2", "lapNumber=2", "2 = lapNumber", "lapNumber >= 2 && lapNumber <= 2",
        "lengthSeconds > 5 && lengthSeconds < 5.5", "lapNumber != 3", "lapNumber ?= 2", "id = 'l1'", 'id = "l1"',
        "race.raceNumber = 3", "race.round.name = 'Finals'", "race.round.name ~ 'nal'", "race.round.name ~ 'FIN%'",
        "race.round.name !~ 'x'", "race.valid = true", "race.valid = 1", "detection = null", "detection = ''",
        "lapNumber = 9 || lapNumber = 2", "(lapNumber = 9 || lapNumber = 2) && id = 'l1'",
        "lapNumber = 2 || lapNumber = 9 && id = 'none'",  # && before ||
        "lapNumber = '2'", "lapNumber < 'a'", "site ~ 'north'", r"site = 'North 50%'", r"site != 'it\'s'",
        "detection.time = ''",  # a relation that leads nowhere
        "lapNumber > -1.5",
    ],
)  # fmt: skip
def test_what_passes(text: str) -> None:
    assert passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "lapNumber = 3", "lapNumber = 2 && lapNumber = 3", "(lapNumber = 2 || lapNumber = 9) && id = 'none'",
        "race.valid = false", "race.round.name = 'finals'", "race.round.name ~ 'z%'", "site ~ '%60%'", "id = 2",
        "race = null", "race != 'r1'", "lengthSeconds >= '5.3'",
    ],
)  # fmt: skip
def test_what_does_not_pass(text: str) -> None:
    assert not passes(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lapNumber", "a comparison is expected at the end"),
        ("lapNumber = ", "a field or a value is expected at the end"),
        ("lapNumber == 2", "a field or a value is expected at character 12"),
        ("(lapNumber = 2", "a closing parenthesis is expected at the end"),
        ("lapNumber = 2)", "nothing is expected at character 14"),
        ("lapNumber = 2 lapNumber = 2", "nothing is expected at character 15"),
        ("lapNumber = 2 and id = 'a'", "nothing is expected at character 15"),
        ("speed = 2", "laps has no field 'speed'"),
        ("lapNumber.x = 2", "'lapNumber' of laps leads nowhere"),
        ("race.secret = 2", "races has no field 'secret'"),
        ("@now > 2", "laps has no field '@now'"),
        ("laps_via_race.id = 2", "laps has no field 'laps_via_race'"),
        ("id:lower = 'x'", "laps has no field 'id:lower'"),
        ("id = 'open", "nothing known at character 6"),
        ("id = 2abc", "nothing known at character 6"),
        ("race.round.event.x.x.x.x = 1", "'race.round.event.x.x.x.x' leads too far"),
        ("(" * 11 + "id = 1" + ")" * 11, "more than 10 parentheses in one another"),
        (" && ".join(["id = 1"] * 31), "more than 30 comparisons"),
        ("x" * (CHARACTERS_MAX + 1), "longer than 3500 characters"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadFilter) as caught:
        parse_filter(text, "laps")
    assert str(caught.value) == words


@given(st.text(alphabet="lapNumber.ace =!<>~?&|()'\"0123456789\\%@:", max_size=60) | st.text(max_size=30))
def test_anything_is_a_filter_or_refused(text: str) -> None:
    try:
        matches = parse_filter(text, "laps")
    except BadFilter:
        return
    assert matches(LAP, lookup) in (True, False)


# --- beside SQLite ---

FIELDS = ["lapNumber", "lengthSeconds", "site", "id"]
VALUES = st.one_of(
    st.integers(-3, 3).map(str),
    st.sampled_from(["0.5", "2.5"]),
    st.sampled_from(["''", "'a'", "'B'", "'ab'", "'a%'"]),
)
OPERANDS = st.one_of(st.sampled_from(FIELDS), VALUES)
SIGNS = ["=", "!=", "<", "<=", ">", ">="]
COMPARISONS = st.tuples(st.sampled_from(FIELDS), st.sampled_from(SIGNS), OPERANDS).map(" ".join)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries(
    {
        "lapNumber": st.integers(-3, 3),
        "lengthSeconds": st.sampled_from([-2.0, 0.0, 0.5, 2.0, 2.5]),
        "site": st.sampled_from(["", "a", "ab", "B"]),
        "id": st.sampled_from(["", "a", "b"]),
    }
)


@given(FILTERS, st.lists(RECORDS, min_size=1, max_size=4))
def test_it_means_what_it_means_in_sqlite(text: str, records: list[dict[str, Any]]) -> None:
    database = sqlite3.connect(":memory:")
    try:
        database.execute(
            "CREATE TABLE laps (n, lapNumber NUMERIC, lengthSeconds NUMERIC, site TEXT, id TEXT)"
        )
        for place, record in enumerate(records):
            row = (place, *(record[name] for name in FIELDS))
            database.execute("INSERT INTO laps VALUES (?, ?, ?, ?, ?)", row)
        where = text.replace("&&", "AND").replace("||", "OR")
        wanted = {row[0] for row in database.execute(f"SELECT n FROM laps WHERE {where}")}
    finally:
        database.close()
    matches = parse_filter(text, "laps")
    found = {
        place for place, record in enumerate(records) if matches({"collectionName": "laps", **record}, lookup)
    }
    assert found == wanted


@given(
    st.text(alphabet="abAB", max_size=6),
    st.lists(st.sampled_from(["a", "b", "A", "%"]), max_size=6).map("".join),
)
def test_like_is_like_in_sqlite(text: str, pattern: str) -> None:
    database = sqlite3.connect(":memory:")
    try:
        like = pattern if "%" in pattern else f"%{pattern}%"
        wanted = bool(database.execute("SELECT ? LIKE ?", (text, like)).fetchone()[0])
    finally:
        database.close()
    assert passes(f"site ~ '{pattern}'", {**LAP, "site": text}) is wanted
    assert passes(f"site !~ '{pattern}'", {**LAP, "site": text}) is not wanted
