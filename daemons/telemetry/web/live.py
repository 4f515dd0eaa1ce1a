"""The stream of drivers as they drive, and of what was kept as it is replayed (server-sent events, WHATWG HTML §9.2).

Events: `states` {now, drivers}: how it stands with each, when that has changed, every 0.5 s at most and every 5 s at least ·
`entries` {driver, cars}: who is in the session (driver "" in a replay) · `track`: the shape of a driver's track · `chunk`:
some ticks of a driver, as they come · `end` {words}: a replay is through, or cannot go on.

A chunk: {driver, recording, rate, first, last, at, now, lost, skipped, parts, field}. `at`: when its last tick was taken,
`now`: when it was sent, both on the server's clock. Nothing is queued here: while a listener's connection takes no more,
his subscriptions wait, and what he is too slow for is skipped and counted by who serves them.
"""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import trio
from attrs import define, field, frozen
from starlette.types import Send

from daemons.store.errors import StorageError
from daemons.telemetry.look import Chunk, Chunks, DriverState, NotKept, Session, TelemetryLook
from daemons.telemetry.web.channels import CARS, CHANNELS, parts_of
from daemons.telemetry.web.field import field_of
from daemons.telemetry.web.views import entries_json, ms, shape_json, state_json
from daemons.web import sse
from daemons.web.answers import to_json
from daemons.web.eventstream import EventStream

__all__ = ["Asked", "Listeners", "LiveStream", "ReplayStream", "chunk_json"]

STATES_S = 0.5
ALIVE_S = 5.0
"""A listener hears this often at least: longer silence is a dead connection."""

RETRY_MS = 1000


@frozen
class Asked:
    """What a listener wants: `drivers` and `channels` by their shown names, at `hz`; first the last `back_s` seconds."""

    drivers: tuple[str, ...]
    channels: tuple[str, ...]
    hz: float = 60.0
    back_s: float = 0.0

    def sources(self) -> list[str]:
        """Return the simulator's names of it, what the map and the gaps need among them."""
        return [*(CHANNELS[name].source for name in self.channels), *CARS]


@define(eq=False)
class Listeners:
    """How many listen; past `most` nobody more is let in."""

    most: int = 256
    now: int = field(default=0, init=False)


def chunk_json(chunk: Chunk, asked: Asked, utc_now: float, about: DriverState | Session) -> dict[str, Any]:
    """Return a chunk as it is sent. `about`: whose car it is, among which."""
    return {
        "driver": chunk.driver,
        "recording": chunk.recording.hex(),
        "rate": chunk.tick_rate,
        "first": chunk.first_tick,
        "last": chunk.last_tick,
        "at": ms(chunk.taken_us),
        "now": round(utc_now * 1000, 1),
        "lost": chunk.lost,
        "skipped": chunk.skipped,
        "parts": parts_of(chunk.columns, asked.channels),
        "field": field_of(chunk.columns, about.car_index, about.lap_estimate_s, about.cars),
    }


class _Stream(EventStream):
    """What both have alike: one sends at a time, and each wait ends when the stream does."""

    def __init__(
        self, look: TelemetryLook, asked: Asked, utc_now: Callable[[], float], listeners: Listeners
    ) -> None:
        super().__init__(is_public=False)
        self._look = look
        self._asked = asked
        self._utc_now = utc_now
        self._listeners = listeners
        self._waits: set[trio.CancelScope] = set()
        self._sending = trio.Lock()

    def wake(self) -> None:
        """It is over: end every wait. What is being written is written."""
        super().wake()
        for scope in self._waits:
            scope.cancel(reason="the stream is over")

    async def _send_all(self, send: Send) -> None:
        self._listeners.now += 1
        try:
            await self._write(send, b"retry: %d\n\n" % RETRY_MS)
            await self._run(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._listeners.now -= 1

    async def _run(self, send: Send) -> None:
        raise NotImplementedError

    async def _write(self, send: Send, data: bytes) -> None:
        """Send some of the body; who is gone ends the stream, whichever task finds out."""
        async with self._sending:
            if self._over:
                return
            try:
                await send({"type": "http.response.body", "body": data, "more_body": True})
            except OSError:
                self._over = True
                self.wake()

    async def _tell(self, send: Send, kind: str, value: object) -> None:
        await self._write(send, sse.event(kind, to_json(value)))

    async def _next(self, chunks: Chunks) -> Chunk | None:
        """Return the next chunk; None when there are no more, or the stream is over."""
        chunk = None
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            if self._over:
                scope.cancel(reason="the stream is over")
            try:
                chunk = await anext(chunks, None)
            finally:
                self._waits.discard(scope)
        return None if self._over else chunk

    async def _sleep(self, seconds: float) -> None:
        with trio.CancelScope(deadline=trio.current_time() + seconds) as scope:
            self._waits.add(scope)
            if self._over:
                return
            try:
                await trio.sleep_forever()
            finally:
                self._waits.discard(scope)


class LiveStream(_Stream):
    """One listener's, of drivers as they drive. Ends when the listener leaves, the server drains, or when cancelled."""

    async def _run(self, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._states, send)
            for driver in self._asked.drivers:
                nursery.start_soon(self._follow, send, driver)

    async def _follow(self, send: Send, driver: str) -> None:
        asked = self._asked
        try:
            chunks = self._look.subscribe(driver, asked.sources(), asked.hz, back_s=asked.back_s)
        except NotKept:
            return
        async with aclosing(chunks):
            while (chunk := await self._next(chunks)) is not None:
                try:
                    told = chunk_json(chunk, asked, self._utc_now(), self._look.state(driver))
                except NotKept:  # the driver was taken off the list
                    return
                await self._tell(send, "chunk", told)

    async def _states(self, send: Send) -> None:
        told: Any = None
        told_at = -ALIVE_S
        entries: dict[str, Any] = {}
        shapes: dict[str, Any] = {}
        while not self._over:
            now, states = self._utc_now(), []
            for driver in self._asked.drivers:
                try:
                    state = self._look.state(driver)
                except NotKept:
                    continue
                states.append(state_json(state, self._look, now))
                if entries.get(driver) is not state.cars:
                    entries[driver] = state.cars
                    await self._tell(send, "entries", {"driver": driver, "cars": entries_json(state.cars)})
                shape = self._look.track(state.track) if state.track else None
                if shape is not None and shapes.get(state.track) is not shape:
                    shapes[state.track] = shape
                    await self._tell(send, "track", shape_json(state.track, shape))
            new = [{**state, "age_s": None} for state in states]
            if new != told or trio.current_time() - told_at >= ALIVE_S:
                told, told_at = new, trio.current_time()
                await self._tell(send, "states", {"now": round(now * 1000, 1), "drivers": states})
            await self._sleep(STATES_S)


class ReplayStream(_Stream):
    """One listener's, of a session as it was kept, from an instant on. Ends at the session's end too."""

    def __init__(
        self,
        look: TelemetryLook,
        asked: Asked,
        utc_now: Callable[[], float],
        listeners: Listeners,
        *,
        session: Session,
        from_us: int,
        speed: float,
    ) -> None:
        super().__init__(look, asked, utc_now, listeners)
        self._session = session
        self._from_us = from_us
        self._speed = speed

    async def _run(self, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._replay, send, nursery.cancel_scope)
            nursery.start_soon(self._alive, send)

    async def _replay(self, send: Send, scope: trio.CancelScope) -> None:
        session = self._session
        shape = self._look.track(session.track)
        if shape is not None:
            await self._tell(send, "track", shape_json(session.track, shape))
        await self._tell(send, "entries", {"driver": "", "cars": entries_json(session.cars)})
        asked, words = self._asked, "the end of the session"
        driver = asked.drivers[0] if asked.drivers else ""
        chunks = self._look.replay(
            session.id, driver, asked.sources(), asked.hz, from_us=self._from_us, speed=self._speed
        )
        async with aclosing(chunks):
            try:
                while (chunk := await self._next(chunks)) is not None:
                    told = chunk_json(chunk, asked, self._utc_now(), session)
                    await self._tell(send, "chunk", told)
            except NotKept as exc:
                words = str(exc)
            except StorageError as exc:
                words = f"this cannot be looked up just now: {exc.fault}"
        await self._tell(send, "end", {"words": words})
        scope.cancel(reason="the replay is over")

    async def _alive(self, send: Send) -> None:
        while not self._over:
            await self._sleep(ALIVE_S)
            await self._write(send, b": still here\n\n")
