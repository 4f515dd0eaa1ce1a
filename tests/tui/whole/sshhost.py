"""A machine to log in to: a real sshd with keys of its own, whose processes can be killed."""

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from attrs import define, field

from chaos.doubles.fpvtrackside.port import reserved
from tests.tui.test_ssh import SSHD, keygen

__all__ = ["SshHost", "children", "needs_sshd", "open_ssh_host"]

needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="needs ssh, sshd and root: sshd lets in whom it runs as",
)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still are."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        state, parent = stat.rpartition(")")[2].split()[:2]
        if int(parent) == pid and state != "Z":
            found.append(int(folder.name))
    return found


def _is_sshd(pid: int) -> bool:
    try:
        return "sshd" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return False


@define(eq=False)
class SshHost:
    """A running sshd on loopback. `folder` has a key for each name that may log in, and an `ssh` that knows the machine."""

    folder: Path
    port: int
    listener: trio.Process | None = field(default=None, init=False)
    _served: set[int] = field(factory=set, init=False)

    @property
    def path(self) -> str:
        """A PATH on which `ssh host` leads here."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def ssh(self, key: str, *words: str) -> tuple[str, ...]:
        """Return the command that logs in by this key."""
        return (str(self.folder / "bin" / "ssh"), "-i", str(self.folder / key), *words)

    async def start(self) -> None:
        """Start the listener, and return when it listens."""
        command = [str(SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self.listener = await trio.lowlevel.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with trio.fail_after(10):
            while True:
                try:
                    await (await trio.open_tcp_stream("127.0.0.1", self.port)).aclose()
                    return
                except OSError:
                    assert self.listener.poll() is None, "sshd did not start"
                    await trio.sleep(0.02)

    def kill_sessions(self) -> None:
        """SIGKILL to all that serves a connection, also of a listener that is gone."""
        assert self.listener is not None
        self._served |= set(children(self.listener.pid))
        for pid in self._served:
            for each in (*filter(_is_sshd, children(pid)), *filter(_is_sshd, [pid])):
                os.kill(each, signal.SIGKILL)
        self._served.clear()

    async def kill_listener(self) -> None:
        """SIGKILL to what takes new connections."""
        assert self.listener is not None
        self._served |= set(children(self.listener.pid))
        self.listener.kill()
        await self.listener.wait()


@asynccontextmanager
async def open_ssh_host(folder: Path, keys: Mapping[str, str]) -> AsyncIterator[SshHost]:
    """Run sshd. `keys`: for each name what stands before its key in authorized_keys."""
    (folder / "bin").mkdir(mode=0o700, parents=True)
    for name in ("host", *keys):
        keygen(folder / name)
    lines = [f"{options} {(folder / f'{name}.pub').read_text()}".lstrip() for name, options in keys.items()]
    (folder / "authorized_keys").write_text("".join(lines))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    async with reserved(0, "127.0.0.1") as port:
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {folder / 'authorized_keys'}\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\n"
            "Subsystem sftp internal-sftp\n"
        )
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        (folder / "config").write_text(
            f"Host *\n HostName 127.0.0.1\n Port {port}\n User root\n IdentitiesOnly yes\n BatchMode yes\n"
            f" UserKnownHostsFile {folder / 'known_hosts'}\n IdentityFile {folder / next(iter(keys))}\n"
        )
        ssh = folder / "bin" / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder / "config"} "$@"\n')
        ssh.chmod(0o700)
        host = SshHost(folder, port)
        await host.start()
        try:
            yield host
        finally:
            host.kill_sessions()
            with trio.CancelScope(shield=True):  # it has been killed
                await host.kill_listener()
