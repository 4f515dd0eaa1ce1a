"""What the link has carried, by the quarter of an hour: so much today, so much this hour. Pure: times are passed in.

Quarters, because every zone of this world is whole quarters of an hour away from UTC; a day is the day of the event.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo

from attrs import define, field, frozen

__all__ = ["Carried", "DataBudget"]

SLOT_S = 900
SLOTS_KEPT = 2 * 96
"""Two days: the longest day has 25 hours."""


@frozen
class Carried:
    """Bytes: sent and received inside TLS; `saved`: what bodies would have been longer without packing and differences."""

    sent: int = 0
    received: int = 0
    saved: int = 0

    def __add__(self, other: "Carried") -> "Carried":
        return Carried(self.sent + other.sent, self.received + other.received, self.saved + other.saved)

    def since(self, before: "Carried") -> "Carried":
        """Return what came on top; counters that began anew count from nothing."""
        pairs = ((self.sent, before.sent), (self.received, before.received), (self.saved, before.saved))
        return Carried(*(now - then if now >= then else now for now, then in pairs))


@define(eq=False)
class DataBudget:
    """Counts what the link carries. `slots`: by quarters of an hour since 1970, as `load` had them and as counted since."""

    slots: dict[int, Carried] = field(factory=dict, init=False)
    _total: Carried = field(default=Carried(), init=False)

    def load(self, rows: Iterable[tuple[int, Carried]]) -> None:
        """Take what an earlier run has counted."""
        for slot, carried in rows:
            self.slots[slot] = self.slots.get(slot, Carried()) + carried

    def count(self, utc: float, total: Carried) -> int:
        """Count what was carried since the last call: `total` is all since the start of the process. Return the slot."""
        slot = int(utc // SLOT_S)
        self.slots[slot] = self.slots.get(slot, Carried()) + total.since(self._total)
        self._total = total
        for old in [known for known in self.slots if known <= slot - SLOTS_KEPT]:
            del self.slots[old]
        return slot

    def today(self, utc: float, zone: tzinfo | None) -> Carried:
        """Return what was carried since midnight in `zone` (None: this machine's)."""
        return self._since(utc, zone, lambda local: local.replace(hour=0, minute=0, second=0, microsecond=0))

    def this_hour(self, utc: float, zone: tzinfo | None) -> Carried:
        """Return what was carried since the clock there struck the hour."""
        return self._since(utc, zone, lambda local: local.replace(minute=0, second=0, microsecond=0))

    def _since(self, utc: float, zone: tzinfo | None, begin: Callable[[datetime], datetime]) -> Carried:
        began = begin(datetime.fromtimestamp(utc, UTC).astimezone(zone)).timestamp()
        found = [carried for slot, carried in self.slots.items() if began <= slot * SLOT_S <= utc]
        return sum(found, Carried())
