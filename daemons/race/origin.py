"""FPVTrackside's web server as an origin: asked with a guest's manners, believed as far as it deserves.

Its one thread answers one request at a time, any exception tears its listener down, and a client that hangs
up is an exception. So there is one request in flight, GET whatever was asked for, and nothing a caller does
ends it: the reading belongs to a task of `run`, callers wait in a bounded line. After 5 s the callers get
TIMEOUT, but the answer is read to its end all the same; only after 30 s is the connection given up, and
counted. At shutdown an answer has a second to end.

Rates: never above 4 a second over any 10 s, and in the long run one per 5 s while no race is live. What is
not used is saved up for the first look at an event (see `budget`). A connection error is tried once more,
an empty or torn file read up to three times; nothing else is ever repeated.
"""

from collections.abc import Callable

import structlog
import trio
from attrs import define, evolve, field, frozen

from daemons.race.bodies import is_hostname_page, names_event
from daemons.race.budget import Budget
from daemons.race.fetched import Fetched, Origin
from daemons.race.line import Fetch, Line
from daemons.race.originhttp import (
    NoAnswer,
    OriginHttp,
    Reason,
    Reply,
    check_origin_url,
    open_origin_http,
)
from daemons.race.originlimits import OriginLimits, OriginStatistics
from daemons.race.originstate import Observer, OriginHealth, OriginState
from daemons.race.reading import Answer, Look, Reading
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import METHODS, wire_path

__all__ = [
    "DEFAULT_ORIGIN_URL",
    "Fetched",
    "LocalOrigin",
    "Origin",
    "OriginLimits",
    "OriginState",
    "OriginStatistics",
    "check_origin_url",
]

_log = structlog.stdlib.get_logger("pitlink.race")

DEFAULT_ORIGIN_URL = "http://localhost:8080"
"""By name, not 127.0.0.1: without the netsh step FPVTrackside answers to `localhost` only."""

GAP_S = 0.01  # between an answer and the next request
RETRY_AFTER_S = 0.15  # a listener that was torn down needs a moment to come back
DOWN_REST_S = 1.0  # after a refusal everybody gets that answer for so long
STOP_GRACE_S = 1.0


@define(eq=False)
class _Flight:
    """The one request at the origin."""

    fetch: Fetch
    sent_utc: float
    scope: trio.CancelScope


@frozen
class _OwnReads:
    """The same origin for the daemon's own reading; see `LocalOrigin.own`."""

    _origin: "LocalOrigin"

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        return await self._origin._fetch(path, method, is_own=True)


@define(eq=False)
class LocalOrigin:
    """Read FPVTrackside at `url`. `run` must be running; `on_state(state, words)` is told of changes, must
    not wait.

    Any number of tasks may call `fetch`. Raises ValueError when the URL is not one of a host and a port.
    """

    url: str = field(default=DEFAULT_ORIGIN_URL, converter=check_origin_url)
    utc_now: Callable[[], float] = field(kw_only=True)
    limits: OriginLimits = field(factory=OriginLimits, kw_only=True)
    on_state: Observer | None = field(default=None, kw_only=True)
    _health: OriginHealth = field(init=False)
    _line: Line = field(init=False)
    _budget: Budget = field(init=False)
    _reading: Reading = field(init=False)
    _counts: OriginStatistics = field(factory=OriginStatistics, init=False)
    _flight: _Flight | None = field(default=None, init=False)
    _rest_until: float = field(default=0.0, init=False)
    _down_until: float = field(default=0.0, init=False)
    _is_running: bool = field(default=False, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        limits = self.limits
        self._health = OriginHealth(self.url, self.on_state)
        self._line = Line(limits.in_flight)
        self._reading = Reading(limits, self._counts)
        self._budget = Budget(
            0.0,
            per_window=limits.requests_in_10_s,
            idle_interval_s=limits.idle_interval_s,
            idle_saved=limits.idle_saved,
        )

    def __repr__(self) -> str:
        return f"<LocalOrigin {self.url} {self.state} sent={self._counts.sent}>"

    # --- for callers --------------------------------------------------------------------------------------

    @property
    def state(self) -> OriginState:
        """How the origin stands, by the last that was heard of it."""
        return self._health.state

    @property
    def words(self) -> str:
        """The state in words for an operator, naming the remedy."""
        return self._health.words

    @property
    def race_is_live(self) -> bool:
        """Whether the faster pace is allowed. To be set by whoever knows."""
        return self._budget.race_is_live

    @race_is_live.setter
    def race_is_live(self, race_is_live: bool) -> None:
        self._budget.set_race_is_live(race_is_live, trio.current_time())
        self._wake()

    @property
    def own(self) -> Origin:
        """The same origin for the daemon's own reading: a line beside the callers', taking turns with it."""
        return _OwnReads(self)

    def set_bounds(self, *, fetch_s: float, in_flight: int, body_bytes: int) -> None:
        """Change what fetches may be from now on: those that come, and those that are under way too."""
        self.limits = evolve(self.limits, fetch_s=fetch_s, in_flight=in_flight, body_bytes=body_bytes)
        self._line.fetches_max = in_flight
        self._wake()

    def statistics(self) -> OriginStatistics:
        """Return the counts as they are now."""
        return evolve(
            self._counts,
            shared=self._line.shared,
            never_sent=self._line.never_sent,
            waiting=self._line.waiting,
            in_flight=int(self._flight is not None),
        )

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        """Return what FPVTrackside has at `path` (normalised by the path gate). HEAD is answered like GET.

        A file that stays empty gives its last good copy, flagged stale, or `[]`, flagged absent. Callers
        asking for a path at the same time share one request, also one that is on its way: who knows of a
        later change asks again. Cancelling, and a deadline of the caller, end the waiting and never the
        request; a request that is not sent by then never is.

        Raises RequestError: BUSY when the line is full, TIMEOUT 5 s after sending, TOO_LARGE, ORIGIN_DOWN
        with the remedy in words, ORIGIN_INVALID for what does not belong at the path, DENIED for other
        methods.
        """
        return await self._fetch(path, method, is_own=False)

    async def _fetch(self, path: str, method: str, *, is_own: bool) -> Fetched:
        if method not in METHODS:
            raise RequestError(ErrorCode.DENIED, f"{method} is never sent to FPVTrackside")
        target = wire_path(path)
        if not self._is_running:
            raise RequestError(ErrorCode.ORIGIN_DOWN, "the origin client is not running")
        if trio.current_time() < self._down_until:
            raise RequestError(ErrorCode.ORIGIN_DOWN, self.words)
        caller = object()
        try:
            fetch = self._line.join(path, target, caller, trio.current_effective_deadline(), is_own=is_own)
        except RequestError:
            self._counts.busy += 1
            raise
        self._wake()
        try:
            return await fetch.wait()
        finally:
            self._line.leave(fetch, caller)

    # --- the one task that sends --------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send what callers wait for. Started: `fetch` may be called. Run it once.

        Cancelling it lets an answer under way end within a second, and gives all callers ORIGIN_DOWN.
        """
        try:
            async with open_origin_http(self.url, connect_s=self.limits.fetch_s) as http:
                async with trio.open_nursery() as nursery:
                    self._budget.begin(trio.current_time())
                    self._is_running = True
                    task_status.started()
                    try:
                        await self._serve(http, nursery)
                    finally:
                        self._stop()
        finally:
            self._is_running = False

    async def _serve(self, http: OriginHttp, nursery: trio.Nursery) -> None:
        while True:
            changed = self._changed
            fetch, wake_at = self._next(trio.current_time())
            if fetch is not None:
                self._flight = self._send(fetch)
                nursery.start_soon(self._read, http, self._flight)
                continue
            with trio.move_on_at(wake_at):
                await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _stop(self) -> None:
        self._is_running = False
        self._is_stopping = True
        self._line.settle_all(RequestError(ErrorCode.ORIGIN_DOWN, "this daemon is stopping"))
        if self._flight is not None:
            scope = self._flight.scope
            scope.deadline = min(scope.deadline, trio.current_time() + STOP_GRACE_S)

    def _next(self, now: float) -> tuple[Fetch | None, float]:
        """Return the fetch to send now, or None and when to look again. Ends fetches that are out of time."""
        wake_at = float("inf")
        for fetch in self._line.open:
            if fetch.first_sent_at is not None:
                answer_by = fetch.first_sent_at + self.limits.fetch_s
                if answer_by <= now:
                    self._out_of_time(fetch)
                else:
                    wake_at = min(wake_at, answer_by)
        if self._flight is not None:
            return None, wake_at
        if now < self._rest_until:
            return None, min(wake_at, self._rest_until)
        picked, at = self._line.pick(now, self._budget)
        return picked, min(wake_at, at)

    def _out_of_time(self, fetch: Fetch) -> None:
        self._counts.timeouts += 1
        if self._flight is not None and self._flight.fetch is fetch:
            self._health.fell_silent()
        words = f"FPVTrackside has not answered within {self.limits.fetch_s:g} s"
        self._line.settle(fetch, RequestError(ErrorCode.TIMEOUT, words))

    def _send(self, fetch: Fetch) -> _Flight:
        now = trio.current_time()
        self._budget.spend(now)
        self._counts.sent += 1
        if fetch.first_sent_at is None:
            fetch.first_sent_at = now
        # Shielded, so that no cancellation hangs up on FPVTrackside; the deadline is the 30 s rule.
        scope = trio.CancelScope(shield=True, deadline=now + self.limits.read_s)
        return _Flight(fetch, self.utc_now(), scope)

    async def _read(self, http: OriginHttp, flight: _Flight) -> None:
        reply: Reply | NoAnswer | None = None
        with flight.scope:
            try:
                reply = await http.get(
                    flight.fetch.target,
                    body_bytes_max=self.limits.body_bytes,
                    on_too_large=lambda: self._too_large(flight.fetch),
                )
            except NoAnswer as exc:
                reply = exc
        self._flight = None
        self._rest_until = trio.current_time() + GAP_S
        if reply is None:
            self._aborted(flight.fetch)
        elif isinstance(reply, NoAnswer):
            self._unanswered(flight.fetch, reply)
        elif reply.body is not None:
            await self._answered(flight, reply, reply.body)
        self._wake()

    # --- what came of it ----------------------------------------------------------------------------------

    def _aborted(self, fetch: Fetch) -> None:
        if self._is_stopping:
            self._counts.aborted_at_stop += 1
        else:
            self._counts.aborted_late += 1
            self._health.fell_silent()
        _log.warning("origin.aborted", path=fetch.path, at_stop=self._is_stopping)
        self._line.settle(fetch, RequestError(ErrorCode.TIMEOUT, "FPVTrackside's answer did not end"))

    def _too_large(self, fetch: Fetch) -> None:
        self._counts.too_large += 1
        self._health.answered()
        words = f"the file has more than {self.limits.body_bytes} bytes"
        self._line.settle(fetch, RequestError(ErrorCode.TOO_LARGE, words))

    def _unanswered(self, fetch: Fetch, failure: NoAnswer) -> None:
        self._counts.unanswered += 1
        now = trio.current_time()
        if not fetch.was_retried and fetch.is_wanted(now):
            fetch.was_retried = True
            self._counts.retried += 1
            self._rest_until = now + RETRY_AFTER_S
            self._line.again(fetch, self._rest_until)
            return
        _log.debug("origin.unanswered", path=fetch.path, reason=failure.reason.value, error=str(failure))
        if failure.reason is Reason.REFUSED:
            self._health.refused()
        else:
            self._health.fell_silent()
        if failure.reason is Reason.BROKEN:  # the listener fell over; other paths may fare better
            self._line.settle(fetch, RequestError(ErrorCode.ORIGIN_DOWN, self.words))
        else:
            self._is_down(now)

    def _is_down(self, now: float) -> None:
        """Nobody needs to ask for a moment: not those who wait, nor who comes next."""
        self._down_until = now + DOWN_REST_S
        self._line.settle_all(RequestError(ErrorCode.ORIGIN_DOWN, self.words))

    async def _answered(self, flight: _Flight, reply: Reply, body: bytes) -> None:
        self._counts.body_bytes += len(body)
        fetch = flight.fetch
        if is_hostname_page(reply.status, body):
            self._health.refused_hostname()
            self._is_down(trio.current_time())
            return
        is_missing = reply.status == 404 and not body
        if reply.is_encoded or (reply.status != 200 and not is_missing):
            self._counts.invalid += 1
            words = f"{self.url} answered {reply.status}: is that FPVTrackside?"
            self._line.settle(fetch, RequestError(ErrorCode.ORIGIN_INVALID, words))
            return
        verdict = await self._reading.judge(fetch.path, body)
        answer = Answer(body, reply.content_type, flight.sent_utc)
        told = self._reading.weigh(fetch.path, answer, fetch.doubts, verdict)
        is_good = isinstance(told, Fetched) and not told.absent and not told.stale
        if is_good and fetch.path == "/":
            self._health.answered(names_event(body))
        else:  # event files that are good are there because an event is open
            self._health.answered(True if is_good and fetch.path.startswith("/events/") else None)
        now = trio.current_time()
        if not isinstance(told, Look):
            self._line.settle(fetch, told)
        elif fetch.is_wanted(now):
            self._line.again(fetch, now + told.after_s)
        else:
            self._line.settle(fetch, RequestError(ErrorCode.TIMEOUT, "nobody waits for it any more"))
