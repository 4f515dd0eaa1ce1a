"""Names that mean harm and numbers out of a nightmare are text, and nothing breaks."""

import pytest

from daemons.race.paths import HOME

from .. import makers as make
from ..field import Field
from ..hostile import hostile_event
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


def test_an_event_that_is_meant_to_break_things_is_shown_as_text(stand_of: Stands, tab_of: Tabs) -> None:
    day = Field(hostile_event())
    day.put(HOME, make.home())
    stand = stand_of({"pits": day})
    tab = tab_of()
    tab.open(stand.call(lambda here: here.page))
    tab.until("document.querySelectorAll('.now tbody tr').length > 1")
    tree = stand.call(lambda here: here.boards["pits"].tree.newest().tree)
    addresses = ["/schedule", "/pilots", "/results"]
    addresses += [f"/pilot?id={id_}" for id_ in list(tree["pilots"])[:3]]
    addresses += [f"/race?id={id_}" for id_ in list(tree["races"])[:3]]
    for address in ["/", *addresses, "/overlay/leaderboard"]:
        # The pages' own way from one to another, without loading anything.
        if "overlay" in address:
            tab.open(stand.call(lambda here: here.page) + address)
        else:
            tab.page.evaluate(
                f"history.pushState(null, '', '{address}'); dispatchEvent(new PopStateEvent('popstate'))"
            )
        tab.until("document.querySelectorAll('#main li, #main tr, #overlay li').length > 1")
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth"), address
        assert tab.page.locator("main script, main img").count() == 0
        if address in ("/", "/results", "/schedule"):
            tab.picture(f"hostile-{address.strip('/') or 'now'}")
        for wrong in ("NaN", "Infinity", "undefined", "[object"):
            assert wrong not in tab.text(), address
