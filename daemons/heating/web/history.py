"""What a house was: curves, events, figures over HTTP, downsampled here, kept while they are asked for again and again."""

import math
import re
from collections.abc import Awaitable, Callable
from functools import partial

from attrs import asdict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.heating.history import read
from daemons.heating.history.figures import HEATING_LIMIT, metrics
from daemons.heating.look import HouseLook
from daemons.heating.web.hot import HotCache
from daemons.heating.web.views import View
from daemons.web.access import BadRequest, NotThere, guarded
from daemons.web.answers import answer, to_json
from protocol.heating import EventKind

__all__ = ["history_routes"]

DAY_S = 86400.0
INSTANT_MAX = 253_402_300_799  # the end of the year 9999
SPAN_MAX_S = 40 * 366 * DAY_S
NAME_MAX = 64
EVENTS_AT_ONCE = 500
POINTS, EVENTS = 300, 100

NEW_S, EVENTS_S, PAST_S = 10.0, 2.0, 300.0
"""For so long an answer is kept: one whose end is now, one of events, one of what is past. A replica may still be filled
up or repaired, so nothing is kept for good."""

_BEFORE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)_(\d{1,18})")


def history_routes(readable: Callable[[Request], View], hot: HotCache) -> list[BaseRoute]:
    """Return …/series, …/events and …/metrics. `readable(request)`: the house, if who asks may look."""

    async def series(request: Request) -> Response:
        look = readable(request).look
        zone, points = _one(request, "zone") or "", _whole(request, "points", POINTS, read.POINTS_MAX)
        if not 1 <= len(zone) <= NAME_MAX:
            raise BadRequest("zone is the id of a zone, or burner, or outdoor")
        if not _is_known(look, zone):
            raise NotThere("NO_ZONE", "there is no such zone in this house")
        start, end = _span(request, look)
        key = (look.name, "series", zone, start, end, max(points, 2))
        make = partial(_series, look, zone, start, end, max(points, 2))
        return answer(request, await hot.get_or_make(key, _keep_s(look, end), make))

    async def events(request: Request) -> Response:
        look = readable(request).look
        source, kind = _one(request, "source"), _kind(request)
        limit = _whole(request, "limit", EVENTS, EVENTS_AT_ONCE)
        if source is not None and not 1 <= len(source) <= NAME_MAX:
            raise BadRequest("source is the id of a zone, burner, pump, boiler or house")
        before = _before(request)
        key = (look.name, "events", source, kind, before, limit)
        make = partial(_events, look, source, kind, before, limit)
        return answer(request, await hot.get_or_make(key, EVENTS_S, make))

    async def figures(request: Request) -> Response:
        look = readable(request).look
        start, end = _span(request, look)
        make = partial(_metrics, look, start, end)
        key = (look.name, "metrics", start, end)
        return answer(request, await hot.get_or_make(key, _keep_s(look, end), make))

    one = "/api/houses/{house}"
    endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "series": series,
        "events": events,
        "metrics": figures,
    }
    return [Route(f"{one}/{name}", guarded(work), methods=["GET"]) for name, work in endpoints.items()]


async def _series(look: HouseLook, zone: str, start: float, end: float, points: int) -> bytes:
    found = await look.read(lambda conn, house: read.series(conn, house, zone, start, end, points))
    shown = found.points
    return to_json(
        {
            "zone": zone,
            "from": start,
            "to": end,
            "step_s": found.step_s,
            "level": found.level,
            "at": [point.at for point in shown],
            "celsius": [point.celsius for point in shown],
            "lowest": [point.lowest for point in shown],
            "highest": [point.highest for point in shown],
            "supply": [point.supply for point in shown],
            "target": [point.target for point in shown],
            "known": [round(point.known, 3) for point in shown],
            "ran_s": [point.ran_s for point in shown],
            "watched_s": [point.watched_s for point in shown],
            "starts": [point.starts for point in shown],
        }
    )


async def _events(
    look: HouseLook, source: str | None, kind: EventKind | None, before: tuple[float, int] | None, limit: int
) -> bytes:
    found = await look.read(
        lambda conn, house: read.events(conn, house, source=source, kind=kind, before=before, limit=limit)
    )
    told = [{"id": number, **asdict(event)} for number, event in found]
    last = f"{found[-1][1].at:.9f}".rstrip("0").rstrip(".") + f"_{found[-1][0]}" if found else None
    return to_json({"events": told, "next": last if len(found) == limit else None})


async def _metrics(look: HouseLook, start: float, end: float) -> bytes:
    found = await look.read(lambda conn, house: metrics(conn, house, start, end))
    return to_json({"from": start, "to": end, "heating_limit": HEATING_LIMIT, **asdict(found)})


def _is_known(look: HouseLook, zone: str) -> bool:
    plan = look.plan()
    return plan is None or zone in ("burner", "outdoor") or any(known.id == zone for known in plan.zones)


def _keep_s(look: HouseLook, end: float) -> float:
    now = look.house_now()
    return NEW_S if now is None or end > now - 3600 else PAST_S


def _span(request: Request, look: HouseLook) -> tuple[float, float]:
    """Return from and to. Raises BadRequest."""
    end = _instant(request, "to")
    if end is None:
        now = look.house_now()
        end = (
            DAY_S if now is None else math.ceil(now / 60) * 60.0
        )  # so that who asks in the same minute asks the same
    start = _instant(request, "from")
    start = max(0.0, end - DAY_S) if start is None else start
    if not 0 < end - start <= SPAN_MAX_S:
        raise BadRequest("to is behind from, by 40 years at most")
    return start, end


def _one(request: Request, name: str) -> str | None:
    given = request.query_params.getlist(name)
    if len(given) > 1:
        raise BadRequest(f"{name} is given more than once")
    return given[0] if given else None


def _instant(request: Request, name: str) -> float | None:
    text = _one(request, name)
    if text is None:
        return None
    try:
        value = float(text) if len(text) <= 32 and text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value <= INSTANT_MAX:
        raise BadRequest(f"{name} is an instant in UTC seconds")
    return value


def _whole(request: Request, name: str, default: int, highest: int) -> int:
    text = _one(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= highest):
        raise BadRequest(f"{name} is a whole number, 1 to {highest}")
    return int(text)


def _kind(request: Request) -> EventKind | None:
    text = _one(request, "kind")
    if text is None:
        return None
    try:
        return EventKind(text)
    except ValueError:
        raise BadRequest(f"kind is one of {', '.join(EventKind)}") from None


def _before(request: Request) -> tuple[float, int] | None:
    text = _one(request, "before")
    if text is None:
        return None
    found = _BEFORE.fullmatch(text)
    if found is None or not text.isascii():
        raise BadRequest("before is the `next` of an answer")
    return float(found[1]), int(found[2])
