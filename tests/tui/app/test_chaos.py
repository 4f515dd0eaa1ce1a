"""Page 9: faults with their leases, what is asked before one is placed or lifted, drills with clock and verdict."""

from typing import Any

import pytest
import trio

from daemons.ops.client import AdminError
from tests.tui.app.world import HUB, Face, World, in_textual, shown
from tests.tui.model.test_chaos import fault, listed, note, standing
from tui.app.chaos_controls import place_control
from tui.app.deeds import command_line

CHAOS = ("chaos.list", "chaos.kinds", "chaos.place", "chaos.remove", "chaos.reset")
KINDS: dict[str, Any] = {
    "faults": [
        {
            "type": "latency", "words": "Delay, one way", "attributes": {"latency": 0, "distribution": "uniform"},
            "choices": {"distribution": ["uniform", "normal"]},
        },
        {"type": "clock_step", "words": "Its clock is ahead", "attributes": {"seconds": 60.0}, "choices": {}},
    ],
    "profiles": [
        {
            "name": "lte-driving", "source": "measured",
            "parts": [{"name": "outages", "type": "outage", "attributes": {"up": 10}, "stream": "both"}],
        }
    ],
}  # fmt: skip
PLAYABLES = {
    "drills": [
        {"which": "cable-pull", "drill": "cable-pull", "length_s": 75.0, "steps": 3, "proves": "It holds.", "problem": ""},
        {"which": "d/mine.toml", "drill": "mine", "length_s": None, "steps": 0, "proves": "", "problem": "no [[steady]]"},
    ],
    "records": [standing(verdict="FAIL", phase="over", why="fresh after cable", run="old", file="r/old.json")],
    "into": "drills/reports",
}  # fmt: skip


def allowed(face: Face, *faults: dict[str, Any], drills: list[Any] | None = None) -> None:
    """Have the hub say which faults it has, and what it takes."""
    model, now = face.world.model, trio.current_time()
    model.offered(HUB, [{"name": name} for name in (*CHAOS, "site.pause")])
    model.chaos_kinds_told(HUB, KINDS)
    model.chaos_told(HUB, listed(*faults, drills=drills), now)


def row(face: Face, *words: str) -> str:
    """Return the line of the screen with these words."""
    found = [line for line in face.lines if all(word in line for word in words)]
    assert found, f"{words} is nowhere in\n{face.text}"
    return found[0]


@in_textual
async def test_the_page_shows_faults_leases_and_what_can_be_placed() -> None:
    async with shown() as face:
        await face.press("9")
        assert face.world.looks_at_chaos
        assert "not known" in row(face, "cloud hub-1")
        allowed(face, fault())
        await face.settle()
        assert face.title.startswith("pitlink Chaos 1 faults on, 0 drills")
        assert "1 on" in row(face, "cloud hub-1", "broken on purpose")
        assert row(face, "slow").split()[:8] == ["!", "slow", "latency", "12", "s", "0:18", "2", "latency"]
        assert "Delay, one way" in row(face, "latency", "fault")
        assert "profile" in row(face, "lte-driving")
        await face.press("1")
        assert not face.world.looks_at_chaos
        assert "CHAOS 1 on" in face.title, "every page says it"


@in_textual
async def test_a_daemon_that_forbids_faults_says_so_and_nothing_is_asked() -> None:
    async with shown() as face:
        face.world.tell(production=True)
        allowed(face)
        forbids = {
            "allowed": False,
            "words": "faults are not allowed in this daemon",
            "faults": [],
            "drills": [],
        }
        face.world.model.chaos_told(HUB, forbids, trio.current_time())
        await face.press("9")
        assert "forbidden" in row(face, "cloud hub-1", "PRODUCTION: never here")
        await face.press("p")
        assert face.status.startswith("faults are not allowed in this daemon")
        await face.press("colon", *"chaos latency 30s", "enter")
        assert "faults are not allowed in this daemon" in face.status
        assert face.world.asked == []


@in_textual
async def test_a_fault_is_typed_counted_shown_as_a_command_and_placed_for_30_seconds() -> None:
    async with shown() as face:
        allowed(face)
        await face.press("9", "p")
        assert "latency latency=300 30s" in face.text
        await face.press("enter")
        for words in (
            "Place latency in cloud hub-1?",
            "The links of all 1 sites, 1 connections: latency, latency 300.",
            "for 30 s",
            """$ pitlink ctl chaos.place type=latency 'attributes={"latency": 300}'""",
            "name=latency lease_s=30 --at cloud-state",
            "Cancel",
        ):
            assert words in face.text, f"{words}\n{face.text}"
        await face.press("enter")
        assert face.world.asked == [], "Cancel has the focus"
        await face.press("p", "enter", "up", "tab", "enter")
        params = {"name": "latency", "type": "latency", "attributes": {"latency": 300}, "lease_s": 60.0}
        assert face.world.asked == [(HUB, "chaos.place", params)]
        assert face.status.startswith("place latency in cloud hub-1: done")
        await face.press("z", "tab", "enter")
        assert face.world.asked[1:] == [(HUB, "chaos.remove", {"name": "latency"})]


@in_textual
async def test_spoken_at_a_site_it_is_that_sites_link_and_a_taken_name_is_not_taken_again() -> None:
    async with shown() as face:
        allowed(face, fault(name="latency"))
        await face.press("down", "colon", *"chaos latency latency=5 toxicity=0.5 10s", "enter")
        assert "1 site's link, north:" in face.text
        await face.press("tab", "enter")
        assert face.world.asked[0][2] == {
            "name": "latency-2", "type": "latency", "attributes": {"latency": 5}, "toxicity": 0.5, "site": "north",
            "lease_s": 10.0,
        }  # fmt: skip
        await face.press("colon", *"chaos lte-driving 2m", "enter", "tab", "enter")
        asked = face.world.asked[1][2]
        assert (asked["profile"], asked["lease_s"], "type" in asked) == ("lte-driving", 120.0, False)
        await face.press("z", "tab", "enter")
        assert face.world.asked[2][1:] == ("chaos.remove", {"name": "lte-driving.*"})
        await face.press("8", "colon", *"chaos latency", "enter")
        assert "put the cursor on a daemon" in face.status and len(face.world.asked) == 3
        await face.press("colon", *"chaos", "enter")
        assert face.title.startswith("pitlink Chaos"), "without more it is the page"


@in_textual
async def test_what_makes_no_sense_is_said() -> None:
    async with shown() as face:
        allowed(face)
        model = face.world.model
        control = place_control(model, model.daemons[HUB])
        for typed, words in (
            ("", "say what to break"),
            ("lattency", "is none of latency, clock_step, lte-driving"),
            ("latency latncy=3", "has no 'latncy'; it has latency, distribution"),
            ("lte-driving latency=3", "is a profile"),
            ("latency soon", "is no time such as"),
            ("latency 'x", "say what to break"),
        ):
            with pytest.raises(ValueError, match=words):
                control.question(typed)
        deed = control.question("clock_step seconds=-5").deed
        assert "'attributes={\"seconds\": -5}'" in command_line(deed, "")


@in_textual
async def test_enter_on_a_kind_asks_with_its_figures() -> None:
    async with shown() as face:
        allowed(face)
        await face.press("9", "slash", *"clock", "enter", "enter")
        assert "clock_step seconds=60.0 30s" in face.text
        await face.press("enter")
        assert "1 daemon's clock: clock_step, seconds 60" in face.text


@in_textual
async def test_one_is_lifted_and_all_are_healed() -> None:
    async with shown() as face:
        allowed(face, fault(), fault(name="drill.cut", type="silence", attributes={}))
        await face.press("9", "down", "x")
        assert "Lift slow in cloud hub-1?" in face.text and "1 fault ends: latency" in face.text
        await face.press("tab", "enter")
        await face.press("z")
        assert "This undoes: lift slow in cloud hub-1." in face.text
        assert "place slow in cloud hub-1 again for 18 s" in face.text
        await face.press("tab", "enter")
        await face.press("down", "x")
        assert "Cannot be undone: it was a drill's, which places its own." in face.text
        await face.press("enter", "X")
        assert "2 faults end: slow, drill.cut." in face.text and "A drill's are among them" in face.text
        assert "Cannot be undone: what is healed stays whole" in face.text
        await face.press("tab", "enter")
        await face.press("z")
        assert "cannot be undone: what is healed stays whole" in face.status
        attributes = {"latency": 300, "jitter": 0, "distribution": "uniform"}
        again = {
            "name": "slow",
            "type": "latency",
            "attributes": attributes,
            "stream": "upstream",
            "lease_s": 18.0,
        }
        assert [(action, params) for _, action, params in face.world.asked] == [
            ("chaos.remove", {"name": "slow"}),
            ("chaos.place", again),
            ("chaos.reset", {}),
        ]
        allowed(face)
        await face.press("X")
        assert "no faults are on" in face.status
        await face.press("end", "x")
        assert "the cursor is on no fault" in face.status


@in_textual
async def test_a_drill_is_seen_from_its_fault_to_its_verdict() -> None:
    async with shown(size=(120, 24)) as face:
        await face.press("9")
        on = [{"step": "cable", "words": "silence on uplink", "for_s": 3.0}]
        allowed(face, drills=[note(standing(on=on))])
        await face.settle()
        assert row(face, "▶", "drill cut").split()[3:] == [
            *("1", "on", "9.0", "s", "1/3", "on:", "cable:", "silence", "on", "uplink"),
        ]
        assert "DRILL cut" in face.title
        clock = {"since_s": 1.5, "reconnect_s": 0.4, "drained_s": None, "fresh_s": None}
        allowed(face, drills=[note(standing(clock=clock, t_s=12.0))])
        await face.settle()
        assert "waits for drained, fresh, for 1.5 s; connected after 0.4 s" in row(face, "drill cut")
        assert row(face, "drill cut").split()[3:6] == ["recovering", "1.5", "s"], "the recovery clock"
        await face.press("home", "x")
        assert "that drill was started elsewhere" in face.status
        recovery = {
            "step": "cable",
            "detect_s": 4.8,
            "reconnect_s": 0.4,
            "drained_s": 0.4,
            "fresh_s": 1.2,
            "lost": 0,
        }
        over = standing(
            verdict="PASS", phase="over", recoveries=[recovery], t_s=75.0, replay="pitlink chaos drill cut"
        )
        allowed(face, drills=[note(over)])
        await face.settle()
        assert "PASS" in row(face, "✓", "drill cut", "75 s") and "DRILL" not in face.title
        await face.press("slash", *"PASS", "enter", "enter")
        assert "cable: noticed in 4.8 s, connected in 0.4 s" in face.text
        assert "again: pitlink chaos drill cut" in face.text


@in_textual
async def test_a_drill_is_played_and_ended_on_this_machine() -> None:
    async with shown() as face:
        model = face.world.model
        model.drills_listed(PLAYABLES, trio.current_time())
        await face.press("9")
        assert "FAIL" in row(face, "drill cut") and "broken" in row(face, "mine", "no [[steady]]")
        await face.press("slash", *"mine", "enter", "enter")
        assert "mine cannot be played: no [[steady]]" in face.status
        await face.press("escape", "slash", *"cable", "enter", "enter")
        for words in (
            "Drill cable-pull?",
            "1 site and 1 hub are started on this machine for it, and 3 faults are",
            "played on them, in 75 s.",
            "Its record goes to drills/reports.",
            "$ pitlink chaos drill cable-pull --report drills/reports",
        ):
            assert words in face.text, f"{words}\n{face.text}"
        await face.press("tab", "enter", "escape")
        assert face.world.asked == [("", "drill", {"which": "cable-pull"})]
        model.drilled(standing(pid=4711), trio.current_time())
        await face.settle()
        assert face.table.chosen == ("run", standing()["run"]), "the cursor goes to what was started"
        await face.press("x")
        assert "End drill cut?" in face.text and "$ kill -TERM 4711" in face.text
        await face.press("tab", "enter")
        assert face.world.asked[1:] == [("", "end", {})]


@in_textual
async def test_a_drill_is_spoken_by_its_name_and_asked_about_when_it_is_known_what_there_is() -> None:
    async with shown() as face:
        await face.press("colon", *"drill cable-pull", "enter")
        assert face.title.startswith("pitlink Chaos") and face.world.looks_at_chaos
        assert face.status.startswith("looking what can be played on this machine")
        face.world.model.drills_listed(PLAYABLES, trio.current_time())
        await face.settle()
        assert "Drill cable-pull?" in face.text and "3 faults are" in face.text
        await face.press("tab", "enter")
        assert face.world.asked == [("", "drill", {"which": "cable-pull"})]
        for name, words in (
            ("mine", "mine cannot be played: no [[steady]]"),
            ("d/mine.toml", "mine cannot be played: no [[steady]]"),
            ("cable", "no drill is called 'cable': there are cable-pull"),
        ):
            await face.press("1", "colon", *f"drill {name}", "enter")
            assert words in face.status and face.title.startswith("pitlink Chaos")
        await face.press("1", "colon", *"drill c", "tab", "enter")
        assert "Drill cable-pull?" in face.text, "Tab completes it"
        await face.press("escape", "colon", *"drill", "enter")
        assert face.title.startswith("pitlink Chaos"), "without a name it is the page"
        assert len(face.world.asked) == 1


@in_textual
async def test_a_drill_that_was_wanted_is_not_asked_about_when_something_else_is_shown_meanwhile() -> None:
    async with shown() as face:
        await face.press("colon", *"drill cable-pull", "enter", "1")
        face.world.model.drills_listed(PLAYABLES, trio.current_time())
        await face.press("9")
        assert "Drill cable-pull?" not in face.text and "cable-pull" in face.text


@in_textual
async def test_a_drill_that_cannot_be_listed_says_why() -> None:
    async with shown() as face:
        face.world.model.drills_listed({"words": "the drills cannot be listed"}, trio.current_time())
        await face.press("colon", *"drill cable-pull", "enter")
        assert face.status.startswith("the drills cannot be listed")


@in_textual
async def test_read_only_breaks_nothing() -> None:
    async with shown(is_read_only=True) as face:
        allowed(face, fault())
        face.world.model.drills_listed(PLAYABLES, trio.current_time())
        await face.press("9")
        for keys in (("p",), ("down", "x"), ("X",), ("slash", *"cable", "enter", "enter")):
            await face.press(*keys)
            assert "read-only" in face.status, keys
        await face.press("1", "colon", *"drill cable-pull", "enter")
        assert "read-only" in face.status and face.title.startswith("pitlink Overview")
        assert face.world.asked == []


@in_textual
async def test_what_a_drill_and_a_daemon_say_moves_no_cursor() -> None:
    async with shown() as face:
        evil = "a\x1b[2Jb"
        allowed(face, fault(name=evil, type=evil), drills=[note(standing(drill=evil, phase=evil, run=evil))])
        await face.press("9")
        assert "\x1b" not in face.text and "\\u001b" in face.text
        await face.press("home", "enter")
        assert "\x1b" not in face.text


@in_textual
async def test_a_refusal_is_said_in_the_daemons_words() -> None:
    world = World(does=lambda action: AdminError(403, "forbidden", "faults are not allowed in this daemon"))
    async with shown(world) as face:
        allowed(face)
        await face.press("9", "p", "enter", "tab", "enter")
        assert "failed: faults are not allowed in this daemon" in face.status
