"""The pages in a real browser, served by the real front: what a person sees of a race."""

import pytest

from .. import makers as make
from ..field import ROUNDS, open_field
from .days import SEATS, Stands, Tabs, lap, race_day
from .stand import Stand, at_field

pytestmark = pytest.mark.browser


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

    def next_race(stand: Stand) -> None:
        lap({1: [4.0, 9.0, 8.125], 2: [5.0, 9.5]}, end=at_field(5))(stand)
        flown = {1: [4.0], 2: [4.25, 9.0, 9.25], 3: [4.5, 9.5]}
        stand.put("pits", lambda day: day.race(102, start=at_field(1), seats=SEATS, flown=flown))

    stand.call(next_race)
    tab.see("Race 1-2 is on")
    assert tab.page.locator("tr.fresh").count() == 0, "laps of another race"


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
    went_on = {"start": at_field(150.5), "end": at_field(10), "TotalPausedTime": "00:00:20"}
    stand.call(lap({1: [4.0, 9.0]}, **went_on))  # 140.5 s ago, less the 20 s that it stood still
    tab.until("document.querySelector('.clock').innerText === '2:00'")
    tab.see("FINISHED")
    tab.page.wait_for_timeout(1100)  # a clock that runs on shows it by now
    assert tab.text(".clock") == "2:00"


def test_who_starts_later_is_told_before_and_after(stand_of: Stands, tab_of: Tabs) -> None:
    day = race_day()
    day.put(ROUNDS, [make.round_(1, Handicapped=True), make.round_(2)])
    later = [{"Pilot": make.pilot_id(1), "Channel": make.channel_id(9), "HandicapOffset": "00:00:05.2500000"}]
    day.race(101, start=at_field(200), end=at_field(60), seats=SEATS)
    for number in (102, 201):
        day.race(number, PilotChannels=later)
    stand = stand_of({"pits": day})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page) + f"/race?id={make.race_id(102)}")
    tab.see("starts 5.25 s later")
    tab.page.get_by_role("link", name="Ann").click()
    tab.see("In the next race", "Race 1-2, starts 5.25 s later")
    tab.page.go_back()
    stand.call(
        lambda here: here.put("pits", lambda day: day.race(102, start=at_field(20), PilotChannels=later))
    )
    tab.see("started 5.25 s later")
    tab.open(stand.call(lambda here: here.page) + f"/race?id={make.race_id(201)}")
    tab.see("Race 2-1", "5658 MHz")
    assert "later" not in tab.text("table"), "in a round without handicaps"


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
