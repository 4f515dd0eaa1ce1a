"""Viewers of the event stream, over ASGI, and the field whose race they see."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from starlette.applications import Starlette

from daemons.race.keeper import BoardKeeper
from daemons.race.mergepatch import apply
from daemons.race.pages import race_routes
from daemons.web.assets import read_assets

from . import makers as make
from .field import Field, feed, fetched

LIVE: dict[str, Any] = {"start": make.START}


def app_of(boards: dict[str, BoardKeeper]) -> Starlette:
    return Starlette(routes=race_routes(lambda: boards, read_assets(), utc_now=trio.current_time))


def keeper_of(day: Field) -> BoardKeeper:
    keeper = BoardKeeper()
    feed(keeper, day, trio.current_time())
    return keeper


def lap(keeper: BoardKeeper, day: Field, lengths: list[float]) -> None:
    """Pilot 1 has flown these lengths, and it was just read."""
    path = day.race(101, **LIVE, flown={1: lengths}, target=9)
    keeper.apply(path, fetched(path, day.files[path], trio.current_time()))


class Viewer:
    """An ASGI client that reads a stream, and may stop reading."""

    def __init__(
        self, app: Starlette, query: str = "", *, last_event_id: str | None = None, path: str = "/events"
    ) -> None:
        self._app = app
        headers = [(b"host", b"pits")]
        if last_event_id is not None:
            headers.append((b"last-event-id", last_event_id.encode()))
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": headers,
            "server": ("pits", 80),
            "client": ("viewer", 1),
        }
        self.text = ""
        self.sends = 0
        self.start: dict[str, Any] = {}
        self.is_complete = False
        self.is_broken = False
        self.gone = trio.Event()
        self._may_read = trio.Event()
        self._may_read.set()

    async def run(self) -> None:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if self.is_broken:
                raise ConnectionError("the client is gone")
            if message["type"] == "http.response.start":
                self.start = message
                return
            await self._may_read.wait()
            self.sends += 1
            self.text += message["body"].decode()
            self.is_complete = not message.get("more_body", False)

        await self._app(self._scope, receive, send)

    def stop_reading(self) -> None:
        self._may_read = trio.Event()

    def read_on(self) -> None:
        self._may_read.set()

    @property
    def tree(self) -> Any:
        """What a page has that does as it is told."""
        tree: Any = None
        for fields in self._fields():
            if fields.get("event") in ("tree", "patch"):
                value = json.loads(fields["data"])
                tree = value if fields["event"] == "tree" else apply(tree, value)
        return tree

    @property
    def last_id(self) -> str:
        return [fields["id"] for fields in self._fields() if "id" in fields][-1]

    def _fields(self) -> Iterator[dict[str, str]]:
        for block in self.text.split("\n\n"):
            yield dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))

    def events(self, kind: str) -> list[Any]:
        return [json.loads(fields["data"]) for fields in self._fields() if fields.get("event") == kind]


@asynccontextmanager
async def watching(*viewers: Viewer) -> AsyncIterator[Callable[[], None]]:
    async with trio.open_nursery() as nursery:
        for viewer in viewers:
            nursery.start_soon(viewer.run)
        await trio.testing.wait_all_tasks_blocked()
        yield nursery.cancel_scope.cancel
        nursery.cancel_scope.cancel()
