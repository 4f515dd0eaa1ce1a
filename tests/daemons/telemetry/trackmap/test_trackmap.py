"""Positions on the track become places on earth: on tracks that are known exactly, and on real ones."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import trio

from daemons.telemetry.capture.ibtfile import IbtFile
from daemons.telemetry.recording import Recording
from daemons.telemetry.trackmap.course import CELLS, EARTH_M, Course, Driven, driven_in, metres_apart
from daemons.telemetry.trackmap.keeping import TrackMaps
from daemons.telemetry.trackmap.learning import MapLearner
from daemons.telemetry.trackmap.reckoning import Moves, moves_in, reckoned
from protocol.irsdk import BadLayout, Layout, Type, Variable

Floats = npt.NDArray[np.float64]
RADIUS_M = 500.0
ORIGIN = (45.0, 7.0)


def circle(position: Floats, out_m: float = 0.0) -> tuple[Floats, Floats]:
    """A round track of 3,142 m, driven clockwise from its northmost point; `out_m` beside its middle."""
    angle, radius = 2 * np.pi * position, RADIUS_M + out_m
    latitude = ORIGIN[0] + np.degrees(radius * np.cos(angle) / EARTH_M)
    longitude = ORIGIN[1] + np.degrees(radius * np.sin(angle) / EARTH_M / np.cos(np.radians(ORIGIN[0])))
    return latitude, longitude


def driven(first: float, last: float, out_m: float = 0.0, rows: int = 3000) -> Driven:
    position = np.linspace(first, last, rows)
    return Driven(position % 1.0, *circle(position, out_m))


def test_a_lap_is_known_to_centimetres() -> None:
    course = Course()
    assert course.known == 0.0
    assert course.shape() is None
    course.learn(driven(0.3, 1.4))
    assert course.known == 1.0
    position = np.random.default_rng(1).random(5000)
    apart = metres_apart(*course.at(position), *circle(position))
    assert apart.max() < 0.05
    assert course.at(1.0)[0] == pytest.approx(course.at(0.0)[0])


def test_what_nobody_drove_is_not_known() -> None:
    course = Course()
    course.learn(driven(0.9, 1.2))
    assert course.known == pytest.approx(0.3, abs=0.01)
    latitude, longitude = course.at([0.95, 0.1, 0.5, -1.0, 1.5, np.nan])
    assert np.isfinite(latitude).tolist() == [True, True, False, False, False, False]
    assert np.isnan(longitude[2:]).all()
    assert course.shape() is None


def test_jumps_and_places_beside_the_track_teach_nothing() -> None:
    course = Course()
    jump = Driven(np.array([0.1, 0.101, 0.9, 0.901, 0.3, np.nan, 0.31]), np.zeros(7), np.zeros(7))
    course.learn(jump)
    assert course.known < 0.005


def test_laps_are_averaged_and_new_ones_count_for_ever() -> None:
    course = Course()
    for out_m in (0.0, 4.0):
        course.learn(driven(0.0, 1.0, out_m))
    assert metres_apart(*course.at([0.5]), *circle(np.array([0.5]), 2.0))[0] < 0.05
    for _ in range(100):
        course.learn(driven(0.0, 1.0, 10.0))
    assert metres_apart(*course.at([0.5]), *circle(np.array([0.5]), 10.0))[0] < 0.2


def moves(laps: float, first: float = 0.2, rows: int = 4000, drift: float = 0.0) -> Moves:
    position = first + np.linspace(0, laps, rows)
    speed = 2 * np.pi * RADIUS_M * laps / rows * 60
    heading = 2 * np.pi * position + np.pi / 2  # from the northmost point to the east
    return Moves(
        np.arange(rows), position % 1.0, speed * np.sin(heading) + drift, speed * np.cos(heading)
    )  # fmt: skip


def test_speed_and_heading_give_the_shape() -> None:
    found = reckoned(moves(1.0), 60)
    assert found is not None
    assert found.off_m < 1
    east, north = found.shape.east - found.shape.east.mean(), found.shape.north - found.shape.north.mean()
    assert np.abs(np.hypot(east, north) - RADIUS_M).max() < 2
    at = np.searchsorted(found.shape.position, 0.25)
    assert east[at] == pytest.approx(
        RADIUS_M, abs=3
    )  # a quarter of a lap from the north, clockwise: the east


def test_a_sum_that_does_not_close_is_spread_or_refused() -> None:
    found = reckoned(moves(1.0, drift=0.5), 60)
    assert found is not None
    assert 20 < found.off_m < 50
    east = found.shape.east - found.shape.east.mean()
    assert np.abs(np.hypot(east, found.shape.north - found.shape.north.mean()) - RADIUS_M).max() < 25
    assert reckoned(moves(1.0, drift=5.0), 60) is None
    assert reckoned(moves(0.01), 60) is None


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    maps, course = TrackMaps(tmp_path / "maps"), Course()
    course.learn(driven(0.0, 0.5))
    maps.keep_course("95_sebring", course)
    again = maps.course("95_sebring")
    assert again is not None
    assert again.known == course.known
    position = np.linspace(0.01, 0.49, 50)
    assert metres_apart(*again.at(position), *course.at(position)).max() < 0.01
    assert maps.shape("95_sebring") is None
    found = reckoned(moves(1.0), 60)
    assert found is not None
    maps.keep_shape("95_sebring", found.shape)
    shape = maps.shape("95_sebring")
    assert shape is not None
    assert np.abs(shape.east - found.shape.east).max() < 0.01
    course.learn(driven(0.5, 1.0))
    maps.keep_course("95_sebring", course)
    shape = maps.shape("95_sebring")
    assert shape is not None
    assert shape.origin == pytest.approx(ORIGIN, abs=0.01)
    assert np.hypot(shape.east, shape.north) == pytest.approx(RADIUS_M, abs=1)


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    maps = TrackMaps(tmp_path)
    for told in ("", "[]", "{}", json.dumps({"latitude": ["x"] * CELLS}), json.dumps({"latitude": [1]})):
        (tmp_path / "a.course.json").write_text(told)
        (tmp_path / "a.shape.json").write_text(told)
        assert maps.course("a") is None
        assert maps.shape("a") is None
    (tmp_path / "a.shape.json").write_text('{"position":[NaN],"east":[1],"north":[1]}')
    assert maps.shape("a") is None
    for key in ("", "../a", "a/b", "a.b", "é"):
        assert maps.course(key) is None
        with pytest.raises(ValueError, match="names no track"):
            maps.keep_course(key, Course())


def test_real_recordings_are_learned_and_reckoned(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = 0
    for path in sorted((samples / "iracing").glob("*.ibt")):
        try:
            file = IbtFile.open(path)
        except BadLayout:
            continue
        with file:
            table = file.table()
        all_driven, moved = driven_in(file.layout, table), moves_in(file.layout, table, np.arange(file.rows))
        if all_driven is None or moved is None or np.isfinite(all_driven.position).sum() < 600:
            continue
        found += 1
        with capsys.disabled():
            _check_real(path.name, all_driven, moved)
    if not found:
        pytest.skip("no recording that was driven")


def _check_real(name: str, all_driven: Driven, moved: Moves) -> None:
    course = Course()
    # Every tenth row teaches: what lies between is what a course with few points can get wrong.
    tenth = slice(None, None, 10)
    taught = Driven(all_driven.position[tenth], all_driven.latitude[tenth], all_driven.longitude[tenth])
    assert course.learn(taught) > 100
    latitude, longitude = course.at(all_driven.position)
    apart = metres_apart(latitude, longitude, all_driven.latitude, all_driven.longitude)
    apart = apart[np.isfinite(apart)]
    assert len(apart) > 300
    off = _reckoned_off(all_driven, moved)
    print(
        f"\n{name}: course p50 {np.median(apart):.2f} m, max {apart.max():.2f} m of {len(apart)} rows; "
        f"reckoned {off[0]:.0f} m, off p50 {np.median(off[1]):.2f} m, max {off[1].max():.2f} m"
    )
    assert np.median(apart) < 0.5
    assert apart.max() < 3
    assert off[1].max() < 0.02 * off[0]


def _reckoned_off(all_driven: Driven, moved: Moves) -> tuple[float, Floats]:
    """How far the sum of speed and heading is from the truth along what was driven, without any closing."""
    at = np.flatnonzero(np.isfinite(all_driven.position) & np.isfinite(moved.position))
    at = at[: np.flatnonzero(np.diff(at) != 1)[0] + 1] if (np.diff(at) != 1).any() else at
    east, north = (np.cumsum(rate[at]) / 60 for rate in (moved.east_mps, moved.north_mps))
    latitude, longitude = all_driven.latitude[at], all_driven.longitude[at]
    true_north = np.radians(latitude - latitude[0]) * EARTH_M
    true_east = np.radians(longitude - longitude[0]) * EARTH_M * np.cos(np.radians(latitude[0]))
    off = np.hypot(east - east[0] - true_east, north - north[0] - true_north)
    return float(np.hypot(np.diff(true_east), np.diff(true_north)).sum()), off


def recorded(layout: Layout, track: str, id_: int = 1) -> Recording:
    info = f"---\nWeekendInfo:\n TrackName: {track}\n\n".encode()
    return Recording(id=bytes([id_] * 16), driver="anna", layout=layout, started_utc_us=0, info=info)


FILED = Layout(
    (
        Variable("LapDistPct", Type.FLOAT, 0),
        Variable("Lat", Type.DOUBLE, 4),
        Variable("Lon", Type.DOUBLE, 12),
    ),
    20,
)


def played(learner: MapLearner, recording: Recording, first: float, last: float, rows: int = 1500) -> None:
    position = np.linspace(first, last, rows) % 1.0
    table = np.zeros(rows, recording.layout.dtype)
    table["LapDistPct"] = position
    if "Lat" in recording.layout:
        table["Lat"], table["Lon"] = circle(position)
    learner.opened(recording)
    for tick in range(rows):
        learner.tick(tick, table[tick : tick + 1].tobytes(), 0)
    learner.closed("the file ends")


async def test_what_is_played_of_files_is_learned_and_kept(tmp_path: Path) -> None:
    maps = TrackMaps(tmp_path)
    learner = MapLearner(maps)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(learner.run)
        for first, last in ((0.0, 0.6), (0.5, 1.1)):
            played(learner, recorded(FILED, "round"), first, last)
            with trio.fail_after(20):
                while (course := maps.course("round")) is None or course.known < last - 0.11:
                    await trio.sleep(0.005)
        nursery.cancel_scope.cancel()
    position = np.linspace(0, 1, 1000)
    assert metres_apart(*course.at(position), *circle(position)).max() < 1  # positions are floats of 32 bits
    assert learner.left_out == 0


async def test_live_rows_teach_nothing_and_too_many_are_left_out(tmp_path: Path) -> None:
    learner = MapLearner(TrackMaps(tmp_path))
    live = Layout((Variable("LapDistPct", Type.FLOAT, 0),), 4)
    played(learner, recorded(live, "round"), 0.0, 1.0)
    assert not learner._waiting
    played(learner, recorded(FILED, "round"), 0.0, 1.0, rows=6001)  # nobody takes them
    assert learner.left_out == 6
    assert len(learner._waiting) == 5
    played(learner, recorded(FILED, ""), 0.0, 0.1)  # a track without a name
    async with trio.open_nursery() as nursery:
        nursery.start_soon(learner.run)
        with trio.fail_after(20):
            while learner._waiting or not list(tmp_path.iterdir()):
                await trio.sleep(0.005)
        nursery.cancel_scope.cancel()
    assert [path.name for path in tmp_path.iterdir()] == ["round.course.json"]
