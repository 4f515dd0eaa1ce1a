"""The director's light: what each state of things says, in a sentence; and that the worst is never hidden."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from daemons.ops.health import Severity, Warning_
from daemons.race.light import Colour, Facts, Light, bytes_words, judge, since_words
from daemons.race.originstate import OriginHealth, OriginState
from protocol.linkstatus import Status

GOOD = Facts(link=Status.READY, cloud_age_s=0.4, board_age_s=0.2)
SLOW_BOARD = "What the field's pages show is 70 s old: It is slow"
LOST: dict[str, Any] = {"link": Status.LOST, "link_words": "it broke", "cloud_age_s": None}


def told(**facts: Any) -> Light:
    return judge(evolve(GOOD, **facts))


def off() -> str:
    health = OriginHealth("http://localhost:8080")
    health.refused()
    return health.words


@pytest.mark.parametrize(
    ("facts", "colour", "sentence"),
    [
        ({}, "green", "Everything is on the cloud, 0.4 s old"),
        ({"link": None}, "green", "All is well at the field, 0.2 s old; no cloud is configured"),
        ({**LOST, "down_s": 240.0, "waiting": 3, "is_offline": True}, "red", "No internet for 4 min; 3 races wait to be sent"),
        ({**LOST, "down_s": 240.0, "waiting": 1}, "red", "No link to the cloud for 4 min; 1 race waits to be sent"),
        ({**LOST, "down_s": 240.0}, "amber", "No link to the cloud for 4 min; no race waits to be sent"),
        ({**LOST, "down_s": 30.0, "waiting": 3}, "amber", "No link to the cloud for 30 s; 3 races wait to be sent"),
        ({"link": Status.CONNECTING, "cloud_age_s": None}, "amber", "Connecting to the cloud"),
        ({"link": Status.REFUSED, "link_words": "no key"}, "red", "The cloud does not let this site in: no key"),
        ({"is_paused": True, "waiting": 2}, "amber", "An operator has paused what the cloud gets; 2 races wait to be sent"),
        ({"behind_s": 12.0, "waiting": 2}, "amber", "The line is slow: the cloud is 12 s behind; 2 races wait to be sent"),
        ({"behind_s": 180.0, "waiting": 2}, "red", "The line is slow: the cloud is 3 min behind; 2 races wait to be sent"),
        ({"behind_s": 1.0, "waiting": 1}, "green", "Everything is on the cloud, 0.4 s old"),
        ({"is_stale": True, "board_age_s": 70.0, "board_why": "It is slow"}, "amber", SLOW_BOARD),
        ({"board_age_s": None}, "amber", "Nothing of the race was read yet"),
        ({"origin": OriginState.NO_EVENT, "origin_words": "no event is open"}, "amber", "No event is open"),
        (
            {"over_budget_bytes": 52_100_000, "ceiling_bytes": 50_000_000},
            "amber",
            "52 MB went over the uplink this hour, over the budget of 50 MB: nothing is held back because of it",
        ),
    ],
)  # fmt: skip
def test_what_it_says(facts: dict[str, Any], colour: str, sentence: str) -> None:
    light = told(**facts)
    assert (str(light.light), light.sentence) == (colour, sentence)


def test_a_web_server_that_is_off_names_the_remedy() -> None:
    light = told(origin=OriginState.OFF, origin_words=off(), **LOST, down_s=300.0)
    assert light.light is Colour.RED
    assert light.sentence.startswith("FPVTrackside's web server is off")
    assert "Open Local Web page" in light.sentence
    assert [reason.code for reason in light.why] == ["origin", "link"]


def test_warnings_of_the_daemon_itself() -> None:
    def warning(name: str, severity: Severity) -> Warning_:
        return Warning_(name, severity, "the disk is full", 0.0)

    assert told(warnings=(warning("store", Severity.FAILING),)).light is Colour.RED
    assert told(warnings=(warning("store", Severity.DEGRADED),)).sentence == "The disk is full"
    assert told(warnings=(warning("disk", Severity.NOTICE),)).light is Colour.GREEN
    assert told(warnings=(warning("link", Severity.DEGRADED),)).light is Colour.GREEN


def facts() -> st.SearchStrategy[Facts]:
    seconds = st.floats(0, 1e7)
    return st.builds(
        Facts,
        origin=st.sampled_from(OriginState),
        origin_words=st.just("words"),
        board_age_s=st.none() | seconds,
        is_stale=st.booleans(),
        board_why=st.none() | st.just("why"),
        link=st.none() | st.sampled_from(Status),
        link_words=st.just("words"),
        is_offline=st.booleans(),
        down_s=seconds,
        waiting=st.integers(0, 5),
        behind_s=seconds,
        cloud_age_s=st.none() | seconds,
        is_paused=st.booleans(),
        over_budget_bytes=st.integers(0, 10**9),
        ceiling_bytes=st.integers(0, 10**9),
        warnings=st.just(()),
    )


@given(facts())
def test_the_worst_is_the_light_and_green_means_that_all_is_well(known: Facts) -> None:
    light = judge(known)
    colours = [list(Colour).index(reason.light) for reason in light.why]
    assert light.sentence
    assert colours == sorted(colours, reverse=True)
    if light.light is Colour.GREEN:
        assert not light.why
        assert known.origin is OriginState.UP
        assert known.link in (None, Status.READY)
        assert not known.is_paused or known.link is None
    else:
        assert light.sentence == light.why[0].words
    if known.link in (Status.LOST, Status.REFUSED) and known.waiting and known.down_s >= 60:
        assert light.light is Colour.RED


def test_durations_and_sizes_in_words() -> None:
    assert [since_words(s) for s in (0.04, 9.9, 12.4, 119.0, 125.0, 7300.0, 200_000.0)] == [
        "0.0 s", "9.9 s", "12 s", "119 s", "2 min", "2 h", "2 d",
    ]  # fmt: skip
    assert [bytes_words(n) for n in (0, 999, 4200, 52_100_000, 3 * 10**9)] == [
        "0 B",
        "999 B",
        "4.2 kB",
        "52 MB",
        "3.0 GB",
    ]
