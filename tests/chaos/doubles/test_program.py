"""The stand-in as a program: killed in the middle of a write it leaves a torn file, and that is what it serves next."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.process


@contextmanager
def _running(folder: Path, torn_s: float) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    command = [sys.executable, "-m", "chaos.doubles.fpvtrackside", "--folder", str(folder)]
    command += ["--torn-s", str(torn_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, f"http://localhost:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def _events(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("events/*/Event.json"))


def _get(url: str) -> bytes:
    """Ask until somebody answers: it refuses while no event is open."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with httpx.Client(trust_env=False) as client:
                return client.get(url).content
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_killed_in_a_write_it_serves_the_torn_file_and_opens_a_new_event_beside_it(tmp_path: Path) -> None:
    with _running(tmp_path, 0.8) as (process, _):
        deadline = time.monotonic() + 20
        while not (halves := [p for p in tmp_path.glob("events/*/Pilots.json") if p.stat().st_size]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.wait()
    (old,) = _events(tmp_path)
    torn = halves[0].read_bytes()
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn.decode("utf-8-sig"))

    with _running(tmp_path, 0.0) as (process, url):
        assert _get(f"{url}/events/{old.name}/Pilots.json") == torn
        (new,) = set(_events(tmp_path)) - {old}
        assert _get(f"{url}/events/{new.name}/Pilots.json") == (new / "Pilots.json").read_bytes()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        manners = json.loads(process.stdout.readline())["manners"]
    assert manners["requests"] == 2
    assert manners["strange_methods"] == []
