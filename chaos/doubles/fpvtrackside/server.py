"""The stand-in for FPVTrackside's web server: one program on one laptop, with an event open or not.

The life of its port, as clients see it:

    no event open            refused
    event opens              listening
    HEAD, hang-up, clash     every connection reset, refused for `relisten_s`, listening again
    event closed             every connection reset, refused

Requests are read side by side (http.sys does that in the kernel) and answered one after the other by one
"thread". Every request is put down in the book of manners. Nothing here uses a thread or the wall clock, so
that it runs under MockClock, on real or simulated sockets.
"""

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

import h11
import trio

from .answers import SharingViolationError, answer_for, is_escape
from .clock import EventClock
from .http import Incoming, Request, bad_request, render_head
from .manners import Manners, MannersKeeper, Visit
from .port import bind, reserved, reset_on_close
from .quirks import HeadHabit, Quirks
from .recorded import latest_event
from .tree import EventTree, Write

__all__ = ["START_UTC_S", "FPVTrackside"]

START_UTC_S = 1_777_593_600.0  # 2026-05-01, midnight UTC: when nothing else is said
LINGER_S = 2.0  # how long a closed connection waits to hear whether the client read to the end


class FPVTrackside:
    """Serve an event tree as the real program does. Run `serve`; everything else may be called at any time.

    `event_id` is the open event (None: none is), `current_race` what `/current` says, `live_race` the race
    that is being flown (it only matters to the count of manners). `quirks` may be replaced at any time.
    """

    def __init__(
        self, tree: EventTree, quirks: Quirks | None = None, *, utc_now: Callable[[], float] | None = None
    ) -> None:
        self.tree = tree
        self.quirks = Quirks() if quirks is None else quirks
        self.event_id: str | None = None
        self.current_race: str | None = None
        self.port = 0
        self._utc_now = EventClock(START_UTC_S).now if utc_now is None else utc_now
        self._keeper = MannersKeeper()
        self._live_race: str | None = None
        self._wanted = trio.Event()  # somebody should listen
        self._listening = trio.Event()
        self._generation = trio.CancelScope()  # one listener with all its connections
        self._is_resetting = False
        self._thread = trio.Lock()
        self._thawed = trio.Event()
        self._thawed.set()

    def __repr__(self) -> str:
        state = f"event {self.event_id}" if self.event_id else "no event open"
        return f"<FPVTrackside port {self.port}, {state}>"

    # What the operator does

    def open_event(self, event_id: str | None = None) -> None:
        """Open an event, by default the one opened last before; the web server starts with it.

        Raises ValueError when the tree has none.
        """
        self.event_id = latest_event(self.tree) if event_id is None else event_id
        self._wanted.set()

    def close_event(self) -> None:
        """Go back to the event selection: every connection is reset, and from now on refused."""
        self.event_id = self.current_race = self.live_race = None
        if self.quirks.off_until_event:
            self._wanted = trio.Event()
            self._reset_all()

    @property
    def live_race(self) -> str | None:
        """The race being flown."""
        return self._live_race

    @live_race.setter
    def live_race(self, race_id: str | None) -> None:
        self._live_race = race_id
        self._keeper.race_began()

    # What a test looks at

    @property
    def url(self) -> str:
        """The origin's address as an organiser writes it: `http://localhost:<port>`."""
        return f"http://localhost:{self.port}"

    @property
    def writes(self) -> list[Write]:
        """Every write to the tree with its time, in order."""
        return self.tree.writes

    @property
    def visits(self) -> deque[Visit]:
        """The last requests, in order of arrival, with their headers."""
        return self._keeper.visits

    def manners(self) -> Manners:
        """Return what clients did so far."""
        return self._keeper.manners()

    def assert_well_mannered(
        self, *, aborts: int | None = 0, in_10_s: int | None = 40, in_10_s_idle: int | None = None
    ) -> None:
        """Raise AssertionError unless every client behaved so far; see `Manners.assert_well_mannered`."""
        self.manners().assert_well_mannered(aborts=aborts, in_10_s=in_10_s, in_10_s_idle=in_10_s_idle)

    # Faults by hand

    def freeze(self) -> None:
        """Let every answer wait, before its file is read, until `thaw`: the one thread hangs."""
        if self._thawed.is_set():
            self._thawed = trio.Event()

    def thaw(self) -> None:
        """End a freeze."""
        self._thawed.set()

    def tear_down(self) -> None:
        """Let the listener fall over, as after an exception: connections reset, back after `relisten_s`."""
        self._keeper.torn_down += 1
        self._reset_all()

    # The server

    async def wait_listening(self) -> None:
        """Wait until connections are accepted."""
        await self._listening.wait()

    async def serve(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run until cancelled. Starts with the port, which stays the same while the server goes off and on.

        With an event open it starts listening, without one refusing. Port 0 takes a free one and holds it.
        Cancelling closes everything; `serve` may then be called again. Raises OSError when the port is taken.
        """
        if not self.quirks.off_until_event:
            self._wanted.set()
        has_started = False

        def usable() -> None:
            nonlocal has_started
            if not has_started:
                has_started = True
                task_status.started(self.port)

        async with reserved(port, host) as self.port:
            while True:
                if not self._wanted.is_set():
                    usable()
                    await self._wanted.wait()
                await self._listen(host, usable)
                await trio.sleep(self.quirks.relisten_s)

    async def _listen(self, host: str, usable: Callable[[], None]) -> None:
        self._is_resetting = False
        self._thread = trio.Lock()
        try:
            with trio.CancelScope() as self._generation:
                listeners = await bind(self.port, host)
                async with trio.open_nursery() as connections:
                    self._listening.set()
                    usable()
                    await trio.serve_listeners(self._connection, listeners, handler_nursery=connections)
        finally:
            self._listening = trio.Event()

    def _reset_all(self) -> None:
        self._is_resetting = True
        self._generation.cancel()

    async def _connection(self, stream: trio.SocketStream) -> None:
        incoming = Incoming(stream)
        last: Visit | None = None
        try:
            while True:
                request = None
                with trio.move_on_after(self.quirks.idle_close_s):
                    request = await incoming.request()
                if request is None:
                    return
                visit = Visit(trio.current_time(), request.method, request.target, request.headers)
                last = visit
                if not await self._visit(stream, incoming, request, visit):
                    await _hear_the_end(stream, incoming)
                    return
        except h11.RemoteProtocolError:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(bad_request(self._utc_now(), hostname=False))
        except trio.BrokenResourceError:
            if last is not None:  # a reset after our answer: it was not read to the end
                self._keeper.hung_up(trio.current_time(), last)
        finally:
            if self._is_resetting:
                reset_on_close(stream)

    async def _visit(
        self, stream: trio.SocketStream, incoming: Incoming, request: Request, visit: Visit
    ) -> bool:
        """Answer a request; False when the connection ends with it."""
        if self.quirks.localhost_only and not _is_localhost(request):
            self._keeper.wrong_host += 1
            await stream.send_all(bad_request(self._utc_now(), hostname=True))
            return False
        self._keeper.arrived(
            visit.at_s, visit, is_escape=is_escape(request.target), race_is_live=self._live_race is not None
        )
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, incoming, visit)
                async with self._turn():
                    await self._answer(stream, request, visit)
                nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            self._keeper.hung_up(trio.current_time(), visit)
            self._client_gone()
        finally:
            self._keeper.left(trio.current_time(), visit)
        return request.keep_alive and not visit.was_aborted

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if not self.quirks.one_at_a_time:
            yield
            return
        async with self._thread:
            yield

    async def _watch(self, incoming: Incoming, visit: Visit) -> None:
        """See whether the client hangs up while its request is in flight. What it sends meanwhile is kept."""
        try:
            while await incoming.more():
                pass
        except trio.BrokenResourceError:
            pass
        if visit.is_in_flight:
            self._keeper.hung_up(trio.current_time(), visit)

    async def _answer(self, stream: trio.SocketStream, request: Request, visit: Visit) -> None:
        await self._thawed.wait()
        await trio.sleep(self.quirks.answer_delay_s)
        quirks = self.quirks
        try:
            answer = answer_for(
                self.tree, request.target, quirks, event_id=self.event_id, current_race=self.current_race
            )
        except SharingViolationError:
            await self._fall_over()
            return
        if request.method == "HEAD" and answer.body and quirks.head is HeadHabit.TEARS_DOWN:
            await self._fall_over()
            return
        headers = [("Content-Type", answer.content_type)] if answer.content_type else []
        if request.method == "OPTIONS":
            headers += [
                ("Access-Control-Allow-Headers", "Content-Type, Accept, X-Requested-With"),
                ("Access-Control-Allow-Methods", "GET, POST"),
                ("Access-Control-Max-Age", "1728000"),
            ]
        headers.append(("Access-Control-Allow-Origin", "*"))
        head = render_head(
            answer.status, len(answer.body), self._utc_now(), headers, keep_alive=request.keep_alive
        )
        has_body = request.method != "HEAD" or quirks.head is HeadHabit.SENDS_BODY
        visit.status = answer.status
        await self._send(stream, head + (answer.body if has_body else b""), visit)

    async def _send(self, stream: trio.SocketStream, data: bytes, visit: Visit) -> None:
        size, pause_s = self.quirks.part_bytes, self.quirks.part_delay_s
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        for number, part in enumerate(parts, start=1):
            if visit.was_aborted:
                self._client_gone()
                return
            if number == len(parts):
                self._keeper.left(trio.current_time(), visit)
            await stream.send_all(part)
            if number < len(parts):
                await trio.sleep(pause_s)

    async def _fall_over(self) -> None:
        self.tear_down()
        await trio.sleep_forever()  # the reset takes this connection too

    def _client_gone(self) -> None:
        if self.quirks.abort_tears_down:
            self.tear_down()


def _is_localhost(request: Request) -> bool:
    return request.headers.get("host", "").rsplit(":", 1)[0].lower() == "localhost"


async def _hear_the_end(stream: trio.SocketStream, incoming: Incoming) -> None:
    """Close our half and wait for theirs; a reset instead (raised) tells of an answer not read to the end."""
    await stream.send_eof()
    with trio.move_on_after(LINGER_S):
        while await incoming.more():
            pass
