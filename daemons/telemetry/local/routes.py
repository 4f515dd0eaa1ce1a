"""The relay's REST API for programs on the driver's PC: what is configured, and the newest of the car."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemons.ops.authority.identity import Identity, Unauthorised
from daemons.telemetry.local.door import Current
from daemons.telemetry.local.nearness import why_not_of

__all__ = ["local_routes"]

_SNAPSHOT = (
    "speed", "rpm", "gear", "throttle", "brake", "steeringAngle", "lap", "position", "fuelLevel", "tireWear",
)  # fmt: skip
"""What the seed's answer has, in its order."""


@frozen
class _Local:
    current: Current
    config: Callable[[], Mapping[str, Any]]
    identify: Callable[[str], Identity]
    origins: Collection[str]

    def _refusal(self, request: Request) -> Response | None:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if words := why_not_of(host, origin, self.origins):
            return JSONResponse({"error": words}, 403)
        try:
            self.identify(_token(request.headers.get("authorization", "")))
        except Unauthorised as refusal:
            return JSONResponse({"error": refusal.words}, 401, {"www-authenticate": "Bearer"})
        return None

    async def get_config(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.config(), headers={"cache-control": "no-store"})

    async def get_current(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        newest = self.current()
        if newest is None:
            words = "nothing is captured: the simulator does not run, or the driver is not in the car"
            return JSONResponse({"error": words}, 503, {"retry-after": "5"})
        data = {name: newest[1].get(name) for name in _SNAPSHOT}
        return JSONResponse(data, headers={"cache-control": "no-store"})


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorised("send the relay's token: Authorization: Bearer ...", "missing")
    return token.strip()


def local_routes(
    current: Current,
    config: Callable[[], Mapping[str, Any]],
    identify: Callable[[str], Identity],
    origins: Collection[str] = (),
) -> list[BaseRoute]:
    """Return `GET /api/config` and `GET /api/telemetry/current`. Both want the token, and refuse pages of others."""
    local = _Local(current, config, identify, origins)
    return [
        Route("/api/config", local.get_config),
        Route("/api/telemetry/current", local.get_current),
    ]
