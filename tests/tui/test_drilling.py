"""Drills started from the terminal, each a real one: seen running, with its clock and verdict; ended, and never left behind."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.ops.client import AdminError
from tests.tui.test_feed import until
from tui.feed import Drilling
from tui.model import Model
from tui.model.chaos_values import DrillView
from tui.model.chaos_words import chaos_words

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

PROGRAM = (sys.executable, "-m", "daemons.cli")
SHORT = """
proves = "A silence of a moment costs nothing."
steady_for = 0.3
sample = 0.1
settle = 15.0
fresh = 60.0
[[steady]]
probe = "connected"
at_least = 1
[[step]]
name = "moment"
at = 0.2
for = 1.5
fault = "silence"
[[guard]]
probe = "dead"
at_most = 0
for = 30.0
[[recovery]]
what = "lost"
at_most = 0
"""
LONG = SHORT.replace("for = 1.5", "for = 120.0")


@asynccontextmanager
async def drilling(folder: Path, text: str = SHORT) -> AsyncIterator[Drilling]:
    """Run what plays drills of a folder, in which one is called "mine"."""
    (folder / "mine.toml").write_text(text)
    made = Drilling(PROGRAM, folder, Model())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()


def runs(made: Drilling) -> list[DrillView]:
    return list(made.model.chaos.runs.values())


async def begun(made: Drilling, what: str) -> int:
    """Wait until a fault of the drill is on; return its process."""
    await until(lambda: runs(made) and any(what in words for words in runs(made)[0].on), 60)
    pid = runs(made)[0].pid
    assert pid is not None
    return pid


def alive() -> dict[int, int]:
    """Return the parent of each process that lives."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found


def family_of(pid: int) -> set[int]:
    """Return a process and all that it has started."""
    parents, found = alive(), {pid}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found


async def gone(processes: set[int]) -> None:
    await until(lambda: not processes & set(alive()), 60)


async def test_what_can_be_played_is_listed_with_what_cannot_and_with_records(tmp_path: Path) -> None:
    async with drilling(tmp_path) as made:
        (tmp_path / "broken.toml").write_text("[[step]]\nat = 'soon'\n")
        (tmp_path / "club.toml").write_text('site = "north"\n')
        made.look()
        await until(lambda: made.model.chaos.playables is not None, 60)
        found = {one.drill: one for one in made.model.chaos.playables or ()}
        assert (found["mine"].which, found["mine"].problem) == (str(tmp_path / "mine.toml"), "")
        assert found["cable-pull"].which == "cable-pull" and "steady" in found["broken"].problem
        assert "club" not in found
        assert made.model.chaos.records_into == str(tmp_path / "reports")


async def test_a_program_that_is_none_is_said(tmp_path: Path) -> None:
    made = Drilling((str(tmp_path / "nothing"),), tmp_path, Model())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        made.look()
        await until(lambda: made.model.chaos.playables is not None)
        assert "cannot be listed" in made.model.chaos.playables_words
        with pytest.raises(AdminError, match="cannot be started"):
            await made.act("drill", {"which": "cable-pull"})
        nursery.cancel_scope.cancel()


async def test_a_drill_is_seen_running_and_ended_with_its_verdict_and_record(tmp_path: Path) -> None:
    answers: list[Any] = []
    async with drilling(tmp_path) as made, trio.open_nursery() as nursery:

        async def play() -> None:
            answers.append(await made.act("drill", {"which": str(tmp_path / "mine.toml")}))

        nursery.start_soon(play)
        await begun(made, "silence")
        assert chaos_words(made.model, trio.current_time()) == "DRILL mine"
        with pytest.raises(AdminError, match="still runs"):
            await made.act("drill", {"which": "cable-pull"})
        await until(lambda: runs(made)[0].is_over, 60)
        await until(lambda: answers, 60)
        (run,) = runs(made)
        assert (run.verdict, run.guards, run.played, run.steps) == ("PASS", 0, 1, 1)
        assert run.recoveries[0].lost == 0 and run.recoveries[0].fresh_s is not None
        assert answers == [{"status": "DONE", "words": "PASS"}]
        assert any("PASS: mine" in line for line in made.model.chaos.output)
        await until(lambda: runs(made)[0].file, 60)
        assert Path(runs(made)[0].file).parent == tmp_path / "reports"
        with pytest.raises(AdminError, match="no drill runs"):
            await made.act("end", {})


async def test_a_drill_that_is_ended_heals_first(tmp_path: Path) -> None:
    answers: list[Any] = []
    async with drilling(tmp_path, LONG) as made, trio.open_nursery() as nursery:

        async def play() -> None:
            answers.append(await made.act("drill", {"which": str(tmp_path / "mine.toml")}))

        nursery.start_soon(play)
        family = family_of(await begun(made, "silence"))
        assert len(family) > 4, "the stand-in, pits, the relay and cloud are processes"
        assert await made.act("end", {}) == "it heals, and ends"
        await until(lambda: answers, 60)
        assert answers == [{"status": "FAILED", "words": "ABORTED: ended by SIGTERM"}]
        assert any("healed" in line for line in made.model.chaos.output)
        await gone(family)


async def test_a_drill_that_cannot_be_played_says_why(tmp_path: Path) -> None:
    async with drilling(tmp_path) as made:
        answer = await made.act("drill", {"which": "no-such-drill"})
        assert answer["status"] == "FAILED" and "there is no such drill" in answer["words"]


async def test_leaving_the_terminal_ends_its_drill(tmp_path: Path) -> None:
    async with drilling(tmp_path, LONG) as made:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.act, "drill", {"which": str(tmp_path / "mine.toml")})
            family = family_of(await begun(made, "silence"))
            began = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began < 20
        await gone(family)


async def test_a_drill_whose_terminal_was_killed_heals_and_ends_by_itself(tmp_path: Path) -> None:
    """What reads its lines is gone without a word."""
    (tmp_path / "mine.toml").write_text(LONG)
    command = [*PROGRAM, "chaos", "drill", str(tmp_path / "mine.toml"), "--json", "--report", str(tmp_path)]
    with (tmp_path / "said").open("wb") as said:
        child = await trio.lowlevel.open_process(
            command, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
    try:
        assert child.stdout is not None
        told = b""
        with trio.fail_after(60):
            while b'"silence on uplink", "for_s"' not in told:
                told += await child.stdout.receive_some()
            family = family_of(child.pid)
            await child.stdout.aclose()
            assert await child.wait() == 3
        assert "ABORTED: nobody reads any more how it stands" in (tmp_path / "said").read_text()
        await gone(family)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
