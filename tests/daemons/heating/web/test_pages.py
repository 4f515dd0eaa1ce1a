"""The pages of a house in a real browser, served by the real front: what a person sees and does."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from playwright.sync_api import Browser

from daemons.heating.state import Alarm, Sense, Severity
from tests.aside import Aside, open_aside
from tests.axe import axe
from tests.browser import SEEN_S, WIDE, Tab, open_browser, open_tab

from .houses import House, make_house
from .stand import PASSWORD, Stand, fill_history, open_stand

pytestmark = pytest.mark.browser

PAINTED = """(() => {
    const canvas = document.querySelector("canvas");
    const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let painted = 0;
    for (let i = 3; i < dots.length; i += 4) if (dots[i] > 0) painted++;
    return painted;
})()"""
"""How many dots of the canvas are not empty."""

HOSTILE = ("<img src=x onerror=alert(1)><script>alert(2)</script>", "\u202etsrif\u2066", "W" * 400)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., tuple[Aside[Stand], Tab]]]:
    """Serve houses and open a tab on the page of the first, signed in as somebody ("": nobody)."""
    with ExitStack() as stack:

        def show(
            *houses: House, who: str = "operator", is_open: bool = True, path: str = "/", **more: Any
        ) -> tuple[Aside[Stand], Tab]:
            stand = stack.enter_context(open_aside(lambda: open_stand(houses, is_open=is_open)))
            stand.wait(Stand.serve)
            session = {"token": stand.call(lambda here: here.tokens[who]), "until": 9e15} if who else None
            before = f"sessionStorage.seen ?? localStorage.setItem('pitlink.heat.session', JSON.stringify({session or 'null'}));"
            before += "sessionStorage.seen = 1;"
            tab = stack.enter_context(open_tab(browser, tmp_path, before=before, **more))
            tab.open(stand.call(lambda here: here.page) + path)
            return stand, tab

        yield show


def go(tab: Tab, page: str) -> None:
    tab.page.get_by_role("navigation").get_by_role("link", name=page).click()


def card(tab: Tab, name: str) -> str:
    found = tab.page.locator(".zone", has=tab.page.get_by_role("heading", name=name, exact=True))
    return " ".join(found.inner_text().split())


def test_the_house_is_live_and_what_is_unknown_is_no_number(shown: Any) -> None:
    stand, tab = shown(make_house(is_here=True))
    tab.see("Aspen Lodge", "Burning", "5 zones call", "−6.5 °C", "Up to date")
    assert card(tab, "Kitchen").startswith("Kitchen HEATING 20.5 °C to 19.5 °C 0.3 K below its target")
    assert "no temperature" in card(tab, "Master Bath")
    assert "last read 70 min ago" in card(tab, "Master Bath")
    assert "until 10:30 by user ann" in card(tab, "Master BR")
    stand.call(lambda here: here.house.zone("kitchen", celsius=21.75, cause="warm enough", is_on=False))
    until = time.monotonic() + SEEN_S
    while not card(tab, "Kitchen").startswith("Kitchen OFF 21.8 °C to 19.5 °C warm enough"):
        assert time.monotonic() < until, card(tab, "Kitchen")
        tab.page.wait_for_timeout(20)
    stand.call(
        lambda here: here.house.zone("kitchen", celsius=None, sense=Sense.FAULTY, fault="crc", read_at=None)
    )
    tab.until("document.querySelectorAll('.no-figure').length === 2")
    assert "never read" in card(tab, "Kitchen")
    tab.page.get_by_role("button", name="Show °F").click()
    tab.see("20.3 °F", "67.1 °F")
    for wrong in ("NaN", "undefined", "null", "0.0 °C"):
        assert wrong not in tab.text()


def test_a_set_point_by_keyboard(shown: Any) -> None:
    stand, tab = shown(make_house(), size=WIDE)
    tab.see("Kitchen")
    tab.page.get_by_role("button", name="Change Kitchen").focus()
    press = tab.page.keyboard.press
    press("Enter")
    tab.until("document.activeElement.classList.contains('target')")
    press("ArrowUp")
    press("ArrowUp")
    press("Enter")
    tab.see("Kitchen to 20.5 °C until its week changes: waits for the house")
    orders = stand.call(lambda here: list(here.house.orders))
    assert [(one["action"], one["against"]) for one in orders] == [
        (
            {
                "do": "heat.override",
                "zone": "kitchen",
                "end": "boundary",
                "celsius": 20.5,
                "is_on": None,
                "until": None,
            },
            14,
        )
    ]
    stand.call(lambda here: here.house.take())
    tab.see("done: kitchen is overridden", "Overridden until its week changes by token operator")
    tab.until("document.activeElement.getAttribute('aria-label') === 'Change Kitchen'")
    press("Enter")
    tab.until("document.getElementById('asking').open")
    tab.page.get_by_label("Temperature in °C").fill("41")
    press("Enter")
    tab.see("It takes 5.0 °C to 28.0 °C, not 41.0 °C.")
    tab.page.get_by_label("Temperature in °C").fill("21,5")
    tab.page.get_by_label("Until, in the time of the house").fill("2026-03-14T22:00")
    press("Enter")
    tab.see("Kitchen to 21.5 °C until 14 Mar 22:00: waits for the house")
    until = stand.call(lambda here: here.house.orders[0]["action"])
    assert (until["end"], until["until"], until["celsius"]) == (
        "until",
        1_773_547_200.0,
        21.5,
    )  # 22:00 in Denver
    go(tab, "Orders")
    tab.page.get_by_role("button", name="Take it back").click()
    tab.see("FAILED", "withdrawn by operator")


def test_what_is_locked_is_reset_after_a_question(shown: Any) -> None:
    house = make_house(is_here=True)
    state = house.state()
    assert state is not None
    welded = Alarm("welded", "kitchen", Severity.SAFETY, "the relay of Kitchen may be welded", state.at)
    boiler = evolve(state.boiler, state="locked out", is_burning=False, locked_out="the flow was 91 °C")
    house.put(state=evolve(state, boiler=boiler, alarms=(welded, *state.alarms)))
    stand, tab = shown(house)
    tab.see("DANGER", "the relay of Kitchen may be welded", "Locked out: the flow was 91 °C")
    for button, answer in (
        ("Reset it …", "No"),
        ("Reset it …", "Reset it"),
        ("Reset the lock-out …", "Reset it"),
    ):
        tab.page.get_by_role("button", name=button, exact=True).click()
        tab.until("document.getElementById('asking').open && document.activeElement.innerText === 'No'")
        tab.page.get_by_role("button", name=answer, exact=True).click()
    tab.see("done")
    orders = stand.call(lambda here: [one["action"] for one in here.house.orders])
    assert orders == [{"do": "heat.unlock", "what": "boiler"}, {"do": "heat.unlock", "what": "kitchen"}]


def test_a_week_by_keyboard_and_by_finger(shown: Any) -> None:
    stand, tab = shown(make_house(is_here=True), path="/schedule")
    tab.until("document.querySelectorAll('.handle').length === 14")
    first = tab.page.get_by_role("slider").first
    first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        tab.page.keyboard.press(key)
    assert first.get_attribute("aria-valuetext") == "Monday from 06:30: 20.0 °C"
    tab.see("Not saved yet.")
    tab.page.get_by_role("slider").nth(3).focus()
    tab.page.keyboard.press("Delete")
    tab.until("document.querySelectorAll('.handle').length === 13")
    # By finger: Wednesday's evening is dragged two hours earlier, and Thursday gets a change at noon.
    touch = tab.page.context.new_cdp_session(tab.page)
    evening = tab.page.get_by_role("slider").nth(4)
    evening.scroll_into_view_if_needed()
    box, track = evening.bounding_box(), tab.page.locator(".track").nth(2).bounding_box()
    assert box is not None and track is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def finger(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    finger("touchStart", x, y)
    for step in range(1, 5):
        finger("touchMove", x - track["width"] / 12 * step / 4, y)
    finger("touchEnd")
    assert evening.get_attribute("aria-valuetext") == "Wednesday from 20:00: 17.0 °C"
    thursday = tab.page.locator(".track").nth(3).bounding_box()
    assert thursday is not None
    tab.page.mouse.click(thursday["x"] + thursday["width"] / 2, thursday["y"] + 20)
    tab.until("document.activeElement.getAttribute('aria-valuetext') === 'Thursday from 12:00: 19.5 °C'")
    tab.page.get_by_text("Copy a day").click()
    tab.page.get_by_label("Sun", exact=True).check()
    tab.page.get_by_role("button", name="Copy the day").click()
    tab.page.get_by_role("button", name="Save", exact=True).click()
    tab.see("The week of Master BR: done")
    settings = stand.call(lambda here: here.house.settings())
    week = [(entry.day, entry.minute, entry.target.celsius) for entry in settings.of("master-br").week]
    assert week[:3] == [(0, 390, 20.0), (0, 1320, 17.0), (1, 360, 19.5)]
    assert (2, 1200, 17.0) in week and (1, 1320, 17.0) not in week
    assert [entry[1:] for entry in week if entry[0] == 3] == [(360, 19.5), (720, 19.5), (1320, 17.0)]
    assert [entry[1:] for entry in week if entry[0] == 6] == [
        (0, 17.0),
        (360, 19.5),
        (720, 19.5),
        (1320, 17.0),
    ]
    tab.until("document.querySelector('button.main').disabled")


def test_graphs_are_drawn_and_read_by_keys(shown: Any) -> None:
    house = make_house(is_here=True)
    fill_history(house, days=10)
    _, tab = shown(house, path="/graphs")
    for span, points in (("Day", 40), ("Week", 80), ("Month", 40), ("Year", 5)):
        tab.page.get_by_role("button", name=span, exact=True).click()
        tab.until(f"document.querySelector('[aria-pressed=true]').innerText === '{span}'")
        tab.until(f"Number(document.querySelector('.plot').dataset.points) >= {points} && {PAINTED} > 2000")
    tab.page.get_by_role("button", name="Day", exact=True).click()
    tab.until("Number(document.querySelector('.plot').dataset.points) >= 40")
    plot = tab.page.get_by_role("slider", name="Time")
    plot.focus()
    tab.page.keyboard.press("Home")
    tab.until("document.querySelector('.readout').innerText.startsWith('14 Mar 00:00 ·')")
    assert "wished 19.5 °C" in (plot.get_attribute("aria-valuetext") or "")
    go(tab, "Figures")
    tab.see("Degree-days", "Kitchen", "Burner")
    go(tab, "Events")
    tab.see("0.3 K below its target")
    tab.page.get_by_role("button", name="Older").click()
    tab.until("document.querySelectorAll('.event').length === 150")


def test_offline_is_seen_from_across_the_room(shown: Any) -> None:
    stand, tab = shown(make_house(), make_house(name="cabin"), path="/?house=lodge")
    tab.see("Up to date")
    stand.call(lambda here: here.house.put(connected=False, age=4000.0))
    tab.see(
        "OFFLINE",
        "66 min old",
        "No word from the house: the link is down.",
        "Burning, when last heard of",
    )
    stand.call(lambda here: here.house.put(connected=True, age=1.0))
    tab.until("document.getElementById('stale').hidden")
    stand.wait(Stand.cut)
    tab.see("no connection, trying again")
    stand.wait(Stand.serve)
    tab.see("Up to date")
    tab.page.get_by_role("link", name="Other houses").click()
    tab.see("Which house?")
    assert tab.page.get_by_role("link", name="Aspen Lodge").count() == 2


def test_signing_in_and_who_only_looks(shown: Any) -> None:
    stand, tab = shown(make_house(), who="", is_open=False)
    tab.see("Sign in to look at this house")
    tab.page.get_by_role("button", name="Sign in").first.click()
    tab.page.get_by_label("Name").fill("viktor")
    tab.page.get_by_label("Password").fill("wrong, all wrong")
    tab.page.keyboard.press("Enter")
    tab.see("name or password is wrong")
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.keyboard.press("Enter")
    tab.see("Kitchen", "Sign out viktor")
    tab.page.get_by_role("button", name="Change Kitchen").click()
    tab.see("viktor may look at this house, and not change it.")
    tab.page.get_by_role("button", name="Sign out viktor").click()
    tab.see("Sign in to look at this house")
    tab.expect("401")
    assert stand.call(lambda here: here.house.orders) == []


def test_names_that_mean_harm_are_text(shown: Any) -> None:
    house = make_house(titles=HOSTILE, is_here=True)
    plan, state = house.plan(), house.state()
    assert plan is not None and state is not None
    house.put(plan=evolve(plan, house=HOSTILE[0]))
    for zone in plan.zones:
        house.zone(zone.id, cause=HOSTILE[0])
    fill_history(house)
    _, tab = shown(house)
    for page in ("House", "Week", "Graphs", "Events", "Figures", "Orders"):
        go(tab, page)
        tab.until("document.getElementById('main').innerText.length > 20")
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth"), page
        assert tab.page.locator("main img, main script").count() == 0
    tab.picture("heat-hostile")


def test_axe_finds_nothing_on_any_page_in_the_light_or_in_the_dark(shown: Any) -> None:
    house = make_house(titles=("Master BR", "Master Bath", "Kitchen"))
    fill_history(house, events=5)
    house.letters = [{"id": "7", "at": 1.7e9, "words": "of another version"}]
    stand, tab = shown(house)
    tab.see("Kitchen")
    axe(tab, "heat house")
    tab.page.get_by_role("button", name="Change Kitchen").click()
    axe(tab, "heat zone")
    tab.page.keyboard.press("Enter")
    tab.see("waits for the house")
    stand.call(lambda here: here.house.put(connected=False))
    for page, words in (
        ("Week", "Presets"),
        ("Graphs", "Outdoors"),
        ("Events", "below its target"),
        ("Figures", "Degree-days"),
        ("Orders", "QUEUED"),
    ):
        go(tab, page)
        tab.see(words, "OFFLINE")
        if page == "Week":
            tab.page.get_by_role("slider").first.focus()
            for more in ("Copy a day", "Copy to other zones"):
                tab.page.get_by_text(more).click()
        axe(tab, f"heat {page}")
