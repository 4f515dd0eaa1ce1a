"""The pages of telemetry in a real browser, served by the real front: what an engineer sees and does."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from daemons.telemetry.look import CarEntry, Fuel
from tests.aside import Aside, open_aside
from tests.axe import axe
from tests.browser import SEEN_S, WIDE, Tab, open_browser, open_tab

from .fake import CARS, FakeLook, a_session, real_us
from .stand import PASSWORD, Stand, open_stand

pytestmark = pytest.mark.browser

BEGAN = 1_773_500_400_000_000
HOSTILE = "<img src=x onerror=alert(1)>\u202etsrif"
PAINTED = """((selector) => {
    const canvas = document.querySelector(selector);
    const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let painted = 0;
    for (let i = 3; i < dots.length; i += 4) if (dots[i] > 0) painted++;
    return painted;
})"""
"""How many dots of a canvas are not empty."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., tuple[Aside[Stand], Tab]]]:
    """Serve a look and open a tab on its first page, signed in as somebody ("": nobody)."""
    with ExitStack() as stack:

        def show(
            look: FakeLook, who: str = "viewer", path: str = "/", drive: tuple[str, ...] = (), **more: Any
        ) -> Any:
            stand = stack.enter_context(open_aside(lambda: open_stand(look)))
            stand.wait(Stand.serve)
            stand.call(lambda here: here.drive(*drive))
            session = {"token": stand.call(lambda here: here.tokens[who]), "until": 9e15} if who else None
            before = "sessionStorage.seen ?? localStorage.setItem('pitlink.telemetry.session', "
            before += f"JSON.stringify({session or 'null'})); sessionStorage.seen = 1;"
            tab = stack.enter_context(open_tab(browser, tmp_path, before=before, **more))
            tab.open(stand.call(lambda here: here.page) + path)
            return stand, tab

        yield show


def team() -> FakeLook:
    look = FakeLook()
    look.add("anna")
    look.add(
        "ben",
        is_connected=False,
        is_driving=False,
        why="no word from him for 40 s",
        fuel=None,
        taken_us=real_us() - 40_000_000,
    )
    look.keep(a_session("s1", BEGAN))
    return look


def card(tab: Tab, driver: str) -> str:
    return tab.text(f'[data-driver="{driver}"]')


def until(tab: Tab, is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + SEEN_S
    while not is_so():
        assert time.monotonic() < end, tab.text()
        tab.page.wait_for_timeout(20)


def test_drivers_as_they_drive(shown: Any) -> None:
    stand, tab = shown(team(), drive=("anna",), size=WIDE)
    tab.see("Anna drives", "42.5 l", "25.0", "97 %", "tread as of last stop", "0.25 % lost", "clock ± 4 ms")
    tab.until("Number(document.querySelector('[data-driver=anna] canvas').dataset.samples) > 400")
    until(tab, lambda: re.search(r"Speed \d+ km/h", card(tab, "anna")))
    assert re.search(r"Steering \d+° (left|right)", card(tab, "anna"))
    assert "Estimated from the track: 27.4" in card(tab, "anna")
    # Who is not there is said so, and has no figures, whatever was known of him last.
    assert "NOT THERE" in card(tab, "ben").upper()
    assert "no word from him for 40 s; the newest value is" in card(tab, "ben")
    assert "Speed – " in card(tab, "ben")
    assert "Not there: " not in card(tab, "anna")
    # The map and the order of the race; gaps in seconds of driving.
    tab.until("document.querySelector('.map').dataset.cars === '4'")
    assert tab.page.evaluate(f"{PAINTED}('.map')") > 2000
    until(tab, lambda: len(tab.texts(".tower tbody tr")) == 4)
    rows = tab.texts(".tower tbody tr")
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4"]
    assert "#7 Ann Ahead" in rows[1] and rows[1].endswith("+3.0")  # fmt: skip
    assert "in the pits" in rows[3] and rows[3].endswith("−3.0")  # fmt: skip
    assert rows[2].endswith("ours")
    # Curves move: what is drawn a moment later is another picture.
    first = tab.page.evaluate("document.querySelector('.traces').toDataURL()")
    tab.until(f"document.querySelector('.traces').toDataURL() !== '{first}'")
    stand.call(
        lambda here: here.look.change(
            "anna", degree=1, degree_words="thinned: car arrays 1 Hz, because the line is slow"
        )
    )
    tab.see("thinned: car arrays 1 Hz, because the line is slow")
    for wrong in ("NaN", "undefined", "null"):
        assert wrong not in tab.text()
    # From when a chunk's last tick was taken to the frame that shows it: a slow machine's bound, the figure is bench/'s.
    tab.until("Number(document.querySelector('.room').dataset.seenCount) >= 60")
    p95_ms = float(tab.page.locator(".room").get_attribute("data-seen-p95") or "nan")
    assert 0 <= p95_ms <= 1500, p95_ms
    assert "seen within" in tab.text("#age")
    axe(tab, "Telemetry Live")


def test_what_stops_is_not_shown_as_live_who_takes_over_is_and_a_server_may_go(shown: Any) -> None:
    stand, tab = shown(team())
    stand.call(lambda here: here.look.feed("anna", 60))
    tab.see("DRIVING", "Nothing comes from the simulator; the newest value is 2.")
    assert "Speed – " in card(tab, "anna")
    tab.see("Nobody of the team is heard driving; last known of Anna")

    def swap(here: Stand) -> None:
        fuel = Fuel(litres=31.25, at_us=real_us(), tank_litres=75.0, per_lap=1.6)
        here.look.change("anna", is_driving=False)
        here.look.change("ben", is_connected=True, is_driving=True, why="", fuel=fuel)
        here.drive("ben")

    stand.call(swap)
    tab.see("Ben drives", "31.3 l", "19.5")
    assert tab.page.locator(".team-car").count() == 1  # one car, whoever drives it
    until(tab, lambda: re.search(r"Speed \d+ km/h", card(tab, "ben")))
    # Who gets out is told neither fuel nor tyres: what he told last is kept, and said to be that.
    stand.call(lambda here: here.look.change("ben", is_driving=False, fuel=None, tyres=None))
    tab.see("Nobody of the team is heard driving; last known of Ben", "31.3 l")
    stand.wait(Stand.cut)
    tab.see("NO CONNECTION", "No connection to the server of this page")
    assert "Speed – " in card(tab, "ben")
    stand.wait(Stand.serve)
    tab.until("document.getElementById('stale').hidden")
    until(tab, lambda: re.search(r"Speed \d+ km/h", card(tab, "ben")))


def test_sessions_laps_and_laps_compared_by_keys(shown: Any) -> None:
    stand, tab = shown(team(), path="/sessions", size=WIDE)
    tab.see("Race · anna, ben", "Sebring", "6 laps", "best 30.000", "1 gap")
    axe(tab, "Telemetry Sessions")
    tab.page.get_by_role("link", name="Race · anna, ben").click()
    tab.see(
        "30.000", "does not count: off track", "240 ticks not here, not back-filled yet", "Stints", "Anna: "
    )
    laps = tab.texts(".session-laps tbody tr")
    assert "30.000P 10.000P 10.000P 10.000Y" in laps[2]
    assert "30.300G" in laps[4]
    assert "not finished" in laps[5]
    axe(tab, "Telemetry Session")
    for lap in (3, 5):
        tab.page.get_by_label(f"Compare lap {lap} of").check()
    tab.page.get_by_role("button", name="Compare").click()
    tab.see("Laps compared", "anna · lap 3", "ben · lap 5", "+0.300")
    tab.until("document.querySelector('.laps-plot').dataset.points > 300")
    assert tab.page.evaluate(f"{PAINTED}('.laps-plot canvas')") > 5000
    corners = tab.texts(".corners tbody tr")
    assert len(corners) == 6
    assert corners[2].startswith("2 anna · lap 3 – ")
    assert re.match(r"ben · lap 5 \+0\.[12]\d\d ", corners[3])
    axe(tab, "Telemetry Compare")
    plot = tab.page.get_by_role("slider", name="Place on the track; arrow keys read the laps there")
    plot.focus()
    tab.page.keyboard.press("Home")
    tab.until(
        "document.querySelector('.laps-plot').getAttribute('aria-valuetext') === '0.0 % of the lap; ben lap 5 ±0.000 s'"
    )
    for _ in range(4):
        tab.page.keyboard.press("PageDown")
    tab.page.keyboard.press("ArrowRight")
    tab.until("Number(document.querySelector('.laps-plot').getAttribute('aria-valuenow')) > 5")
    # By mouse, where the time is lost; by finger the same event comes.
    box = plot.bounding_box()
    assert box is not None
    tab.page.mouse.move(box["x"] + 44 + 0.5 * (box["width"] - 52), box["y"] + 100)
    tab.until("Math.abs(Number(document.querySelector('.laps-plot').getAttribute('aria-valuenow')) - 50) < 1")
    value = re.search(r"lap 5 \+0\.(\d+)", plot.get_attribute("aria-valuetext") or "")
    assert value is not None and 100 < int(value[1]) < 200  # fmt: skip
    tab.page.get_by_role("button", name="Compare with this").click()
    tab.see("−0.15")
    tab.page.go_back()
    tab.see("Stints")
    with tab.page.expect_download() as saved:
        tab.page.get_by_role("button", name="All as csv").click()
    assert saved.value.suggested_filename == "session-s1.csv"
    assert Path(saved.value.path()).read_text() == "tick,Speed\n0,55.5\n"
    assert stand.call(lambda here: here.listeners.now) == 1  # the stream of the team was never let go of


def test_a_replay_is_paused_sought_and_sped_up(shown: Any) -> None:
    look = team()
    stand, tab = shown(look, path=f"/replay?session=s1&from={BEGAN // 1000 + 20_000}", size=WIDE)
    tab.see("Replay · Race · Sebring", "REPLAY", "Not here: ")
    until(tab, lambda: re.search(r"Speed \d+ km/h", card(tab, "anna")))
    tab.until("document.querySelector('.map').dataset.cars === '4'")
    until(tab, lambda: len(tab.texts(".tower tbody tr")) == 4)
    assert "#7 Ann Ahead" in tab.texts(".tower tbody tr")[1] and tab.texts(".tower tbody tr")[1].endswith("+3.0")  # fmt: skip
    tab.page.get_by_role("button", name="Pause").click()
    tab.see("PAUSED")
    axe(tab, "Telemetry Replay")
    until(tab, lambda: stand.call(lambda here: here.listeners.now) == 1)
    at = tab.page.locator(".seek").input_value()
    assert float(at) >= BEGAN / 1000 + 20_000
    tab.page.wait_for_timeout(150)
    assert tab.page.locator(".seek").input_value() == at  # paused is paused
    tab.page.get_by_label("Speed").select_option("16")
    tab.page.get_by_label("When").focus()
    tab.page.keyboard.press("End")
    tab.page.keyboard.press("ArrowLeft")
    tab.page.get_by_role("button", name="Play").click()
    tab.see("This is the end of the session.")
    assert look.replayed[-1][0] == 16.0
    assert look.replayed[-1][1] == BEGAN + 195_000_000


def test_signing_in_and_names_that_mean_harm_are_text(shown: Any) -> None:
    look = team()
    harm = CarEntry(0, HOSTILE, HOSTILE, HOSTILE, HOSTILE, "red;x")
    look.change(
        "anna",
        name=HOSTILE,
        why=HOSTILE,
        track=HOSTILE,
        team=HOSTILE,
        degree_words=HOSTILE,
        cars=(harm, *CARS[1:]),
    )
    _, tab = shown(look, who="", drive=("anna",))
    tab.see("Sign in to see the team")
    tab.page.get_by_role("main").get_by_role("button", name="Sign in").click()
    tab.page.get_by_label("Name").fill("erik")
    tab.page.get_by_label("Password").fill("wrong horse battery")
    tab.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    tab.see("name or password is wrong")
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    tab.see("<img src=x onerror=alert(1)>", "Sign out erik")
    until(tab, lambda: "<img" in tab.text(".tower"))
    assert tab.page.locator("main img").count() == 0
    tab.page.get_by_role("button", name="Sign out erik").click()
    tab.see("Sign in to see the team")
    tab.expect("401")
