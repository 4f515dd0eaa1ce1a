"""SIGKILL to a daemon, to sshd below and above the terminal, and to the terminal itself: what is said, and what is left."""

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from daemons.commands.drillground import SITE, GroundOptions, open_ground
from tests.tui.whole.operator import CLI, admin, open_operator, until
from tests.tui.whole.sshhost import needs_sshd, open_ssh_host
from tests.tui.whole.tmux import open_pane

pytestmark = pytest.mark.process


async def gone(pid: int) -> None:
    """Wait until a process has ended. Whoever takes over orphans may leave it a zombie."""
    with trio.move_on_after(20):
        while True:
            try:
                stat = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                return
            if stat.rpartition(")")[2].split()[0] == "Z":
                return
            await trio.sleep(0.05)
    raise AssertionError(f"goes on: {stat} {Path(f'/proc/{pid}/cmdline').read_bytes()!r}")


def processes(*words: str) -> list[int]:
    """Return the processes whose command lines have all of these words, but for those of this test."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder.name.isdigit() and int(folder.name) != os.getpid() and all(word in line for word in words):
            found.append(int(folder.name))
    return found


async def test_a_daemon_that_is_killed_is_said_and_found_again_without_a_key(tmp_path: Path) -> None:
    async with open_ground(GroundOptions(speed=4.0)) as ground:
        words = ("-C", str(ground.folder / "cloud"), "-C", str(ground.folder / "pits"))
        async with open_operator(*words, pictures=tmp_path / "pictures", home=tmp_path) as operator:
            pane, hub = operator.pane, ground.machines.machines["hub"]
            await pane.see("pitlink Overview", "2 of 2 sites connected", "live")
            await hub.end(signal.SIGKILL)
            await pane.see("1 of 2 daemons not reached", "✗ cloud hub-", "lost")
            await pane.see("? demo")  # what is only remembered says so
            await pane.picture("killed")
            await pane.press("7")
            await pane.see("pitlink Alarms", "not reached")
            await pane.press("1")
            await hub.start()
            await pane.see("2 of 2 sites connected", "live", without="not reached")
            await pane.press("q")
            assert await pane.end() == 0


@needs_sshd
async def test_sshd_killed_below_it_and_the_terminal_itself(tmp_path: Path) -> None:
    """The screen is made here, and the daemon's socket comes by ssh: what is killed is sshd's side of it, then this one."""
    async with (
        open_ground(GroundOptions(speed=4.0)) as ground,
        open_ssh_host(tmp_path / "host", {"ann": ""}) as host,
    ):
        hub = ground.folder / "cloud"
        place, path = f"host:{hub}", {"PATH": host.path}
        wide = {"pictures": tmp_path / "pictures", "home": tmp_path, "size": (160, 24), "env": path}
        async with open_operator("-C", place, **wide) as operator:
            pane = operator.pane
            await pane.see("pitlink Overview", "● demo", "live")
            first = processes("-L", str(hub), str(host.folder))
            assert first
            host.kill_sessions()
            for pid in first:
                await gone(pid)
            await pane.until(lambda _: bool(processes("-L", str(hub), str(host.folder))), "another ssh")
            await pane.see("● demo", "live")
            await host.kill_listener()
            await pane.press("7")
            await pane.see("pitlink Alarms", "live")
            await pane.press("1")
            await pane.see("● demo", "live")  # a connection that stands goes on
            host.kill_sessions()
            await pane.see("Connection refused")
            await host.start()
            await pane.see("● demo", "live", within_s=40)

            tui, ssh = await pane.pid(), processes("-L", str(hub), str(host.folder))
            assert ssh
            os.kill(tui, signal.SIGKILL)
            assert await pane.end() == -signal.SIGKILL
            for pid in ssh:
                await gone(pid)
        told = await admin(hub).status()
        assert told["ready"] and told["sites"][SITE]["connected"], "the daemon has not noticed"


@needs_sshd
async def test_sshd_killed_above_it_ends_it_within_seconds_and_leaves_nothing(tmp_path: Path) -> None:
    """The screen is made there, as behind a forced command."""
    async with open_ground(GroundOptions(speed=4.0)) as ground:
        hub, code = ground.folder / "cloud", tmp_path / "code"
        tui = " ".join([*CLI, "tui", "-C", str(hub)])
        # The shell that sshd starts hears of the hang-up, tells it on, and notes how the terminal ended.
        noting = f"exec 3<&0; trap 'kill -HUP $tui' HUP; {tui} <&3 & tui=$!; wait $tui; wait $tui; echo $? > {code}"
        forced = f'restrict,pty,command="{noting}"'
        async with open_ssh_host(tmp_path / "host", {"ann": forced}) as host:
            command = host.ssh("ann", "-tt", "host")
            async with open_pane(*command, pictures=tmp_path / "pictures") as pane:
                await pane.see("pitlink Overview", "● demo", "live")
                running = processes(sys.executable, "tui", str(hub))
                assert running
                await host.kill_listener()
                await pane.press("7")
                await pane.see("pitlink Alarms")
                await pane.press("1")
                await pane.see("pitlink Overview", "● demo")
                host.kill_sessions()
                assert await pane.end() == 255
                for pid in running:
                    await gone(pid)
                with trio.fail_after(10):
                    while not code.exists() or not code.read_text():
                        await trio.sleep(0.02)
                assert code.read_text().strip() == "129"
            await until(admin(hub).status, lambda told: told["ready"] and told["sites"][SITE]["connected"])
