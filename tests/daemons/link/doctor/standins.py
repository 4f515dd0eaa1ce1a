"""What the doctor is tried on: a front with a hub's answers, and what stands in a hub's place."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemons.web.front import FrontConfig, open_listeners, serve_http
from daemons.web.uplink import UplinkSink


def hub_app() -> Starlette:
    """The routes of a hub that the doctor asks for."""

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok", "warnings": [], "daemon": "cloud"})

    return Starlette(routes=[Route("/healthz", healthz), UplinkSink().route()])


def answering(status: int, body: str, headers: Sequence[tuple[str, str]] = ()) -> Starlette:
    """Something that answers everything alike: a portal, another web server, a proxy without its hub."""

    async def answer(request: Request) -> Response:
        return Response(body, status, dict(headers))

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


@asynccontextmanager
async def serving(
    app: Starlette,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    config: FrontConfig | None = None,
) -> AsyncIterator[int]:
    """Serve for the body of the block; the port."""
    async with trio.open_nursery() as nursery:
        listeners = await open_listeners(host, 0)
        front = await nursery.start(partial(serve_http, listeners, app, tls=tls, config=config))
        yield front.ports[0]
        nursery.cancel_scope.cancel()
