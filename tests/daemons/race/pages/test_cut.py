"""The pages without a net: seen, lived with, healed; and what they are sent then."""

import json
import random
import time
from typing import Any

import pytest

from daemons.race.mergepatch import apply, diff

from .days import Stands, Tabs, go, lap, race_day
from .stand import Stand

pytestmark = pytest.mark.browser


def test_a_cut_is_seen_lived_with_and_healed_without_a_hand(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    stand.call(lap({1: [4.0, 9.5]}))
    tab.see("9.50", "Up to date")
    tab.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    browser = tab.page.context.new_cdp_session(tab.page)
    errors = browser.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors] in ([], ["in-incognito"]), errors
    stand.wait(Stand.cut)
    tab.see("No connection", "OLD DATA")
    clock_s = _seconds(tab.text(".clock"))
    tab.picture("old-data")
    assert "when last heard of" in tab.text(".clocks")
    # Another page, opened anew while there is no net: what was seen last, its age going on from where it was.
    age_s = int(tab.text("#stale-age").split()[0])
    tab.open(stand.call(lambda here: here.page) + "/schedule")
    tab.see("No connection", "OLD DATA", "Race 2-2")
    assert int(tab.text("#stale-age").split()[0]) >= age_s
    go(tab, "Now")
    tab.until(f"parseInt(document.getElementById('stale-age').innerText) > {age_s}")
    tab.see("9.50")
    # The race may be over: it stands where it was when last heard of, which a page in its midst takes to the next second.
    assert clock_s <= _seconds(tab.text(".clock")) <= clock_s + 1
    stand.call(lap({1: [4.0, 9.5, 8.75]}))
    before = len(stand.call(lambda here: here.requests))
    stand.wait(Stand.serve)
    tab.see("8.75", "Up to date")
    tab.until("document.getElementById('stale').hidden")
    asked = stand.call(lambda here: here.requests)[before:]
    assert len(asked) < 10, asked


def _seconds(clock: str) -> int:
    minutes, seconds = clock.split(":")
    return 60 * int(minutes) + int(seconds)


def test_after_a_short_cut_only_what_was_missed_comes(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.see("Up to date")
    stand.wait(Stand.cut)
    tab.see("No connection")
    stand.call(lap({1: [4.0, 9.5]}))
    stand.wait(Stand.serve)
    tab.see("9.50", "Up to date")
    encodings = stand.call(lambda here: dict(here.boards["pits"].tree.encodings))
    assert (encodings["patch"], encodings["snapshot"]) == (1, 0)


def test_the_pages_merge_as_the_server_does(stand_of: Stands, tab_of: Tabs) -> None:
    chance = random.Random(time.time_ns())
    atoms: list[Any] = [0, 1.5, True, False, "", "x", [1, {"a": 2}], [], {}, "__proto__"]

    def value(depth: int = 3) -> Any:
        if depth == 0 or chance.random() < 0.4:
            return chance.choice(atoms)
        return {chance.choice(["a", "b", "c", "constructor", "1"]): value(depth - 1) for _ in range(3)}

    cases = []
    for _ in range(400):
        before, after = {"k": value(), "l": value()}, {"k": value(), "m": value()}
        cases.append((before, diff(before, after), after))
    assert all(apply(before, patch) == after for before, patch, after in cases)
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    made = tab.page.evaluate(
        "async (text) => { const { merge } = await import('/static/tree.js');"
        " return JSON.parse(text).map(([before, patch]) => JSON.stringify(merge(before, patch))); }",
        json.dumps([[before, patch] for before, patch, _ in cases]),
    )
    assert [json.loads(text) for text in made] == [after for _, _, after in cases]
