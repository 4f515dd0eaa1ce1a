"""The hub's origin: the same interface as the local one, over the link, with the cache in front.

Callers asking for one path at once share one fetch. Waiting fetches are bounded; when full, what can best wait is
shed first: files of finished races, then of others, last the live one and the lists. With the link down the last
good copy is served, marked stale, with its age.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import structlog
import trio
from attrs import define, evolve, field

from daemons.link.requests import Answer, Interrupted
from daemons.link.router import Router
from daemons.ops.limits import HubLimits
from daemons.ops.metrics import FETCH_S, Histogram
from daemons.ops.trace import begin_task, bind, current
from daemons.race.access import AccessRecord
from daemons.race.bodies import check_body, validator_for
from daemons.race.cache import Cache, Key
from daemons.race.config import FetchBounds
from daemons.race.exchange import (
    Ask,
    Form,
    Told,
    WrongBody,
    decode_answer,
    shorten,
    to_wire,
    told_from_wire,
)  # fmt: skip
from daemons.race.fetched import Fetched
from protocol.delta import decompress_prefix
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate, wire_path
from protocol.tokenbucket import Buckets

_log = structlog.stdlib.get_logger("pitlink.race")

RESUMES_MAX = 16


_KEPT = (0.0, 0.25, 0.5)
"""By urgency: which share of the fetches that may be asked at once is left to what is wanted more."""

_OUR_OWN = ("", "hub")


class Urgency(IntEnum):
    """What a fetch is for; the highest number is shed first."""

    LIVE = 0
    LIST = 1
    FINISHED = 2


@define(eq=False)
class _Flight:
    """One fetch that one or more callers wait for."""

    path: str
    urgency: Urgency
    trace: str = field(factory=lambda: current("trace"), init=False)  # of the first who asked
    identity: str = field(factory=lambda: current("identity"), init=False)
    event: trio.Event = field(factory=trio.Event, init=False)
    result: Fetched | RequestError | None = field(default=None, init=False)
    waiters: int = field(default=0, init=False)
    scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def finish(self, result: Fetched | RequestError) -> None:
        if self.result is None:
            self.result = result
            self.event.set()


@define(eq=False)
class RemoteStatistics:
    """Counts since the start. `bytes_saved`: raw bytes that did not have to cross the link."""

    fetches: int = 0
    shared: int = 0
    same: int = 0
    deltas: int = 0
    wholes: int = 0
    pushes: int = 0
    pushes_dropped: int = 0
    resumed: int = 0
    wrong_bodies: int = 0
    shed: int = 0
    limited: int = 0
    bytes_saved: int = 0
    errors: Counter[ErrorCode] = field(factory=Counter)
    latency: Histogram = field(factory=lambda: Histogram(FETCH_S))


Observer = Callable[[str, Fetched | RequestError], None]


@define(eq=False)
class RemoteOrigin:
    """One site's origin as the hub sees it.

    `fetch_bounds`, `bounds`: what holds now, read at each use.
    `urgency_of(path)` tells how a path is to be treated when too many wait. `run` must be running.
    """

    router: Router
    site: str
    cache: Cache
    utc_now: Callable[[], float]
    fetch_bounds: Callable[[], FetchBounds]
    gate: PathGate
    urgency_of: Callable[[str], Urgency] = lambda path: Urgency.LIST
    bounds: Callable[[], HubLimits] = HubLimits
    in_our_time: Callable[[int], float | None] = lambda site_us: None  # µs by the site's clock
    statistics: RemoteStatistics = field(factory=RemoteStatistics, init=False)
    last_success_at: float | None = field(default=None, init=False)  # UTC seconds
    _flights: dict[str, _Flight] = field(factory=dict, init=False)
    _waiting: list[_Flight] = field(factory=list, init=False)
    _active: int = field(default=0, init=False)
    _callers: Counter[str] = field(factory=Counter, init=False)  # identity → fetches under way or waiting
    _paces: Buckets = field(factory=lambda: Buckets(1), init=False)
    _partial: dict[str, tuple[bytes, bytes]] = field(factory=dict, init=False)  # path → digest, raw prefix
    _observers: list[Observer] = field(factory=list, init=False)
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _pushed: trio.MemorySendChannel[tuple[str, Told, bytes, float]] | None = field(default=None, init=False)

    def observe(self, observer: Observer) -> None:
        """Call `observer(path, result)` for every body that came or was confirmed, and every failure."""
        self._observers.append(observer)

    @property
    def queue_length(self) -> int:
        return len(self._waiting)

    @property
    def is_crowded(self) -> bool:
        return len(self._waiting) >= max(1, self.bounds().site_fetches_waiting // 2)

    @property
    def in_flight(self) -> int:
        return self._active

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the fetches under way. Cancelling it ends them with DISCONNECTED."""
        send, receive = trio.open_memory_channel[tuple[str, Told, bytes, float]](32)
        self._pushed = send
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                async with receive:
                    async for pushed in receive:
                        await self._take_push(*pushed)
        finally:
            self._nursery = None
            for flight in list(self._flights.values()):
                flight.finish(RequestError(ErrorCode.DISCONNECTED, "the hub is stopping"))

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        """Return the site's body at `path`, from the link or, with the link down, the last good copy marked stale.

        The caller's scope is the deadline; a fetch that others wait for goes on without it. Raises RequestError: what
        the site answered, BUSY when shed, DISCONNECTED with no copy to show, TIMEOUT.
        """
        record = AccessRecord("hub", self.site, path, method)
        try:
            fetched, is_old = await self._fetch_shared(path, method)
        except RequestError as exc:
            record.failed(exc)
            raise
        except trio.Cancelled:
            record.left()
            raise
        took_s = record.answered(fetched, from_copy=is_old)
        if not is_old:
            self.statistics.latency.observe(took_s)
        return fetched

    async def _fetch_shared(self, path: str, method: str) -> tuple[Fetched, bool]:
        """Return the body, and whether it is an old copy because the link is down."""
        try:
            path = self.gate.check(method, path)
        except RequestError as exc:
            self.statistics.errors[exc.code] += 1
            raise
        key = Key(self.site, "GET", path)
        if not self.router.is_connected(self.site):
            return await self._old_copy(
                key, RequestError(ErrorCode.DISCONNECTED, f"site {self.site!r} is not connected")
            ), True
        caller = current("identity")
        if caller in _OUR_OWN:
            return await self._join(path, key)
        if self._callers[caller] >= self.bounds().caller_fetches_in_flight:
            self.statistics.limited += 1
            raise RequestError(ErrorCode.BUSY, f"{self._callers[caller]} of your fetches wait for this site")
        self._callers[caller] += 1
        try:
            return await self._join(path, key)
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]

    async def _join(self, path: str, key: Key) -> tuple[Fetched, bool]:
        flight = self._flights.get(path)
        if flight is None:
            flight = self._take_off(path)
        else:
            self.statistics.shared += 1
        flight.waiters += 1
        try:
            await flight.event.wait()
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and flight.result is None:
                flight.scope.cancel(reason="nobody waits for this fetch any more")
                self._land(flight, RequestError(ErrorCode.TIMEOUT, "its callers have gone"))
        assert flight.result is not None
        if not isinstance(flight.result, RequestError):
            return flight.result, False
        if flight.result.code is ErrorCode.DISCONNECTED:
            return await self._old_copy(key, flight.result), True
        raise flight.result

    async def _old_copy(self, key: Key, instead: RequestError) -> Fetched:
        """Return the last good copy, marked stale; without one raise `instead`."""
        copy = await self.cache.get(key)
        if copy is None:
            self.statistics.errors[instead.code] += 1
            raise instead
        return evolve(copy, stale=True)

    # --- fetches -------------------------------------------------------------------------------------------------

    def _take_off(self, path: str) -> _Flight:
        if self._nursery is None:
            raise RequestError(ErrorCode.DISCONNECTED, "the hub is stopping")
        flight = _Flight(path, self.urgency_of(path))
        bounds = self.bounds()
        rate, burst = bounds.site_fetches_per_s, bounds.site_fetches_burst
        kept = burst * _KEPT[flight.urgency]
        wait_s = self._paces.take(self.site, trio.current_time(), rate, burst, keep=kept)
        if wait_s:
            self.statistics.limited += 1
            raise RequestError(
                ErrorCode.BUSY, f"too many fetches of site {self.site!r}; try in {wait_s:.1f} s"
            )
        if len(self._waiting) >= bounds.site_fetches_waiting:
            self._shed(flight)
        self._flights[path] = flight
        self._waiting.append(flight)
        self._start_waiting()
        return flight

    def _shed(self, newcomer: _Flight) -> None:
        """Make room for `newcomer` by refusing the least urgent one that waits; that may be the newcomer itself."""
        self.statistics.shed += 1
        least = max(self._waiting, key=lambda flight: flight.urgency)
        busy = RequestError(ErrorCode.BUSY, f"{len(self._waiting)} fetches wait for site {self.site!r}")
        if least.urgency <= newcomer.urgency:
            raise busy
        self._waiting.remove(least)
        self._land(least, busy)

    def _start_waiting(self) -> None:
        in_flight_max = max(1, self.fetch_bounds().max_in_flight - 1)  # a place is kept for what to watch
        while self._nursery is not None and self._waiting and self._active < in_flight_max:
            flight = min(self._waiting, key=lambda flight: flight.urgency)
            self._waiting.remove(flight)
            self._active += 1
            self._nursery.start_soon(self._fly, flight)

    def _land(self, flight: _Flight, result: Fetched | RequestError) -> None:
        if self._flights.get(flight.path) is flight:
            del self._flights[flight.path]
        if flight in self._waiting:
            self._waiting.remove(flight)
        flight.finish(result)

    async def _fly(self, flight: _Flight) -> None:
        begin_task(site=self.site)  # whoever landed just now has started this task
        if flight.trace:
            bind(trace=flight.trace, identity=flight.identity)
        fetch_s = self.fetch_bounds().timeout_s
        result: Fetched | RequestError = RequestError(ErrorCode.TIMEOUT, f"no answer in {fetch_s:g} s")
        try:
            with flight.scope, trio.move_on_after(fetch_s):
                try:
                    result = await self._fetch(flight.path)
                except RequestError as exc:
                    result = exc
        finally:
            self._active -= 1
            self._land(flight, result)
        if not flight.scope.cancelled_caught:
            self._tell(flight.path, result)
        self._start_waiting()

    async def _fetch(self, path: str) -> Fetched:
        """Ask the site, once more whole if what came together is not what its digest names."""
        copy = await self.cache.get(Key(self.site, "GET", path))
        try:
            return await self._ask(path, copy)
        except WrongBody as exc:
            self.statistics.wrong_bodies += 1
            _log.warning("fetch.wrong_body", site=self.site, path=path, why=str(exc))
        try:
            return await self._ask(path, None)
        except WrongBody as exc:
            raise RequestError(ErrorCode.INTERNAL, f"the body does not fit its digest: {exc}") from exc

    async def _ask(self, path: str, copy: Fetched | None) -> Fetched:
        self.statistics.fetches += 1
        digest, prefix = self._partial.pop(path, (b"", b""))
        ask = Ask(
            wire_path(path),
            validator=shorten(copy.validator) if copy is not None else b"",
            bases=[shorten(copy.digest)] if copy is not None else [],
            resume=digest,
            offset=len(prefix),
            trace=bytes.fromhex(current("trace")),
        )
        asked_at = self.utc_now()
        try:
            answer = await self.router.request(
                self.site, "fetch", to_wire(ask), body_bytes_max=self.fetch_bounds().max_body_bytes
            )
        except Interrupted as exc:
            self._keep_partial(path, exc.answer, prefix)
            raise
        told = told_from_wire(answer.result)
        return await self._take(path, told, answer.body, copy, asked_at - told.age_ms / 1000, prefix)

    def _keep_partial(self, path: str, answer: Answer, prefix: bytes) -> None:
        """Keep what had come of a body, so that the next fetch asks only for the rest."""
        told = told_from_wire(answer.result)
        if told.form == Form.RAW:
            arrived = answer.body
        elif told.form == Form.ZSTD:
            try:
                arrived = prefix[: told.offset] + decompress_prefix(answer.body, told.size)
            except ValueError:
                return
        else:
            return
        if not arrived:  # zstd gives nothing before its first block, 128 KiB, is whole
            return
        while len(self._partial) >= RESUMES_MAX:
            self._partial.pop(next(iter(self._partial)))
        self._partial[path] = (told.digest, arrived)

    async def _take(
        self,
        path: str,
        told: Told,
        encoded: bytes,
        copy: Fetched | None,
        fetched_at: float,
        prefix: bytes = b"",
    ) -> Fetched:
        """Turn an answer into a copy, check it, and keep it. Raises WrongBody, RequestError(ORIGIN_INVALID)."""
        key = Key(self.site, "GET", path)
        self.last_success_at = self.utc_now()
        if told.form == Form.SAME:
            if copy is None:
                raise WrongBody("the site takes for granted a copy that is not here")
            self.statistics.same += 1
            self.statistics.bytes_saved += len(copy.body)
            if told.stale:
                return evolve(copy, stale=True)
            await self.cache.confirm(key, fetched_at)
            return evolve(copy, fetched_at=fetched_at, stale=False)

        def find_body(short: bytes) -> bytes | None:
            return copy.body if copy is not None and shorten(copy.digest) == short else None

        body = decode_answer(
            told,
            encoded,
            body_bytes_max=self.fetch_bounds().max_body_bytes,
            find_body=find_body,
            prefix=prefix,
        )
        if copy is None or copy.body != body:  # the copy was looked through when it came
            await check_body(path, body)
        self.statistics.deltas += told.form == Form.DELTA
        self.statistics.wholes += told.form != Form.DELTA
        self.statistics.resumed += told.offset > 0
        self.statistics.bytes_saved += max(0, len(body) - len(encoded))
        fetched = Fetched(
            path=path,
            body=body,
            content_type=told.content_type or None,
            validator=told.validator or validator_for(path, body),
            digest=told.digest,
            fetched_at=fetched_at,
            absent=told.absent,
            stale=told.stale,
        )
        if not fetched.stale:
            await self.cache.put(key, fetched)
        return fetched

    # --- pushes --------------------------------------------------------------------------------------------------

    def on_push(self, result: Mapping[str, Any], encoded: bytes) -> None:
        """Take a watched body that changed. When too many wait it is dropped: the watch's row asks for it again."""
        path = result.get("p")
        if not isinstance(path, str) or self._pushed is None:
            return
        try:
            told = told_from_wire({k: v for k, v in result.items() if k != "p"})
            self._pushed.send_nowait((path, told, encoded, self._read_at(told)))
        except (trio.WouldBlock, RequestError) as exc:
            self.statistics.pushes_dropped += 1
            _log.debug("push.dropped", site=self.site, path=path, why=repr(exc))

    def _read_at(self, told: Told) -> float:
        """Return when a pushed body was read: it may have been under way for as long as an outage lasts."""
        arrived_at = self.utc_now() - told.age_ms / 1000
        read_at = self.in_our_time(told.read_us) if told.read_us else None
        return arrived_at if read_at is None else min(read_at, arrived_at)

    async def _take_push(self, path: str, told: Told, encoded: bytes, read_at: float) -> None:
        copy = await self.cache.get(Key(self.site, "GET", path))
        try:
            fetched = await self._take(path, told, encoded, copy, read_at)
        except WrongBody as exc:
            self.statistics.wrong_bodies += 1
            _log.info("push.wrong_body", site=self.site, path=path, why=str(exc))
            return
        except RequestError as exc:
            self._tell(path, exc)
            return
        self.statistics.pushes += 1
        self._tell(path, fetched)

    def _tell(self, path: str, result: Fetched | RequestError) -> None:
        if isinstance(result, RequestError):
            self.statistics.errors[result.code] += 1
        for observer in self._observers:
            observer(path, result)
