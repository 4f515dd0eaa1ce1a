"""The pages in a real browser, served by the real front: what a person sees of a race, of a cut, and of strange names."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from daemons.race.mergepatch import apply, diff
from tests.aside import Aside
from tests.browser import WIDE, Tab

from .. import makers as make
from ..field import PILOTS, Field, open_field, result_path
from .stand import Stand, at_field

pytestmark = pytest.mark.browser

Tabs = Callable[..., Tab]
Stands = Callable[..., Aside[Stand]]

SEATS = {1: 9, 2: 10, 3: 2}
HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "\u202etsrif\u2066",
    "🏁" * 60,
    "W" * 4096,
]
ROWS = "#main .now tbody tr"


def race_day(names: list[str] | None = None, **event: Any) -> Field:
    """Race 1-1 is on, 1-2 to 2-2 are to come."""
    day = open_field([101, 102, 201, 202], **event)
    if names is not None:
        day.put(PILOTS, [make.pilot(n, name) for n, name in enumerate(names, 1)])
    day.race(101, start=at_field(30), seats=SEATS)
    for number in (102, 201, 202):
        day.race(number, seats={1: 10, 2: 9, 3: 2})
    return day


def lap(flown: dict[int, list[float]], **more: Any) -> Callable[[Stand], None]:
    def fly(stand: Stand) -> None:
        site = next(iter(stand.days))
        stand.put(
            site, lambda day: day.race(101, **{"start": at_field(30), "seats": SEATS, "flown": flown, **more})
        )

    return fly


def go(tab: Tab, page: str) -> None:
    tab.page.get_by_role("navigation").get_by_role("link", name=page).click()


def test_a_race_as_a_spectator_sees_it_with_names_that_mean_harm(stand_of: Stands, tab_of: Tabs) -> None:
    names = [*HOSTILE, "Zoë"]
    stand = stand_of({"pits": race_day(names, Name="<script>document.title='run'</script>")})
    seats = {1: 9, 2: 10, 3: 2, 4: 9, 5: 10}
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.see("LIVE", "Race 1-1 is on")
    stand.call(lap({1: [4.0, 9.5], 2: [4.25, 9.0, 68.126]}, seats=seats))
    tab.until(f"document.querySelector('{ROWS} .place').innerText === '1'")
    seen = tab.texts(ROWS)
    assert [row.split()[0] for row in seen] == ["1", "2", "–", "–", "–"]
    assert "tsrif" in seen[0]
    assert seen[0].endswith("2/3 1:08.13 best 9.00"), seen[0]
    assert seen[1].startswith("2 <img src=x onerror=alert(1)>")
    assert "1/3 −1 lap" in seen[1]
    tab.see("Up to date")
    assert tab.page.title().startswith("Race 1-1 is on · <script>document.title")
    for page in ("Schedule", "Pilots", "Results", "Now"):
        go(tab, page)
        tab.until("document.getElementById('main').innerText.includes('tsrif')")
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth"), page
    tab.picture("hostile-names")
    assert tab.page.locator("#main script, #main img").count() == 0


def test_numbers_out_of_a_nightmare_break_nothing(stand_of: Stands, tab_of: Tabs) -> None:
    day = race_day(Laps=2**63)
    day.put(
        PILOTS, [make.pilot(1, "Ann"), make.pilot(1, "Ann again"), make.pilot(2, ""), make.pilot(3, "Cy")]
    )
    stand = stand_of({"pits": day})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.see("Race 1-1 is on")
    stand.call(lap({1: [4.0, float("nan")], 3: [5.0, 1e308]}, target=2**63))
    stand.call(lap({1: [4.0, 9.5], 3: [5.0, 8.0]}))
    tab.see("9.50")


def test_a_lap_changes_its_row_and_nothing_else(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    stand.call(lap({1: [4.0, 9.0, 8.125], 2: [5.0]}))
    tab.see("8.13")
    tab.page.evaluate("""() => {
        window.touched = new Set();
        const elementOf = (node) => (node.nodeType === 1 ? node : node.parentElement);
        const within = (node) => elementOf(node).closest("tr, .clocks, #age, .about, li, h1") ?? elementOf(node);
        new MutationObserver((all) => all.forEach((one) => window.touched.add(within(one.target).innerText)))
            .observe(document.body, { subtree: true, childList: true, characterData: true });
    }""")
    stand.call(lap({1: [4.0, 9.0, 8.125], 2: [5.0, 9.5]}))
    tab.see("9.50")
    touched = tab.page.evaluate("[...window.touched].map((text) => text.replace(/\\s+/g, ' '))")
    assert [text for text in touched if "Ann" in text or "Bo" in text or "Cy" in text] == [
        "2 Bo R2 1/3 −1 lap 9.50 best 9.50"
    ]


def test_the_clock_is_right_on_a_phone_whose_own_is_wrong_and_stops_at_the_end(
    stand_of: Stands, tab_of: Tabs
) -> None:
    day = open_field([101])
    day.race(101, start=at_field(30), seats=SEATS)
    stand = stand_of({"pits": day})
    tab = tab_of(before="const real = Date.now; Date.now = () => real() + 3 * 3600e3;")
    tab.open(stand.call(lambda here: here.page))
    tab.until("/^0:[3-5]\\d$|^1:\\d\\d$/.test(document.querySelector('.clock').innerText)")
    first = tab.text(".clock")
    tab.until(f"document.querySelector('.clock').innerText !== '{first}'")
    stand.call(lap({1: [4.0, 9.0]}, start=at_field(130.5), end=at_field(10)))
    tab.until("document.querySelector('.clock').innerText === '2:00'")
    tab.see("FINISHED")
    tab.page.wait_for_timeout(1100)  # a clock that runs on shows it by now
    assert tab.text(".clock") == "2:00"


def test_a_cut_is_seen_lived_with_and_healed_without_a_hand(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    stand.call(lap({1: [4.0, 9.5]}))
    tab.see("9.50", "Up to date")
    tab.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    stand.wait(Stand.cut)
    tab.see("No connection", "OLD DATA")
    clock = tab.text(".clock")
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
    assert tab.text(".clock") == clock  # the race may be over
    stand.call(lap({1: [4.0, 9.5, 8.75]}))
    before = len(stand.call(lambda here: here.requests))
    stand.wait(Stand.serve)
    tab.see("8.75", "Up to date")
    tab.until("document.getElementById('stale').hidden")
    asked = stand.call(lambda here: here.requests)[before:]
    assert len(asked) < 10, asked


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


def test_when_do_i_fly(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page) + "/pilots")
    tab.page.get_by_label("Find a pilot").fill("bo")
    tab.until("document.querySelectorAll('.pilots li:not([hidden])').length === 1")
    tab.page.get_by_role("button", name="Follow Bo").click()
    tab.page.get_by_role("link", name="Bo").click()
    tab.see("Flying now", "R2", "5695 MHz")
    assert tab.page.evaluate("location.pathname") == "/pilot"
    stand.call(lap({2: [5.0, 9.5]}, end=at_field(0)))
    tab.see("In the next race", "Race 1-2", "R1", "Not the channel of the last flight")
    tab.picture("pilot")
    tab.page.reload()  # a deep link; the star is kept on the device
    tab.see("In the next race")
    assert (
        tab.page.get_by_role("button", name="Follow Bo", exact=True).get_attribute("aria-pressed") == "true"
    )
    go(tab, "Now")
    tab.see("Your pilots", "Coming up")
    assert tab.texts(".now ~ .aside .flight, .flight")[0].startswith("Bo in the next race")


def test_with_several_fields_one_is_chosen(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({name: race_day(Name=f"{name.title()} Cup") for name in ("north", "south")})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.page.get_by_role("link", name="south").click()
    tab.see("South Cup", "Race 1-1 is on")
    go(tab, "Schedule")
    tab.see("Race 2-2")
    assert tab.page.evaluate("location.pathname + location.search") == "/schedule?site=south"
    tab.page.get_by_role("link", name="Other fields").click()
    tab.see("Which field?")
    tab.open(stand.call(lambda here: here.page) + "/pilots?site=west")
    tab.see("There is no field called “west” here")
    tab.expect("404")


def test_by_keyboard_alone(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of(size=WIDE)
    tab.open(stand.call(lambda here: here.page))
    tab.see("Race 1-1 is on")

    def focused() -> str:
        return str(tab.page.evaluate("document.activeElement.innerText.trim()"))

    press = tab.page.keyboard.press
    press("Tab")
    assert focused() == "To the content"
    press("Tab")
    press("Tab")
    press("Tab")
    assert focused() == "Pilots"
    press("Enter")
    tab.until("location.pathname === '/pilots' && document.activeElement.tagName === 'H1'")
    tab.see("Cy")
    press("Tab")
    press("Tab")
    press("Space")
    assert focused() == "★"
    press("Tab")
    assert focused() == "Ann"
    press("Enter")
    tab.until("location.pathname === '/pilot' && document.activeElement.innerText === 'Ann'")
    tab.page.go_back()
    tab.until("location.pathname === '/pilots'")
    tab.page.locator("#share").focus()
    press("Enter")
    tab.until("document.querySelector('#sharing img').naturalWidth > 0")
    press("Escape")
    tab.until("!document.getElementById('sharing').open && document.activeElement.id === 'share'")


def test_overlays_leave_the_picture_to_the_camera(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of(size=(1920, 1080))
    for name in ("lower-third", "leaderboard"):
        tab.open(stand.call(lambda here: here.page) + f"/overlay/{name}?site=pits")
        stand.call(lap({1: [4.0, 9.0, 9.5], 2: [5.0, 9.5]}))
        tab.see("Race 1-1", "Ann", "2/3", "−1 lap")
        for painted in ("body", "documentElement"):
            colour = f"getComputedStyle(document.{painted}).backgroundColor"
            assert tab.page.evaluate(colour) == "rgba(0, 0, 0, 0)"
        tab.picture(f"overlay-{name}")
        stand.call(lap({1: [4.0, 9.0]}))
        tab.see("1/3")


def test_the_organisers_light(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.see("Race 1-1 is on")
    assert "Up to date" in tab.text()
    told = {
        "light": "amber",
        "sentence": "No internet for 4 min; 3 races wait to be sent",
        "why": ["The uplink does not answer"],
        "budget": {
            "sent_today_bytes": 13_400_000,
            "saved_today_bytes": 120_500_000,
            "this_hour_bytes": 812_000,
        },
    }
    stand.call(lambda here: setattr(here, "status", told))
    tab.page.get_by_role("link", name="For the organiser").click()
    tab.see("Amber", "3 races wait to be sent", "13 MB", "121 MB", "812 kB")
    tab.picture("status")


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


def test_results_official_withdrawn_and_by_round(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    stand.call(lap({1: [4.0, 9.0, 9.5, 8.0], 2: [5.0, 9.5, 9.75, 8.125]}, end=at_field(0)))

    def publish(stand: Stand, rows: list[Any]) -> None:
        path = result_path(101)
        stand.put("pits", lambda day: str(day.put(path, rows) and path))

    rows = [make.result(2, 1, Points=10), make.result(1, 2, Points=7), make.result(3, 3, dnf=True)]
    stand.call(lambda here: publish(here, rows))
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page) + "/results")
    tab.see("Best laps", "8.00", "Official result", "DNF")
    assert [row.split()[:2] for row in tab.texts(".round tbody tr")] == [
        ["1", "Bo"],
        ["2", "Ann"],
        ["DNF", "Cy"],
    ]
    stand.call(lambda here: publish(here, []))
    tab.see("The timing program has withdrawn this result")
    tab.page.get_by_role("link", name="Race 1-1", exact=True).last.click()
    tab.see("Lap by lap", "9.75")
