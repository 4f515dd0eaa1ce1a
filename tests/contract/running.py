"""A daemon as a process, as systemd starts one: its config, its log, its notifications, its doors."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import define, field

from daemons.ops.client import ADMIN_SOCKET
from tests.contract.kinds import SECRETS, Kind, cli

__all__ = ["Place", "Running"]

ROOT = Path(__file__).parents[2]
START_S = 60.0
STOP_S = 3.0


@define(eq=False)
class Running:
    """A process that has said READY=1. `front` asks its port, `admin` its socket."""

    process: subprocess.Popen[bytes]
    log: Path
    notified: Callable[[], list[str]]
    front: httpx.Client
    admin: httpx.Client

    def act(self, action: str, **params: Any) -> Any:
        answer = self.admin.post(f"/admin/actions/{action}", json=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.admin.get("/admin/audit?last=500").json()["rows"]
        return rows

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds that it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(30), time.monotonic() - begun


@define(eq=False)
class Place:
    """Where a daemon lives: a folder with its config, its key and its state."""

    kind: Kind
    folder: Path
    env: dict[str, str] = field(init=False)
    _starts: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        key = self.folder / "storage.key"
        key.write_text(SECRETS["storage key"])
        key.chmod(0o600)
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "PITLINK_STORAGE_KEY_FILE": str(key)}
        self.config.write_text(
            f'state_dir = "{self.state}"\nlisten = "127.0.0.1:0"\nlog_level = "debug"\n{self.kind.config()}'
        )
        self.config.chmod(0o600)
        self.kind.prepare(self.state, self.env)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "daemon.toml"

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return cli(*arguments, env=self.env)

    @contextmanager
    def started(self) -> Iterator[Running]:
        """Start it; killed at the end if it still runs."""
        self._starts += 1
        short = Path(tempfile.mkdtemp())  # a path that fits into a socket's address
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        told.bind(str(short / "notify"))
        states: list[str] = []

        def notified() -> list[str]:
            while True:
                try:
                    states.append(told.recv(4096).decode())
                except BlockingIOError:
                    return states

        log = self.folder / f"log-{self._starts}"
        env = {**self.env, "NOTIFY_SOCKET": str(short / "notify"), "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-m", "daemons.cli", self.kind.name, "--config", str(self.config)]
        with log.open("wb") as err, subprocess.Popen(command, stderr=err, stdout=err, env=env) as process:
            try:
                until(lambda: "READY=1" in notified() or process.poll() is not None, START_S)
                assert process.poll() is None, log.read_text()
                ports = next(line["ports"] for line in lines_of(log) if line["event"] == "daemon.ready")
                uds = httpx.HTTPTransport(uds=_short(self.state / ADMIN_SOCKET, short / "admin"))
                with (
                    httpx.Client(
                        base_url=f"http://127.0.0.1:{ports[0]}", trust_env=False, timeout=20
                    ) as front,
                    httpx.Client(base_url="http://localhost", transport=uds, timeout=70) as admin,
                ):
                    yield Running(process, log, notified, front, admin)
            finally:
                process.kill()
                process.wait()
                told.close()
                shutil.rmtree(short)


def _short(path: Path, link: Path) -> str:
    link.symlink_to(path)
    return str(link)


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Return a log's lines; each must be a JSON object."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def until(condition: Callable[[], Any], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
