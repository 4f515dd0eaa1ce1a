"""What was before a restart, on the clock of now.

Everything the control times by is a moment of this boot's monotonic clock. What is kept over a restart are such moments
beside one anchor: the same moment by the monotonic clock, the wall clock, and the boot's id. Within one boot they
stay as they are. From another boot they are moved by the wall clock, where both ends knew the time; where not, nobody
knows how long ago they were, and what may not be too early is taken to have been just now.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from daemons.heating.state import Instant

__all__ = ["VERSION", "Past", "anchor"]

VERSION = 1


def anchor(now: Instant) -> dict[str, object]:
    """Return what makes moments of now readable later."""
    return {"boot": now.boot, "mono": now.mono, "utc": now.utc, "is_sure": now.is_sure}


@frozen
class Past:
    """The memory of the run before. Empty when there was none or it is another version's."""

    kept: Mapping[str, Any]

    @classmethod
    def read(cls, memory: Mapping[str, object] | None) -> "Past":
        """Return a readable past of anything that was kept."""
        return cls(memory if memory is not None and memory.get("v") == VERSION else {})

    def known(self, then: float, now: Instant) -> float | None:
        """Return a moment of then on the clock of now; None where nobody knows how long ago it was."""
        at = self.kept["at"]
        if at["boot"] == now.boot and at["mono"] <= now.mono + 1:
            return min(then, now.mono)
        if at["is_sure"] and now.is_sure:
            ago: float = now.utc - (at["utc"] - (at["mono"] - then))
            return now.mono - max(0.0, ago)
        return None

    def age(self, then: float) -> float:
        """Return how long ago a moment of then was when it was kept."""
        mono: float = self.kept["at"]["mono"]
        return max(0.0, mono - then)

    def moved(self, then: float, now: Instant) -> float:
        """Return a moment of then on the clock of now; now itself where nobody knows."""
        known = self.known(then, now)
        return now.mono if known is None else known
