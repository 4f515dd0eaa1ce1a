"""The port of the relay's API: HTTP/1.1 on a Unix socket, which its file's mode guards, or on loopback with a token."""

import base64
import binascii
import hmac
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import h11
import trio

from chaos.proxy.api import Answer, answer
from chaos.proxy.board import Board

__all__ = ["SocketInUse", "serve_http", "serve_tcp_api", "serve_unix_api"]

BODY_BYTES_MAX = 1024 * 1024
IDLE_S = 60.0
CONNECTIONS_MAX = 32
READ_BYTES = 64 * 1024


class SocketInUse(Exception):
    """Another relay serves at this path, or something that is no socket lies there."""


async def serve_tcp_api(  # noqa: ASYNC114
    board: Board, host: str, port: int, token: str, *, task_status: trio.TaskStatus[int]
) -> None:
    """Serve on loopback until cancelled; `started` hands over the port. Raises OSError."""
    listeners = await trio.open_tcp_listeners(port, host=host)
    task_status.started(listeners[0].socket.getsockname()[1])
    await serve_http(board, listeners, token)


async def serve_unix_api(  # noqa: ASYNC114
    board: Board, path: Path, *, task_status: trio.TaskStatus[None]
) -> None:
    """Serve at a path, for this user alone, until cancelled; a socket left over by a relay that is gone is replaced.

    Raises OSError and SocketInUse.
    """
    await _clear(path)
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with sock:
        mask = os.umask(0o177)  # the file is never there with another mode
        try:
            await sock.bind(str(path))
        finally:
            os.umask(mask)
        sock.listen(CONNECTIONS_MAX)
        try:
            task_status.started()
            await serve_http(board, [trio.SocketListener(sock)], "")
        finally:
            _remove(path)


async def _clear(path: Path) -> None:
    if not _is_there(path):
        return
    try:
        await (await trio.open_unix_socket(str(path))).aclose()
    except OSError:
        _remove(path)
    else:
        raise SocketInUse(f"another relay serves at {path}")


def _is_there(path: Path) -> bool:
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            return True
    except FileNotFoundError:
        return False
    raise SocketInUse(f"{path} is there, and is no socket")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def serve_http(board: Board, listeners: list[trio.SocketListener], token: str) -> None:
    """Serve the API; an empty token lets everyone in who can connect."""
    free = trio.CapacityLimiter(CONNECTIONS_MAX)

    async def serve(stream: trio.SocketStream) -> None:
        async with free:
            try:
                await _Client(board, stream, token).serve()
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                pass  # it has gone, or says nothing
            except h11.RemoteProtocolError:
                pass  # no HTTP: closing is all the answer there is

    await trio.serve_listeners(serve, listeners)


class _Client:
    """One connection to the API."""

    def __init__(self, board: Board, stream: trio.SocketStream, token: str) -> None:
        self._board = board
        self._stream = stream
        self._token = token
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        while True:
            with trio.fail_after(IDLE_S):
                request = await self._next()
                if not isinstance(request, h11.Request):
                    return
                body = bytearray()
                while isinstance(event := await self._next(), h11.Data):
                    body += event.data
                    if len(body) > BODY_BYTES_MAX:
                        await self._send(_refusal(413, "the body is too large"), close=True)
                        return
            found = await self._answer(request, bytes(body))
            with trio.fail_after(IDLE_S):
                await self._send(found)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _answer(self, request: h11.Request, body: bytes) -> Answer:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        if self._token and not _may(headers, self._token):
            return _refusal(401, "the token is missing or wrong")
        if headers.get("user-agent", "").startswith("Mozilla/"):
            return _refusal(403, "not from a browser")  # as Toxiproxy: pages must not reach it
        path = unquote(request.target.partition(b"?")[0].decode("latin-1"))
        return await answer(self._board, request.method.decode("ascii"), path, body)

    async def _next(self) -> "h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]":
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(bytes(await self._stream.receive_some(READ_BYTES)))
        return event

    async def _send(self, found: Answer, *, close: bool = False) -> None:
        headers = [("Content-Length", str(len(found.body))), ("Content-Type", found.content_type)]
        if found.status == 401:
            headers.append(("WWW-Authenticate", 'Basic realm="pitlink chaos"'))
        if close:
            headers.append(("Connection", "close"))
        if found.status == 204:
            headers = []
        await self._write(
            h11.Response(status_code=found.status, headers=headers),
            h11.Data(data=found.body),
            h11.EndOfMessage(),
        )

    async def _write(self, *events: h11.Event) -> None:
        await self._stream.send_all(b"".join(self._http.send(event) or b"" for event in events))


def _refusal(status: int, words: str) -> Answer:
    return Answer(status, f'{{"error": "{words}", "status": {status}}}'.encode())


def _may(headers: Mapping[str, str], token: str) -> bool:
    """Whether the token is there: as a bearer's, or as the password of Basic, which old clients take from the URL."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("latin-1").partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
