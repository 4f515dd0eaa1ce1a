"""The pages as they are at a race: the stand-in, pits, an uplink that drops, cloud, and a browser at either end."""

from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from chaos.relay import Relay
from daemons.demo import Demo, DemoOptions, open_demo
from tests.aside import open_aside
from tests.browser import Tab, open_browser, open_tab

pytestmark = pytest.mark.browser

MOST_LAPS = (
    "Math.max(0, ...[...document.querySelectorAll('.now .big')]"
    ".map((cell) => Number(/^(\\d+)\\/\\d+$/.exec(cell.innerText)?.[1] ?? 0)))"
)


def test_a_race_is_live_through_pits_and_cloud_and_an_uplink_that_drops(tmp_path: Path) -> None:
    options = DemoOptions(seed=3, speed=3, bad_uplink="lte-good")
    opened: partial[AbstractAsyncContextManager[Demo]] = partial(open_demo, options, tmp_path / "state")
    with (
        open_browser() as browser,
        open_aside(opened) as demo,
        open_tab(browser, tmp_path) as tab,
        open_tab(browser, tmp_path) as at_field,
    ):
        tab.open(demo.call(lambda here: here.address))
        tab.see("LIVE", "Up to date")
        at_field.open(demo.call(lambda here: here.pits_address))
        _see_laps(tab, 1)
        tab.picture("live-through-the-cloud")

        at_field.page.get_by_role("link", name="For the organiser").click()
        at_field.see("Green", "Everything is on the cloud")

        demo.call(lambda here: _relay(here).refuse())
        tab.see("OLD DATA", "The field is offline")
        tab.picture("uplink-gone")
        at_field.see("Amber", "No link to the cloud")
        at_field.picture("status-uplink-gone")
        at_field.page.get_by_role("link", name="Now").click()
        _see_laps(at_field, 2)
        at_field.see("Up to date")  # the same pages, which need no uplink

        demo.call(lambda here: _relay(here).resume())
        tab.see("Up to date")
        tab.until("document.getElementById('stale').hidden")
        tab.until("document.querySelectorAll('.now tbody tr').length > 0")


def _relay(demo: Demo) -> Relay:
    assert demo.relay is not None
    return demo.relay


def _see_laps(tab: Tab, laps: int) -> None:
    tab.until(f"{MOST_LAPS} >= {laps}")
