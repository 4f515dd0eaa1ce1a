"""A replay on the screen: its keys, what is said of it, and that nothing is done from there; a recording that is made."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tui.app.world import HUB, Face, World, in_textual, shown, site
from tests.tui.record.sessions import Clock, record, state
from tui.app.app import OperatorApp
from tui.app.desk import Desk
from tui.app.replay import Replayed
from tui.record import Player, Recorder, Recording


@asynccontextmanager
async def replayed(
    path: Path, *, size: tuple[int, int] = (120, 30), is_paused: bool = True
) -> AsyncIterator[Face]:
    """Show a recording, held at its beginning unless it is said otherwise."""
    with Recording.open(path) as recording:
        player = Player(recording)
        if is_paused:
            player.pause()
        app = OperatorApp(Desk(Replayed(player), replay=player))
        async with app.run_test(size=size) as pilot:
            face = Face(app, World(), pilot)
            await until(face, lambda: "hub" in player.model.feeds)
            yield face


async def until(face: Face, condition: Any) -> None:
    """Wait for the Trio half."""
    for _ in range(1000):
        await face.settle()
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(face.text)


def player_of(face: Face) -> Player:
    player = face.app.desk.replay
    assert player is not None
    return player


async def come_to(face: Face, position: float) -> None:
    player = player_of(face)
    await until(face, lambda: player.goal is None and abs(player.position - position) < 0.01)
    await face.settle()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    record(tmp_path / "r", 120, keyframe_bytes=200_000)
    return tmp_path / "r"


def test_its_keys_go_back_and_on_and_pause_and_turn(path: Path) -> None:
    @in_textual
    async def body() -> None:
        async with replayed(path) as face:
            assert (
                "REPLAY 2027-01-15 08:00:00 UTC paused" in face.title and "0:00:00 of 0:01:59" in face.status
            )
            await face.press("full_stop", "full_stop", "full_stop")
            await come_to(face, 30)
            assert (
                "REPLAY 2027-01-15 08:00:30 UTC paused" in face.title and "0:00:30 of 0:01:59" in face.status
            )
            await face.press("comma")
            await come_to(face, 20)
            await face.press("greater_than_sign")
            await come_to(face, 80)
            await face.press("less_than_sign")
            await come_to(face, 20)
            await face.press("greater_than_sign", "greater_than_sign")
            await come_to(face, 119.5)
            await face.press("right_curly_bracket", "right_curly_bracket", "left_curly_bracket", "p")
            assert player_of(face).speed == 2.0 and not player_of(face).is_paused
            await until(face, lambda: face.title.endswith("08:01:59 UTC end"))
            await face.press("p")
            assert face.title.endswith("08:01:59 UTC paused")
            for page in "123456789":
                await face.press(page, "p")
                assert face.title.endswith("UTC end"), f"the keys are those of a replay on page {page} too"
                await face.press("p", "comma")
                await come_to(face, 109.5)
                assert face.title.endswith("08:01:49 UTC paused")
                await face.press("full_stop")
                await come_to(face, 119.5)

    body()


def test_it_plays_and_says_how_fast(path: Path) -> None:
    @in_textual
    async def body() -> None:
        async with replayed(path, is_paused=False) as face:
            await face.press(*(["right_curly_bracket"] * 9))
            assert "64x" in face.title
            await until(face, lambda: face.title.endswith("end"))

    body()


def test_ages_are_those_of_then_and_a_paused_picture_stands_still(tmp_path: Path) -> None:
    """A site that has been gone for 5 minutes then has been gone for 5 minutes in the replay, for as long as it is
    looked at."""
    record(tmp_path / "r", 60)

    @in_textual
    async def body() -> None:
        async with replayed(tmp_path / "r") as face:
            await face.press(*":seek +50", "enter")
            await come_to(face, 50)
            gone = next(line for line in face.lines if " gone" in line)
            assert "gone for 6 min" in gone, "300 s at the beginning, and 50 since"
            was, version = face.text, face.app.desk.version()
            await asyncio.sleep(1.2)
            await face.settle()
            assert (face.text, face.app.desk.version()) == (was, version), "nothing to paint: nothing to send"
            await face.press("7")
            assert "Alarms" in face.title

    body()


def test_times_are_found_by_name_and_what_is_none_is_said(path: Path) -> None:
    @in_textual
    async def body() -> None:
        async with replayed(path) as face:
            await face.press(*":seek 08:01", "enter")
            await come_to(face, 60)
            assert "08:01:00 UTC" in face.title
            await face.press(*":see", "tab", *"+1:30", "enter")
            await come_to(face, 90)
            await face.press(*":seek 23:00", "enter")
            assert "23:00 is not in it: the recording goes from 08:00:00 to 08:01:59 UTC" in face.text
            await face.press(*":seek noon", "enter")
            assert "'noon' is no time" in face.status
            await face.press(*":speed 16", "enter")
            assert player_of(face).speed == 16.0
            await face.press(*":speed 3", "enter")
            assert "'3' is no speed: 0.25, 0.5, 1, 2" in face.status
            await face.press(*":audit", "enter")
            assert face.title.startswith("pitlink Audit")

    body()


def test_nothing_is_done_and_that_is_said(path: Path) -> None:
    @in_textual
    async def body() -> None:
        async with replayed(path) as face:
            await face.press(*":seek +30", "enter")
            await come_to(face, 30)
            was = state(player_of(face).model)
            for keys in (
                ["down", *":pause 5m", "enter"],
                ["down", *":reconnect", "enter"],
                ["down", "c"],
                ["z"],
                ["7", "a"],
                ["s"],
            ):
                await face.press("1", *keys) if keys[0] != "s" else await face.press("7", *keys)
                assert "this is a replay: nothing is done from here" in face.status, keys
                face.app.desk.deeds.tell("")
            assert state(player_of(face).model) == was

    body()


def test_only_a_replay_has_these_keys(path: Path) -> None:
    @in_textual
    async def body() -> None:
        async with replayed(path, size=(100, 50)) as face:
            await face.press("question_mark")
            assert "replay: pause, or go on" in face.text and "{ }" in face.text and ", ." in face.text
        async with shown(size=(100, 50)) as face:
            await face.press("p", "comma", "question_mark")
            assert "replay" not in face.text and "paint more often" in face.text

    body()


def test_a_way_that_takes_long_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / "r", 300, keyframe_bytes=10**9)
    monkeypatch.setattr("tui.record.player.SLICE_S", 0.0005)

    @in_textual
    async def body() -> None:
        async with replayed(tmp_path / "r") as face:
            player_of(face).seek(299.0)
            await until(face, lambda: player_of(face).goal is None or "seeking" in face.title)
            assert "seeking" in face.title and "going to 0:04:59 of 0:04:59" in face.status
            await come_to(face, 299)
            assert "seeking" not in face.title

    body()


def test_a_file_that_is_not_all_there_is_said(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])

    @in_textual
    async def body() -> None:
        async with replayed(path) as face:
            assert "damaged or torn off" in face.status

    body()


def test_what_is_shown_is_recorded_and_its_end_is_said_once(tmp_path: Path) -> None:
    """The disk is a pipe that nobody holds at its other end."""
    clock = Clock()
    recorder = Recorder(tmp_path / "r", clock=clock, utc_now=clock.utc)

    @in_textual
    async def body() -> None:
        world = World(model=recorder.model)
        async with shown(world, recorder=recorder) as face:
            assert "REC" in face.title
            reader, broken = os.pipe()
            os.close(reader)
            os.dup2(broken, recorder._writer.file)
            os.close(broken)
            clock.now += 10
            world.tell()
            await until(face, lambda: recorder.failed)
            await face.settle()
            assert f"recording ended: {os.strerror(errno.EPIPE)}; r holds what came before" in face.status
            assert "REC" not in face.title
            face.app.desk.deeds.tell("something else")
            world.tell({"south": site()})
            await face.settle()
            assert "something else" in face.status and "south" in face.text, (
                "said once, and the terminal goes on"
            )

    body()
    recorder.close()


def test_what_an_operator_says_to_alarms_is_recorded_too(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "r", clock=clock, utc_now=clock.utc) as recorder:

        @in_textual
        async def body() -> None:
            async with shown(World(model=recorder.model), recorder=recorder) as face:
                face.world.tell({"south": site(connected=False, last_seen_at=1.0)})
                await face.press("7", "a")
                assert "acknowledged: " in face.text

        body()
    with Recording.open(tmp_path / "r") as recording:
        told = [call.args for call in recording.calls() if call.name == "acknowledge"]
        assert told == [{"key": [HUB, "south", "gone"]}]
