"""What is read at once or now and then because the race model wants it: standings behind new results."""

from typing import Any

import pytest
from attrs import evolve

from daemons.race.files import read_results, read_stages
from daemons.race.haste import Haste
from daemons.race.model import Day
from daemons.race.paths import Kind, event_file
from daemons.race.plan import Outlook, plan_watches

from . import makers as make
from .test_rules import DONE, day_of
from .test_standings import points, stage

STAGES = event_file(make.EVENT_ID, Kind.STAGES)
RESULTS = event_file(make.EVENT_ID, Kind.RESULTS)
READY = {"Headings": ["Rank"], "Rows": [{"Name": "Ann", "Values": ["1"]}]}


def with_results(day: Day, points: int) -> Day:
    body = make.to_bytes([make.result(1, 1, Points=points)])
    return evolve(day, results={make.race_id(101): read_results("Result.json", body)})


def staged(**more: Any) -> Day:
    stages = read_stages("Stages.json", make.to_bytes([stage(**more)]))
    return evolve(day_of(make.race(1, **DONE)), stages=stages)


def urgent(haste: Haste, day: Day) -> set[str]:
    haste.look(make.EVENT_ID, day, day.races[make.race_id(101)])
    return set(haste.take_urgent())


def test_standings_are_read_at_once_when_the_current_race_has_other_results() -> None:
    haste, day = Haste(), staged(Standings=READY)
    assert STAGES not in urgent(haste, day)
    assert STAGES in urgent(haste, with_results(day, 10))
    assert STAGES not in urgent(haste, with_results(day, 10))
    assert STAGES in urgent(haste, with_results(day, 8))


def test_standings_that_we_work_out_ourselves_are_not_read_in_haste() -> None:
    assert STAGES not in urgent(Haste(), with_results(staged(), 10))


@pytest.mark.parametrize(("rollover", "period_s"), [(False, 600), (True, 120)])
def test_stages_and_what_rolls_over_are_read_rarely(rollover: bool, period_s: float) -> None:
    day = staged(**points(rollover=rollover))
    for current in (None, day.races[make.race_id(101)]):
        outlook = Outlook(make.EVENT_ID, day, current, None, True, ())
        plan = {watch.path: watch for watch in plan_watches(outlook, live_s=0.5)}
        assert (plan[STAGES].period_s, plan[RESULTS].period_s) == (120, period_s)
        assert min(plan[STAGES].priority, plan[RESULTS].priority) > 1
