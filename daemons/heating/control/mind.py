"""What the control keeps over a restart, and how it takes it up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemons.heating.control.burner import Lock
from daemons.heating.control.past import VERSION, anchor
from daemons.heating.plant import OnLoss
from daemons.heating.state import Instant

if TYPE_CHECKING:
    from daemons.heating.control.core import Control

__all__ = ["recall", "recall_moves", "remember"]


def remember(control: Control, now: Instant) -> dict[str, object]:
    """Return all that must survive, JSON-able."""
    burner, starts = control.burner, control.burner.starts
    zones = {
        run.plan.id: {
            "on": run.is_on, "since": run.since, "moved": run.moved_at, "rest": run.resting, "lost": run.lost_since,
            "held": run.held, "welded": run.welded, "stuck": run.stuck, "tries": run.tries,
            "gave": run.gave_up_at,
        }
        for run in control.runs
    }  # fmt: skip
    return {
        "v": VERSION,
        "at": anchor(now),
        "zones": zones,
        "burner": {
            "on": burner.is_on, "since": burner.since, "rest": burner.resting, "welded": burner.welded,
            "lit": burner.lit_at, "lock": None if burner.lock is None else [burner.lock.words, burner.lock.count],
        },
        "starts": [starts.count, starts.day, starts.day_since, starts.tokens, starts.filled_at],
        "pump": [control.pump.is_on, control.pump.moved_at],
        "alarms": control.book.told(),
    }  # fmt: skip


def recall(control: Control, now: Instant) -> list[str]:
    """Take up what was kept; return the sources whose relays were on: a restart has switched them off, just now for
    all that anybody knows."""
    past, kept = control.past, control.past.kept
    if not kept:
        return []
    stopped = []
    for run in control.runs:
        old = kept["zones"].get(run.plan.id)
        if old is None:
            continue
        run.since = now.mono if old["on"] else past.moved(old["since"], now)
        run.moved_at = past.moved(old["moved"], now)
        run.resting, run.welded, run.stuck, run.tries = old["rest"], old["welded"], old["stuck"], old["tries"]
        run.gave_up_at = past.moved(old.get("gave", now.mono), now)
        if old["lost"] is not None:
            known = past.known(old["lost"], now)
            if known is None:
                # Nobody knows how long it has been held: that is over.
                policy = run.plan.on_loss
                least = policy.hold_s if policy.kind is OnLoss.HOLD else 0.0
                run.held, known = False, now.mono - max(past.age(old["lost"]), least)
            else:
                run.held = old["held"]
            run.lost_since = known
        if old["on"]:
            stopped.append(run.plan.id)
    burner, old = control.burner, kept["burner"]
    burner.since = now.mono if old["on"] else past.moved(old["since"], now)
    burner.lit_at = past.moved(old.get("lit", now.mono), now)
    burner.resting, burner.welded = old["rest"], old["welded"]
    burner.lock = None if old["lock"] is None else Lock(*old["lock"])
    if old["on"]:
        stopped.append("burner")
        burner.residual_at = now.mono
    starts = burner.starts
    starts.count, starts.day, day_since, starts.tokens, filled_at = kept["starts"]
    starts.day_since, starts.filled_at = past.moved(day_since, now), past.moved(filled_at, now)
    was_on, moved_at = kept["pump"]
    control.pump.moved_at = past.moved(moved_at, now)
    if was_on:
        stopped.append("pump")
    control.book.recall(kept["alarms"], now.mono, lambda then: past.moved(then, now))
    return stopped


def recall_moves(control: Control, now: Instant, begun: float) -> None:
    """Now that the time is known: since when alarms stand, and when valves and pump were moved last that nobody has since.
    A house whose Pi starts anew each week would never move them otherwise."""
    past, kept = control.past, control.past.kept
    if not kept:
        return
    for run in control.runs:
        old = kept["zones"].get(run.plan.id)
        if old is not None and run.moved_at == begun:
            run.moved_at = past.moved(old["moved"], now)
    if control.pump.moved_at == begun:
        control.pump.moved_at = past.moved(kept["pump"][1], now)
    control.book.put_back(kept["alarms"], lambda then: past.moved(then, now))
