"""Who watches a daemon: operators whose screens or commands follow its log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["Watchers", "Watching"]


@define(eq=False)
class Watchers:
    """Those who are here now."""

    utc_now: Callable[[], float]
    _here: dict[object, tuple[str, float]] = field(factory=dict, init=False)

    @contextmanager
    def here(self, who: str) -> Iterator[None]:
        """Count somebody in for the length of the block."""
        key = object()
        self._here[key] = (who, self.utc_now())
        try:
            yield
        finally:
            del self._here[key]

    def listed(self) -> list[dict[str, Any]]:
        """Return who is here, since when (UTC seconds), one for each screen, who came first at the top."""
        return [{"who": who, "since": since} for who, since in self._here.values()]


class Watching(Response):
    """A response that somebody reads for as long as they are here."""

    def __init__(self, lines: Response, watchers: Watchers, who: str) -> None:
        super().__init__()
        self._lines, self._watchers, self._who = lines, watchers, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._watchers.here(self._who):
            await self._lines(scope, receive, send)
