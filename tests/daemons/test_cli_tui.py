"""`pitlink tui` without a screen, as a process: exit codes, pipes, signals, and a daemon that goes and comes."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemons.commands.screen import has_screen
from daemons.commands.tui import tui as tui_command
from daemons.commands.watched import sources
from daemons.ops.errors import ConfigError, RefusedToStart
from tests.daemons.test_cli_admin import CLI, ROOT, pits
from tui.feed import Direct, SshTunnel

__all__ = ["pits"]

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def tui(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "tui", "--connect", str(folder), *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT,
    )  # fmt: skip


class Lines:
    """A `pitlink tui` whose lines are read as they come."""

    def __init__(self, folder: Path) -> None:
        command = [*CLI, "tui", "--hz", "4", "--connect", str(folder)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.process.stdout, selectors.EVENT_READ)
        self._rest = b""

    def until(self, words: str) -> str:
        """Return the first line with these words; 20 s at most."""
        deadline = time.monotonic() + 20
        while True:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                if words in line.decode():
                    return line.decode()
            assert time.monotonic() < deadline and self.process.poll() is None, self.process.communicate()
            if self._selector.select(1.0):
                self._rest += os.read(self.process.stdout.fileno(), 65536)  # type: ignore[union-attr]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=15)
        assert errors == b""
        return self.process.returncode

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *exc: object) -> None:
        self._selector.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.mark.process
def test_one_snapshot_of_a_daemon_and_of_none(pits: Path, tmp_path: Path) -> None:
    told = tui("--json", folder=pits)
    assert told.returncode == 0, told.stderr
    of = json.loads(told.stdout)["daemons"][str(pits)]
    assert (of["daemon"], of["connection"]["state"], list(of["sites"])) == ("pits", "live", ["field"])
    told = tui("--once", folder=pits)
    assert told.stdout.startswith("pits field: not ready (") and "  site field at pits: alone;" in told.stdout
    told = tui("--once", folder=tmp_path / "none")
    assert told.returncode == 3 and "no daemon listens there" in told.stdout and told.stderr == ""


@pytest.mark.process
def test_lines_on_a_pipe_until_a_signal_or_until_nobody_reads(pits: Path) -> None:
    with Lines(pits) as lines:
        assert lines.until("pits field").startswith("pits field: not ready (")
        subprocess.run(
            [*CLI, "ctl", "pause", "--at", str(pits)], check=True, env=ENVIRONMENT, capture_output=True
        )
        assert lines.until("AUDIT").endswith(": pause")
        assert lines.until("site field").startswith("  site field at pits: paused;")
        assert lines.end(signal.SIGINT) == 0
    with Lines(pits) as lines:
        lines.until("pits field")
        assert lines.end(signal.SIGTERM) == 128 + signal.SIGTERM
    with Lines(pits) as lines:
        lines.until("pits field")
        assert lines.process.stdout is not None
        lines.process.stdout.close()
        subprocess.run(
            [*CLI, "ctl", "resume", "--at", str(pits)], check=True, env=ENVIRONMENT, capture_output=True
        )
        assert lines.process.wait(20) == 128 + signal.SIGPIPE
        assert lines.process.stderr is not None and lines.process.stderr.read() == b""
        lines.process.stdout = None


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_can_do_nothing_gets_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_screen()
    monkeypatch.setenv("TERM", term)
    assert not has_screen()


def test_places_are_folders_hubs_and_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    token.chmod(0o600)
    places = [
        str(tmp_path),
        "./not-there",
        "https://hub.example.org",
        "ann@field",
        "field:/srv/pits",
        "https://hub.example.org",
    ]
    found = sources(places, token, None)
    assert [name for name, _ in found] == places[:-1]
    kinds = [type(source) for _, source in found]
    assert kinds == [Direct, Direct, Direct, SshTunnel, SshTunnel]
    assert [source.place for _, source in found] == places[:-1]
    with pytest.raises(ConfigError, match="without a token"):
        sources(["https://hub.example.org"], None, None)
    with pytest.raises(ConfigError, match="without TLS"):
        sources(["http://hub.example.org"], token, None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daemons.commands.place._SYSTEM", tmp_path / "nothing")
    with pytest.raises(RefusedToStart, match="no daemon runs"):
        sources(None, None, None)


def test_without_textual_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.commands.tui.has_screen", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RefusedToStart, match=r"pip install 'pitlink\[tui\]'"):
        tui_command(connect=[str(tmp_path)])
