"""Bytes to a terminal behind a real sshd, counted on the wire: twenty sites that change four times a second, and none."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import define

from tests.tui.app.terminal import Terminal

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        SSHD is None or shutil.which("ssh") is None or not hasattr(os, "geteuid") or os.geteuid() != 0,
        reason="needs ssh, sshd and root: sshd lets in whom it runs as",
    ),
]

BUDGET_B_S = 500
OVERVIEW_S = 15.0
STILL_S = 5.0


@define(eq=False)
class Counted:
    """A machine to log in to, by `command`; `down_bytes`: what came from it so far, headers of IP not counted."""

    command: tuple[str, ...]
    down_bytes: int = 0


@contextmanager
def machine(folder: Path) -> Iterator[Counted]:
    """Run sshd behind a proxy that counts; each connection is a process of it by `sshd -i`, so that no port is fixed."""
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    config = folder / "sshd_config"
    config.write_text(
        f"HostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'user.pub'}\nStrictModes no\nUsePAM no\nPrintMotd no\n"
        "PermitRootLogin yes\nPidFile none\nCompression yes\nClientAliveInterval 0\nTCPKeepAlive no\nPrintLastLog no\n"
        f"SetEnv PATH={os.environ['PATH']}\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    counted = Counted(
        ("ssh", "-F", "none", "-tt", "-p", str(port), "-i", str(folder / "user"), "-o", "ServerAliveInterval=0",
         "-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes")
    )  # fmt: skip

    def serve() -> None:
        ours, _ = listener.accept()
        near, far = socket.socketpair()
        with subprocess.Popen(
            [str(SSHD), "-i", "-e", "-f", str(config)], stdin=far, stdout=far, stderr=subprocess.DEVNULL
        ) as process:
            far.close()
            up = threading.Thread(target=_copy, args=(ours, near, None), daemon=True)
            up.start()
            _copy(near, ours, counted)
            process.terminate()
        ours.close()
        near.close()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield counted
    finally:
        listener.close()


def _copy(source: socket.socket, sink: socket.socket, counted: Counted | None) -> None:
    try:
        while data := source.recv(65536):
            if counted is not None:
                counted.down_bytes += len(data)
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@contextmanager
def logged_in(folder: Path, *options: str, words: str = "", **env: str) -> Iterator[tuple[Terminal, Counted]]:
    """Run the app with twenty sites on a terminal of ssh's."""
    with machine(folder) as far:
        setting = " ".join(f"{key}={value}" for key, value in env.items())
        there = (
            f"cd {Path(__file__).parents[3]} && {setting} exec {sys.executable} -m tests.tui.app.race {words}"
        )
        with Terminal(*far.command, *options, "root@127.0.0.1", there) as terminal:
            terminal.see("field-05", "connected", within_s=30)
            yield terminal, far
            terminal.press("q")
            assert terminal.end() == 0


def rate(terminal: Terminal, far: Counted, seconds: float) -> float:
    """Return how many bytes a second come down."""
    before, began = far.down_bytes, time.monotonic()
    terminal.read(lambda: time.monotonic() - began > seconds, within_s=seconds + 10)
    return (far.down_bytes - before) / (time.monotonic() - began)


def test_an_overview_of_twenty_sites_keeps_within_its_budget(tmp_path: Path) -> None:
    with logged_in(tmp_path / "far", "-C") as (terminal, far):
        assert "ssh -C takes a fifth of the bytes" in terminal.text, "once, at the start"
        terminal.read(lambda: "ssh -C" not in terminal.text, within_s=40)
        before = re.findall(r"\d\.\d s", terminal.text)
        bytes_a_second = rate(terminal, far, OVERVIEW_S)
        print(f"overview of 20 sites at 4 Hz, ssh -C: {bytes_a_second:.0f} B/s")
        assert re.findall(r"\d\.\d s", terminal.text) != before, "it is not a still screen that is measured"
        assert 50 < bytes_a_second <= BUDGET_B_S
        assert re.search(r"[1-9]\d* k?B/s", terminal.text), "what it takes is said"


def test_a_still_screen_sends_nothing(tmp_path: Path) -> None:
    """While daemons are asked and answer, four times a second."""
    with logged_in(tmp_path / "far", "-C", words="still") as (terminal, far):
        terminal.read(lambda: "ssh -C" not in terminal.text, within_s=40)
        terminal.press("7")
        terminal.see("no alarms", "0 B/s")
        terminal.read(lambda: re.search(r" 0 B/s", terminal.text) is None, within_s=30)
        terminal.see(" 0 B/s", within_s=30)
        rate(terminal, far, 0.5)  # that is on its way
        assert rate(terminal, far, STILL_S) == 0
