"""The HTTP of heating, the same at the boiler and at the nas: pages, houses, their history, commands, their streams.

`/` and its pages · `/api/houses` · `/api/houses/{house}` with `…/stream`, `…/series`, `…/events`, `…/metrics`,
`…/commands`, `…/dead` · `POST /api/commands` · `/api/houses/openapi.json` tells of them all.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.heating.look import HouseLook
from daemons.heating.web.commands import Commands
from daemons.heating.web.document import encoded_document
from daemons.heating.web.history import history_routes
from daemons.heating.web.hot import HotCache
from daemons.heating.web.stream import Ages, HouseStream
from daemons.heating.web.views import View, Views, age_json
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.trail import AuditTrail
from daemons.web.access import Access, NotThere, guarded
from daemons.web.answers import answer, to_json
from daemons.web.assets import Assets, is_known

__all__ = ["PAGES", "heating_assets", "heating_routes"]

_ROOMS = ("/", "/schedule", "/graphs", "/events", "/figures", "/commands")
PAGES = dict.fromkeys(_ROOMS, "heat.html")
"""The pages by path: one frame; heatapp.js shows what the address names."""


def heating_assets(assets: Assets) -> Assets:
    """Return the files with the pages of heating as the pages."""
    return evolve(assets, pages=PAGES)


def heating_routes(
    looks: Callable[[], Mapping[str, HouseLook]],
    assets: Assets,
    *,
    authoriser: Authoriser,
    trail: AuditTrail,
    hot: HotCache,
    utc_now: Callable[[], float],
    is_open: bool = False,
) -> list[BaseRoute]:
    """Return the routes. `looks()`: the houses there are now, by name. `assets`: as `heating_assets` returns them; the
    front gets `ready_answers` of the same.

    `is_open`: everybody who reaches this port may look (a boiler in its own house); else that takes a viewer of the
    house. Commands take an operator of it everywhere. Where people sign in, `login_routes` go beside these.
    """
    access, views, ages = Access(authoriser, trail, is_open), Views(looks), Ages(utc_now)

    def find(house: str) -> HouseLook:
        return view_of(house).look

    def view_of(house: str) -> View:
        view = views.get(house)
        if view is None:
            raise NotThere("NO_HOUSE", "there is no such house here")
        return view

    def readable(request: Request) -> View:
        house = request.path_params["house"]
        access.reader(request, house)
        return view_of(house)

    async def every(request: Request) -> Response:
        identity = access.looker(request)
        seen = {
            name: look
            for name, look in sorted(looks().items())
            if is_open or (identity is not None and identity.may(Role.VIEWER, name))
        }
        value = {
            "houses": [_summary(name, look, utc_now()) for name, look in seen.items()],
            "me": _me(identity, looks()),
            "open": is_open,
        }
        return answer(request, to_json(value))

    async def one(request: Request) -> Response:
        view = readable(request)
        name = f"{view.house().version}{view.state().version}"
        whole = view.whole(utc_now())
        return answer(request, to_json(whole), name=f"{name}{'-old' if whole['age']['stale'] else ''}")

    async def stream(request: Request) -> Response:
        view = readable(request)
        house = view.look.name
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return access.holding(request, house, HouseStream(lambda: views.get(house), ages, after))

    async def document(request: Request) -> Response:
        body, version = encoded_document()
        headers = {"ETag": f'"{version}"', "Cache-Control": "no-cache"}
        if is_known(request.headers.get("if-none-match"), version):
            return Response(status_code=304, headers=headers)
        return Response(body, 200, headers, "application/json")

    return [
        Route("/api/houses", guarded(every), methods=["GET"]),
        Route("/api/houses/openapi.json", document, methods=["GET"]),
        Route("/api/houses/{house}", guarded(one), methods=["GET"]),
        Route("/api/houses/{house}/stream", guarded(stream), methods=["GET"]),
        *history_routes(readable, hot),
        *Commands(access, find).routes(),
        *assets.routes(),
    ]


def _summary(name: str, look: HouseLook, utc_now: float) -> dict[str, Any]:
    plan, state = look.plan(), look.state()
    return {
        "house": name,
        "title": plan.house if plan is not None else name,
        "here": look.is_here,
        "alarms": None if state is None else len(state.alarms),
        "age": age_json(look, utc_now),
    }


def _me(identity: Identity | None, houses: Mapping[str, HouseLook]) -> dict[str, Any] | None:
    """Who asks, as the pages want to know it: the houses where they may have something done."""
    if identity is None:
        return None
    commands = sorted(name for name in houses if identity.may(Role.OPERATOR, name))
    return {"name": identity.name, "role": identity.role, "commands": commands}
