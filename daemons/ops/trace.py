"""The ids that log lines carry, through context variables: what a line belongs to, without anybody passing it on.

`request` numbers the requests of a front (or of a link's connection), `connection` names a connection of the link, the
same at both ends, `site` the site, `trace` one caller's wish from its HTTP request to the site's answer. A trace comes
from the caller's `traceparent` (W3C Trace Context) or is made here, and is told in `Pitlink-Trace`.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import count
from typing import Any, Final

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

__all__ = ["begin_task", "bind", "bound", "connection_id", "current", "traced"]

bind = bind_contextvars
"""Have every later line of this task, and of tasks it starts, carry these ids."""

bound = bound_contextvars
"""The same for the body of a `with`."""

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[MutableMapping[str, Any], _Receive, _Send], Awaitable[None]]


def begin_task(**ids: object) -> None:
    """Forget the ids of whoever started this task, which outlives or serves others than it, and bind these."""
    clear_contextvars()
    bind_contextvars(**ids)


def current(name: str) -> str:
    """Return an id of the present context, "" when it has none."""
    return str(get_contextvars().get(name, ""))


def connection_id(instance: bytes, attempt: int) -> str:
    """Name a connection of the link as both ends know it: the site's process and the number of its attempt."""
    return f"{instance[:4].hex()}.{attempt}"


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the trace that a caller has begun, "" when it has not."""
    for name, value in headers:
        if name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value)) and found[1].strip(b"0"):
            return found[1].decode("ascii")
    return ""


def traced(app: _App, urandom: Callable[[int], bytes]) -> _App:
    """Return the ASGI application with the ids of each request bound, and its trace told in `Pitlink-Trace`."""
    numbers = count(1)

    async def serve(scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        trace = trace_of(scope["headers"]) or urandom(16).hex()

        async def send_with_trace(message: _Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"pitlink-trace", trace.encode("ascii"))]
                message = {**message, "headers": headers}
            await send(message)

        with bound_contextvars(request=next(numbers), trace=trace):
            await app(scope, receive, send_with_trace)

    return serve
