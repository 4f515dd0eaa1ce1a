"""Page 9 of the whole program, on a real terminal, with real daemons that may be broken: a fault, its lease, a drill."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.commands.drillground import GroundOptions, ThrowAwayGround, open_ground
from daemons.ops.client import AdminClient
from tests.tui.app.terminal import Terminal
from tests.tui.test_drilling import SHORT

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")]

SLOW_S = 60.0


async def session(ground: ThrowAwayGround, folder: Path, play: Callable[[Terminal], None]) -> None:
    """Run the program on a terminal, with a site and a hub to look at."""
    tui = [sys.executable, "-m", "daemons.cli", "tui", "--drills", str(folder)]
    for socket in (ground.hub_admin, ground.site_admin):
        tui += ["-C", str(socket.parent)]

    def run() -> None:
        with Terminal(*tui, size=(130, 40)) as terminal:
            play(terminal)

    await trio.to_thread.run_sync(run)


def ask(socket: Path, action: str, **params: Any) -> Any:
    """Ask a daemon, from the thread that plays the operator."""
    return trio.from_thread.run(lambda: AdminClient(socket).act(action, **params))


async def test_a_fault_is_placed_in_a_real_daemon_and_reverts_and_a_drill_is_played(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SHORT)

    def play(terminal: Terminal) -> None:
        terminal.see("Overview", "2 of 2 sites connected", within_s=SLOW_S)
        terminal.press("9")
        terminal.see("Chaos", "none on", "to be placed", "mine", "cable-pull", within_s=SLOW_S)
        terminal.press(":chaos delay_acks delay=20 8s\r")
        terminal.see("Place delay_acks in cloud", "for 8 s", "$ pitlink ctl chaos.place type=delay_acks")
        assert ask(ground.hub_admin, "chaos.list")["faults"] == [], "nothing is done before it is answered"
        terminal.press("\t\r")
        terminal.see("place delay_acks in cloud", ": done", "CHAOS 1 on", "0:0")
        (fault,) = ask(ground.hub_admin, "chaos.list")["faults"]
        assert (fault["type"], fault["attributes"]["delay"]) == ("delay_acks", 20)
        terminal.press("1")
        terminal.see("Overview", "CHAOS 1 on")
        terminal.read(lambda: "CHAOS" not in terminal.text, SLOW_S)
        assert ask(ground.hub_admin, "chaos.list")["faults"] == [], "it ended by its lease"
        terminal.press("8")
        terminal.see("chaos.place", "delay_acks", "done")
        terminal.press(":drill mine\r")
        terminal.see("Drill mine?", "Cancel")
        terminal.press("\r")
        terminal.read(lambda: "Drill mine?" not in terminal.text)
        terminal.press("/a moment costs\r\r")
        terminal.see("Drill mine?", "$ pitlink chaos drill", "reports")
        terminal.press("\t\r")
        terminal.see("drill mine ...")
        terminal.press("\x1b")
        terminal.see("DRILL mine", "▶", within_s=SLOW_S)
        terminal.see("on: moment: silence on uplink", within_s=SLOW_S)
        terminal.see("✓", "PASS", "drill mine: PASS", within_s=SLOW_S)
        terminal.press("q")
        assert terminal.end(SLOW_S) == 0 and terminal.is_restored

    with trio.fail_after(6 * SLOW_S):
        async with open_ground(GroundOptions()) as ground:
            await session(ground, tmp_path, play)
    assert list((tmp_path / "reports").glob("mine-*.json"))


async def test_a_drill_played_elsewhere_is_seen_by_who_watches_its_daemons(tmp_path: Path) -> None:
    """Its own ground's daemons are told by the drill itself; the recovery clock counts on between its words."""
    (tmp_path / "mine.toml").write_text(SHORT.replace("for = 1.5", "for = 6.0"))
    drill = [sys.executable, "-m", "daemons.cli", "chaos", "drill", str(tmp_path / "mine.toml")]
    with trio.fail_after(4 * SLOW_S):
        process = await trio.lowlevel.open_process(drill, stderr=-1, stdout=-1)
        try:
            assert process.stderr is not None
            said = b""
            while b"--connect" not in said or not said.endswith(b"\n"):
                said += await process.stderr.receive_some()
            line = next(line for line in said.decode().splitlines() if "--connect" in line)
            words = line.partition("pitlink tui")[2].split()

            def play() -> None:
                tui = [sys.executable, "-m", "daemons.cli", "tui", *words]
                with Terminal(*tui, size=(130, 40)) as terminal:
                    terminal.see("DRILL mine", within_s=SLOW_S)
                    terminal.press("9")
                    terminal.see("drill mine", "on: moment: silence on uplink", within_s=SLOW_S)
                    terminal.press("q")
                    assert terminal.end(SLOW_S) == 0

            await trio.to_thread.run_sync(play)
        finally:
            process.terminate()
            await process.wait()
