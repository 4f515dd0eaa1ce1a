"""The door of the link: telling an upgrade on `/control` from other requests, or answering it with plain
HTTP.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

import trio

from daemons.web.head import Head
from daemons.web.streams import FrontStream

CONTROL_PATH = "/control"
REACH_PATH = "/reach"

OnControl = Callable[[FrontStream, Head, str], Awaitable[None]]
"""`on_control(stream, head, peer)`: owns the connection until it returns. Nothing has been written; the
stream's first reads replay the request as it came, so that a WebSocket library can parse it itself. `peer` is
the client's address."""

Upgrades = Mapping[str, str]
"""What may be asked to become something else: the path, and what."""

LINK_UPGRADES: Upgrades = {CONTROL_PATH: "websocket", REACH_PATH: "pitlink-reach"}
_LINGER_S = 1.0
_LINGER_BYTES = 256 * 1024


def wants_control(head: Head, upgrades: Upgrades = LINK_UPGRADES) -> bool:
    """Whether the request asks to become one of `upgrades`: the link, or what it goes over when a hub reaches for its site."""
    wanted = upgrades.get(head.target.partition("?")[0])
    if head.method != "GET" or wanted is None:
        return False
    return wanted in (token.lower() for token in head.header_list("upgrade"))


async def reject(
    stream: FrontStream, status: int, headers: Sequence[tuple[bytes, bytes]] = (), body: bytes = b""
) -> None:
    """Answer an upgrade with a plain HTTP response and close: only before anything else was written.

    Takes at most the stream's write deadline and a second for the peer to read. A peer that is gone already
    is no error.
    """
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode("ascii"),
        b"content-length: %d" % len(body),
        b"connection: close",
        *(b"%s: %s" % pair for pair in headers),
    ]
    try:
        await stream.send_all(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return
    await stream.linger(_LINGER_S, _LINGER_BYTES)
    await trio.aclose_forcefully(stream)
