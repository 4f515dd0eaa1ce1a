"""Looks after what nobody tells of: the machine's clock, queues that fill, whether work is still done; feeds systemd.

watchman
├── look          every 5 s: clock, the daemon's own looks, one line of status for systemd
└── prove         in a process with a watchdog: work is done and only then is the watchdog fed
"""

import os
from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio
from attrs import define, field

from daemons.ops.health import Health, Severity
from daemons.ops.lifecycle import notify
from daemons.store import StorageError, Store

__all__ = ["Watchman", "watchdog_period_s"]

_log = structlog.stdlib.get_logger("pitlink.ops")

LOOK_S = 5.0
STEP_S = 1.0
STEP_SHOWN_S = 600.0
SANE_UTC = 1_735_689_600.0
"""2025-01-01: a clock before this was never set (a Raspberry Pi without network)."""


def watchdog_period_s() -> float | None:
    """Return how often systemd wants to hear from us, None when it does not."""
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) else None


def _nobody() -> str:
    return ""


def _ignore(by_s: float) -> None:
    """Stand for who needs not know."""


@define(eq=False)
class Watchman:
    """One daemon's watchman.

    `looks` are called every 5 s and may set warnings. `queues()` says in words which queue is past its threshold, ""
    when none is. `summary()` is the status line. `is_working()` says whether the daemon's own loops still turn.
    `on_step(by_s)` hears that the clock went by so much.
    """

    store: Store
    health: Health
    utc_now: Callable[[], float]
    summary: Callable[[], str]
    queues: Callable[[], str] = _nobody
    looks: Sequence[Callable[[], Awaitable[None]]] = ()
    is_working: Callable[[], bool] = lambda: True
    on_step: Callable[[float], None] = _ignore
    asks_store: bool = True
    """False: a database's writer that hangs is no reason to be started anew; what the daemon does needs no disk."""
    steps: int = field(default=0, init=False)  # of the clock, since the start
    _lead_s: float | None = field(default=None, init=False)  # UTC ahead of the monotonic clock
    _stepped_at: float | None = field(default=None, init=False)
    _told: str = field(default="", init=False)

    # --- ready? --------------------------------------------------------------------------------------------------

    def why_not_ready(self) -> str:
        """Return in words why the daemon should get no work now, "" when it may: store, clock, queues."""
        if self.store.fault is not None:
            return str(self.store.fault)
        if not self.is_clock_sane:
            return "the clock of this machine was never set"
        return self.queues()

    @property
    def is_clock_sane(self) -> bool:
        return self.utc_now() >= SANE_UTC

    # --- looking -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look every 5 s. Never returns."""
        while True:
            self._look_at_clock()
            self.health.warn("queues", self.queues())
            for look in self.looks:
                try:
                    await look()
                except StorageError as exc:  # the store says so itself; what is known stays as it is
                    _log.debug("look.failed", why=exc.detail)
            self._tell_status()
            await trio.sleep(LOOK_S)

    def _look_at_clock(self) -> None:
        now = trio.current_time()
        lead_s = self.utc_now() - now
        before, self._lead_s = self._lead_s, lead_s
        if before is not None and abs(lead_s - before) > STEP_S:
            self.steps += 1
            self._stepped_at = now
            self.on_step(lead_s - before)
            words = (
                f"the clock of this machine went {lead_s - before:+.0f} s: it was set, or the machine slept. Times of "
                "events around then are off by as much, and ages may be too great for a while"
            )
            self.health.set("clock-step", Severity.NOTICE, words)
        elif self._stepped_at is not None and now - self._stepped_at > STEP_SHOWN_S:
            self._stepped_at = None
            self.health.clear("clock-step")
        unset = (
            "" if self.is_clock_sane else "the clock of this machine was never set: is there a time server?"
        )
        self.health.warn("clock", unset)

    def _tell_status(self) -> None:
        worst = next(iter(self.health.warnings), None)
        text = self.summary() if worst is None else f"{self.summary()}; {worst.severity}: {worst.words}"
        text = " ".join(text.split())[:300]
        if text != self._told:
            self._told = text
            notify(f"STATUS={text}")

    # --- proving -------------------------------------------------------------------------------------------------

    async def prove(self) -> None:
        """Feed systemd's watchdog, four times in its period, as long as work is done. Returns when it has none.

        Done means: the loop turns, the database's writer answers (also when the disk is full: a restart would not
        empty it), and the daemon's own loops work.
        """
        period_s = watchdog_period_s()
        if period_s is None:
            return
        starving = False
        while True:
            if await self._is_done(period_s / 4):
                notify("WATCHDOG=1")
                starving = False
            elif not starving:
                starving = True
                _log.error(
                    "watchdog.not_fed", words="work has come to a stop; systemd will restart this daemon"
                )
            await trio.sleep(period_s / 4)

    async def _is_done(self, within_s: float) -> bool:
        with trio.move_on_after(within_s):
            try:
                if self.asks_store:
                    await self.store.transact(lambda conn: None)
            except StorageError:
                pass  # an answer
            return self.is_working()
        return False
