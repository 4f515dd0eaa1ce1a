"""`pitlink chaos drill` as a process: on running daemons behind a relay, and ended by a signal on a ground of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from chaos.carrier import DRILL_PREFIX
from chaos.doubles.fpvtrackside import EventTree
from chaos.drills.record import Verdict, read_record
from chaos.faults import Latency, Placed
from chaos.proxy.board import Board, open_board
from chaos.proxy.http import serve_unix_api
from daemons.ops.client import ADMIN_SOCKET, AdminClient
from tests.whole.stage import SITE, open_stage

pytestmark = pytest.mark.process

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
FILE = f"/events/{EVENT}/Event.json"
EVENT_FILE = f'[{{"ID": "{EVENT}", "Name": "Club night"}}]'.encode()

STEADY = '[[steady]]\nprobe = "connected"\nat_least = 1\n'
SHORT = f"""
proves = "A connection that is reset comes back."
steady_for = 0.3
sample = 0.1
settle = 15.0
fresh = 60.0
{STEADY}
[[step]]
at = 0.2
for = 0.2
fault = "reset_peer"
[[recovery]]
what = "reconnect"
at_most = 10
[[recovery]]
what = "lost"
at_most = 0
"""
LONG = SHORT.replace("for = 0.2", "for = 60.0").replace("reset_peer", "silence")
AGAINST = f"""
site = "{SITE}"
[pits]
at = "pits"
[cloud]
at = "cloud/admin.sock"
[relay]
api = "relay.sock"
uplink = "relay"
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "daemons.cli", "chaos", *map(str, arguments)]


async def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a command; `typed`: what somebody types at its terminal, where it has one."""
    ours, its = pty.openpty()
    try:
        os.write(ours, typed.encode())
        with trio.fail_after(60):
            return await trio.run_process(
                command(*arguments),
                stdin=its if typed else subprocess.DEVNULL,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
    finally:
        os.close(ours)
        os.close(its)


@asynccontextmanager
async def relayed(folder: Path) -> AsyncIterator[Board]:
    """The stage with a relay between pits and cloud, and the file that names them."""
    (folder / "club.toml").write_text(AGAINST)
    async with open_board(seed="3") as board, trio.open_nursery() as nursery:
        await nursery.start(serve_unix_api, board, folder / "relay.sock")
        proxy = await board.create("relay", "127.0.0.1:0", "127.0.0.1:1")
        listen = f"ws://{proxy.listen}"
        here = lambda config: attrs.evolve(config, cloud_url=listen)  # noqa: E731
        async with open_stage(folder, tree=EventTree({FILE: EVENT_FILE}), pits_config=here) as stage:
            await board.change("relay", upstream=stage.page.removeprefix("http://"))
            await stage.connected()
            yield board
        nursery.cancel_scope.cancel()


async def test_running_daemons_are_drilled_when_that_is_meant(tmp_path: Path) -> None:
    """Not armed: nothing is done. Armed, and something left by an earlier drill: INVALID, until it may be healed."""
    file, against = tmp_path / "short.toml", tmp_path / "club.toml"
    file.write_text(SHORT)
    async with relayed(tmp_path) as board:
        own = Placed("own", Latency(0.001))
        board.place("relay", own)
        ended = await run("drill", file, "--against", against, typed="yes\n")
        assert ended.returncode == Verdict.INVALID.exit_code
        assert f'Type "{SITE}" to go on'.encode() in ended.stderr
        assert b"not armed: nothing was done" in ended.stderr
        assert b"reset_peer on uplink" in ended.stderr

        board.place("relay", Placed(f"{DRILL_PREFIX}old", Latency(0.001)))
        ended = await run("drill", file, "--against", against, "--arm", SITE)
        assert ended.returncode == Verdict.INVALID.exit_code
        assert b"faults are there already: old on the relay's relay" in ended.stdout

        ended = await run("drill", file, "--against", against, "--report", tmp_path, typed=f"{SITE}\nheal\n")
        assert ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode()
        assert list(board.get("relay").placed.values()) == [own]  # what is its owner's stays
        record = read_record(next(tmp_path.glob("*.json")).read_text())
        assert (record.verdict, record.notes) == (
            Verdict.PASS,
            ("healed at the start: old on the relay's relay",),
        )
        assert record.faults[0].touched >= 1
        assert record.recoveries[0].reconnect_s is not None
        assert record.versions["hub"].startswith("cloud ")


async def test_a_drill_says_as_lines_of_json_and_at_the_daemons_how_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text(SHORT)
    async with relayed(tmp_path):
        ended = await run("drill", file, "--against", tmp_path / "club.toml", "--arm", SITE, "--json")
        assert ended.returncode == 0, ended.stderr.decode()
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        assert lines[0]["phase"] == "steady before"
        assert (lines[-1]["phase"], lines[-1]["verdict"], lines[-1]["played"]) == ("over", "PASS", 1)
        assert b"PASS: short" in ended.stderr
        for name in ("pits", "cloud"):
            door = AdminClient(tmp_path / name / ADMIN_SOCKET)
            (note,) = (await door.act("chaos.list"))["drills"]
            assert (note["heard"], note["standing"]) == (True, lines[-1])
            rows = [row for row in await door.audit() if row["action"] == "chaos.drill"]
            assert [row["after"].get("verdict") for row in rows] == [None, "PASS"]
            assert {row["target"] for row in rows} == {"short"}
        listed = await run("drills", "--folder", tmp_path, "--json")
        drills = {one["drill"]: one for one in json.loads(listed.stdout)["drills"]}
        assert (drills["short"]["which"], drills["short"]["problem"]) == (str(file), "")
        assert "club" not in drills and "cable-pull" in drills


async def test_heal_ends_what_drills_left_and_says_so(tmp_path: Path) -> None:
    async with relayed(tmp_path) as board:
        board.place("relay", Placed(f"{DRILL_PREFIX}old", Latency(0.001)))
        ended = await run("heal", "--against", tmp_path / "club.toml")
        assert (ended.returncode, ended.stdout) == (0, b"ended: old on the relay's relay\n")
        assert not board.get("relay").placed
        ended = await run("heal", "--against", tmp_path / "club.toml")
        assert (ended.returncode, ended.stdout) == (0, b"nothing was left\n")


async def test_a_terminal_closed_in_the_middle_of_a_fault_heals_and_writes_the_record(tmp_path: Path) -> None:
    """Then there is a SIGHUP, and nothing that is still said can be written."""
    file = tmp_path / "long.toml"
    file.write_text(LONG)
    ours, its = pty.openpty()
    process = await trio.lowlevel.open_process(
        command("drill", file, "--report", tmp_path / "out"), stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    try:
        said = b""
        with trio.fail_after(60):
            while b"on   1-silence" not in said:
                await trio.lowlevel.wait_readable(ours)
                said += os.read(ours, 65536)
    finally:
        os.close(ours)
    process.send_signal(signal.SIGHUP)
    with trio.fail_after(60):
        assert await process.wait() == Verdict.ABORTED.exit_code
    (written,) = (tmp_path / "out").glob("*.json")
    record = read_record(written.read_text())
    assert (record.verdict, record.why) == (Verdict.ABORTED, "ended by SIGHUP")
    assert {
        check["ok"] for check in json.loads(written.read_text())["checks"] if check["kind"] == "heal"
    } == {True}
