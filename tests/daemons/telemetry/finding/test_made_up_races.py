"""Laps, sectors and flaws as they are found in the stand-in's race, beside what really happened there: two programs that
share no code."""

import numpy as np
import pytest

from chaos.doubles.iracing import Race
from daemons.telemetry.finding import CHANNELS, Facts, Finder, Flaw, FoundLap

TICKS = 60 * 170


def test_what_is_found_is_what_happened() -> None:
    race = Race(seed=5, cars=4, lap_s=20.0, sectors=7, stint=3, drivers=1, off_chance=0.3)
    rows = race.rows(0, TICKS).view(race.layout.dtype)[:, 0]
    finder = Finder(Facts(sectors=race.track.sectors, length_m=race.track.length))
    ticks = rows["SessionTick"].astype(np.int64)
    found = (
        finder.feed(ticks, {name: rows[name] for name in CHANNELS if name in race.layout}) + finder.finish()
    )
    laps = [each for each in found if isinstance(each, FoundLap)]
    truth = {lap.number: lap for lap in race.truth.laps(race.player_index, TICKS / 60)}
    timed = [lap for lap in laps if lap.time_s is not None]
    assert [lap.number for lap in timed] == list(truth) and len(truth) > 4
    assert (
        {bool(lap.points) for lap in truth.values()} == {lap.pits for lap in truth.values()} == {True, False}
    )
    for lap in timed:
        real = truth[lap.number]
        assert lap.time_s == pytest.approx(real.time_s, abs=2e-3)
        assert lap.sectors == pytest.approx(real.sectors, abs=2e-3)
        assert (Flaw.OFF_TRACK in lap.flaws) == (real.points > 0) == (Flaw.INCIDENT in lap.flaws)
        assert bool({Flaw.PIT_IN, Flaw.PIT_OUT} & set(lap.flaws)) == real.pits


def test_a_tow_is_told_from_a_lap() -> None:
    race = Race(seed=7, cars=4, lap_s=20.0, stint=50, drivers=1, off_chance=0.0)
    lap = race.order_tow(60 * 25) + 1
    rows = race.rows(0, 60 * 85).view(race.layout.dtype)[:, 0]
    finder = Finder(Facts(sectors=race.track.sectors, length_m=race.track.length))
    found = finder.feed(
        rows["SessionTick"].astype(np.int64), {name: rows[name] for name in CHANNELS if name in race.layout}
    )
    flaws = {each.number: each.flaws for each in found if isinstance(each, FoundLap)}
    assert Flaw.TOW in flaws[lap] and Flaw.PIT_OUT in flaws[lap + 1]
