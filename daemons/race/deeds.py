"""What a site beside FPVTrackside can be commanded to do; what was set so holds again after a restart."""

from collections.abc import Callable
from functools import partial

import structlog
import trio
from attrs import define, field

from daemons.ops.storecare import patiently
from daemons.store import Store
from protocol.messages import Action, AllowlistSwitch, Pause, Purge, Reconnect, Resume

__all__ = ["Controls", "SiteDeeds"]

_log = structlog.stdlib.get_logger("pitlink.race")


@define(eq=False)
class Controls:
    """What commands can do to a site. Every one takes an absolute value and may be called again."""

    pause: Callable[[bool], None]
    purge: Callable[[str], None]
    reconnect: Callable[[], None]
    switch: Callable[[str, bool], None]


@define(eq=False)
class SiteDeeds:
    """Does what commands ask for. `run` must be running: it ends pauses that end by themselves."""

    store: Store
    controls: Controls
    utc_now: Callable[[], float]
    _pause_until: float | None = field(default=None, init=False)
    _wake: trio.Event = field(factory=trio.Event, init=False)

    @property
    def pause_ends_at(self) -> float | None:
        """When a pause ends by itself, in UTC seconds; None for one that does not, or none."""
        return self._pause_until

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """End pauses when they are over. Never returns. Started: what was set before this start holds again."""
        settings = partial(self.store.read, lambda conn: list(conn.execute("SELECT * FROM site_setting")))
        for name, value in await patiently(settings, "settings"):
            self._apply_setting(str(name), str(value))
        task_status.started()
        while True:
            self._wake = trio.Event()
            with trio.move_on_at(self._ends_at()):
                await self._wake.wait()
            if self._pause_until is not None and self.utc_now() >= self._pause_until:
                await self._set("paused_until", "0")

    def _ends_at(self) -> float:
        if self._pause_until is None:
            return float("inf")
        return trio.current_time() + max(0.0, self._pause_until - self.utc_now())

    async def act(self, action: Action, by: str, against: int) -> str:
        """Do it and return the words. Raises ValueError for what cannot be."""
        match action:
            case Pause(until=until):
                await self._set("paused_until", "inf" if until is None else repr(until))
                return "paused" if until is None else "paused for a while"
            case Resume():
                await self._set("paused_until", "0")
                return "running"
            case Purge(prefix=prefix):
                self.controls.purge(prefix)
                return f"forgot what begins with {prefix or '/'}"
            case AllowlistSwitch(pattern=pattern, enabled=enabled):
                self.controls.switch(
                    pattern, enabled
                )  # raises ValueError for what the site's config does not list
                await self._set(f"allow {pattern}", "on" if enabled else "off")
                return f"{pattern} is {'on' if enabled else 'off'}"
            case Reconnect():
                self.controls.reconnect()
                return "reconnecting"
            case _:
                raise ValueError("this site does not heat")

    async def _set(self, name: str, value: str) -> None:
        row = (name, value)
        work = partial(
            self.store.transact,
            lambda conn: conn.execute("INSERT OR REPLACE INTO site_setting VALUES (?, ?)", row),
        )
        await patiently(work, "a setting")
        self._apply_setting(name, value)

    def _apply_setting(self, name: str, value: str) -> None:
        if name == "paused_until":
            until = float(value)
            is_paused = until > self.utc_now()
            self._pause_until = until if is_paused and until != float("inf") else None
            self.controls.pause(is_paused)
            self._wake.set()  # it may end by itself
        elif name.startswith("allow "):
            try:
                self.controls.switch(name.removeprefix("allow "), value == "on")
            except ValueError:
                _log.warning("setting.obsolete", name=name)  # the site's config does not list it any more
