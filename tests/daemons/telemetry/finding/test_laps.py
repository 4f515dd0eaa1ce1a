"""Laps that were made by hand: what they were is known exactly."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemons.telemetry.finding import CHANNELS, Facts, Finder, Flaw, FoundLap, FoundStint
from protocol import cbor

FACTS = Facts(sectors=(0.0, 0.25, 0.7), length_m=1500.0, name="Anna")


@define
class Drive:
    """`at`: where the car is at each tick, in laps driven. Speed changes within the lap so that a crossing that is not
    interpolated shows."""

    at: NDArray[np.float64]
    columns: dict[str, NDArray[Any]] = field(init=False)
    ticks: NDArray[np.int64] = field(init=False)

    def __attrs_post_init__(self) -> None:
        count = len(self.at)
        self.ticks = np.arange(1000, 1000 + count)
        self.columns = {
            "SessionTime": 50.0 + np.arange(count) / 60.0,
            "LapDistPct": (self.at % 1.0).astype(np.float32),
            "Lap": np.floor(self.at).astype(np.int32) + 4,
            "IsOnTrack": np.ones(count, np.uint8),
            "OnPitRoad": np.zeros(count, np.uint8),
            "PlayerTrackSurface": np.full(count, 3, np.int32),
            "PlayerCarMyIncidentCount": np.full(count, 2, np.int32),
            "FuelLevel": (40.0 - 2.0 * self.at).astype(np.float32),
        }

    def row(self, laps: float) -> int:
        """Return the first row at or past a place."""
        return int(np.argmax(self.at >= laps))

    def crossed_s(self, laps: float) -> float:
        """Return when a place was reached, by the function that the drive was made by."""
        index = self.row(laps)
        share = (laps - self.at[index - 1]) / (self.at[index] - self.at[index - 1])
        return float(50.0 + (index - 1 + share) / 60.0)

    def without(self, first: int, last: int) -> "Drive":
        """Return it with rows first ≤ i < last missing."""
        keep = np.ones(len(self.ticks), bool)
        keep[first:last] = False
        other = evolve(self, at=self.at)
        other.at, other.ticks = self.at[keep], self.ticks[keep]
        other.columns = {name: column[keep] for name, column in self.columns.items()}
        return other

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], Mapping[str, NDArray[Any]]]]:
        for at in range(0, len(self.ticks), size):
            yield self.ticks[at : at + size], {n: c[at : at + size] for n, c in self.columns.items()}


def drive(start: float = 0.9, laps: float = 3.4, lap_s: float = 16.0) -> Drive:
    """Drive from `start`, `laps` further, with a speed that changes by ±40 % within a lap."""
    count = int(laps * lap_s * 60)
    even = start + np.arange(count) / (lap_s * 60.0)
    return Drive(even + 0.4 / (2 * np.pi) * np.sin(2 * np.pi * even))


def find(driven: Drive, size: int = 60, facts: Facts = FACTS) -> tuple[list[FoundLap], list[FoundStint]]:
    finder = Finder(facts)
    found = [one for ticks, columns in driven.batches(size) for one in finder.feed(ticks, columns)]
    found += finder.finish()
    return [one for one in found if isinstance(one, FoundLap)], [
        one for one in found if isinstance(one, FoundStint)
    ]


def flaws(driven: Drive, size: int = 15) -> list[list[str]]:
    return [[str(flaw) for flaw in lap.flaws] for lap in find(driven, size)[0]]


@pytest.mark.parametrize("size", [2, 15, 60, 100_000])
def test_lap_and_sector_times_are_those_that_were_driven(size: int) -> None:
    driven = drive()
    laps, stints = find(driven, size)
    assert [lap.number for lap in laps] == [4, 5, 6, 7, 8]
    assert [lap.flaws for lap in laps] == [
        (Flaw.NOT_FROM_START,), (), (), (), (Flaw.UNFINISHED,),
    ]  # fmt: skip
    for number, lap in zip((1, 2, 3), laps[1:4], strict=True):
        marks = [driven.crossed_s(number + part) for part in (0.0, 0.25, 0.7, 1.0)]
        assert lap.time_s == pytest.approx(marks[3] - marks[0], abs=1e-4)
        assert lap.sectors == pytest.approx([b - a for a, b in pairwise(marks)], abs=1e-4)
        assert lap.started_s == pytest.approx(marks[0], abs=1e-4)
        assert lap.first_tick == 1000 + driven.row(number) == laps[number - 1].last_tick + 1
        assert lap.fuel_litres == pytest.approx(2.0, abs=0.02)
    assert laps[0].time_s is None and laps[0].sectors == (None, None, None)
    assert laps[4].time_s is None and laps[4].sectors[1:] == (None, None) and laps[4].sectors[0] is not None
    assert stints[-1] == FoundStint(
        index=0, name="Anna", first_tick=1000, last_tick=int(driven.ticks[-1]), laps=4, is_open=False
    )


@settings(max_examples=25)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(0, 2000))
def test_however_it_is_cut_into_batches_and_resumed_the_same_is_found(sizes: list[int], again: int) -> None:
    driven = drive(laps=2.4, lap_s=10.0)
    whole = find(driven, 100_000)
    finder, found, at = Finder(FACTS), [], 0
    for size in [*sizes, len(driven.ticks)]:
        begin = max(0, at - again)  # what was fed already is fed again
        part = {name: column[begin : at + size] for name, column in driven.columns.items()}
        found += finder.feed(driven.ticks[begin : at + size], part)
        finder = Finder.resume(FACTS, cbor.decode(cbor.encode(finder.pack())))
        at += size
    found += finder.finish()
    assert [lap for lap in found if isinstance(lap, FoundLap)] == whole[0]
    assert found[-1] == whole[1][-1]


def test_what_happens_marks_the_lap_in_which_it_happens() -> None:
    off, incident, pit = drive(), drive(), drive()
    off.columns["PlayerTrackSurface"][off.row(2.2) : off.row(2.21)] = 0
    assert flaws(off)[1:4] == [[], ["off track"], []]
    incident.columns["PlayerCarMyIncidentCount"][incident.row(1.5) :] += 1
    assert flaws(incident)[1:4] == [["incident"], [], []]
    pit.columns["OnPitRoad"][pit.row(1.95) : pit.row(2.05)] = 1
    assert flaws(pit)[1:4] == [["pit in"], ["pit out"], []]
    stop = drive()
    stop.columns["OnPitRoad"][stop.row(2.4) : stop.row(2.5)] = 1
    stop.columns["FuelLevel"][stop.row(2.45) :] += 30
    laps = find(stop)[0]
    assert [list(lap.flaws) for lap in laps[1:4]] == [[], ["pit in"], []]
    assert laps[2].fuel_litres is None and laps[3].fuel_litres == pytest.approx(2.0, abs=0.02)


def test_missing_ticks_mark_the_lap_and_leave_times_that_are_known() -> None:
    driven = drive()
    middle = driven.without(driven.row(2.4), driven.row(2.4) + 90)
    laps = find(middle)[0]
    assert [list(lap.flaws) for lap in laps[1:4]] == [[], ["gap"], []]
    assert laps[2].time_s == pytest.approx(driven.crossed_s(3) - driven.crossed_s(2), abs=1e-4)
    line = find(driven.without(driven.row(2) - 20, driven.row(2) + 20))[0]
    assert [list(lap.flaws) for lap in line[1:4]] == [["gap"], ["gap", "not from its start"], []]
    assert [lap.time_s is None for lap in line[1:4]] == [True, True, False]
    doubled = driven.without(driven.row(2.4), driven.row(2.4) + 1)
    assert [lap.flaws for lap in find(doubled)[0][1:4]] == [(), (), ()]


def test_after_a_gap_in_which_laps_may_have_been_driven_none_is_made_up() -> None:
    driven = drive(laps=6.4)
    laps = find(driven.without(driven.row(2.4), driven.row(4.5)))[0]
    assert [lap.number for lap in laps] == [4, 5, 6, 8, 9, 10, 11]
    assert [list(lap.flaws) for lap in laps[1:5]] == [
        [], ["gap", "not finished"], ["gap", "not from its start"], [],
    ]  # fmt: skip


@pytest.mark.parametrize("in_stall", [True, False])
def test_a_car_that_is_elsewhere_was_towed_or_reset(in_stall: bool) -> None:
    before, after = drive(laps=1.6), drive(start=0.02, laps=2.0)
    whole = Drive(np.concatenate((before.at, after.at + 3)))
    jump = len(before.at)
    if in_stall:
        whole.columns["PlayerTrackSurface"][jump : jump + 300] = 1
    word = "tow" if in_stall else "reset"
    assert flaws(whole)[1:] == [
        [], [word, "not finished"], [word, "not from its start"], [], ["not finished"],
    ]  # fmt: skip
    times = [lap.time_s for lap in find(whole)[0]]
    assert [time_s is None for time_s in times] == [True, False, True, True, False, True]


def test_turning_round_on_the_line_is_no_second_lap() -> None:
    there = drive(start=0.9, laps=1.15)
    back = there.at[-1] - np.arange(120) * 0.001
    again = back[-1] + np.arange(1400) * 0.0008
    driven = Drive(np.concatenate((there.at, back, again)))
    laps = find(driven)[0]
    assert [lap.number for lap in laps] == [4, 5, 6, 7]
    assert laps[2].time_s == pytest.approx(driven.crossed_s(3) - there.crossed_s(2), abs=1e-4)


def test_each_time_in_the_car_is_a_stint_and_a_new_driver_one_of_his_own() -> None:
    driven = drive(laps=4.4)
    out = slice(driven.row(1.5), driven.row(2.3))
    driven.columns["IsOnTrack"][out] = 0
    driven.columns["LapDistPct"][out] = -1.0
    finder, found = Finder(FACTS), []
    for ticks, columns in driven.batches(15):
        if ticks[0] > 1000 + driven.row(3.5):
            finder.facts = evolve(FACTS, name="Bert")
        found += finder.feed(ticks, columns)
    found += finder.finish()
    stints = {one.index: one for one in found if isinstance(one, FoundStint)}
    assert [(stint.name, stint.laps, stint.is_open) for stint in stints.values()] == [
        ("Anna", 1, False), ("Anna", 1, False), ("Bert", 2, False),
    ]  # fmt: skip
    assert stints[0].last_tick == 999 + driven.row(1.5) and stints[1].first_tick == 1000 + driven.row(2.3)
    laps = [one for one in found if isinstance(one, FoundLap)]
    assert [(lap.stint, lap.time_s is None) for lap in laps] == [
        (0, True), (0, True), (1, True), (1, True), (2, True), (2, False), (2, True),
    ]  # fmt: skip


def test_the_stale_first_row_of_a_real_recording_is_no_lap() -> None:
    """race_sebring_2025.ibt begins with a row of zeros, and the car stands at 0.035."""
    driven = Drive(np.full(300, 0.0347))
    driven.columns["LapDistPct"][0] = 0.0
    driven.columns["PlayerTrackSurface"][0] = -1
    laps, stints = find(driven)
    assert [lap.flaws for lap in laps] == [(Flaw.NOT_FROM_START, Flaw.UNFINISHED)]
    assert len({stint.index for stint in stints}) == 1


def test_a_layout_without_position_has_no_laps_and_without_the_rest_has() -> None:
    driven = drive()
    bare = evolve(driven, at=driven.at)
    bare.columns = {name: driven.columns[name] for name in ("SessionTime", "LapDistPct")}
    assert [lap.time_s for lap in find(bare)[0]][1:4] == [lap.time_s for lap in find(driven)[0]][1:4]
    del bare.columns["LapDistPct"]
    assert find(bare) == ([], [])
    assert set(driven.columns) < set(CHANNELS)


@pytest.mark.parametrize("sectors", [(), (0.1, 0.5), (0.0, 0.5, 0.5), (0.0, 1.0), (0.0, float("nan"))])
def test_sectors_that_cannot_be_are_refused(sectors: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="sectors begin at 0"):
        Facts(sectors=sectors)


WILD = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, 1.0, -1.0, 0.999, 0.001, 1e30, -1e30]),
    st.floats(0.0, 1.0, width=32),
)


@settings(max_examples=25)
@given(st.data())
def test_whatever_a_stranger_sends_laps_are_looked_for_and_saved(data: st.DataObject) -> None:
    finder, tick, found = Finder(FACTS), 0, []
    for _ in range(data.draw(st.integers(1, 4))):
        count = data.draw(st.integers(1, 5))
        steps = data.draw(st.lists(st.integers(1, 10**12), min_size=count, max_size=count))
        ticks = tick + np.cumsum(np.array(steps, np.int64))
        tick = int(ticks[-1])
        names = data.draw(st.sets(st.sampled_from(CHANNELS))) | {"SessionTime", "LapDistPct"}
        columns = {
            name: np.array(data.draw(st.lists(WILD, min_size=count, max_size=count)), np.float64)
            for name in sorted(names)
        }
        found += finder.feed(ticks, columns)
        finder = Finder.resume(FACTS, cbor.decode(cbor.encode(finder.pack())))
    for one in [*found, *finder.finish()]:
        if isinstance(one, FoundLap):
            times = [one.time_s, one.started_s, one.fuel_litres, *one.sectors]
            assert all(time_s is None or np.isfinite(time_s) for time_s in times)
            assert len(one.sectors) == 3 and one.first_tick <= one.last_tick
