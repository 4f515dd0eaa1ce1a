"""The HTTP of telemetry at the backend: pages, drivers as they drive, what was kept, and what is posted.

`/` and its pages · `/api/telemetry/drivers` · `…/drivers/{driver}` · `…/live` · `…/clock` · `…/sessions` with
`…/{id}`, `…/{id}/replay`, `…/{id}/export` · `…/laps/{id}/export` · `…/compare` · `…/track` · `POST /api/telemetry` ·
`…/posted`. Where people sign in, `login_routes` and `auth_login_route` go beside these.
"""

import json
from collections.abc import Callable
from typing import Any

import trio
from attrs import define, evolve, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.trail import AuditTrail
from daemons.telemetry.look import TelemetryLook
from daemons.telemetry.web.kept import Kept, not_kept
from daemons.telemetry.web.live import Asked, Listeners, LiveStream
from daemons.telemetry.web.posted import PostedSnapshots
from daemons.telemetry.web.query import Query
from daemons.telemetry.web.snapshotbody import BadSnapshot, read_posted
from daemons.telemetry.web.views import entries_json, ms, state_json
from daemons.web.access import Access, BadRequest
from daemons.web.answers import answer, to_json
from daemons.web.assets import Assets
from daemons.web.refusals import json_response, retry_later
from protocol.tokenbucket import Buckets

__all__ = ["PAGES", "POSTS_BURST", "POSTS_PER_S", "telemetry_assets", "telemetry_routes"]

_ROOMS = ("/", "/sessions", "/session", "/compare", "/replay")
PAGES = dict.fromkeys(_ROOMS, "tel.html")
"""The pages by path: one frame; telapp.js shows what the address names."""

DRIVERS_MAX = 32
BACK_S_MAX = 120.0
POSTED, POSTED_MAX = 20, 500
BODY_BYTES_MAX = 16 * 1024

POSTS_PER_S, POSTS_BURST = 60.0, 240.0
"""Of one person or token: every tick of one car."""


def telemetry_assets(assets: Assets) -> Assets:
    """Return the files with the pages of telemetry as the pages."""
    return evolve(assets, pages=PAGES)


def telemetry_routes(
    look: TelemetryLook,
    assets: Assets,
    *,
    posted: PostedSnapshots,
    authoriser: Authoriser,
    trail: AuditTrail,
    utc_now: Callable[[], float],
    listeners: Listeners | None = None,
    is_open: bool = False,
) -> list[BaseRoute]:
    """Return the routes. `assets`: as `telemetry_assets` returns them; the front gets `ready_answers` of the same.

    A driver is a site: looking takes a viewer of it, posting in its name an operator. `is_open`: everybody who reaches
    this port may look.
    """
    access = Access(authoriser, trail, is_open)
    listeners = listeners or Listeners()
    return [
        *_Live(look, access, posted, listeners, utc_now).routes(),
        *Kept(look, access, listeners, utc_now).routes(),
        *assets.routes(),
    ]


@define(eq=False)
class _Live:
    """The routes of drivers as they drive, and of what is posted."""

    look: TelemetryLook
    access: Access
    posted: PostedSnapshots
    listeners: Listeners
    utc_now: Callable[[], float]
    _paces: Buckets = field(factory=Buckets, init=False)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/telemetry", not_kept(self._post), methods=["POST"]),
            Route("/api/telemetry/clock", self._clock, methods=["GET"]),
            Route("/api/telemetry/drivers", not_kept(self._drivers), methods=["GET"]),
            Route("/api/telemetry/drivers/{driver}", not_kept(self._driver), methods=["GET"]),
            Route("/api/telemetry/live", not_kept(self._live), methods=["GET"]),
            Route("/api/telemetry/posted", not_kept(self._posted), methods=["GET"]),
        ]

    async def _clock(self, request: Request) -> Response:
        """Say what time it is here: who asks halves the way there and back, and knows it that well."""
        return json_response(200, {"now": round(self.utc_now() * 1000, 3)})

    async def _drivers(self, request: Request) -> Response:
        identity = self.access.looker(request)
        states = [self._state(driver) for driver in self._seen(identity)]
        me = None if identity is None else {"name": identity.name, "role": identity.role}
        told = {"drivers": states, "me": me, "open": self.access.is_open}
        return answer(request, to_json(told))

    async def _driver(self, request: Request) -> Response:
        driver = request.path_params["driver"]
        self.access.reader(request, driver)
        cars = self.look.state(driver).cars
        return answer(request, to_json({**self._state(driver), "cars": entries_json(cars)}))

    async def _live(self, request: Request) -> Response:
        query = Query(request)
        identity = self.access.looker(request)
        drivers = query.names("drivers", self._seen(identity)[:DRIVERS_MAX], DRIVERS_MAX)
        for driver in drivers:
            self.access.reader(request, driver)
            self.look.state(driver)  # NotKept for a driver there is not
        if self.listeners.now >= self.listeners.most:
            return retry_later(503, "too many listen just now", 5.0)
        asked = Asked(
            drivers, query.channels(), query.number("hz", 60, 1, 60), query.number("back", 0, 0, BACK_S_MAX)
        )
        return self.access.holding_all(
            request, drivers, LiveStream(self.look, asked, self.utc_now, self.listeners)
        )

    async def _post(self, request: Request) -> Response:
        identity = self.access.authoriser.identify(request.headers.get("authorization"))
        wait_s = self._paces.take(identity.who, trio.current_time(), POSTS_PER_S, POSTS_BURST)
        if wait_s:
            return retry_later(429, "you post too many snapshots", wait_s)
        body = await request.body()  # bounded by the front
        if len(body) > BODY_BYTES_MAX:
            raise BadRequest(f"a snapshot has at most {BODY_BYTES_MAX} bytes")
        try:
            one = read_posted(json.loads(body))
        except BadSnapshot as exc:
            raise BadRequest(str(exc)) from None
        except (ValueError, RecursionError):
            raise BadRequest("the body is no JSON") from None
        await self.access.operator(request, one.driver, "telemetry.post")
        self.look.state(one.driver)  # nobody fills the disk with drivers of his own making
        return json_response(200, {"success": True, "id": await self.posted.keep(one, identity.who)})

    async def _posted(self, request: Request) -> Response:
        query = Query(request)
        driver = query.text("driver", "")
        self.access.reader(request, driver)
        limit = int(query.number("limit", POSTED, 1, POSTED_MAX))
        rows = await self.posted.newest(driver, limit)
        told = [{"id": row["id"], "at": ms(row["at_us"]), "data": row["data"]} for row in rows]
        return answer(request, to_json({"driver": driver, "snapshots": told}))

    def _state(self, driver: str) -> dict[str, Any]:
        return state_json(self.look.state(driver), self.look, self.utc_now())

    def _seen(self, identity: Identity | None) -> list[str]:
        drivers = self.look.drivers()
        if self.access.is_open:
            return list(drivers)
        return [driver for driver in drivers if identity is not None and identity.may(Role.VIEWER, driver)]
