"""What ends by itself: a limit or a log level that was changed for a time. Kept in memory: a restart ends it as well."""

from collections.abc import Callable

import structlog
import trio
from attrs import define, field

__all__ = ["LASTS_S_MAX", "Lapses"]

_log = structlog.stdlib.get_logger("pitlink.ops")

LASTS_S_MAX = 7 * 86400.0


@define(eq=False)
class Lapses:
    """Things with an end, by name. `run` must be running for them to end by themselves."""

    utc_now: Callable[[], float]
    _ends: dict[str, tuple[float, Callable[[], object]]] = field(factory=dict, init=False)  # by Trio's clock
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def begin(self, name: str, for_s: float, end: Callable[[], object]) -> None:
        """Have `end` called in `for_s` seconds. What of this name was to end before does not: this is in its place."""
        self._ends[name] = (trio.current_time() + for_s, end)
        self._changed.set()

    def end_now(self, name: str) -> bool:
        """End it at once; return whether there was any."""
        found = self._ends.pop(name, None)
        if found is not None:
            found[1]()
        return found is not None

    def forget(self, name: str) -> None:
        """Let it not end: something that stays is in its place."""
        self._ends.pop(name, None)

    def until(self, name: str) -> float | None:
        """Return when it ends, in UTC seconds; None when it does not."""
        found = self._ends.get(name)
        return None if found is None else self.utc_now() + found[0] - trio.current_time()

    async def run(self) -> None:
        """End each when its time is over, until cancelled."""
        while True:
            self._changed = trio.Event()
            now = trio.current_time()
            for name in [name for name, (at, _) in self._ends.items() if at <= now]:
                _log.info("lapse.ended", name=name)
                self.end_now(name)
            with trio.move_on_at(min((at for at, _ in self._ends.values()), default=float("inf"))):
                await self._changed.wait()
