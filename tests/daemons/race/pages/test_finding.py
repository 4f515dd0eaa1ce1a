"""Whoever looks for something finds it: when he flies, the results, his field, the light."""

from pathlib import Path
from typing import Any

import pytest

from daemons.race.light import Facts, judge
from protocol.linkstatus import Status
from tests.aside import open_aside
from tests.whole.twopits import know_two_pits, open_two_pits

from .. import makers as make
from ..field import result_path
from .days import Stands, Tabs, go, lap, race_day
from .stand import Stand, at_field

pytestmark = pytest.mark.browser


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


def test_with_several_fields_one_is_chosen(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({name: race_day(Name=f"{name.title()} Cup") for name in ("north", "south")})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.see("North Cup · Race 1-1 is on")
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


def test_an_open_page_follows_the_organiser_to_the_spare_laptop(tab_of: Tabs, tmp_path: Path) -> None:
    know_two_pits(tmp_path)
    with open_aside(lambda: open_two_pits(tmp_path)) as hub:
        tab = tab_of()
        tab.open(hub.call(lambda here: str(here[1].base_url)) + "/schedule")
        tab.see("as main has it", "Race 1-1")
        assert "Race 1-2" not in tab.text()
        tab.page.evaluate("window.stays = true")
        hub.wait(lambda here: here[2].act("site.show", site="spare"))
        tab.see("as spare has it", "Race 1-2")
        hub.wait(lambda here: here[2].act("site.show", site="main"))
        tab.until("!document.body.innerText.includes('Race 1-2')")
        tab.see("as main has it", "Race 1-1")
        assert tab.page.evaluate("window.stays"), "it was loaded anew"
        assert tab.page.evaluate("location.pathname + location.search") == "/schedule"


def test_the_organisers_light(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.see("Race 1-1 is on", "Up to date")
    facts = Facts(
        link=Status.LOST,
        is_offline=True,
        down_s=240,
        waiting=3,
        over_budget_bytes=52_000_000,
        ceiling_bytes=50_000_000,
    )
    told = judge(facts).as_data() | {
        "races_waiting": 3,
        "budget": {
            "sent_today_bytes": 13_400_000,
            "saved_today_bytes": 120_500_000,
            "this_hour_bytes": 812_000,
        },
    }
    stand.call(lambda here: setattr(here, "status", told))
    tab.page.get_by_role("link", name="For the organiser").click()
    tab.see("Red", "No internet for 4 min; 3 races wait", "over the budget of", "13 MB", "121 MB", "812 kB")
    tab.picture("status")
    muted = (
        "(document.body.classList.add('is-stale'), getComputedStyle(document.getElementById('main')).filter)"
    )
    assert tab.page.evaluate(muted) == "none", "red is red, however old the race is"
