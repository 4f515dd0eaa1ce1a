"""A daemon on another machine by ssh: a real sshd on loopback, with keys of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import frozen

from daemons.ops.client import ADMIN_SOCKET, Unreachable
from tests.tui.test_feed import until
from tests.whole.stage import SITE, open_stage
from tests.whole.test_admin import tree
from tui.feed import SshTunnel, is_ssh_place, open_feeds
from tui.model import FeedState

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="needs ssh, sshd and root: sshd lets in whom it runs as",
)


@frozen
class Machine:
    """A machine to log in to. `command`: ssh with what it takes."""

    command: tuple[str, ...]


def keygen(file: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)


@asynccontextmanager
async def machine(folder: Path, forced: str = "") -> AsyncIterator[Machine]:
    """Run sshd. Each connection is a process of it by `sshd -i`, so that no port has to be known beforehand."""
    folder.mkdir(mode=0o700)
    keygen(folder / "host")
    keygen(folder / "user")
    keys = folder / "authorized_keys"
    keys.write_text(f"{forced} {(folder / 'user.pub').read_text()}")
    config = folder / "sshd_config"
    config.write_text(
        f"HostKey {folder / 'host'}\nAuthorizedKeysFile {keys}\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\nSetEnv PITLINK_TEST=1\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            socket = stream.socket.fileno()
            command = [str(SSHD), "-i", "-e", "-f", str(config)]
            await trio.run_process(
                command,
                stdin=socket,
                capture_stdout=False,
                check=False,
                stderr=subprocess.DEVNULL,
                stdout=socket,
            )

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        command = ("ssh", "-F", "none", "-p", str(port), "-i", str(folder / "user"))
        command += ("-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes")
        yield Machine(command)
        nursery.cancel_scope.cancel()


async def test_a_daemon_behind_sshd_is_watched_acted_on_lost_and_found_again(tmp_path: Path) -> None:
    """The link of ssh is killed: that is said in ssh's words or ours, and it comes back by itself."""
    async with open_stage(tmp_path, tree=tree()) as stage, machine(tmp_path / "far") as far:
        await stage.connected()
        tunnel = SshTunnel("root@127.0.0.1", str(tmp_path / "pits"), far.command)
        feeds = open_feeds([("far", tunnel)], hz=4.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feeds.run)
            model = feeds.model
            await until(lambda: "far" in feeds.model.actions)
            assert model.daemons["far"].called == SITE
            assert await feeds.act("far", "pause", {}) == {"words": "paused"}
            assert stage.pits.service.paused
            await until(lambda: [row.who for row in model.audit])
            assert model.audit[0].who.startswith("unix")
            os.kill(ssh_of(far), signal.SIGKILL)
            await until(lambda: model.feeds["far"].state is FeedState.LOST)
            assert model.feeds["far"].words == "root@127.0.0.1: ssh ended with 137"
            await until(lambda: model.feeds["far"].state is FeedState.LIVE)
            assert await feeds.act("far", "resume", {}) == {"words": "running"}
            await stage.stop_pits()
            await until(lambda: model.feeds["far"].state is FeedState.LOST)
            words = "root@127.0.0.1: no daemon listens there, or it belongs to another user"
            await until(lambda: model.feeds["far"].words == words)
            await stage.start_pits()
            nursery.cancel_scope.cancel()
        with pytest.raises(ProcessLookupError):
            ssh_of(far)


def ssh_of(far: Machine) -> int:
    """Return the process of ours that forwards to this machine. Raises ProcessLookupError."""
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if folder.name.isdigit() and words[0] == "ssh" and str(far.command[5]) in words and "-N" in words:
            return int(folder.name)
    raise ProcessLookupError


KILLED = """
import sys, trio
from tui.feed import SshTunnel

async def main():
    async with SshTunnel("root@127.0.0.1", sys.argv[1], tuple(sys.argv[2:])).open() as client:
        print(client.at, (await client.status())["daemon"], flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def test_who_is_killed_leaves_no_ssh_and_no_folder_behind(tmp_path: Path) -> None:
    """No `finally` runs then: what it started sees to it."""
    there = tmp_path / "there"
    there.mkdir()
    async with (
        machine(tmp_path / "far") as far,
        listening(there / ADMIN_SOCKET),
        trio.open_nursery() as nursery,
    ):
        program = [sys.executable, "-c", KILLED, str(there), *far.command]
        killed = await nursery.start(partial(trio.run_process, program, stdout=subprocess.PIPE, check=False))
        said = b""
        with trio.fail_after(30):
            while b"\n" not in said:
                said += await killed.stdout.receive_some()
        socket, daemon = said.decode().split()
        assert daemon == "pits" and Path(socket).is_socket()
        ssh = ssh_of(far)
        killed.kill()
        await until(lambda: not Path(f"/proc/{ssh}").exists() and not Path(socket).parent.exists())


async def test_without_a_folder_the_only_daemon_there_is_found(tmp_path: Path) -> None:
    """A login whose folder has `pits-state`, as at a machine that is being set up; then two of them; before that none."""
    there = tmp_path / "there"
    (there / "pits-state").mkdir(parents=True)
    async with machine(tmp_path / "far", f'command="cd {there} && eval \\"$SSH_ORIGINAL_COMMAND\\""') as far:
        tunnel = SshTunnel("root@127.0.0.1", "", far.command)
        with pytest.raises(Unreachable, match="no daemon of this user's"):
            await status(tunnel)
        async with listening(there / "pits-state" / ADMIN_SOCKET):
            assert await status(tunnel) == {"daemon": "pits"}
            (there / "cloud-state").symlink_to("pits-state")
            with pytest.raises(
                Unreachable, match=r"several daemons run there: name one, such as root@127.0.0.1:/"
            ):
                await status(tunnel)


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[None]:
    """Answer every question at a socket."""

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"daemon": "pits"}')

    with trio.socket.socket(trio.socket.AF_UNIX) as socket:
        await socket.bind(str(path))
        socket.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, answer, [trio.SocketListener(socket)])
            yield
            nursery.cancel_scope.cancel()


async def status(tunnel: SshTunnel) -> dict[str, object]:
    try:
        async with tunnel.open() as client:
            return await client.status()
    except* Unreachable as group:
        found = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    raise found


async def test_who_is_not_let_in_is_told_what_ssh_says(tmp_path: Path) -> None:
    async with machine(tmp_path / "far") as far:
        keygen(tmp_path / "stranger")
        wrong = tuple(str(tmp_path / "stranger") if word.endswith("/user") else word for word in far.command)
        for command, words in (
            (wrong, "Permission denied (publickey)"),
            ((*far.command[:3], "-p", "1", *far.command[5:]), "Connection refused"),
            (("no-such-ssh",), "no-such-ssh cannot be run here: No such file or directory"),
        ):
            tunnel = SshTunnel("root@127.0.0.1", str(tmp_path), command)
            feeds = open_feeds([("far", tunnel)])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feeds.run)
                await until(lambda: feeds.model.feeds and feeds.model.feeds["far"].state is FeedState.LOST)  # noqa: B023
                assert words in feeds.model.feeds["far"].words
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize("text", ["host", "ann@host", "host:/var/lib/pitlink-cloud", "ann@10.0.0.7:/x"])
def test_places_for_ssh(text: str) -> None:
    assert is_ssh_place(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=evil",
        "-l:/x",
        "./folder",
        "/var/lib/x",
        ":/x",
        "host:x",
        "host:~/x",
        "host:/x:y",
        "a/b:/c",
    ],
)
def test_what_is_no_place_for_ssh(text: str) -> None:
    assert not is_ssh_place(text)
