"""Faults and drills in the model: what is read, what counts on while nothing is heard, what is left out."""

from typing import Any

import pytest

from tests.tui.recorded import UTC, recorded
from tui.model import Model
from tui.model.chaos_words import chaos_words, countdown, drill_words, fault_words

NOW = 100.0


def fault(**other: Any) -> dict[str, Any]:
    """Return a fault as a daemon shows it."""
    return {
        "name": "slow", "type": "latency", "attributes": {"latency": 300, "jitter": 0, "distribution": "uniform"},
        "stream": "upstream", "toxicity": 1.0, "touched": 2, "on_s": 12.0, "lease_left_s": 18.0, **other,
    }  # fmt: skip


def standing(**other: Any) -> dict[str, Any]:
    """Return how a drill stands, as it says itself."""
    return {
        "run": "cut 2026-11-21T14:02:12Z", "drill": "cut", "proves": "A cut costs nothing.", "against": "north",
        "started_utc": "2026-11-21T14:02:12Z", "phase": "faults", "t_s": 9.0, "timeline_s": 5.0, "length_s": 60.0,
        "steps": 3, "played": 1, "on": [], "next": None, "clock": None, "guards": [], "verdict": "", "why": "", **other,
    }  # fmt: skip


def listed(*faults: dict[str, Any], drills: list[Any] | None = None) -> dict[str, Any]:
    return {"allowed": True, "faults": list(faults), "touched": {}, "drills": drills or []}


def note(standing: Any, ago_s: float = 0.0) -> dict[str, Any]:
    return {"run": "x", "told_s_ago": ago_s, "heard": True, "standing": standing}


def model(**chaos: Any) -> Model:
    """Return a model with a hub whose status says this of faults and drills."""
    made = Model()
    made.watch("hub", 90.0)
    told = {**recorded("cloud"), "chaos": {"allowed": True, "faults": 0, "drills": [], **chaos}}
    made.told("hub", told, NOW, UTC)
    return made


def test_a_fault_grows_older_and_its_lease_runs_down_while_nothing_is_heard() -> None:
    made = model(faults=1)
    version = made.version
    made.chaos_told("hub", listed(fault()), NOW)
    assert made.version > version
    (slow,) = made.chaos.faults()
    assert slow.params == {"type": "latency", "attributes": fault()["attributes"], "stream": "upstream"}
    assert (slow.on_now(110.0), slow.left_now(110.0), slow.left_now(200.0)) == (22.0, 8.0, 0.0)
    assert fault_words(slow, 104.0) == (
        "slow: latency (latency 300, distribution uniform, upstream), on for 16 s, ends by itself in 0:14, met 2"
    )
    made.told("hub", {**recorded("cloud"), "chaos": {"allowed": True, "faults": 0, "drills": []}}, 105.0, UTC)
    assert made.chaos.faults() == [] and chaos_words(made, 105.0) == ""


def test_that_something_is_broken_on_purpose_is_said_from_the_status_alone() -> None:
    made = model(faults=2, drills=["cut"])
    assert made.chaos.faults() == [] and made.chaos.faults_on("hub") == 2
    assert chaos_words(made, NOW) == "CHAOS 2 on, DRILL cut"
    made.lost("hub", "gone", 110.0)
    assert chaos_words(made, 110.0) == "CHAOS 2 on?", "what is only remembered has a question mark"


@pytest.mark.parametrize(
    ("left_s", "shown"), [(30.0, "0:30"), (29.4, "0:30"), (0.0, "0:00"), (3900.0, "1:05:00"), (None, "-")]
)
def test_a_lease_as_a_clock(left_s: float | None, shown: str) -> None:
    assert countdown(left_s) == shown


def test_a_drill_from_its_beginning_to_its_verdict() -> None:
    made = model()

    def hear(at: float, **other: Any) -> str:
        made.chaos_told("hub", listed(drills=[note(standing(**other))]), at)
        (run,) = made.chaos.runs.values()
        return drill_words(run, at)

    assert hear(100.0, phase="steady before") == "steady before"
    coming = {"step": "cable", "words": "silence on uplink", "in_s": 12.0}
    assert hear(101.0, next=coming) == "faults; in 0:12 cable: silence on uplink"
    on = [{"step": "cable", "words": "silence on uplink", "for_s": 3.0}]
    assert hear(102.0, on=on) == "on: cable: silence on uplink"
    clock = {"since_s": 1.5, "reconnect_s": 0.4, "drained_s": None, "fresh_s": None}
    assert hear(103.0, clock=clock) == "waits for drained, fresh, for 1.5 s; connected after 0.4 s"
    (run,) = made.chaos.running(105.0)
    assert run.clock_now(105.0) == 3.5, "the recovery clock counts on between two words of the drill"
    assert chaos_words(made, 105.0) == "DRILL cut"
    broken = [{"name": "dead", "limit": "at most 0", "worst": 3.0, "ok": False}]
    assert (
        hear(104.0, guards=broken, on=on)
        == "guard broken: dead must be at most 0; on: cable: silence on uplink"
    )
    recoveries = [
        {"step": "cable", "detect_s": 4.8, "reconnect_s": 0.4, "drained_s": 0.4, "fresh_s": 1.2, "lost": 0, "doubled": 0},
        {"step": "again", "detect_s": None, "reconnect_s": 0.1, "drained_s": 2.0, "fresh_s": 0.3, "lost": 0, "doubled": 0},
    ]  # fmt: skip
    assert hear(106.0, phase="over", verdict="PASS", recoveries=recoveries) == (
        "PASS; noticed in 4.8 s, connected in 0.4 s, drained in 2.0 s, fresh in 1.2 s, 0 lost, 0 doubled"
    )
    assert hear(107.0, phase="healing") == drill_words(made.chaos.ended(107.0)[0], 107.0)
    assert made.chaos.running(107.0) == [] and made.chaos.ended(107.0)[0].verdict == "PASS"


def test_one_run_that_two_daemons_and_this_machine_tell_of_is_one() -> None:
    made = model()
    made.chaos_told("hub", listed(drills=[note(standing(t_s=9.0), 3.0)]), NOW)
    made.drilled(standing(t_s=12.0), NOW)
    made.chaos_told("pit", listed(drills=[note(standing(t_s=8.0), 4.0)]), NOW)
    (run,) = made.chaos.runs.values()
    assert (run.told_by, run.t_s, run.ran_s(101.0)) == (("hub", "", "pit"), 12.0, 13.0)


def test_a_drill_that_says_nothing_more_is_not_said_to_run() -> None:
    made = model()
    made.chaos_told("hub", listed(drills=[note(standing(), 5.0)]), NOW)
    assert made.chaos.running(110.0) and not made.chaos.running(116.0)
    (run,) = made.chaos.ended(140.0)
    assert drill_words(run, 140.0).startswith("no word of it for 45 s: it was killed")
    assert chaos_words(made, 140.0) == ""


@pytest.mark.parametrize(
    "odd",
    [
        {"drill": 7}, {"run": ""}, {"clock": [1]}, {"t_s": "soon"}, {"guards": {"a": 1}}, {"steps": True}, {"next": "x"},
        {"on": [1]}, {"clock": {"since_s": float("nan")}},
    ],
)  # fmt: skip
def test_what_a_drill_says_that_cannot_be_is_left_out(odd: dict[str, Any]) -> None:
    made = model()
    made.chaos_told("hub", listed(fault(), drills=[note(standing(**odd))]), NOW)
    assert made.chaos.runs == {} and len(made.chaos.faults()) == 1


def test_what_is_no_list_of_faults_is_refused() -> None:
    made = model()
    for told in (
        {"allowed": True, "faults": 3},
        {"allowed": "yes", "faults": []},
        listed(fault(touched="many")),
    ):
        with pytest.raises(ValueError, match=r"faults|allowed|touched"):
            made.chaos_told("hub", told, NOW)
    assert made.chaos.views == {}


def test_a_daemon_that_forbids_faults_says_why() -> None:
    made = model()
    made.chaos_told("hub", {"allowed": False, "words": "never at a race", "faults": [], "drills": []}, NOW)
    assert (made.chaos.views["hub"].is_allowed, made.chaos.views["hub"].why_not) == (False, "never at a race")


def test_only_the_newest_runs_are_kept() -> None:
    made = model()
    for number in range(100):
        at = f"2026-11-21T14:{number // 60:02}:{number % 60:02}Z"
        made.drilled(standing(run=f"cut {at}", started_utc=at), NOW)
    assert len(made.chaos.runs) == 60
    assert made.chaos.running(NOW)[0].started_utc == "2026-11-21T14:01:39Z"


def test_what_can_be_played_and_placed() -> None:
    made = model()
    assert made.chaos.playables is None
    drill = {"which": "cut", "drill": "cut", "length_s": 60.0, "steps": 3, "proves": "it", "problem": ""}
    record = standing(
        verdict="FAIL", why="fresh after cable: fresh on screen after 9 s", phase="over", file="a.json"
    )
    made.drills_listed({"drills": [drill], "records": [record]}, NOW)
    assert made.chaos.playables is not None and made.chaos.playables[0].length_s == 60.0
    assert [(run.verdict, run.file) for run in made.chaos.ended(NOW)] == [("FAIL", "a.json")]
    part = {"name": "outages", "type": "outage", "attributes": {"up": 10}, "stream": "both"}
    kinds = {
        "faults": [
            {"type": "outage", "words": "Comes", "attributes": {"up": 10}, "choices": {"how": ["silence"]}}
        ],
        "profiles": [{"name": "3g", "source": "measured", "parts": [part]}],
    }
    made.chaos_kinds_told("hub", kinds)
    assert [(kind.name, kind.is_profile) for kind in made.chaos.kinds["hub"]] == [
        ("outage", False),
        ("3g", True),
    ]
    assert made.chaos.kinds["hub"][1].parts == ("outage (up 10)",)
