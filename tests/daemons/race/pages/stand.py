"""What the pages are tried on: boards of hand-made race days, served by the real front, which can be cut off."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import trio
import trio.testing
from attrs import define, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemons.race.keeper import BoardKeeper
from daemons.race.memory import Memory
from daemons.race.memoryconfig import MemoryConfig
from daemons.race.memoryroutes import memory_routes
from daemons.race.memorytables import MIGRATIONS
from daemons.race.pages import race_routes
from daemons.race.publicapi.routes import api_v1_routes
from daemons.store import open_store
from daemons.web.assets import read_assets
from daemons.web.front import serve_http
from daemons.web.ready import ready_answers

from ..field import Field, feed, fetched

__all__ = ["Stand", "at_field", "open_stand", "utc_now"]

ZONE = "Australia/Brisbane"


def utc_now() -> float:
    return datetime.now(UTC).timestamp()


def at_field(ago_s: float) -> str:
    """Return an instant so long ago as FPVTrackside writes it: local to the field, without zone."""
    local = (datetime.now(UTC) - timedelta(seconds=ago_s)).astimezone(ZoneInfo(ZONE))
    return f"{local:%Y/%m/%d} {local.hour}:{local:%M:%S}.{local.microsecond // 1000:03d}"


@define(eq=False)
class Stand:
    """Race days by site. All is confirmed as fresh all the time, unless `is_silent`. What changes is kept in `memory`."""

    days: dict[str, Field]
    nursery: trio.Nursery
    status: Any = None
    memory: Memory | None = None
    is_silent: bool = False
    port: int = 0
    boards: dict[str, BoardKeeper] = field(factory=dict, init=False)
    requests: list[str] = field(factory=list, init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, site: str, change: Callable[[Field], str]) -> None:
        """Change a file of a site's day; the board knows it at once. `change` returns the file's path."""
        path = change(self.days[site])
        read = fetched(path, self.days[site].files[path], utc_now())
        self.boards[site].apply(path, read)
        if self.memory is not None:
            self.memory.keep(site, read)

    def add(self, site: str) -> None:
        self.boards[site] = BoardKeeper()
        feed(self.boards[site], self.days[site], utc_now())

    async def serve(self) -> None:
        """Listen, at the same port as before."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        self._scope = await self.nursery.start(self._serve, listeners)

    async def cut(self) -> None:
        """Be gone: every connection is broken, none is taken."""
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def _serve(self, listeners: Any, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        assets = read_assets()
        app = Starlette(
            routes=[
                *race_routes(lambda: self.boards, assets, utc_now=utc_now),
                Route("/api/v1/status", self._light),
                *self._memory_routes(),
                *api_v1_routes(lambda: self.boards, utc_now=utc_now),
            ]
        )

        async def noted(scope: Any, receive: Any, send: Any) -> None:
            self.requests.append(scope["path"])
            await app(scope, receive, send)

        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(
                    lambda task_status: serve_http(
                        listeners, noted, ready=ready_answers(assets, utc_now), task_status=task_status
                    )
                )
                task_status.started(scope)

    def _memory_routes(self) -> list[BaseRoute]:
        memory = self.memory
        return (
            []
            if memory is None
            else memory_routes(lambda site: memory.of(site) if site in self.days else None)
        )

    async def _light(self, request: Request) -> Response:
        """The organiser's light, which is made elsewhere; None for a server that has none."""
        if self.status is None:
            return JSONResponse({"words": "there is nothing here"}, 404)
        return JSONResponse(self.status)

    async def keep_reading(self) -> None:
        """The files are read again and again, and are as they were."""
        while True:
            for board in self.boards.values() if not self.is_silent else ():
                board.confirm(utc_now(), [watch.path for watch in board.watches()])
            await trio.sleep(0.2)


@asynccontextmanager
async def open_stand(
    days: dict[str, Field], *, kept_in: Path | None = None, **more: Any
) -> AsyncIterator[Stand]:
    """Serve these days until the end of the block. `kept_in`: a file for a memory of what changes."""
    async with AsyncExitStack() as stack:
        memory = None
        if kept_in is not None:
            store = await stack.enter_async_context(open_store(kept_in, migrations=MIGRATIONS))
            memory = Memory(store, MemoryConfig(), utc_now)
        nursery = await stack.enter_async_context(trio.open_nursery())
        if memory is not None:
            nursery.start_soon(memory.run)
        stand = Stand(days, nursery, memory=memory, **more)
        for site in days:
            stand.add(site)
        nursery.start_soon(stand.keep_reading)
        await stand.serve()
        yield stand
        nursery.cancel_scope.cancel()
