"""The figures that every daemon has, whatever it is for: its process, health, audit, store, folder and web server."""

from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

from daemons.ops.admin.common import LOG_LEVEL
from daemons.ops.admin.limitactions import LimitOffice
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.faultsinside import ChaosOffice
from daemons.ops.health import Health
from daemons.ops.logs import log_level
from daemons.ops.metrics import Reading
from daemons.ops.process import folder_readings, health_readings, process_readings, store_readings
from daemons.store import Store
from daemons.web.front import Front
from daemons.web.guard import Guard
from daemons.web.readings import front_readings, guard_readings

__all__ = ["DaemonFigures"]


@define(eq=False)
class DaemonFigures:
    """The parts of a daemon that both kinds have. `versions`: of its software and of the protocol that it speaks;
    `is_production`: what its config says of it. `front`: set when it serves."""

    daemon: str
    folder: Path
    store: Store
    health: Health
    trail: AuditTrail
    guard: Guard
    limits: LimitOffice
    chaos: ChaosOffice
    versions: tuple[str, str]
    is_production: bool
    front: Front | None = field(default=None, init=False)

    def told(self) -> dict[str, object]:
        """Return what operators are told of any daemon: versions, what it is for, its log level, its limits, what is broken."""
        software, protocol = self.versions
        return {
            "software": software,
            "protocol": protocol,
            "production": self.is_production,
            "log": {"level": str(log_level()), "until": self.limits.lapses.until(LOG_LEVEL)},
            "limits": self.limits.values(),
            "limits_changed": self.limits.changed(),
            "chaos": self.chaos.status(),
        }

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
