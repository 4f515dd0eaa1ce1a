"""What drills say of themselves while they run, so that whoever watches a daemon sees that it is being drilled.

A drill is a program somewhere else: it tells the daemons that it drills how it stands, again and again. What was not told
anew within its lease is not running any more, whatever became of it. Kept in memory: a restart forgets.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import trio
from attrs import define, field, frozen

__all__ = ["LEASE_MAX_S", "DrillNotes"]

KEPT_MAX = 20
STANDING_BYTES_MAX = 16 * 1024
RUN_CHARS_MAX = 120
LEASE_MAX_S = 300.0


@frozen
class _Note:
    standing: Mapping[str, Any]
    told_at: float
    ends_at: float

    @property
    def is_over(self) -> bool:
        return bool(self.standing.get("verdict"))


@define(eq=False)
class DrillNotes:
    """The last word of each drill, the newest 20. `now`: monotonic seconds."""

    now: Callable[[], float] = trio.current_time
    _notes: dict[str, _Note] = field(factory=dict, init=False)

    def check(self, run: str, standing: Any, lease_s: float) -> None:
        """Raise ValueError, in words, for what is not kept."""
        if not 0 < len(run) <= RUN_CHARS_MAX:
            raise ValueError(f"run: must be a text of {RUN_CHARS_MAX} characters at most")
        if not isinstance(standing, Mapping) or not isinstance(standing.get("drill"), str):
            raise ValueError('standing: must be a JSON object with the name of the drill, {"drill": "..."}')
        if len(json.dumps(standing)) > STANDING_BYTES_MAX:
            raise ValueError(f"standing: must be {STANDING_BYTES_MAX} bytes at most")
        if not 0 < lease_s <= LEASE_MAX_S:
            raise ValueError(f"lease_s: must be above 0, and {LEASE_MAX_S:g} at most")

    def knows(self, run: str) -> bool:
        """Was this drill heard of?"""
        return run in self._notes

    def keep(self, run: str, standing: Mapping[str, Any], lease_s: float) -> None:
        """Keep what a drill says, in the place of what it said before."""
        now = self.now()
        self._notes.pop(run, None)
        self._notes[run] = _Note(standing, now, now + lease_s)
        while len(self._notes) > KEPT_MAX:
            del self._notes[next(iter(self._notes))]

    def running(self) -> list[str]:
        """Return the names of the drills that run now."""
        now = self.now()
        return [
            str(note.standing["drill"])
            for note in self._notes.values()
            if not note.is_over and now < note.ends_at
        ]

    def show(self) -> list[dict[str, Any]]:
        """Return them, the newest last. `heard`: it still says how it stands, or has said how it ended."""
        now = self.now()
        return [
            {
                "run": run,
                "told_s_ago": round(now - note.told_at, 3),
                "heard": note.is_over or now < note.ends_at,
                "standing": note.standing,
            }
            for run, note in self._notes.items()
        ]
