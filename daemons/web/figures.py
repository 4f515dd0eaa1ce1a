"""The figures that every daemon has, whatever it is for: its process, health, audit, store, folder and web server."""

from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

from daemons.ops.authority.trail import AuditTrail
from daemons.ops.health import Health
from daemons.ops.metrics import Reading
from daemons.ops.process import folder_readings, health_readings, process_readings, store_readings
from daemons.store import Store
from daemons.web.front import Front
from daemons.web.guard import Guard
from daemons.web.readings import front_readings, guard_readings

__all__ = ["DaemonFigures"]


@define(eq=False)
class DaemonFigures:
    """The parts of a daemon that both kinds have. `front`: set when it serves."""

    daemon: str
    folder: Path
    store: Store
    health: Health
    trail: AuditTrail
    guard: Guard
    front: Front | None = field(default=None, init=False)

    def readings(self) -> Iterator[Reading]:
        """Yield them for /metrics."""
        yield from process_readings(self.daemon)
        yield from health_readings(self.health)
        yield from self.trail.readings()
        yield from store_readings(self.store)
        yield from folder_readings(self.folder)
        if self.front is not None:
            yield from front_readings(self.front.statistics)
        yield from guard_readings(self.guard)
