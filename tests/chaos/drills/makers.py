"""Readings of a drill made by hand: a link, a queue, an age, and the ledgers of both ends."""

from typing import Any

from chaos.drills.watch import Ledger, Reading

__all__ = ["ledgers", "reading"]


def ledgers(
    last: int, acked: int, committed: int, *, effects: int | None = None, skipped: int = 0, dead: int = 0
) -> dict[str, Ledger]:
    """Of one channel `event` from the site, in one epoch."""
    came = {"committed": committed, "skipped": skipped, "dead": dead}
    done = committed - skipped - dead if effects is None else effects
    return {
        "site_ledger": Ledger({"event": {7: {"last": last, "acked": acked}}}, {}),
        "hub_ledger": Ledger({}, {"event": {7: came}}, {"event": done}),
    }


def reading(t_s: float, **changed: Any) -> Reading:
    """All is well, but for what is said otherwise."""
    well: dict[str, Any] = {
        "site_link": "ready",
        "hub_link": True,
        "connections": (1, 1),
        "origin": "up",
        "phase": "live",
        "age_s": 0.2,
        "queue": 0,
        "rtt_s": 0.01,
        "warnings": frozenset(),
        **ledgers(10, 10, 10),
    }
    return Reading(t_s=t_s, **(well | changed))
