"""One site as its hub keeps it: the origin over the link, the watches that feed the board, the board itself.

What to watch comes from the same planner as on the site. The site then looks at that pace and tells what changed;
nothing changed means nothing crosses the link but the age.
"""

from collections.abc import Callable

import structlog
import trio
from attrs import define, field

from daemons.link.peer import Peer
from daemons.ops.trace import begin_task
from daemons.race.cache import Cache, Key
from daemons.race.exchange import shorten
from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.remote import RemoteOrigin, Urgency
from daemons.race.watches import Watch
from daemons.race.watchrows import WATCH_TOPIC, Row
from protocol.errors import ErrorCode, RemoteProtocolError, RequestError
from protocol.topics import Subscriber

_log = structlog.stdlib.get_logger("pitlink.race")

WATCH_BATCH = 32
"""Entries of one watch request: a frame of about 4 KiB."""

WATCH_S = 15.0
RETRY_S = 1.0
ROW_GRACE_S = 2.0
"""After a row says that a body changed, its push may take this long before the body is asked for."""


@define(eq=False)
class HubSite:
    """A site's half at the hub. `run` must be running; everything else may be called at any time."""

    peer: Peer
    cache: Cache
    remote: RemoteOrigin
    keeper: BoardKeeper
    subscriber: Subscriber
    utc_now: Callable[[], float]
    _watched: dict[str, Watch] = field(factory=dict, init=False)
    _poke: trio.Event = field(factory=trio.Event, init=False)
    _is_new: bool = field(default=True, init=False)
    _due: dict[str, float] = field(factory=dict, init=False)  # path → when to fetch what was not pushed
    _to_read: set[str] = field(factory=set, init=False)  # of those, what our copy does not settle
    _have: dict[str, bytes] = field(factory=dict, init=False)  # path → short validator of our copy
    _failing: set[str] = field(factory=set, init=False)  # paths whose rows say so
    _agreed: set[str] = field(factory=set, init=False)  # paths that the site knows to be hot
    _confirmed_us: int | None = field(default=None, init=False)  # the topic's as_of that was last acted on

    def __attrs_post_init__(self) -> None:
        self.remote.urgency_of = self.urgency_of
        self.remote.in_our_time = self._in_our_time
        self.remote.observe(self._on_result)
        self.peer.on_up.append(self._on_up)
        self.peer.on_down.append(self._on_down)
        self.peer.on_update.append(self._on_rows)
        self.peer.on_push["body"] = self.remote.on_push

    def urgency_of(self, path: str) -> Urgency:
        """Say how badly a path is wanted when too many wait: watched and hot, a list or unknown, a finished race."""
        watch = self._watched.get(path)
        if watch is not None:
            return (
                Urgency.LIVE
                if watch.priority == 0
                else Urgency.FINISHED
                if watch.priority >= 3
                else Urgency.LIST
            )
        return Urgency.LIST

    async def load(self) -> None:
        """Show what an earlier run has kept, with its age, until the site is there again."""
        for _ in range(4):  # the home page names the event, the event its races, the races their results
            for watch in self.keeper.watches():
                copy = await self.cache.get(Key(self.peer.site, "GET", watch.path))
                if copy is not None:
                    self._have[watch.path] = shorten(copy.validator)
                    self.keeper.apply(watch.path, copy)

    async def purge(self, prefix: str) -> None:
        """Forget the copies of paths that begin with `prefix`, and fetch anew what is watched of them."""
        await self.cache.purge(self.peer.site, prefix)
        for path in [path for path in self._have if path.startswith(prefix)]:
            del self._have[path]
        self._due.update((path, trio.current_time()) for path in self._watched if path.startswith(prefix))
        self.wake()

    async def run(self) -> None:
        """Keep the watches and the board up to date, connected or not. Never returns."""
        begin_task(site=self.peer.site)  # made for a request or a connection, it outlives both
        async with trio.open_nursery() as nursery:
            await nursery.start(self.remote.run)
            nursery.start_soon(self._keep_watching)
            nursery.start_soon(self._fetch_due)

    # --- what comes in -------------------------------------------------------------------------------------------

    def _on_up(self) -> None:
        self._is_new = True
        self._confirmed_us = None  # also what has not changed says that the field is there again
        self.wake()

    def _on_down(self) -> None:
        self._due.clear()
        self._to_read.clear()
        self._say_offline()

    def _say_offline(self) -> None:
        self.keeper.failed(
            "/", RequestError(ErrorCode.DISCONNECTED, f"site {self.peer.site!r} is not connected")
        )

    def wake(self) -> None:
        self._poke.set()
        self._poke = trio.Event()

    def _on_result(self, path: str, result: Fetched | RequestError) -> None:
        if isinstance(result, RequestError):
            self.keeper.failed(path, result)
            return
        self._due.pop(path, None)
        self._to_read.discard(path)
        self._have[path] = shorten(result.validator)
        self.keeper.apply(path, result)
        if (
            self.peer.connection is None
        ):  # it was on its way when the link went: the field is no more there for it
            self._say_offline()
        self._follow()

    def _follow(self) -> None:
        """Look at once at what the board names and does not know; and tell the site if the plan is another now."""
        now = trio.current_time()
        for path in self.keeper.take_urgent():
            self._due[path] = now
            if path == self.keeper.current_path:
                self._to_read.add(path)
        self.wake()

    def _on_rows(self, topic: str) -> None:
        """Compare the site's validators with our copies; ask for what was not pushed; carry the age on."""
        if topic != WATCH_TOPIC:
            return
        now = trio.current_time()
        failures: list[tuple[str, RequestError]] = []
        for path in self.subscriber.take_changed():
            data = self.subscriber.rows.get(path)
            if data is None or path not in self._watched:
                continue
            row = Row.decode(data)
            failure = row.failure
            if failure is not None:
                self._failing.add(path)
                self._due.pop(path, None)
                failures.append((path, failure))
            elif path in self._failing:  # perhaps with nothing to push: our copy counts again
                self._failing.discard(path)
                self._due[path] = now
            elif row.validator != self._have.get(path):
                self._due.setdefault(path, now + ROW_GRACE_S)
        self._carry_age_on()
        for path, failure in failures:  # behind the age, which is of a moment before them
            self.keeper.failed(path, failure)
        self._follow()

    def _carry_age_on(self) -> None:
        """Note that all our copies were still good when the site last read what is hot. Nothing to note twice."""
        as_of = self.as_of()
        if as_of is not None and not self._due and self.subscriber.as_of_us != self._confirmed_us:
            self._confirmed_us = self.subscriber.as_of_us
            self.remote.last_success_at = max(as_of, self.remote.last_success_at or 0.0)
            self._confirm(as_of)

    def _confirm(self, as_of: float) -> None:
        # The site's age is of what is hot. What rests is as old as its last push says: it may be shown next.
        self.keeper.confirm(as_of, (self._agreed & self.subscriber.rows.keys()) - self._failing)

    def as_of(self) -> float | None:
        """Return when the site last read what is hot, in UTC seconds of our own clock; None when unknown."""
        as_of_us = self.subscriber.as_of_us
        return None if as_of_us is None else self._in_our_time(as_of_us)

    def _in_our_time(self, site_us: int) -> float | None:
        """Return what a moment by the site's clock was by ours, rather too early; None when that is not known."""
        connection = self.peer.connection
        if connection is None:
            return None
        return self.utc_now() - max(0.0, connection.peer_utc_at_most() - site_us / 1e6)

    # --- what goes out -------------------------------------------------------------------------------------------

    async def _keep_watching(self) -> None:
        while True:
            poke = self._poke
            if self.peer.connection is not None and (self._is_new or self._plan() != self._watched):
                try:
                    with trio.fail_after(WATCH_S):
                        await self._send_watches()
                except (RequestError, trio.TooSlowError) as exc:
                    _log.info("watch.failed", site=self.peer.site, why=str(exc))
                    self._is_new = True
                    await trio.sleep(RETRY_S)
                continue
            await poke.wait()

    def _plan(self) -> dict[str, Watch]:
        return {watch.path: watch for watch in self.keeper.watches()}

    async def _send_watches(self) -> None:
        """Tell the site the difference to what it watches for us; everything on a new connection."""
        plan, anew = self._plan(), self._is_new
        self._is_new = False
        before = {} if anew else self._watched
        self._watched = plan
        hot = {path for path, watch in plan.items() if not watch.priority}
        self._agreed = set() if anew else self._agreed & hot
        changed = [watch for path, watch in plan.items() if before.get(path) != watch]
        ended = [path for path in before if path not in plan]
        as_of_us: object = None
        while anew or changed or ended:
            batch, changed = changed[:WATCH_BATCH], changed[WATCH_BATCH:]
            gone, ended = ended[:WATCH_BATCH], ended[WATCH_BATCH:]
            entries = [
                [watch.path, int(watch.period_s * 1000), watch.priority, await self._held(watch.path)]
                for watch in batch
            ]
            params = {"w": entries, **({"x": gone} if gone else {}), **({"n": True} if anew else {})}
            anew = False
            as_of_us = (await self.peer.request("watch", params)).result.get("u")
            self._agreed |= hot & {watch.path for watch in batch}
        self._confirmed_us = None  # the same age, told again, is of more files now
        self._take_as_of(as_of_us)

    def _take_as_of(self, as_of_us: object) -> None:
        """Take as of when the site knows all that is hot now: the next word of that may take 5 s."""
        as_of = self._in_our_time(as_of_us) if isinstance(as_of_us, int) else None
        if as_of is not None and not self._due:
            self._confirm(as_of)

    async def _held(self, path: str) -> bytes:
        copy = await self.cache.get(Key(self.peer.site, "GET", path))
        return shorten(copy.digest) if copy is not None else b""

    async def _fetch_due(self) -> None:
        """Fetch, one after the other, what is wanted at once and what a row named and no push brought."""
        while True:
            poke = self._poke
            now = trio.current_time()
            path = next((path for path, at in self._due.items() if at <= now), None)
            if path is None or self.peer.connection is None:
                with trio.move_on_at(min(self._due.values(), default=float("inf"))):
                    await poke.wait()
                if self.peer.connection is None:
                    await self.peer.wait_connected()
                continue
            del self._due[path]
            if await self._is_settled(path):
                continue
            try:
                await self.remote.fetch(path)
            except RequestError as exc:
                _log.debug("fetch.failed", site=self.peer.site, path=path, code=exc.code)

    async def _is_settled(self, path: str) -> bool:
        """Is there nothing to ask for: our copy is what the site's row names, or the site cannot read it either?

        A race that was at rest and is shown from now on is asked for all the same: it is as old as its copy.
        """
        data = self.subscriber.rows.get(path)
        if data is None:
            return False
        try:
            row = Row.decode(data)
        except RemoteProtocolError:
            return False
        if row.failure is not None:
            return True
        if path in self._to_read:
            self._to_read.discard(path)
            return False
        copy = await self.cache.get(Key(self.peer.site, "GET", path))
        if copy is None or shorten(copy.validator) != row.validator:
            return False
        self._on_result(path, copy)
        return True
