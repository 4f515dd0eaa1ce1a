"""Playing: its time goes by the clock, stands still, jumps; what is shown is what was known then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.tui.record.sessions import BEGAN, record, state
from tests.tui.recorded import UTC
from tui.record import Player, Recording, Reel
from tui.replayface import replay


@asynccontextmanager
async def playing(path: Path, seconds: float = 120, **other: Any) -> AsyncIterator[Player]:
    record(path, seconds, **other)
    with Recording.open(path) as recording:
        player = Player(recording)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(player.run)
            await trio.testing.wait_all_tasks_blocked()
            yield player
            nursery.cancel_scope.cancel()


def as_then(player: Player) -> bool:
    """Is what it shows what a fresh replay up to there shows?"""
    with Recording.open(player.recording.path) as recording:
        reel = Reel(recording)
        reel.play(player.position)
        return state(reel.model) == state(player.model)


async def test_time_goes_on_by_the_clock_and_at_any_speed(autojump_clock: Any, tmp_path: Path) -> None:
    async with playing(tmp_path / "r") as player:
        assert player.position == 0.0
        await trio.sleep(10.2)
        assert player.position == pytest.approx(10.2)
        assert player.now() == pytest.approx(BEGAN + 10.2) and player.utc() == pytest.approx(UTC + 10.2)
        assert player.model.daemons["hub"].at == BEGAN + 10.0 and as_then(player)
        player.turn(1)
        await trio.sleep(5)
        assert player.speed == 2.0 and player.position == pytest.approx(20.2) and as_then(player)
        player.turn(-3)
        await trio.sleep(8)
        assert player.speed == 0.25 and player.position == pytest.approx(22.2)
        player.turn(-9)
        assert player.speed == 0.25
        player.turn(99)
        await trio.sleep(1)
        assert player.speed == 64.0 and player.position == pytest.approx(86.2) and as_then(player)


async def test_a_pause_stands_still_and_its_ages_too(autojump_clock: Any, tmp_path: Path) -> None:
    async with playing(tmp_path / "r") as player:
        await trio.sleep(30)
        player.pause()
        await trio.testing.wait_all_tasks_blocked()  # what came at this very moment is shown too
        was, version = (player.now(), player.utc(), state(player.model)), player.version
        await trio.sleep(1000)
        assert (player.now(), player.utc(), state(player.model)) == was and player.version == version
        player.move(10)
        await trio.testing.wait_all_tasks_blocked()
        assert player.position == pytest.approx(40) and as_then(player) and player.is_paused
        await trio.sleep(1000)
        assert player.position == pytest.approx(40)
        player.pause()
        await trio.sleep(3)
        assert player.position == pytest.approx(43)


async def test_seeking_forward_and_back_goes_on_from_there(autojump_clock: Any, tmp_path: Path) -> None:
    async with playing(tmp_path / "r", keyframe_bytes=200_000) as player:
        model = player.model
        for at in (100.0, 20.0, 99.9, 0.0, 60.3):
            player.seek(at)
            version = model.version
            await trio.testing.wait_all_tasks_blocked()
            assert player.position == pytest.approx(at) and player.goal is None and as_then(player)
            assert player.model is model and model.version > version, (
                "a painter sees that it is another moment"
            )
        await trio.sleep(2)
        assert player.position == pytest.approx(62.3)
        player.move(-60)
        player.move(-60)
        player.move(10)
        await trio.testing.wait_all_tasks_blocked()
        assert player.position == pytest.approx(10.0), (
            "keys add up, and there is nothing before the beginning"
        )


async def test_the_end_is_held_and_can_be_left(autojump_clock: Any, tmp_path: Path) -> None:
    async with playing(tmp_path / "r", 30) as player:
        await trio.sleep(100)
        assert player.is_at_end and player.position == player.recording.duration_s == 29.5
        player.move(60)
        await trio.sleep(1)
        assert player.is_at_end
        player.move(-10)
        await trio.testing.wait_all_tasks_blocked()
        assert not player.is_at_end and player.position == pytest.approx(19.5) and as_then(player)
        await trio.sleep(3)
        assert player.position == pytest.approx(22.5)


async def test_a_long_way_is_gone_in_slices_with_progress_and_can_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without keyframes, as with another pitlink's: others run meanwhile, and a new goal counts at once."""
    monkeypatch.setattr("tui.record.player.SLICE_S", 0.001)
    async with playing(tmp_path / "r", 300, keyframe_bytes=10**9) as player:
        player.pause()
        player.seek(299.0)
        seen = []
        while player.goal is not None:
            seen.append(player.position)
            await trio.lowlevel.checkpoint()
            if len(seen) == 20:
                player.seek(280.0)
        assert len(set(seen)) > 20 and seen == sorted(seen) and player.position == 280.0 and as_then(player)


async def test_times_of_day_and_times_since_the_beginning(tmp_path: Path) -> None:
    record(tmp_path / "r", 120)  # UTC is 08:00:00 of 2027-01-15
    with Recording.open(tmp_path / "r") as recording:
        player = Player(recording)
        for text, at in (
            ("08:00", 0.0), ("8:01", 60.0), ("08:01:30", 90.0), ("+90", 90.0), ("+1:30", 90.0), ("+0:01:30", 90.0),
            ("+9:00:00", recording.duration_s),
        ):  # fmt: skip
            assert player.find(text) == pytest.approx(at), text
        for text in ("09:00", "07:59:59", "23:00"):
            with pytest.raises(
                ValueError, match="is not in it: the recording goes from 08:00:00 to 08:01:59 UTC"
            ):
                player.find(text)
        for text in ("", "12", "noon", "1:2:3:4", "+", "-1:00", "12:3x", "8:1:-1", "²:³"):
            with pytest.raises(ValueError, match="is no time: 12:30 or 12:30:05"):
                player.find(text)


async def test_without_a_screen_the_lines_come_as_then_with_their_time(
    autojump_clock: Any, tmp_path: Path
) -> None:
    record(tmp_path / "r", 120)
    said: list[str] = []

    async def say(line: str) -> None:
        """Without the thread that writes: the clock would jump while it does."""
        await trio.lowlevel.checkpoint()
        said.append(line)

    with Recording.open(tmp_path / "r") as recording:
        player = Player(recording)
        assert await replay(player, say=say) == 0
    lost = next(line for line in said if "ALARM" in line and "no answer in 5 s" in line)
    assert lost.startswith("08:00:2") and any(line.startswith("08:01:5") for line in said)
    assert any(line.partition(" ")[2].startswith("over: ALARM") for line in said)
