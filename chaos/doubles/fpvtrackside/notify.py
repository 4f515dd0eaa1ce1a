"""FPVTrackside's push notifications: JSON by PUT to a local URL, fired and forgotten.

Shape and habits of `documentation/POST_Extension_INTERFACE.en.md` v1.1 (FTC, 2026-05): one request in flight,
1.5 s and no second try, a queue of 200 that drops the newest when full, no way to ask again; a Hello at the
start, every 2 s until somebody says 2xx, and not again in this session.
"""

import contextlib
import json
import math
from collections.abc import Callable
from urllib.parse import urlsplit

import h11
import trio

from .clock import format_iso
from .shapes import Row

__all__ = ["Notifier"]

QUEUE_MAX = 200
ANSWER_S = 1.5
HELLO_EVERY_S = 2.0


class Notifier:
    """Send notifications to `url` (http only). `run` does the sending; `notify_nowait` may be called at any
    time.

    `delivered`, `failed` and `dropped` count what became of the events; the Hello is in none of them.
    """

    def __init__(self, url: str, utc_now: Callable[[], float]) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"a NotificationURL is http://host[:port]/path, not {url!r}")
        self.delivered = self.failed = self.dropped = 0
        self._host, self._port = parts.hostname, parts.port or 80
        self._netloc, self._target = parts.netloc, parts.path or "/"
        self._utc_now = utc_now
        self._seq = 0
        self._put, self._take = trio.open_memory_channel[bytes](QUEUE_MAX)

    def notify_nowait(self, kind: str, fields: Row | None = None) -> None:
        """Queue an event; when 200 wait already it is dropped and counted."""
        try:
            self._put.send_nowait(self._event(kind, fields or {}))
        except trio.WouldBlock:
            self.dropped += 1

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send until cancelled. An unreachable receiver costs the events, never this."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hello)
            task_status.started()
            with contextlib.closing(_Client(self._host, self._port)) as client:
                while True:
                    body = await self._take.receive()
                    if await self._deliver(client, body):
                        self.delivered += 1
                    else:
                        self.failed += 1

    async def _hello(self) -> None:
        fields: Row = {
            "fpvtVersion": "2.77.4",
            "platform": "Windows",
            "profile": {"name": "default"},
            "decimalPlaces": 2,
            "timingSystem": {
                "count": 1,
                "primeCount": 1,
                "splitCount": 0,
                "splitsPerLap": 1,
                "allDummy": True,
            },
        }
        with contextlib.closing(_Client(self._host, self._port)) as client:
            while not await self._deliver(client, self._event("Hello", fields)):  # noqa: ASYNC110
                await trio.sleep(HELLO_EVERY_S)

    def _event(self, kind: str, fields: Row) -> bytes:
        self._seq += 1
        return json.dumps(
            {"type": kind, "ts": format_iso(self._utc_now()), "seq": self._seq, **fields}
        ).encode()

    async def _deliver(self, client: "_Client", body: bytes) -> bool:
        is_answered = False
        try:
            with trio.move_on_after(ANSWER_S):
                status = await client.put(self._netloc, self._target, body)
                is_answered = 200 <= status < 300
        except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError):
            pass
        if not is_answered:
            client.close()
        return is_answered


class _Client:
    """A kept-alive connection with one request at a time, like .NET's HttpClient: a connection that turns out
    to have been closed meanwhile is replaced once."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._stream: trio.SocketStream | None = None

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._stream is not None:
            self._stream.socket.close()
            self._stream = None

    async def put(self, netloc: str, target: str, body: bytes) -> int:
        """Return the status. Raises OSError, trio.BrokenResourceError, h11.RemoteProtocolError."""
        if self._stream is not None:
            try:
                return await self._exchange(self._stream, netloc, target, body)
            except (trio.BrokenResourceError, h11.RemoteProtocolError):
                self.close()
        self._stream = await trio.open_tcp_stream(self._host, self._port, happy_eyeballs_delay=math.inf)
        return await self._exchange(self._stream, netloc, target, body)

    async def _exchange(self, stream: trio.SocketStream, netloc: str, target: str, body: bytes) -> int:
        parser = h11.Connection(h11.CLIENT)
        headers = [
            ("Host", netloc),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        head = parser.send(h11.Request(method="PUT", target=target, headers=headers)) or b""
        data = parser.send(h11.Data(data=body)) or b""
        parser.send(h11.EndOfMessage())
        await stream.send_all(head + data)
        status = 0
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
        if parser.their_state is not h11.DONE:
            self.close()
        return status
