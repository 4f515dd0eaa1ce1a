"""No input of a stranger costs more than 50 ms of CPU or 64 MB, or raises anything but the error of its
decoder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.bombs import LIMIT_MS

ROOT = Path(__file__).parents[2]


# What a decoder has no reason to refuse: bounded by the size of a message, and within the limits above.
HARMLESS = {
    "canonicalize": {
        "a fraction of 64 KiB",
        "empty arrays",
        "tiny numbers",
    },
    "decode": {
        "a frame of 60 KiB",
        "arrays of one, 64 KiB",
        "bytes(3000000000)",
        "empty arrays, 64 KiB",
        "empty maps, 64 KiB",
    },
    "decode_frames": {
        "acks by the thousand",
        "cancels by the thousand",
        "credits by the thousand",
        "hellos full of positions",
        "requests full of empty arrays",
        "unknown frames by the thousand",
        "updates full of keys",
    },
    "unwrap": {
        "a skippable frame of 4 GiB",
        "acks by the thousand",
        "blocks of nothing",
        "cancels by the thousand",
        "credits by the thousand",
        "hellos full of positions",
        "requests full of empty arrays",
        "unknown frames by the thousand",
        "updates full of keys",
    },
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc")
def test_bombs_cost_nothing() -> None:
    command = [sys.executable, "-m", "tests.protocol.bombs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    results: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) > 300
    failed = [result for result in results if result["outcome"].startswith("FAILED")]
    assert not failed
    slow = [result for result in results if result["ms"] > LIMIT_MS]
    assert not slow
    accepted: dict[str, set[str]] = {}
    for result in results:
        if result["outcome"] == "accepted":
            accepted.setdefault(result["target"], set()).add(result["bomb"])
    assert accepted == HARMLESS
