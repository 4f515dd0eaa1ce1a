"""Statuses as a demo's hub and site told them, and others made of them."""

import copy
import json
from pathlib import Path
from typing import Any

UTC = 1_800_000_000.0
"""When a test's status is told."""


def recorded(daemon: str) -> dict[str, Any]:
    """Return a real status of "cloud" or "pits", as if it were told at `UTC`."""
    told: dict[str, Any] = json.loads((Path(__file__).parent / f"{daemon}.json").read_text())
    ahead_s = UTC - told["now"]
    for site in [told, *told.get("sites", {}).values()]:
        for key in ("now", "last_seen_at", "as_of", "last_success"):
            if site.get(key) is not None:
                site[key] += ahead_s
    return told


def five_sites() -> dict[str, Any]:
    """Return a hub's status with sites that are well, gone, never seen, paused and in trouble."""
    told = recorded("cloud")
    site = told["sites"].pop("demo")

    def other(**changes: Any) -> dict[str, Any]:
        return {**copy.deepcopy(site), **changes}

    away = {"connected": False, "round_trip_s": None, "round_trip_p50_s": None, "round_trip_p99_s": None}
    away |= {"bulk_delay_s": None, "paused": None}
    told["sites"] = {
        "well": other(),
        "gone": other(**away, last_seen_at=UTC - 300, age_s=301.5),
        "never": other(**away, last_seen_at=None, age_s=None, as_of=None),
        "paused": other(paused=True),
        "trouble": other(
            round_trip_p50_s=1.4, round_trip_p99_s=12.3, age_s=95.0, fetches_waiting=33, bytes_saved=7_654_321,
            dead_letters=3, cache_hits=123_456, errors={"TIMEOUT": 4, "BUSY": 1},
            channels={"command": {"unacknowledged": 17, "in_flight": 2, "body_bytes": 900}},
        ),
    }  # fmt: skip
    told["warnings"] = [
        {"name": "dead-letters", "severity": "degraded", "words": "3 of trouble", "since": UTC - 100},
        {"name": "clocks-differ", "severity": "notice", "words": "trouble by +40 s", "since": UTC - 50},
    ]
    return told
