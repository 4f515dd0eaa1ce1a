"""A race of the simulator's double, captured: every row that was published, byte for byte, whatever happens to it."""

from pathlib import Path

import numpy as np
import pytest
from attrs import astuple, define, field

from chaos.doubles.iracing import Race, SimMemory
from chaos.doubles.iracing.publisher import Publisher
from daemons.telemetry.capture.memory import Changed, Memory
from daemons.telemetry.capture.recorder import Recorder
from daemons.telemetry.sessioninfo import parse
from daemons.telemetry.snapshot import Context, Snapshots
from daemons.telemetry.trackmap.course import Course, driven_in, metres_apart
from daemons.telemetry.trackmap.reckoning import Moves, moves_in, reckoned
from tests.daemons.telemetry.capture.sim import Told


@define(eq=False)
class Captured:
    """A race, its memory in a file, and what is captured of it: no clock, each tick is looked at once."""

    path: Path
    race: Race
    told: Told = field(factory=Told)
    memory: Memory = field(init=False)
    publisher: Publisher = field(init=False)
    recorder: Recorder = field(init=False)
    simulator: SimMemory = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.simulator = SimMemory(self.path, self.race.layout)
        self.publisher = Publisher(self.simulator, self.race, 600)
        self.publisher.start()
        self.recorder = Recorder(self.told, "anna", "the double", lambda: 0)
        self.open()

    def open(self) -> None:
        self.memory = Memory(self.simulator._map)
        self.memory.skip()
        self.recorder.layout(self.memory.layout)

    def look(self) -> None:
        missed = self.memory.missed
        for row in self.memory.new_rows():
            self.recorder.row(row.data, 0, self.memory.missed - missed)
            missed = self.memory.missed

    def drive(self, ticks: int, a_look: int = 1) -> None:
        for number in range(ticks):
            self.publisher.step()
            if number % a_look == a_look - 1:
                self.look()


@pytest.mark.parametrize("since_2026", [True, False])
def test_a_race_is_captured_whole(tmp_path: Path, since_2026: bool) -> None:
    race = Race(seed=3, cars=40, lap_s=30, since_2026=since_2026)
    captured = Captured(tmp_path / "memory", race)
    captured.drive(240)
    captured.drive(60, a_look=2)
    [ticks] = captured.told.ticks
    first = int(race.columns(600, 1, "SessionTick")["SessionTick"][0])
    assert ticks == list(range(first, first + 300))
    assert b"".join(captured.told.rows) == race.rows(600, 300).tobytes()
    assert (captured.memory.missed, captured.memory.torn) == (0, 0)
    captured.simulator.close()


def test_what_happens_to_it_is_counted_as_what_it_is(tmp_path: Path) -> None:
    captured = Captured(tmp_path / "memory", Race(seed=3, cars=12, lap_s=30))
    publisher, recorder, memory = captured.publisher, captured.recorder, captured.memory
    captured.drive(60)
    publisher.skip(4)
    captured.drive(10)
    assert (recorder.skipped, memory.missed) == (4, 0)
    publisher.double = 3
    captured.drive(10)
    assert recorder.doubled == 3
    publisher.step()
    publisher.tear()  # into the buffer whose row was not read yet
    captured.look()
    assert memory.torn > 0
    publisher.mend()
    captured.look()
    assert memory.missed == 1
    captured.drive(20, a_look=10)
    assert memory.missed == 1 + 16
    assert recorder.ticks == len(captured.told.rows) == 60 + 10 + 7 + 1 + 4
    assert recorder.recordings == 1
    for tick, row in zip(captured.told.ticks[0], captured.told.rows, strict=True):
        offset = tick - captured.told.ticks[0][0]
        assert row == publisher.source.rows(600 + offset, 1).tobytes()
    captured.simulator.close()


def test_another_car_is_another_recording(tmp_path: Path) -> None:
    captured = Captured(tmp_path / "memory", Race(seed=3, cars=12, lap_s=30))
    captured.drive(30)
    other = Race(seed=3, cars=12, lap_s=30, car="gt2")
    captured.publisher.change(other, captured.publisher.tick + 1)
    captured.publisher.step()
    with pytest.raises(Changed):
        captured.look()
    captured.open()
    captured.drive(30)
    assert [recording.layout for recording in captured.told.recordings] == [
        captured.race.layout, other.layout,
    ]  # fmt: skip
    assert [len(ticks) for ticks in captured.told.ticks] == [30, 30]
    captured.simulator.close()


def test_a_lap_of_a_file_tells_where_live_cars_are(capsys: pytest.CaptureFixture[str]) -> None:
    race = Race(seed=3, cars=4, lap_s=30, off_chance=0.0)
    info = parse(race.session_info(0))
    file = race.disk_rows(60, 75 * 60)
    driven = driven_in(race.disk_layout, file)
    assert driven is not None
    course = Course()
    course.learn(driven)
    assert course.known > 0.95
    live, truth = race.rows(8000, 1800), race.disk_rows(8000, 1800)
    snapshots = Snapshots(race.layout, Context(sectors=info.sectors, tank_l=info.own.tank_l, course=course))
    told, exact = snapshots.columns(live), Snapshots(race.disk_layout).columns(truth)
    apart = metres_apart(*(columns[name] for columns in (exact, told) for name in ("latitude", "longitude")))
    apart = apart[np.isfinite(apart)]
    moves = moves_in(race.layout, race.rows(60, 75 * 60), np.arange(75 * 60))
    assert moves is not None
    first, last = np.flatnonzero(np.diff(moves.position) < -0.5)[:2]
    found = reckoned(Moves(*(column[first + 1 : last + 2] for column in astuple(moves, recurse=False))), 60)
    assert found is not None
    with capsys.disabled():
        print(
            f"\nthe double, a track of {info.track.length_m:.0f} m: live from a learned course p50 {np.median(apart):.2f} m, "
            f"max {apart.max():.2f} m; a lap of speed and heading closes to {found.off_m:.1f} m"
        )
    assert len(apart) > 1000
    assert apart.max() < 8  # another line through a corner
    assert found.off_m < 0.02 * (info.track.length_m or 0)
    assert set(told["sector"][np.isfinite(told["sector"])]) == set(range(1, len(info.sectors) + 1))
