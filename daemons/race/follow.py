"""Joins a board to what reads the files for it: the site's own polling, or a hub's watches over the link."""

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import define, field

from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.watches import Watch
from protocol.errors import RequestError

__all__ = ["Follower", "WatchSource"]


class WatchSource(Protocol):
    """Reads paths again and again, and tells of every read. `daemons.race.watches.Watches` is the site's."""

    live: bool

    def observe(self, observer: Callable[[str, Fetched | RequestError], None]) -> None: ...

    def want(self, owner: str, watches: Iterable[Watch]) -> None: ...

    def nudge(self, *paths: str) -> None: ...


@define(eq=False)
class Follower:
    """Feeds `keeper` from `source`, and tells `source` what to read as the day goes on. Has no task."""

    keeper: BoardKeeper
    source: WatchSource
    owner: str = "board"
    _watches: tuple[Watch, ...] = field(default=(), init=False)
    _wanted: frozenset[Watch] = field(default=frozenset(), init=False)

    def start(self) -> None:
        """Begin. Call once; what is read from then on goes to the keeper."""
        self.source.observe(self._on_read)
        self._replan()

    def _on_read(self, path: str, result: Fetched | RequestError) -> None:
        if isinstance(result, RequestError):
            self.keeper.failed(path, result)
        else:
            self.keeper.apply(path, result)
        self._replan()

    def _replan(self) -> None:
        self.source.live = self.keeper.is_live
        watches = self.keeper.watches()
        if watches is not self._watches:  # the same one as long as nothing has changed
            self._watches = watches
            wanted = frozenset(watches)
            if wanted != self._wanted:
                self._wanted = wanted
                self.source.want(self.owner, watches)
        if urgent := self.keeper.take_urgent():
            self.source.nudge(*urgent)
