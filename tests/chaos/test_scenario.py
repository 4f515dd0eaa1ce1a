"""Scenarios as files: what they say, what is spelt out of them, and every mistake in words."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.faults import Latency, Silence, Stream
from chaos.profiles import PROFILES
from chaos.scenario import DEEDS, Deed, ScenarioError, read_scenario, scenario_to_map

STORY = """
name = "story"
lasts = 100.0

[[step]]
at = 10
for = 5
fault = "silence"

[[step]]
at = 20
for = 4
every = 10
times = 3
name = "late"
target = "uplink:north"
stream = "upstream"
toxicity = 0.5
fault = "latency"
with = { latency = 250, jitter = 50 }

[[step]]
at = 60
target = "hub"
fault = "kill"
with = { down_s = 3 }

[[step]]
at = 70
fault = "refuse"
"""


def test_a_story_is_read_in_the_order_of_its_beginnings() -> None:
    scenario = read_scenario(tomllib.loads(STORY))
    assert [(step.name, step.at_s, scenario.ends_at_s(step)) for step in scenario.timeline] == [
        ("1-silence", 10, 15),
        ("late 1", 20, 24),
        ("late 2", 30, 34),
        ("late 3", 40, 44),
        ("3-kill", 60, 63),
        ("4-refuse", 70, 100),
    ]
    first, late = scenario.timeline[0].fault, scenario.timeline[1].fault
    assert not isinstance(first, Deed)
    assert not isinstance(late, Deed)
    assert (first.fault, first.stream, first.name) == (Silence(), Stream.BOTH, "1-silence")
    assert (late.fault, late.stream, late.toxicity) == (Latency(0.25, 0.05), Stream.UPSTREAM, 0.5)
    assert scenario.timeline[4].fault == Deed("kill", "hub", {"down_s": 3})
    assert scenario.length_s == 100


def test_a_profile_is_spelt_out() -> None:
    found = read_scenario({"step": [{"at": 1, "for": 9, "profile": "lte-driving", "name": "drive"}]})
    placed = PROFILES["lte-driving"].placed()
    assert [step.name for step in found.timeline] == [f"drive.{one.name}" for one in placed]
    assert {(step.at_s, step.lasts_s) for step in found.timeline} == {(1, 9)}


def test_what_is_shown_is_read_as_the_same() -> None:
    scenario = read_scenario(tomllib.loads(STORY))
    assert read_scenario(scenario_to_map(scenario)) == scenario


@given(
    st.lists(
        st.fixed_dictionaries(
            {"at": st.floats(0, 1000), "fault": st.sampled_from(sorted(DEEDS))},
        ).map(lambda row: row | {"target": "site"}),
        min_size=1,
        max_size=5,
    )
)
def test_any_deeds_are_shown_and_read_as_the_same(rows: list[dict[str, Any]]) -> None:
    scenario = read_scenario({"name": "x", "lasts": 2000.0, "step": rows})
    assert read_scenario(scenario_to_map(scenario)) == scenario


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"fault": "silence"}, "step 1: at: is missing"),
        ({"at": -1, "for": 1, "fault": "silence"}, "step 1: at: must be a number from 0"),
        ({"at": True, "for": 1, "fault": "silence"}, "step 1: at: must be a number"),
        ({"at": 1, "for": 0, "fault": "silence"}, "step 1: for: must be a number from 0.001"),
        ({"at": 1, "for": 1, "fault": "gremlins"}, "'gremlins' is none of latency, "),
        ({"at": 1, "for": 1}, "must have either a fault or a profile"),
        ({"at": 1, "for": 1, "fault": "silence", "profile": "edge"}, "must have either a fault or a profile"),
        ({"at": 1, "for": 1, "profile": "wet-string"}, "'wet-string' is not known"),
        ({"at": 1, "for": 1, "profile": "clean"}, "clean has no faults"),
        ({"at": 1, "for": 1, "profile": "edge", "stream": "upstream"}, "stream: the profile says it"),
        ({"at": 1, "for": 1, "fault": "silence", "target": "moon"}, "target: must be one of uplink, site"),
        ({"at": 1, "for": 1, "fault": "silence", "target": "uplink:"}, "target: must be one of"),
        ({"at": 1, "for": 1, "fault": "silence", "stream": "up"}, "stream: must be upstream"),
        ({"at": 1, "for": 1, "fault": "silence", "toxicity": 2}, "toxicity: must be a number from 0 to 1"),
        ({"at": 1, "for": 1, "fault": "latency", "with": {"latencey": 1}}, "latency has no latencey"),
        ({"at": 1, "for": 1, "fault": "latency", "with": {"latency": -1}}, "latency must be 0 to"),
        ({"at": 1, "for": 1, "fault": "kill", "target": "hub"}, "a machine is down for"),
        ({"at": 1, "fault": "kill", "target": "hub", "with": {"up_s": 1}}, "kill has no up_s"),
        ({"at": 1, "for": 1, "fault": "silence", "times": 2}, "every and times belong together"),
        ({"at": 1, "for": 1, "fault": "silence", "times": 1.5, "every": 1}, "must be a whole number"),
        ({"at": 1, "for": 1, "fault": "silence", "name": "a/b"}, "name: must be a short text"),
        ({"at": 1, "for": 1, "fault": "silence", "colour": 1}, "colour: there is no such key"),
        ({"at": 1, "fault": "silence"}, "say `lasts`"),
    ],
)
def test_mistakes_are_said_with_their_place(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_scenario({"step": [row]})
    assert words in str(caught.value)


def test_all_mistakes_are_said_at_once() -> None:
    rows = [{"at": -1, "for": 1, "fault": "silence"}, {"at": 1, "for": 1, "fault": "x"}, 7]
    with pytest.raises(ScenarioError) as caught:
        read_scenario({"step": rows})
    assert [words.partition(":")[0] for words in caught.value.problems] == ["step 1", "step 2", "step 3"]
    with pytest.raises(ScenarioError, match="two steps have this name"):
        read_scenario({"step": [{"at": 1, "for": 1, "fault": "silence", "name": "a"}] * 2})
    with pytest.raises(ScenarioError, match="at least one"):
        read_scenario({})
