"""The demo as a person starts it: one command, a page in a browser, laps on it, Ctrl-C."""

import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import httpx
import pytest
import trio

from daemons.demo import SITE, DemoOptions, open_demo
from daemons.ops.client import AdminClient
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.unixpath import ADMIN_SOCKET
from tests.browser import open_browser, open_tab

LAPS = (
    "[...document.querySelectorAll('.now tbody tr')].some(row => /[1-9][0-9]*\\/[0-9]+/.test(row.innerText))"
)


def _address(process: subprocess.Popen[bytes]) -> str:
    """Return the spectators' page, as the demo says it."""
    assert process.stdout is not None
    said = b""
    for line in process.stdout:
        said += line
        if found := re.search(rb"Spectators' page: (\S+)", said):
            return found[1].decode()
    raise AssertionError(f"the demo ended: {said!r}")


@pytest.mark.process
@pytest.mark.browser
def test_demo_shows_the_first_lap_within_a_minute_and_ends_within_two_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "daemons.cli", "demo", "--seed", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            with open_browser() as browser, open_tab(browser, tmp_path) as tab:
                tab.open(_address(process))
                assert process.stdout is not None
                reading = Thread(target=process.stdout.read)
                reading.start()
                tab.until(LAPS)
                began = time.monotonic()
                process.send_signal(signal.SIGINT)
                assert process.wait(10) == 0
                assert time.monotonic() - began < 2
                reading.join()
        finally:
            process.kill()


@pytest.mark.process
async def test_demo_plays_a_recorded_event(samples: Path) -> None:
    event = samples / "fpv" / "tree-test-1"
    command = [sys.executable, "-m", "daemons.cli", "demo", "--event", str(event), "--speed", "20"]
    said = ""
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        with trio.fail_after(60):
            async with process.stdout:
                while "Race 2-1 is on" not in said:
                    data = await process.stdout.receive_some()
                    assert data, said
                    said += data.decode()
                process.send_signal(signal.SIGINT)
                async for data in process.stdout:
                    said += data.decode()
            assert await process.wait() == 0
    finally:
        process.kill()
    assert "link ready" in said


async def test_the_demos_token_reads_and_commands_and_nothing_is_warned_of(tmp_path: Path) -> None:
    async with open_demo(DemoOptions(), tmp_path) as demo:
        headers = {"Authorization": f"Bearer {demo.caller_token}"}
        async with httpx.AsyncClient(base_url=demo.address, headers=headers, trust_env=False) as caller:
            with trio.fail_after(20):
                while (
                    await caller.get(f"/api/sites/{SITE}/origin/httpfiles/Channels.json")
                ).status_code != 200:
                    await trio.sleep(0.05)
            command = await caller.post(f"/api/sites/{SITE}/commands", json={"do": "reconnect"})
            assert command.status_code == 202
        names = [warning.name for daemon in (demo.cloud, demo.pits) for warning in daemon.health.warnings]
        assert not [name for name in names if name.startswith("bearer")]


async def test_each_daemon_of_the_demo_tells_its_own_log(tmp_path: Path) -> None:
    shown = io.StringIO()
    configure_logs(stream=shown, shown_from=LogLevel.ERROR)  # put back by itself
    async with open_demo(DemoOptions(), tmp_path) as demo:
        with trio.fail_after(20):
            while demo.pits.peer is None or demo.pits.peer.connection is None:
                await trio.sleep(0.05)
        events = {}
        for daemon in ("cloud", "pits"):
            async with AdminClient(tmp_path / daemon / ADMIN_SOCKET).log(count=500, level="info") as lines:
                events[daemon] = {told["line"]["event"] async for told in lines}
    assert "site.admitted" in events["cloud"] - events["pits"]
    assert "link.status" in events["pits"] - events["cloud"]
    assert shown.getvalue() == ""


@pytest.mark.process
async def test_a_hub_without_keys_refuses_in_words_and_names_the_command(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "daemons.cli",
        "cloud",
        "--state-dir",
        str(tmp_path),
        "--listen",
        "127.0.0.1:0",
    ]
    ended = await trio.run_process(command, capture_stderr=True, check=False)
    assert ended.returncode == 3
    assert b"pitlink keys init" in ended.stderr
