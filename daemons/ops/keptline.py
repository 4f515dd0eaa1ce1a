"""HTTP questions in a row on one connection: for whoever asks the same place several times a second.

Through TLS a connection costs the two ends 5 ms of processor, and the asker two round trips; kept, they are paid once
(`bench/asking.py`).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import h11
import trio
from attrs import define, field, frozen

from daemons.ops.ask import Answer, Place, Unreachable, put

__all__ = ["KeptLine"]

REST_S = 20.0
"""A connection that rested longer is not used again: what is on the way may have forgotten it. The daemons' own end
theirs after 75 s."""


@frozen
class _Line:
    """A connection on which questions follow each other."""

    stream: trio.abc.Stream
    http: h11.Connection
    rested_at: float | None = None

    def is_at_rest(self) -> bool:
        """Has the last question been answered to its end, and may another follow?"""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    def is_quiet(self) -> bool:
        """Is it open still? An end that has come, or anything else that nobody asked for, shows without waiting."""
        raw = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        return isinstance(raw, trio.SocketStream) and not raw.socket.is_readable()


@define(eq=False)
class KeptLine:
    """Asks at one place. At most one connection rests between questions, so that nobody's limits are used up by silence.

    Questions may be asked by several tasks: each has a connection to itself while it lasts. `opened`: connections so far.
    """

    place: Place
    opened: int = field(default=0, init=False)
    _resting: _Line | None = field(default=None, init=False)
    _is_closed: bool = field(default=False, init=False)

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        is_repeatable: bool,
    ) -> AsyncIterator[Answer]:
        """Ask, and give the answer when its head is there. The caller's scope is the deadline. Raises Unreachable.

        `is_repeatable`: when a connection that had rested brings no answer, ask once more on a new one. What does
        something is not asked twice: it may have been heard.
        """
        line = await self._take()
        try:
            try:
                answer = await self._put(line, method, target, headers or {}, body)
            except Unreachable:
                if line.rested_at is None or not is_repeatable:
                    raise
                await trio.aclose_forcefully(line.stream)
                line = await self._open()
                answer = await self._put(line, method, target, headers or {}, body)
            yield answer
        finally:
            if not self._keep(line):
                await trio.aclose_forcefully(line.stream)

    async def aclose(self) -> None:
        """Close what rests; what is under way is closed when it is over."""
        self._is_closed = True
        line, self._resting = self._resting, None
        if line is not None:
            await trio.aclose_forcefully(line.stream)

    async def _put(
        self, line: _Line, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        return await put(self.place, line.stream, line.http, method, target, headers, body)

    async def _take(self) -> _Line:
        line, self._resting = self._resting, None
        if line is not None:
            if trio.current_time() - (line.rested_at or 0.0) < REST_S and line.is_quiet():
                return line
            await trio.aclose_forcefully(line.stream)
        return await self._open()

    async def _open(self) -> _Line:
        stream = await self.place.connect()
        self.opened += 1
        return _Line(stream, h11.Connection(h11.CLIENT))

    def _keep(self, line: _Line) -> bool:
        """Have it rest; return whether it does."""
        if self._is_closed or self._resting is not None or not line.is_at_rest():
            return False
        line.http.start_next_cycle()
        self._resting = _Line(line.stream, line.http, trio.current_time())
        return True
