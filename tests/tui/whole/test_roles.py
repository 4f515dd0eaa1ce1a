"""A role for each key, by a forced command: tried with a real sshd, as docs/tui.md tells it."""

import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio

from daemons.commands.drillground import SITE, GroundOptions, open_ground
from tests.tui.whole.operator import CLI, Operator, admin, until
from tests.tui.whole.sshhost import SshHost, needs_sshd, open_ssh_host
from tests.tui.whole.tmux import open_pane

pytestmark = [pytest.mark.process, needs_sshd]


def forced(*words: str) -> str:
    """Return what stands before a key."""
    command = shlex.join([*CLI, "tui", *words]).replace('"', '\\"')
    return f'restrict,pty,command="{command}"'


async def test_a_viewers_key_sees_an_operators_key_acts_and_neither_can_anything_else(tmp_path: Path) -> None:
    async with open_ground(GroundOptions(speed=4.0)) as ground:
        hub = ground.folder / "cloud"
        viewer = forced("--read-only", "--who", "eve", "-C", str(hub))
        keys = {"viewer": viewer, "operator": forced("--who", "ann", "-C", str(hub))}
        async with open_ssh_host(tmp_path / "host", keys) as host:
            await the_viewer_only_sees(host, hub, tmp_path)
            assert [row for row in await admin(hub).audit() if "for " in row["who"]] == []
            await nothing_else_is_to_be_had(host, hub, tmp_path)
            await the_operator_pauses(host, hub, tmp_path)


async def the_viewer_only_sees(host: SshHost, hub: Path, tmp_path: Path) -> None:
    # What is asked for on the line is not done, and gives the role nothing: sshd runs what stands before the key.
    asked = host.ssh("viewer", "-tt", "host", "pitlink", "tui", "--who", "ann")
    async with open_pane(*asked, pictures=tmp_path / "pictures") as pane:
        viewer = Operator(pane)
        await pane.see("pitlink Overview", "READ-ONLY", "● demo")
        await pane.press("j", "c")
        await pane.see("read-only: nothing is changed from here")
        await viewer.say("pause 5m")
        await pane.see("nothing here is called 'pause'")
        await viewer.say("site demo")
        await pane.see("pitlink Site demo", "Allowlist")
        await pane.press("End", "Enter")
        await viewer.go("audit", "Audit")
        await pane.press("w")
        await pane.see("read-only: nothing is written here")
        await pane.picture("viewer")
        await pane.press("q")
        assert await pane.end() == 0


async def nothing_else_is_to_be_had(host: SshHost, hub: Path, tmp_path: Path) -> None:
    for key in ("viewer", "operator"):
        touched = tmp_path / "touched"
        # Without a terminal it prints lines, and ends with who reads them.
        process = await trio.lowlevel.open_process(
            list(host.ssh(key, "host", f"touch {touched}; sh")), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        said = b""
        with trio.fail_after(30):
            while b"site demo" not in said:
                piece = await process.stdout.receive_some()
                assert piece, said
                said += piece
            process.terminate()
            await process.wait()
        assert not touched.exists()
        forward = host.ssh(key, "-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "host")
        refused = await trio.run_process(forward, capture_stderr=True, check=False)
        assert refused.returncode and b"forwarding failed" in refused.stderr
        socket = tmp_path / f"{key}.sock"
        tunnel = host.ssh(key, "-N", "-L", f"{socket}:{hub / 'admin.sock'}", "host")
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(trio.run_process, tunnel, stderr=subprocess.DEVNULL, check=False)
            )
            with trio.fail_after(20):
                while not socket.exists():
                    await trio.sleep(0.02)
            async with await trio.open_unix_socket(socket) as stream:
                try:
                    await stream.send_all(b"GET /admin/status HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert await stream.receive_some() == b"", "the socket of the daemon is not to be had"
                except trio.BrokenResourceError:
                    pass  # closed before it was read
            process.terminate()
        copy = [str(host.folder / "bin" / "ssh"), "-i", str(host.folder / key), "-s", "host", "sftp"]
        files = await trio.lowlevel.open_process(copy, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with trio.fail_after(30):
            await files.stdin.send_all(b"\0\0\0\5\1\0\0\0\3")
            assert (await files.stdout.receive_some())[:1] != b"\0", "sftp would say its version"
            files.kill()
            await files.wait()


async def the_operator_pauses(host: SshHost, hub: Path, tmp_path: Path) -> None:
    async with open_pane(*host.ssh("operator", "-tt", "host"), pictures=tmp_path / "pictures") as pane:
        operator = Operator(pane)
        await pane.see("pitlink Overview", "● demo")
        assert "READ-ONLY" not in await pane.text()
        await pane.press("j")
        await operator.do("pause 5m", "Pause site demo?")
        await until(admin(hub).status, lambda told: told["sites"][SITE]["paused"])
        rows = await admin(hub).audit()
        paused = next(row for row in rows if row["action"] == "site.pause")
        assert paused["who"] == "unix root (for ann)"
        await pane.press("q")
        assert await pane.end() == 0
