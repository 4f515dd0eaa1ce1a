"""Helpers of the front's tests: a front in memory, a front on loopback, and a client that speaks bytes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import h11
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from daemons.web.asgi import ASGIApp
from daemons.web.connection import FrontStatistics, Site
from daemons.web.front import Front, FrontConfig, open_listeners, serve_http


def utc_now() -> float:
    return 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def make_site(app: ASGIApp, **changes: Any) -> Site:
    config = changes.pop("config", None) or FrontConfig(linger_s=0.2)
    defaults: dict[str, Any] = {"on_control": None, "ready": None, "utc_now": utc_now}
    return Site(app=app, config=config, statistics=FrontStatistics(), **(defaults | changes))


class Client:
    """A client that sends bytes and reads responses with h11."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def get(
        self, target: str = "/", *, method: str = "GET", headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        await self.send(f"{method} {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
        return await self.response(method)

    async def response(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Read one response; raises EOFError when the connection ends before it began."""
        machine = h11.Connection(h11.CLIENT)
        machine.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        machine.send(h11.EndOfMessage())
        status, headers, body = 0, {}, b""
        pending = self.buffer
        while True:
            if pending:
                machine.receive_data(pending)
                pending = b""
            event = machine.next_event()
            if event is h11.NEED_DATA:
                data = bytes(await self.stream.receive_some())
                if not data and not status:
                    raise EOFError
                machine.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                headers["informational"] = str(event.status_code)
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers |= {n.decode(): v.decode() for n, v in event.headers}
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                self.buffer = machine.trailing_data[0]
                return status, headers, body

    async def at_end(self) -> bool:
        """Whether the server closes without another byte."""
        return not self.buffer and not await self.stream.receive_some()


@asynccontextmanager
async def in_memory(app: ASGIApp, **changes: Any) -> AsyncIterator[tuple[Front, Callable[[], Client]]]:
    """Run a front on memory streams; yields it and a function that opens a connection."""
    front = Front(make_site(app, **changes))
    async with trio.open_nursery() as nursery:

        def connect() -> Client:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(front.handle, theirs)
            return Client(ours)

        yield front, connect
        nursery.cancel_scope.cancel(reason="the test is over")


class Running:
    """A front on loopback, and the clients opened to it, which are closed with it."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.port = front.ports[0]
        self.statistics = front.statistics
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(await self.open_tcp())
        self.clients.append(client)
        return client

    async def open_tcp(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@asynccontextmanager
async def on_loopback(app: ASGIApp, **settings: Any) -> AsyncIterator[Running]:
    """Run a front on a free port of 127.0.0.1."""
    settings.setdefault("config", FrontConfig(linger_s=0.2))
    listeners = await open_listeners("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        running = Running(
            await nursery.start(
                lambda task_status: serve_http(listeners, app, task_status=task_status, **settings)
            )
        )
        try:
            yield running
        finally:
            for client in running.clients:
                await trio.aclose_forcefully(client.stream)
            nursery.cancel_scope.cancel(reason="the test is over")


# --- an application with one path for each thing a handler can do -------------------------------------------


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.url.path} {request.url.query}".strip())


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


async def ignore_body(request: Request) -> Response:
    return PlainTextResponse("not read", status_code=202)


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        for number in range(3):
            yield f"part {number}\n"

    return StreamingResponse(parts(), media_type="text/plain")


async def boom(request: Request) -> Response:
    raise LookupError("the handler's own mistake")


async def disconnected(request: Request) -> Response:
    return PlainTextResponse(str(await request.is_disconnected()))


def starlette_app() -> ASGIApp:
    post = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/echo", echo, methods=post),
            Route("/ignore", ignore_body, methods=post),
            Route("/stream", stream),
            Route("/boom", boom),
            Route("/disconnected", disconnected),
            Route("/{rest:path}", hello),
        ]
    )


class Events:
    """A bare ASGI application of server-sent events: it sends what the test says and notes when the client
    left.
    """

    def __init__(self) -> None:
        self.send_event, self._events = trio.open_memory_channel[bytes](16)
        self.left = trio.Event()
        self.ended = trio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait_for_client, receive, nursery.cancel_scope)
                async for event in self._events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
                nursery.cancel_scope.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.ended.set()

    async def _wait_for_client(self, receive: Any, scope: trio.CancelScope) -> None:
        message = await receive()
        assert message["type"] == "http.disconnect"
        self.left.set()
        scope.cancel()
