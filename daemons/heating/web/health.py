"""`GET /health`: one word and a few figures, for what watches from outside. Open to everybody who reaches the port."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemons.ops.health import Health, Severity
from daemons.web.refusals import json_response

__all__ = ["boiler_health", "health_route", "nas_health"]

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def health_route(health: Health, figures: Callable[[], Mapping[str, object]]) -> Route:
    """Return the route. It answers 503 when the daemon is failing, 200 else."""

    async def answer(request: Request) -> Response:
        is_degraded = any(warning.severity is not Severity.NOTICE for warning in health.warnings)
        status = "failing" if health.is_failing else "degraded" if is_degraded else "ok"
        return json_response(503 if health.is_failing else 200, {"status": status, **figures()})

    return Route("/health", answer, methods=["GET"])


def boiler_health(database: Path) -> Callable[[], Mapping[str, object]]:
    """Return what tells of a boiler: `uptime` (s), `db_size` (bytes, with what is not written back yet), `memory` (bytes
    of this process; null where the system does not say). Call it at the start of the daemon."""
    began = time.monotonic()

    def figures() -> dict[str, object]:
        return {
            "uptime": round(time.monotonic() - began, 1),
            "db_size": sum(_size(database.with_name(database.name + end)) for end in ("", "-wal")),
            "memory": _resident_bytes(),
        }

    return figures


def nas_health(
    connected: Callable[[], Mapping[str, bool]], hit_rate: Callable[[], float | None]
) -> Callable[[], Mapping[str, object]]:
    """Return what tells of a nas: `pi_connected`, whether every house is, `cache_hit_rate` (0 to 1; null: nothing asked)."""

    def figures() -> dict[str, object]:
        known = connected()
        rate = hit_rate()
        return {
            "pi_connected": bool(known) and all(known.values()),
            "cache_hit_rate": None if rate is None else round(rate, 4),
        }

    return figures


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _resident_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * _PAGE_BYTES
