"""Names that mean harm and numbers out of a nightmare are text, and nothing breaks."""

import pytest

from .. import makers as make
from ..field import PILOTS
from .days import Stands, Tabs, go, lap, race_day

pytestmark = pytest.mark.browser

HOSTILE = [
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "\u202etsrif\u2066",
    "🏁" * 60,
    "W" * 4096,
]
ROWS = "#main .now tbody tr"


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
