"""The demo of laps as a person starts it: a car's laps at the team's backend, on the command line and for programs of the
driver's PC; a recording goes up whole and comes out again byte by byte; Ctrl-C ends everything, the stand-in too."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import trio

from chaos.doubles.iracing.ibt import record
from chaos.doubles.iracing.race import Race
from daemons.demolaps import SITE, USER, LapsDemoOptions, open_laps_demo
from tests.daemons.telemetry.local.test_door import told_as_the_seed_says
from tests.whole.test_heating_pair import figures_listed
from tests.whole.test_metrics import names_of

LONG_S = 60.0
SECONDS = 42


async def _pitlink(*words: str, at: Path) -> str:
    """Run a command against the backend of the demo; return what it printed."""
    command = [sys.executable, "-m", "daemons.cli", *words, "--at", str(at)]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.process
async def test_a_recording_goes_up_whole_and_comes_out_byte_by_byte(tmp_path: Path) -> None:
    race = Race(seed=7, cars=6, lap_s=12.0)
    file, backend = tmp_path / "race.ibt", tmp_path / "backend"
    record(race, file, 0, SECONDS * 60)
    async with open_laps_demo(LapsDemoOptions(speed=0.0, from_file=file), tmp_path) as demo:
        ingest = demo.backend.ingest
        with trio.fail_after(LONG_S):
            while ingest.statistics().rows < SECONDS * 60 or demo.relay.offering.behind_entries:
                await trio.sleep(0.05)
        assert ingest.statistics().refused == 0
        (session,) = json.loads(await _pitlink("laps", "--json", at=backend))["sessions"]
        told = json.loads(await _pitlink("laps", session["id"], "--json", at=backend))
        truth = {lap.number: lap.time_s for lap in race.truth.laps(race.player_index, float(SECONDS))}
        found = {lap["number"]: lap["time_s"] for lap in told["laps"] if lap["time_s"] is not None}
        assert len(found) >= 2
        assert all(time_s == pytest.approx(truth[number], abs=1 / 60) for number, time_s in found.items())
        lines = (await _pitlink("laps", SITE, at=backend)).splitlines()
        assert lines[1].startswith(session["id"])
        await _pitlink("export", session["id"], "--to", str(tmp_path / "back.ibt"), at=backend)
        assert _rows(tmp_path / "back.ibt") == _rows(file)
        played = await _pitlink("replay", session["id"], "--channel", "Speed", "--speed", "1000", at=backend)
        speeds = [v for line in played.splitlines() for v in json.loads(line)["columns"]["Speed"]["values"]]
        assert len(speeds) >= SECONDS * 50
        for first, end, port in (
            ("## relay", "## backend", demo.socket.rpartition(":")[2]),
            ("## backend", "## Front", demo.address.rstrip("/").rpartition(":")[2]),
        ):
            async with httpx.AsyncClient(trust_env=False) as client:
                scraped = names_of((await client.get(f"http://127.0.0.1:{port}/metrics")).text)
            assert figures_listed(first, end) - scraped == set(), "in docs/metrics.md, but not told"
        await _looks_at_the_page(demo.address, demo.password, session["id"])


def _rows(file: Path) -> bytes:
    """Return the rows of an .ibt, as the real library finds them."""
    import irsdk

    ibt = irsdk.IBT()
    ibt.open(str(file))
    try:
        header = ibt._header
        begin = header.var_buf[0].buf_offset
        return file.read_bytes()[begin:]
    finally:
        ibt.close()


async def _looks_at_the_page(address: str, password: str, session: str) -> None:
    """Sign in as the seed has it, and see the laps that the page shows."""
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        assert (await client.get(f"/api/telemetry/sessions/{session}")).status_code == 401
        login = await client.post("/api/auth/login", json={"username": USER, "password": password})
        bearer = {"authorization": f"Bearer {login.json()['token']}"}
        seen = await client.get(f"/api/telemetry/sessions/{session}", headers=bearer)
        assert seen.status_code == 200
        snapshot = {
            "driverId": SITE,
            "timestamp": "2026-03-01T12:00:00Z",
            "data": {"speed": 201.5, "gear": 4},
        }
        posted = await client.post("/api/telemetry", headers=bearer, json=snapshot)
        assert posted.json()["success"] is True


@pytest.mark.process
async def test_a_car_is_live_at_the_backend_and_for_programs_of_this_pc(tmp_path: Path) -> None:
    async with open_laps_demo(LapsDemoOptions(), tmp_path) as demo:
        state = partial(demo.backend.book.state, SITE)
        with trio.fail_after(LONG_S):
            while not state().is_driving or not demo.backend.ingest.statistics().rows:
                await trio.sleep(0.05)
        token = (tmp_path / "relay" / "local-token").read_text().strip()
        port = int(demo.socket.rpartition(":")[2])
        said = await trio.to_thread.run_sync(told_as_the_seed_says, port, 2, token)
        assert [one["type"] for one in said[-2:]] == ["telemetry_update"] * 2
        data: dict[str, Any] = said[-1]["data"]
        assert data["driverId"] == SITE
        assert 0.0 <= data["trackPosition"] <= 1.0
        assert state().cars and state().track and state().fuel is not None
        assert np.isfinite(state().values["Speed"])


def _commands() -> Iterator[bytes]:
    """Yield the command line of every process that there is."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            yield file.read_bytes()


@pytest.mark.process
def test_ctrl_c_ends_the_demo_and_the_stand_in_behind_it() -> None:
    command = [sys.executable, "-m", "daemons.cli", "demo", "laps"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            folder = ""
            for line in process.stdout:
                if "token in " in line:
                    folder = line.partition("token in ")[2].partition("/relay")[0]
                if "ticks kept" in line:
                    break
            assert folder
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=LONG_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not any(b"chaos.doubles.iracing" in one and folder.encode() in one for one in _commands())
