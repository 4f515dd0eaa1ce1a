"""`pitlink status`, `logs`, `ctl` and `audit` as processes, against a daemon that is one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from daemons.commands.place import printable
from daemons.ops.client import ADMIN_SOCKET

pytestmark = pytest.mark.process

CLI = [sys.executable, "-m", "daemons.cli"]
ROOT = Path(__file__).parents[2]


def run(
    *arguments: str, folder: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    where = [] if folder is None else ["--at", str(folder)]
    return subprocess.run(
        [*CLI, *arguments, *where],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def said(*arguments: str, folder: Path | None = None, code: int = 0) -> str:
    told = run(*arguments, folder=folder)
    assert told.returncode == code, told.stdout + told.stderr
    return told.stdout


@pytest.fixture
def pits(tmp_path: Path) -> Iterator[Path]:
    """A pits daemon without origin and hub; its state folder."""
    folder = tmp_path / "pits-state"
    command = [*CLI, "pits", "--state-dir", str(folder), "--listen", "127.0.0.1:0"]
    command += ["--origin-url", "http://localhost:9", "--site", "field"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        try:
            deadline = time.monotonic() + 30
            while not (folder / ADMIN_SOCKET).exists():
                assert daemon.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            yield folder
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(10) == 0


def test_a_daemon_is_asked_and_told(pits: Path) -> None:
    assert "pits field: not ready" in said("status", folder=pits)
    assert json.loads(said("status", "--json", folder=pits))["daemon"] == "pits"
    assert "allowlist.switch pattern=... enabled=..." in said("ctl", folder=pits)
    assert said("ctl", "allowlist.switch", "pattern=/events/**", "enabled=off", folder=pits).strip() == (
        "/events/** is off"
    )
    assert "switched off: /events/**" in said("status", folder=pits)
    assert said("ctl", "limits.set", "name=client_requests_per_s", "value=5", folder=pits)
    refused = run("ctl", "allowlist.switch", "pattern=/x", "enabled=on", folder=pits)
    assert refused.returncode == 3
    assert "only this site's config file" in refused.stderr
    assert run("ctl", "pause", "now", folder=pits).returncode == 2
    assert "no parameter 'x'" in run("ctl", "pause", "x=1", folder=pits).stderr
    assert "there is no action" in run("ctl", "explode", folder=pits).stderr
    shown = said("audit", "show", folder=pits)
    assert "allowlist.switch /events/** done before=true after=false" in shown
    assert "refused" in shown
    verified = said("audit", "verify", folder=pits)
    assert "The audit is whole." in verified
    lines = said("logs", "-n", "500", folder=pits)
    assert "daemon.ready" in lines and "audit.row" in lines
    assert "daemon.ready" not in said("logs", "--level", "error", folder=pits)
    assert all(json.loads(line) for line in said("logs", "--json", folder=pits).splitlines())
    found = run("status", cwd=pits.parent)  # the one that runs in the usual place
    assert "pits field" in found.stdout


def test_a_log_is_followed_until_the_daemon_stops(pits: Path) -> None:
    command = [*CLI, "logs", "-f", "-n", "0", "--at", str(pits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        said("ctl", "resume", folder=pits)
        deadline = time.monotonic() + 30
        lines = ""
        while "audit.row" not in lines and time.monotonic() < deadline:
            said("ctl", "resume", folder=pits)
            lines += following.stdout.readline()
        following.terminate()
    assert "audit.row" in lines


def test_tampering_is_said_with_exit_code_1(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    subprocess.run([*CLI, "keys", "init", "--state-dir", str(hub)], check=True, capture_output=True)
    subprocess.run([*CLI, "site", "add", "field", "--state-dir", str(hub)], check=True, capture_output=True)
    whole = said("audit", "verify", folder=hub)
    assert "The daemon does not run" in whole and "The audit is whole." in whole
    head = whole.split("Its head is ")[1].strip()
    assert "keys.init" in said("audit", "show", folder=hub)
    assert head in said("audit", "heads", folder=hub)
    assert head in said("audit", "heads", "--state-dir", str(hub))
    conn = apsw.Connection(str(hub / "authority.db"))
    conn.execute("DROP TRIGGER audit_row_is_kept; DELETE FROM audit_row WHERE number = 2")
    conn.close()
    assert "The audit is whole." in said("audit", "verify", folder=hub)
    assert "tail was cut" in said("audit", "verify", "--head", head, folder=hub, code=1)
    assert run("audit", "verify", "--head", "x", folder=hub).returncode == 2
    conn = apsw.Connection(str(hub / "authority.db"))
    conn.execute(
        "DROP TRIGGER audit_row_is_final; UPDATE audit_row SET after = '{cut', at = 1e300 WHERE number = 1"
    )
    conn.close()
    assert "{cut" in said("audit", "show", folder=hub)
    assert "row 1, or the hash of the one before, was changed" in said("audit", "verify", folder=hub, code=1)


def test_where_nothing_runs(tmp_path: Path) -> None:
    told = run("status", folder=tmp_path)
    assert told.returncode == 3
    assert "no daemon listens there" in told.stderr
    assert "no daemon runs in the usual places" in run("status", cwd=tmp_path).stderr
    told = run("status", "--at", "http://192.0.2.1", "--token-file", str(tmp_path / "t"))
    assert (told.returncode, "not sent without TLS" in told.stderr) == (2, True)


def test_what_a_stranger_wrote_cannot_move_the_cursor() -> None:
    assert printable("läp \x1b[2J\u202e\n\u2028x") == "läp \\u001b[2J\\u202e\\u000a\\u2028x"
    assert printable("täb\t") == "täb\t"
