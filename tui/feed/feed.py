"""Keeps the model up to date with one daemon: asks how it stands, follows its log and its audit, and comes back by itself.

feed
├── status        at the pace that is set; its silence is what ends the connection
├── log           followed from where it stopped
├── audit         when the status says that there are more rows
├── looked at     commands, dead letters and allowlists of the sites that somebody looks at
├── chaos         faults and drills, while somebody looks at them or there are any
├── trace         the lines of a wish that somebody looks for
└── car           the samples of a driver whose car somebody looks at
"""

import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

import trio
from attrs import define, field

from daemons.ops.client import AdminClient, AdminError, Unreachable
from daemons.ops.groups import leaves
from tui.feed.carlook import CarLook
from tui.feed.chaoslook import ChaosLook
from tui.feed.sources import Source
from tui.feed.tracelook import TraceLook
from tui.model.model import Model

__all__ = ["Feed", "Pace"]

STATUS_S = 5.0
"""A daemon that does not say in this time how it stands is gone."""

REFUSED_S = 30.0
RETRY_S_MAX = 10.0
LOOK_S = 5.0
COMMANDS = ("site.commands", "heat.commands")
"""What lists the commands to a site, by the kind of its daemon."""

LOG_AGAIN_S = 1.0
LOG_FIRST = 500
AUDIT_ROWS = 500
_REFUSALS = (401, 403)


@define(eq=False)
class Pace:
    """How often daemons are asked how they stand, `hz` times a second between 1 and 4."""

    hz: float = 2.0

    def set(self, hz: float) -> None:
        """Change it; held between 1 and 4."""
        self.hz = min(4.0, max(1.0, hz))


class _Ended(Exception):
    """The connection is over. `is_refused`: by somebody who does not let us in."""

    def __init__(self, words: str, *, is_refused: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.is_refused = is_refused


@define(eq=False)
class Feed:
    """The feed of one daemon. `name`: as the model calls it; `now()`: the model's clock. `run` it; `act` may wait long, the
    other methods do not."""

    name: str
    source: Source
    model: Model
    pace: Pace = field(factory=Pace)
    now: Callable[[], float] = trio.current_time
    utc_now: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    _client: AdminClient | None = field(default=None, init=False)
    _looked_at: frozenset[str] = field(default=frozenset(), init=False)
    _look: trio.Event = field(factory=trio.Event, init=False)
    _chaos: ChaosLook = field(init=False)
    _trace: TraceLook = field(init=False)
    _car: CarLook = field(init=False)
    _audited: trio.Event = field(factory=trio.Event, init=False)
    _stood: trio.Event = field(factory=trio.Event, init=False)
    _retry: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._chaos = ChaosLook(self.name, self.model, self.now)
        self._trace = TraceLook(self.name, self.model)
        self._car = CarLook(self.name, self.model, self.now)

    # --- for whoever shows ---------------------------------------------------------------------------------------

    def look_at(self, sites: Iterable[str]) -> None:
        """Keep commands, dead letters and allowlists of these sites up to date from now on, and of no others."""
        wanted = frozenset(sites)
        if wanted != self._looked_at:
            self._looked_at = wanted
            self._look.set()
            self._car.want(wanted)

    def look_again(self) -> None:
        """Look at once: something was done. And when the daemon is gone, try it at once."""
        self._look.set()
        self._retry.set()
        self._chaos.again()

    def look_for(self, trace: str) -> None:
        """Search the daemon's log for the lines of a trace, once; when it is gone, as soon as it is back."""
        self._trace.look_for(trace)

    def look_at_chaos(self, is_wanted: bool) -> None:
        """Keep faults and drills up to date from now on; otherwise only while the daemon says that there are any."""
        self._chaos.want(is_wanted)

    async def act(self, action: str, params: Mapping[str, Any]) -> Any:
        """Have the daemon do something; return its result. Raises AdminError and Unreachable."""
        if self._client is None:
            raise Unreachable(f"{self.name} is not connected: nothing was done")
        result = await self._client.act(action, **params)
        self.look_again()
        return result

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch the daemon until cancelled, coming back whenever it is lost. Never returns."""
        self.model.watch(self.name, self.now())
        tries = 0
        while True:
            heard_before = self.model.feeds[self.name].heard_at
            words, is_refused = await self._once()
            now = self.now()
            if self.model.feeds[self.name].heard_at != heard_before:
                tries = 0
            wait_s = (
                REFUSED_S if is_refused else min(RETRY_S_MAX, 0.5 * 2.0**tries) * (0.75 + self.jitter() / 2)
            )
            tries = min(tries + 1, 10)
            self.model.lost(self.name, words, now, retry_at=now + wait_s, is_refused=is_refused)
            self._retry = trio.Event()
            with trio.move_on_after(wait_s):
                await self._retry.wait()

    async def _once(self) -> tuple[str, bool]:
        """Be connected for as long as it lasts; return why it is over, and whether we are not let in."""
        ended = _Ended("the connection ended")
        try:
            async with self.source.open() as client:
                await self._live(client)
        except* (_Ended, Unreachable, AdminError, ValueError, OSError) as group:
            ended = self._ended(leaves(group)[0])
        finally:
            self._client = None
        return ended.words, ended.is_refused

    def _ended(self, exc: BaseException) -> _Ended:
        if isinstance(exc, _Ended):
            return exc
        if isinstance(exc, AdminError):
            is_refused = exc.status in _REFUSALS
            return _Ended(f"not let in: {exc.words}" if is_refused else exc.words, is_refused=is_refused)
        return _Ended(self.source.words(exc))

    async def _live(self, client: AdminClient) -> None:
        await self._ask_status(client)
        self._client = client
        self.model.offered(self.name, await client.actions())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_status, client)
            nursery.start_soon(self._follow_log, client)
            nursery.start_soon(self._keep_audit, client)
            nursery.start_soon(self._keep_looking, client)
            nursery.start_soon(self._keep_weeks, client)
            nursery.start_soon(self._chaos.run, client)
            nursery.start_soon(self._trace.run, client)
            nursery.start_soon(self._car.run, client)

    # --- its tasks -----------------------------------------------------------------------------------------------

    async def _keep_status(self, client: AdminClient) -> None:
        while True:
            began = trio.current_time()
            await self._ask_status(client)
            await trio.sleep(max(0.05, 1 / self.pace.hz - (trio.current_time() - began)))

    async def _ask_status(self, client: AdminClient) -> None:
        status = None
        with trio.move_on_after(STATUS_S):
            status = await client.status()
        if status is None:
            raise _Ended(f"no answer in {STATUS_S:g} s")
        before = self.model.daemons.get(self.name)
        self.model.told(self.name, status, self.now(), self.utc_now())
        self._chaos.stands()
        self._stood.set()
        if before is None or before.audit_count != self.model.daemons[self.name].audit_count:
            self._audited.set()

    async def _follow_log(self, client: AdminClient) -> None:
        sieve = _Sieve()
        while True:
            async with client.log(count=LOG_FIRST, follow=True) as lines:
                sieve.begin(self.model, self.name)
                async for line in lines:
                    if sieve.is_new(line):
                        self.model.logged(self.name, line)
            await trio.sleep(LOG_AGAIN_S)  # the daemon ends its streams when it stops

    async def _keep_audit(self, client: AdminClient) -> None:
        while True:
            self._audited = trio.Event()
            count = self.model.daemons[self.name].audit_count
            last = self.model.last_audit_number(self.name)
            if count < last:
                self.model.forget_audit(self.name)
            elif count > last:
                self.model.audited(self.name, await client.audit(after=last, last=AUDIT_ROWS))
                self._look.set()
            if self.model.daemons[self.name].audit_count == count:
                await self._audited.wait()

    async def _keep_looking(self, client: AdminClient) -> None:
        while True:
            self._look = trio.Event()
            sites, view = self._looked_at, self.model.daemons[self.name]
            for site in sorted(site for site in sites if (self.name, site) in self.model.sites):
                of = {"site": site} if view.is_hub else {}
                await self._take(
                    partial(client.act, "dead.list", **of), partial(self.model.died, self.name, site)
                )
                listing = next((name for name in COMMANDS if self.model.offers(self.name, name)), None)
                if listing is not None:
                    commands = partial(client.act, listing, **of)
                    await self._take(commands, partial(self.model.commanded, self.name, site))
                if of:
                    rules = partial(client.act, "site.allowlist.list", **of)
                    await self._take(rules, partial(self.model.ruled, self.name, site))
            with trio.move_on_after(LOOK_S if sites else math.inf):
                await self._look.wait()

    async def _keep_weeks(self, client: AdminClient) -> None:
        """Ask for the settings of houses when they are others than before."""
        while True:
            self._stood = trio.Event()
            for site in self.model.services.unread_weeks(self.name):
                of = {"site": site} if self.model.daemons[self.name].is_hub else {}
                await self._take(
                    partial(client.act, "heat.settings", **of),
                    partial(self.model.weeks_told, self.name, site),
                )
            await self._stood.wait()

    async def _take(self, ask: Callable[[], Awaitable[Any]], take: Callable[[Any], None]) -> None:
        """Ask for something that may be refused, or that a site which is away does not say: then what is known stays."""
        try:
            take(await ask())
        except AdminError:
            pass


@define
class _Sieve:
    """Tells lines that came already from new ones, when a log is followed again: the daemon may be another process."""

    _number: int = 0
    _at_text: str = ""
    _is_judged: bool = False

    def begin(self, model: Model, daemon: str) -> None:
        rows = model.log.tail(1, lambda row: row.daemon == daemon and row.number > 0)
        self._number, self._at_text = (rows[0].number, rows[0].at_text) if rows else (0, "")
        self._is_judged = False

    def is_new(self, told: Mapping[str, Any]) -> bool:
        if "number" not in told:
            return True
        number = int(told["number"])
        if not self._is_judged:
            self._is_judged = True
            if number <= self._number and str(told["line"].get("at", "")) > self._at_text:
                self._number = 0  # said later, numbered lower: another process, whose numbers begin anew
        return number > self._number
