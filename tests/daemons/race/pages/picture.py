"""Makes the README's picture of the pages: `python -m tests.daemons.race.pages.picture docs/images/live.png`.

Three phones at a race day that is made by hand: the real pages, of the real front, in a real browser.
"""

import argparse
import random
import tempfile
from pathlib import Path

from PIL import Image

from tests.aside import open_aside
from tests.browser import PHONE, Scheme, open_browser, open_tab

from .. import makers as make
from ..field import PILOTS, ROUNDS, Field, open_field, result_path
from .stand import at_field, open_stand

NAMES = (
    "Kestrel",
    "Zoë",
    "Nightjar",
    "Tiny Whoopsie",
    "Flappy",
    "RipTide",
    "Søren42",
    "Ol' Prop",
    "ブンブン",
)
HEATS, GAP_S, LAPS = 3, 300.0, 4
LIVE = 203
"""Race 2-3 is on."""

PILOT = 3
SHOWN: tuple[tuple[str, Scheme], ...] = (
    ("/", "light"),
    (f"/pilot?id={make.pilot_id(PILOT)}", "dark"),
    ("/results", "light"),
)
BETWEEN = 28


def race_day(seed: int = 4) -> Field:
    """Two rounds flown, but for the last heat of the second, which is on; two to come."""
    chance = random.Random(seed)
    races = [100 * round_ + heat for round_ in range(1, 5) for heat in range(1, HEATS + 1)]
    day = open_field(
        races,
        Name="Winter Cup",
        ChannelColors=["#E53935", "#1E88E5", "#FDD835"],
        PBLaps=LAPS - 1,
        Laps=LAPS - 1,
    )
    day.put(PILOTS, [make.pilot(n, name) for n, name in enumerate(NAMES, 1)])
    day.put(ROUNDS, [make.round_(n) for n in range(1, 5)])
    pilots: list[int] = []
    for place, number in enumerate(races):
        first = number % 100 == 1
        pilots = chance.sample(range(1, len(NAMES) + 1), len(NAMES)) if first else pilots[3:] + pilots[:3]
        seats = dict(zip(pilots[:3], (9, 10, 2), strict=True))
        ago_s = (races.index(LIVE) - place) * GAP_S + 47
        laps = {pilot: [1.4, *(round(chance.uniform(15, 18), 3) for _ in range(LAPS))] for pilot in seats}
        if number < LIVE:
            day.race(
                number, seats=seats, flown=laps, target=LAPS, start=at_field(ago_s), end=at_field(ago_s - 72)
            )
            order = sorted(laps, key=lambda pilot: sum(laps[pilot]))
            rows = [
                make.result(pilot, at, Points=points)
                for at, (pilot, points) in enumerate(zip(order, (10, 7, 4), strict=True), 1)
            ]
            day.put(result_path(number), rows)
        elif number == LIVE:
            flown = {pilot: times[: 4 - at // 2] for at, (pilot, times) in enumerate(laps.items())}
            day.race(number, seats=seats, flown=flown, target=LAPS, start=at_field(ago_s))
        else:
            day.race(number, seats=seats, target=LAPS)
    return day


def take(path: Path, folder: Path) -> None:
    """Write the picture: the phones side by side."""
    shots = []
    with open_browser() as browser, open_aside(lambda: open_stand({"pits": race_day()})) as stand:
        page = stand.call(lambda here: here.page)
        for number, (address, scheme) in enumerate(SHOWN):
            with open_tab(browser, folder, scheme=scheme) as tab:
                tab.page.add_init_script(
                    f"localStorage['pitlink.favourites'] = '[\"{make.pilot_id(PILOT)}\"]'"
                )
                tab.open(page + address)
                tab.see("Up to date")
                tab.until("document.querySelector('tbody tr')")
                shots.append(tab.picture(f"phone-{number}"))
    width, height = PHONE
    whole = Image.new("RGB", (len(shots) * (width + BETWEEN) + BETWEEN, height + 2 * BETWEEN), "#8a93a0")
    for number, shot in enumerate(shots):
        with Image.open(shot) as image:
            whole.paste(image, (BETWEEN + number * (width + BETWEEN), BETWEEN))
    whole.quantize(128).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    with tempfile.TemporaryDirectory() as folder:
        take(path, Path(folder))


if __name__ == "__main__":
    main()
