"""The seeded race day: soon, the same for the same seed, in FPVTrackside's shapes, with every incident."""

import itertools
import json
import math
from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Incident, Quirks, RaceControl, RaceDay, Write
from chaos.doubles.fpvtrackside.clock import NO_TIME, parse_local

from .client import fetch, serving


class Recorder(EventTree):
    """A tree that keeps every body written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[tuple[Write, Any]] = []

    def put(self, path: str, body: bytes, occasion: str = "") -> None:
        super().put(path, body, occasion)
        self.bodies.append((self.writes[-1], json.loads(body)))

    def of(self, end: str) -> list[tuple[Write, Any]]:
        """Return the writes to paths with that ending."""
        return [(write, rows) for write, rows in self.bodies if write.path.endswith(end)]


async def _play(seed: int, speed: float = 1.0, rounds: int = 4) -> tuple[Recorder, RaceDay]:
    tree = Recorder()
    day = RaceDay(FPVTrackside(tree), seed, speed, rounds=rounds)
    await day.run()
    return tree, day


@pytest.mark.parametrize("seed", range(5))
async def test_first_lap_within_15_s(seed: int, autojump_clock: MockClock) -> None:
    tree, _ = await _play(seed, rounds=1)
    began_s = tree.writes[0].at_s
    first = next(write for write in tree.writes if write.occasion == "lap")
    assert first.at_s - began_s < 15


async def test_same_seed_same_bytes(autojump_clock: MockClock) -> None:
    runs = [await _play(seed, rounds=2) for seed in (7, 7, 8)]
    began = [tree.writes[0].at_s for tree, _ in runs]
    seen = [
        [(round(write.at_s - at_s, 6), write.path, write.sha256) for write in tree.writes]
        for (tree, _), at_s in zip(runs, began, strict=True)
    ]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


async def test_every_kind_of_incident(autojump_clock: MockClock) -> None:
    tree, day = await _play(seed=1)
    assert {incident for _, incident in day.incidents} == set(Incident)
    occasions = Counter(write.occasion for write in tree.writes)
    assert occasions["invalid"] > 5
    assert min(occasions[name] for name in ("marshal", "resume", "reset", "delete")) >= 1
    by_race: dict[str, list[Any]] = {}
    for _, (row,) in tree.of("/Race.json"):
        by_race.setdefault(row["ID"], []).append(row)
    assert any(_falls(_valid_laps(row) for row in rows if row["Laps"]) for rows in by_race.values())
    assert any(_falls(row["End"] != NO_TIME for row in rows) for rows in by_race.values())
    results = [rows for _, rows in tree.of("/Result.json")]
    assert results[0] == []
    assert results[1] != []


async def test_results_stay_empty_for_a_while(autojump_clock: MockClock) -> None:
    tree, day = await _play(seed=1)
    race = next(race for race, incident in day.incidents if incident is Incident.RESULTS_LOST)
    writes = [(write.at_s, rows) for write, rows in tree.of(f"{race}/Result.json")]
    assert [bool(rows) for _, rows in writes] == [False, True, False, True]
    assert writes[3][0] - writes[2][0] > 7


async def test_races_are_flown_out_of_order(autojump_clock: MockClock) -> None:
    tree, day = await _play(seed=2, rounds=3)
    numbers = {race.id: (race.round_id, race.number) for race in day.control.races}
    started = [numbers[row["ID"]] for write, (row,) in tree.of("/Race.json") if write.occasion == "start"]
    rounds = [row["ID"] for row in day.control.rounds]
    orders = [list(dict.fromkeys(n for r, n in started if r == round_id)) for round_id in rounds]
    assert orders[0] == [1, 2]
    assert orders[1] == orders[2] == [2, 1]


async def test_files_are_of_the_recorded_shape(autojump_clock: MockClock, samples: Any) -> None:
    tree, day = await _play(seed=3, rounds=1)
    folder = samples / "fpv" / "tree-test-1"
    event = next((folder / "events").iterdir())
    ours = f"events/{day.control.event_id}"
    raced = next(path for path in sorted(event.glob("*/Race.json")) if path.stat().st_size > 2000)
    race = next(race for race in day.control.races if race.detections)
    pairs = [
        (folder / "httpfiles/Channels.json", "httpfiles/Channels.json"),
        (event / "Event.json", f"{ours}/Event.json"),
        (event / "Pilots.json", f"{ours}/Pilots.json"),
        (raced, f"{ours}/{race.id}/Race.json"),
    ]
    gone = {"MultiGPRaceFormat", "Locked"}  # of the recorded version only
    for theirs, path in pairs:
        body = tree.read(path)
        assert body is not None
        assert body.startswith(b"[\r\n  {\r\n    ")
        assert body.endswith(b"}\r\n]")
        recorded, made = json.loads(theirs.read_text())[0], json.loads(body)[0]
        shared = [key for key in made if key in recorded]
        assert [key for key in recorded if key not in gone] == shared
        assert [
            type(made[key]) for key in shared if recorded[key] is not None and key != "ChannelPrefix"
        ] == [type(recorded[key]) for key in shared if recorded[key] is not None and key != "ChannelPrefix"]
    channels = tree.read("httpfiles/Channels.json")
    assert channels == (folder / "httpfiles/Channels.json").read_bytes()
    made_race, their_race = json.loads(tree.read(pairs[3][1]) or b"")[0], json.loads(raced.read_text())[0]
    for part in ("Laps", "Detections"):
        assert list(made_race[part][0]) == list(their_race[part][0])


async def test_laps_hang_together(autojump_clock: MockClock) -> None:
    tree, day = await _play(seed=4)
    for _, (row,) in tree.of("/Race.json"):
        detections = {detection["ID"]: detection for detection in row["Detections"]}
        assert all(
            detection["RaceSector"] == detection["LapNumber"] * 100 + detection["TimingSystemIndex"]
            for detection in detections.values()
        )
        for lap in row["Laps"]:
            detection = detections[lap["Detection"]]
            assert detection["LapNumber"] == lap["LapNumber"]
            start, end = parse_local(lap["StartTime"]), parse_local(lap["EndTime"])
            assert start is not None
            assert end is not None
            assert math.isclose(end - start, lap["LengthSeconds"], abs_tol=0.002)
        for pilot in {detection["Pilot"] for detection in detections.values()}:
            counted = [
                lap["LapNumber"]
                for lap in row["Laps"]
                if detections[lap["Detection"]]["Valid"] and detections[lap["Detection"]]["Pilot"] == pilot
            ]
            assert counted == list(range(len(counted)))
    assert any(race.detections for race in day.control.races)


async def test_speed_shortens_the_day_and_not_the_laps(autojump_clock: MockClock) -> None:
    began = trio.current_time()
    await _play(seed=5, rounds=1)
    normal_s = trio.current_time() - began
    began = trio.current_time()
    tree, _ = await _play(seed=5, speed=10.0, rounds=1)
    assert (trio.current_time() - began) * 7 < normal_s
    (row,) = tree.of("/Race.json")[-1][1]
    lengths = [lap["LengthSeconds"] for lap in row["Laps"] if lap["LapNumber"] > 0]
    assert max(lengths) > 5


async def test_endless_day_goes_on_and_stops_at_once(autojump_clock: MockClock) -> None:
    day = RaceDay(FPVTrackside(EventTree()), 6, rounds=None)
    with trio.move_on_after(3600) as scope:
        await day.run()
    assert scope.cancelled_caught
    assert len(day.control.rounds) > 20
    assert all(
        json.loads(day.control.double.tree.read(path) or b"")
        for path in day.control.double.tree.paths()
        if path.endswith(("Race.json", "Rounds.json"))
    )


async def test_driven_by_hand_and_read_over_the_wire() -> None:
    async with serving(EventTree(), Quirks(torn_write_s=0), is_open=False) as double:
        control = RaceControl(double, seed=1)
        await control.open_event(pilots=4)
        round_id = await control.add_round()
        race = await control.add_race(round_id, [row["ID"] for row in control.pilots][:2])
        pilot = race.pilots[0]
        await control.start_race(race)
        await double.wait_listening()
        for _ in range(3):
            await control.add_lap(race, pilot)
        assert json.loads((await fetch(double, "/current")).body) == {"CurrentRace": race.id}
        path = f"/events/{control.event_id}/{race.id}/Race.json"
        (row,) = json.loads((await fetch(double, path)).body)
        assert [lap["LapNumber"] for lap in row["Laps"]] == [0, 1, 2]
        await control.invalidate(race, race.laps_of(pilot)[0])
        assert len(race.laps_of(pilot)) == 1
        await control.end_race(race)
        assert json.loads((await fetch(double, "/current")).body) == {"CurrentRace": None}
        assert double.live_race is None
        (first, second) = json.loads(double.tree.read(path.replace("Race.json", "Result.json")) or b"")
        assert (first["Pilot"], first["LapsFinished"], first["DNF"], second["Position"]) == (
            pilot,
            1,
            True,
            2,
        )
        assert [write.occasion for write in double.writes if write.path.endswith("Race.json")] == [
            "race added",
            "start",
            "holeshot",
            "lap",
            "lap",
            "marshal",
            "end",
        ]
        await control.empty_result(race)
        assert (await fetch(double, path.replace("Race.json", "Result.json"))).body == b"[]"
        double.assert_well_mannered()


async def test_split_is_not_flushed_before_the_next_lap() -> None:
    tree = EventTree()
    control = RaceControl(FPVTrackside(tree, Quirks(torn_write_s=0)))
    await control.open_event(pilots=2)
    race = await control.add_race(await control.add_round(), [row["ID"] for row in control.pilots])
    await control.start_race(race)
    await control.add_lap(race, race.pilots[0])
    before = len(tree.writes)
    await control.detect(race, race.pilots[0], gate=1)
    assert len(tree.writes) == before
    await control.add_lap(race, race.pilots[0])
    (row,) = json.loads(tree.read(tree.writes[-1].path) or b"")
    assert [detection["RaceSector"] for detection in row["Detections"]] == [0, 1, 100]


async def test_nobody_laps_outside_of_a_race() -> None:
    control = RaceControl(FPVTrackside(EventTree(), Quirks(torn_write_s=0)))
    await control.open_event(pilots=2)
    race = await control.add_race(await control.add_round(), [control.pilots[0]["ID"]])
    with pytest.raises(ValueError, match="no live race"):
        await control.add_lap(race, race.pilots[0])
    await control.start_race(race)
    with pytest.raises(ValueError, match="no live race"):
        await control.add_lap(race, control.pilots[1]["ID"])
    await wait_all_tasks_blocked()


def _valid_laps(row: Any) -> int:
    return sum(detection["Valid"] and detection["IsLapEnd"] for detection in row["Detections"])


def _falls(values: Any) -> bool:
    seen = list(values)
    return any(later < earlier for earlier, later in itertools.pairwise(seen))
