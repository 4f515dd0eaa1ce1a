"""By keyboard alone, and by axe-core: WCAG 2.2 AA and good practice, on every page, in the light and in the dark."""

from pathlib import Path

import pytest

from daemons.race.memory import SiteMemory
from daemons.race.memorychain import clean_head, verify
from tests.axe import axe
from tests.browser import WIDE

from .. import makers as make
from ..field import race_path, result_path
from .days import Stands, Tabs, lap, race_day
from .stand import Stand, at_field

pytestmark = pytest.mark.browser

RACE, RESULT = make.race_id(101), result_path(101)

PAGES = {
    "Now": "Coming up",
    "Schedule": "Race 2-2",
    "Pilots": "in the next race",
    "Results": "Best laps",
    "For the organiser": "not here",
    "Share": "Share this page",
}


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


def test_axe_finds_nothing_on_any_page_in_the_light_or_in_the_dark(stand_of: Stands, tab_of: Tabs) -> None:
    stand = stand_of({"pits": race_day()})
    stand.call(lap({1: [4.0, 9.0, 8.125], 2: [5.0, 9.5]}))
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page) + "/pilots")
    tab.page.get_by_role("button", name="Follow Ann").click()
    tab.page.get_by_role("link", name="Ann").click()
    tab.see("Flying now")
    stand.call(lap({1: [4.0, 9.0, 8.125], 2: [5.0, 9.5]}, end=at_field(0)))
    tab.see("Not the channel of the last flight")
    axe(tab, "pilot with another channel")
    tab.page.get_by_role("link", name="Race 1-1").click()
    tab.see("Lap by lap")
    axe(tab, "race")
    for page, words in PAGES.items():
        tab.page.get_by_role("button" if page == "Share" else "link", name=page).first.click()
        tab.see(words)
        axe(tab, page)
    tab.expect("404")  # there is no light on this stand
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("link", name="Now").click()
    stand.call(lambda here: setattr(here, "is_silent", True))
    stand.wait(Stand.cut)
    tab.see("No connection")
    axe(tab, "now without a net")
    stand.wait(Stand.serve)
    for name in ("lower-third", "leaderboard"):
        tab.open(stand.call(lambda here: here.page) + f"/overlay/{name}")
        tab.see("Race 1-2")
        axe(tab, f"overlay {name}")


def test_what_a_race_was_before_by_keyboard_and_axe(stand_of: Stands, tab_of: Tabs, tmp_path: Path) -> None:
    stand = stand_of({"pits": race_day()}, kept_in=tmp_path / "memory.db")
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page) + f"/race?id={RACE}")
    tab.see("Versions and proof")
    loaded = "performance.getEntriesByType('resource').some((one) => one.name.includes('/versions.js'))"
    assert not tab.page.evaluate(loaded), "only for who asks"
    tab.page.locator(".before summary").focus()
    tab.page.keyboard.press("Enter")
    tab.see("Nothing is kept of this race yet.")
    stand.call(flown_and_emptied)
    tab.see("Head of its history", "Result.json", "empty", "version 2", "race verify http://127.0.0.1")
    tab.expect("404")  # what was asked for while there was nothing
    axe(tab, "versions of a race")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Tab")
    assert tab.text(":focus") == "Result.json of version 2"
    stand.call(lap({1: [4.0, 9.0, 8.125]}))
    tab.until("document.querySelectorAll('.versions tbody tr').length === 3")  # it is open: it follows
    assert tab.text(":focus") == "Result.json of version 2"
    with tab.page.expect_download() as download:
        tab.page.get_by_role("link", name="Race.json of version 3").click()
    assert download.value.path().read_bytes() == stand.call(
        lambda here: here.days["pits"].files[race_path(101)]
    )
    noted = clean_head(tab.text(".head"))
    history = stand.wait(lambda here: memory_of(here).history(RACE))
    verdict = verify(history.splitlines(), noted)
    assert (verdict.entries, verdict.broken, verdict.noted) == (3, "", verdict.last)


def flown_and_emptied(stand: Stand) -> None:
    lap({1: [4.0, 9.0]})(stand)
    stand.put("pits", lambda day: str(day.put(RESULT, []) and RESULT))


def memory_of(stand: Stand) -> SiteMemory:
    assert stand.memory is not None
    return stand.memory.of("pits")
