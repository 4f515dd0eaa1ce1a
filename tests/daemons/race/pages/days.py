"""The race day of the tests of the pages, and how its race goes on."""

from collections.abc import Callable
from typing import Any

from tests.aside import Aside
from tests.browser import Tab

from .. import makers as make
from ..field import PILOTS, Field, open_field
from .stand import Stand, at_field

__all__ = ["SEATS", "Stands", "Tabs", "go", "lap", "race_day"]

Tabs = Callable[..., Tab]
Stands = Callable[..., Aside[Stand]]

SEATS = {1: 9, 2: 10, 3: 2}


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
