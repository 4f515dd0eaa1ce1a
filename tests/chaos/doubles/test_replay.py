"""Recorded events: found wherever they lie, served byte for byte, played as they came to be."""

import json
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks, Replay, load_event_dir
from chaos.doubles.fpvtrackside.clock import NO_TIME

GUID = "0b5f1a52-0000-4000-8000-00000000000a"
OTHER = "0b5f1a52-0000-4000-8000-00000000000b"


def _race(start: str, end: str, laps: int) -> bytes:
    detections = [{"ID": str(n), "Time": f"2025/01/02 9:00:{10 + n}.5", "Valid": True} for n in range(laps)]
    row = {
        "Laps": [{"Detection": d["ID"], "EndTime": d["Time"]} for d in detections],
        "Detections": detections,
        "Start": start,
        "End": end,
        "Odd": "of a version yet to come",
    }
    return json.dumps([row]).encode()


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for path, body in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)


@pytest.mark.parametrize("place", [f"events/{GUID}", GUID, ""])
def test_event_is_found_wherever_it_lies(place: str, tmp_path: Path) -> None:
    event = json.dumps([{"ID": GUID}]).encode()
    _write(tmp_path / place, {"Event.json": event, "r1/Race.json": b"[1]", "photo.png": b"\x89PNG"})
    tree = load_event_dir(tmp_path)
    assert tree.event_ids() == [GUID]
    assert tree.read(f"/events/{GUID}/r1/Race.json") == b"[1]"
    assert tree.read(f"/events/{GUID}/photo.png") == b"\x89PNG"
    assert tree.read("httpfiles/Channels.json")
    assert tree.writes == []


def test_own_channels_and_home_page_win_over_the_stand_ins(tmp_path: Path) -> None:
    files = {f"events/{GUID}/Event.json": b"[]", "httpfiles/Channels.json": b"[]", "index.html": b"home"}
    _write(tmp_path, files)
    (tmp_path / "events" / "link").symlink_to(tmp_path / "index.html")
    tree = load_event_dir(tmp_path)
    assert [tree.read(path) for path in files] == [b"[]", b"[]", b"home"]
    assert tree.read("events/link") is None


def test_event_opened_last_is_the_open_one() -> None:
    def event(opened: str) -> bytes:
        return json.dumps([{"LastOpened": opened}]).encode()

    tree = EventTree(
        {
            f"events/{GUID}/Event.json": event("2025/01/02 10:00:00"),
            f"events/{OTHER}/Event.json": event("2025/01/02 9:59:59.9"),
        }
    )
    double = FPVTrackside(tree)
    double.open_event()
    assert double.event_id == GUID
    with pytest.raises(ValueError, match="no event"):
        FPVTrackside(EventTree()).open_event()


def test_folder_without_an_event(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no event in"):
        load_event_dir(tmp_path)


async def test_replay_ends_as_recorded(autojump_clock: MockClock) -> None:
    recorded = EventTree(
        {
            f"events/{GUID}/Event.json": b"[{}]",
            f"events/{GUID}/r1/Race.json": _race("2025/01/02 9:00:05", "2025/01/02 9:00:20.25", 4),
            f"events/{GUID}/r1/Result.json": b"[{}]",
            f"events/{GUID}/r2/Race.json": _race("2025/01/02 8:00:00", NO_TIME, 0),
            f"events/{GUID}/r3/Race.json": _race(NO_TIME, NO_TIME, 0),
            f"events/{GUID}/r4/Race.json": b"\xef\xbb\xbftorn",
            f"events/{OTHER}/Event.json": b"[{}]",
            f"events/{OTHER}/r1/Race.json": _race("2025/01/02 9:00:05", "2025/01/02 9:00:20.25", 4),
            "httpfiles/Channels.json": b"[]",
        }
    )
    double = FPVTrackside(EventTree())
    states: list[tuple[str | None, int, bool]] = []

    async def watch() -> None:
        path = f"events/{GUID}/r1/Race.json"
        while True:
            row = json.loads(double.tree.read(path) or b"[{}]")[0]
            state = (double.live_race, len(row.get("Laps", "torn")), row.get("End") == NO_TIME)
            if state[1:] != (4, False) and (not states or states[-1] != state):
                states.append(state)
            await trio.sleep(0.25)

    async with trio.open_nursery() as nursery:
        await nursery.start(Replay(double, recorded, gap_max_s=20, event_id=GUID).run)
        assert double.event_id == GUID
        assert double.tree.read(f"events/{GUID}/r1/Result.json") is None
        nursery.start_soon(watch)
        with trio.fail_after(60):
            while [w.occasion for w in double.writes][-1:] != ["result"]:
                await trio.sleep(0.25)
        nursery.cancel_scope.cancel()
    assert {path: double.tree.read(path) for path in double.tree.paths()} == {
        path: recorded.read(path) for path in recorded.paths()
    }
    assert [state for state in states if state[0] == "r1"] == [("r1", laps, True) for laps in range(5)]
    occasions = [(write.path.split("/")[-2], write.occasion) for write in double.writes]
    assert occasions[:4] == [("r2", "start"), ("r2", "lap"), ("r1", "start"), ("r1", "lap")]


async def test_recorded_event_played_through(samples: Path, autojump_clock: MockClock) -> None:
    folder = samples / "fpv" / "tree-test-1"
    recorded = load_event_dir(folder)
    double = FPVTrackside(EventTree(), Quirks(torn_write_s=0.1))
    began = trio.current_time()
    await Replay(double, recorded, speed=10).run()
    assert trio.current_time() - began < 120
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        assert double.tree.read(str(path.relative_to(folder))) == path.read_bytes()
    assert sum(write.occasion == "lap" for write in double.writes) == 65
    assert sum(write.occasion == "end" for write in double.writes) == 4
