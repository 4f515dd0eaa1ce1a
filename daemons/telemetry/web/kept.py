"""What was kept, over HTTP: sessions, their laps, laps beside each other by position, files to take away, replay."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import trio
from attrs import define
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from daemons.ops.authority.identity import Role
from daemons.telemetry.look import LapColumns, NotKept, Session, TelemetryLook
from daemons.telemetry.web.byposition import deltas, grid, on_grid
from daemons.telemetry.web.channels import CHANNELS, listed
from daemons.telemetry.web.colours import coloured
from daemons.telemetry.web.corners import SOURCES, corners_json
from daemons.telemetry.web.live import Asked, Listeners, ReplayStream
from daemons.telemetry.web.query import Query
from daemons.telemetry.web.views import lap_json, session_json, shape_json
from daemons.web.access import Access, BadRequest, NotThere, guarded
from daemons.web.answers import answer, to_json
from daemons.web.refusals import retry_later

__all__ = ["Kept", "not_kept"]

LAPS_MAX = 8
POINTS, POINTS_MAX = 600, 4000
SESSIONS, SESSIONS_MAX = 30, 200
SPEEDS = (0.1, 64.0)

_MEDIA_TYPES = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "ibt": "application/octet-stream",
}


def not_kept(work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer 404 for what is not here, and in words for whatever else cannot be answered."""

    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except NotKept as exc:
            raise NotThere("NOT_KEPT", str(exc)) from None

    return guarded(endpoint)


@define(eq=False)
class Kept:
    """The routes of what was kept. Who looks at a session must be let near every driver of it."""

    look: TelemetryLook
    access: Access
    listeners: Listeners
    utc_now: Callable[[], float]

    def routes(self) -> list[BaseRoute]:
        one = "/api/telemetry/sessions/{id}"
        endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/telemetry/sessions": self._sessions,
            one: self._session,
            f"{one}/replay": self._replay,
            f"{one}/export": self._export,
            "/api/telemetry/laps/{id}/export": self._export_lap,
            "/api/telemetry/compare": self._compare,
            "/api/telemetry/track": self._track,
        }
        return [Route(path, not_kept(work), methods=["GET"]) for path, work in endpoints.items()]

    async def _sessions(self, request: Request) -> Response:
        query = Query(request)
        identity = self.access.somebody(request)
        driver = query.text("driver", "")
        limit = int(query.number("limit", SESSIONS, 1, SESSIONS_MAX))
        before = query.number("before", math.inf, 0, 1e15)
        before_us = None if math.isinf(before) else round(before * 1000)
        found = await self.look.sessions(driver=driver, before_us=before_us, limit=limit)
        seen = [
            one
            for one in found
            if self.access.is_open
            or (identity is not None and all(identity.may(Role.VIEWER, driver) for driver in one.drivers))
        ]
        next_ = found[-1].started_us / 1000 if len(found) == limit else None
        told = {
            "sessions": [session_json(one) for one in seen],
            "next": next_,
            "formats": list(self.look.export_formats),
        }
        return answer(request, to_json(told))

    async def _session(self, request: Request) -> Response:
        session = await self._readable(request, request.path_params["id"])
        laps = await self.look.laps(session.id)
        told = {
            **session_json(session),
            "lap_list": [lap_json(lap) for lap in coloured(laps)],
            "formats": list(self.look.export_formats),
        }
        return answer(request, to_json(told))

    async def _compare(self, request: Request) -> Response:
        query = Query(request)
        ids = query.names("laps", (), LAPS_MAX)
        if not ids:
            raise BadRequest("laps is a list of lap ids, the one to compare with first")
        channels = query.channels(("speed", "throttle", "brake", "steering", "gear"))
        points = int(query.number("points", POINTS, 2, POINTS_MAX))
        sources = sorted({CHANNELS[name].source for name in channels}.union(SOURCES))
        laps = []
        session: Session | None = None
        for id_ in ids:
            lap = await self.look.lap(id_, sources)
            if session is None or session.id != lap.lap.session:
                session = await self._readable(request, lap.lap.session)
            laps.append(lap)
        body = await trio.to_thread.run_sync(_compared, laps, channels, points, session)
        return answer(request, body)

    async def _track(self, request: Request) -> Response:
        self.access.looker(request)
        track = Query(request).text("track", "")
        shape = self.look.track(track)
        if shape is None:
            raise NotKept("the shape of this track has not been learned yet")
        return answer(request, to_json(shape_json(track, shape)))

    async def _replay(self, request: Request) -> Response:
        query = Query(request)
        session = await self._readable(request, request.path_params["id"])
        if self.listeners.now >= self.listeners.most:
            return retry_later(503, "too many listen just now", 5.0)
        driver = query.text("driver", "")
        asked = Asked((driver,) if driver else (), query.channels(), query.number("hz", 60, 1, 60))
        stream = ReplayStream(
            self.look, asked, self.utc_now, self.listeners, session=session,
            from_us=round(query.number("from", session.started_us / 1000, 0, 1e15) * 1000),
            speed=query.number("speed", 1.0, *SPEEDS),
        )  # fmt: skip
        return self.access.holding_all(request, session.drivers, stream)

    async def _export(self, request: Request) -> Response:
        session = await self._readable(request, request.path_params["id"])
        return await self._file(request, session.id, f"session-{session.id}")

    async def _export_lap(self, request: Request) -> Response:
        lap = await self.look.lap(request.path_params["id"], ())
        await self._readable(request, lap.lap.session)
        return await self._file(request, lap.lap.id, f"lap-{lap.lap.id}")

    async def _file(self, request: Request, id_: str, name: str) -> Response:
        format_ = Query(request).text("format", "csv")
        if format_ not in self.look.export_formats:
            raise BadRequest(f"format is one of {', '.join(self.look.export_formats) or 'none here'}")
        pieces = self.look.export(id_, format_)
        first = await anext(pieces, b"")  # what cannot be made is said before anything is sent
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
        headers = {
            "Content-Disposition": f'attachment; filename="{safe}.{format_}"',
            "Cache-Control": "private, no-store",
        }
        return StreamingResponse(_joined(first, pieces), 200, headers, _MEDIA_TYPES[format_])

    async def _readable(self, request: Request, id_: str) -> Session:
        """Return a session, if who asks may look. Raises Refusal before it says whether there is one."""
        self.access.looker(request)
        session = await self.look.session(id_)
        for driver in session.drivers:
            self.access.reader(request, driver)
        return session


async def _joined(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(pieces) as rest:  # type: ignore[type-var]
        yield first
        async for piece in rest:
            yield piece


def _compared(
    laps: Sequence[LapColumns], channels: Sequence[str], points: int, session: Session | None
) -> bytes:
    positions = grid(points)
    placed = [on_grid(lap, positions, channels) for lap in laps]
    told: list[dict[str, Any]] = []
    for lap, on, delta in zip(laps, placed, deltas(placed), strict=True):
        columns = {name: listed(values, CHANNELS[name].digits) for name, values in on.columns.items()}
        told.append(
            {
                "lap": lap_json(lap.lap),
                "delta": listed(delta, 3),
                "time": listed(on.time_s, 3),
                "columns": columns,
            }
        )
    return to_json(
        {
            "position": listed(np.asarray(positions), 5),
            "laps": told,
            "corners": corners_json(laps),
            "sector_starts": [] if session is None else list(session.sector_starts),
        }
    )
