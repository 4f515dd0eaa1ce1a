"""Health as data: named warnings with a severity, plain words and since when, shown alike wherever health is shown."""

from collections.abc import Callable
from enum import StrEnum

import structlog
from attrs import define, field, frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

__all__ = ["Check", "Health", "Severity", "Warning_", "health_routes"]

_log = structlog.stdlib.get_logger("pitlink.ops")


class Severity(StrEnum):
    """How bad a warning is. Only FAILING makes `/healthz` answer 503: the daemon cannot do its work."""

    NOTICE = "notice"
    DEGRADED = "degraded"
    FAILING = "failing"


@frozen
class Warning_:  # noqa: N801
    """One thing that is not as it should be. `since`: UTC seconds."""

    name: str
    severity: Severity
    words: str
    since: float


@define(eq=False)
class Health:
    """The warnings that hold now, by name."""

    utc_now: Callable[[], float]
    _warnings: dict[str, Warning_] = field(factory=dict, init=False)

    def set(self, name: str, severity: Severity, words: str) -> None:
        """Raise a warning, or change its words; `since` stays while the severity does."""
        known = self._warnings.get(name)
        is_new = known is None or known.severity is not severity
        since = self.utc_now() if known is None or is_new else known.since
        if is_new:
            _log.warning("health.warning", name=name, severity=str(severity), words=words)
        self._warnings[name] = Warning_(name, severity, words, since)

    def warn(self, name: str, words: str, severity: Severity = Severity.DEGRADED) -> None:
        """Raise a warning in these words, or take it back when there are none: for who looks again and again."""
        if words:
            self.set(name, severity, words)
        else:
            self.clear(name)

    def clear(self, name: str) -> None:
        """Take a warning back; nothing happens when there is none."""
        if self._warnings.pop(name, None) is not None:
            _log.info("health.cleared", name=name)

    @property
    def warnings(self) -> list[Warning_]:
        """What holds now, the worst first."""
        order = [Severity.FAILING, Severity.DEGRADED, Severity.NOTICE]
        return sorted(
            self._warnings.values(), key=lambda warning: (order.index(warning.severity), warning.since)
        )

    @property
    def is_failing(self) -> bool:
        return any(warning.severity is Severity.FAILING for warning in self._warnings.values())


Check = Callable[[], tuple[bool, str]]
"""Says whether the daemon is ready for work, and in words why not."""


def health_routes(
    health: Health, *, ready: Check, about: Callable[[], dict[str, object]], is_public: bool
) -> list[BaseRoute]:
    """Return `/healthz` (503 while failing) and `/readyz` (503 while not ready). `about` adds a daemon's own figures.

    `is_public`: for who reaches it from the Internet, without any words: they name files, people's tokens and disks.
    """

    def tell(warning: Warning_) -> dict[str, object]:
        told: dict[str, object] = {"name": warning.name, "severity": str(warning.severity)}
        return told if is_public else {**told, "words": warning.words, "since": warning.since}

    async def healthz(request: Request) -> Response:
        warnings = [tell(warning) for warning in health.warnings]
        is_degraded = any(w.severity is not Severity.NOTICE for w in health.warnings)
        status = "failing" if health.is_failing else "degraded" if is_degraded else "ok"
        body = {"status": status, "warnings": warnings, **about()}
        return JSONResponse(body, 503 if health.is_failing else 200, {"Cache-Control": "no-store"})

    async def readyz(request: Request) -> Response:
        is_ready, words = ready()
        body: dict[str, object] = {"ready": is_ready}
        if not is_public:
            body["words"] = words
        return JSONResponse(body, 200 if is_ready else 503, {"Cache-Control": "no-store"})

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
