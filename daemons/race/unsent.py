"""Which races the hub has not the newest of. Pure: told what was read, what the hub holds, and when that counts."""

from collections.abc import Iterable, Mapping

from attrs import define, field

from daemons.race.paths import file_of

__all__ = ["Unsent"]

PATHS_MAX = 2000


@define(eq=False)
class Unsent:
    """The files of races of the open event, by a name of their content, here and at the hub.

    `told`: what the hub was last known to hold, also across restarts; `changed`: what of that is not written down yet.
    """

    told: dict[str, bytes] = field(factory=dict, init=False)
    changed: set[str] = field(factory=set, init=False)
    behind_since: float | None = field(default=None, init=False)  # monotonic; None: the hub has everything
    _latest: dict[str, bytes] = field(factory=dict, init=False)
    _event_id: str = field(default="", init=False)

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take what an earlier run knew that the hub holds."""
        self.told |= dict(rows)

    def read(self, path: str, name: bytes, now: float) -> None:
        """Take note of what a file is now. Another event's races are forgotten: nobody waits for them any more."""
        file = file_of(path)
        if file is None or not file.race_id:
            return
        if file.event_id != self._event_id:
            self._event_id = file.event_id
            self._latest.clear()
        if path in self._latest or len(self._latest) < PATHS_MAX:
            self._latest[path] = name
        self._judge(now)

    def settled(self, held: Mapping[str, bytes], now: float, *, wants_no_more: bool) -> None:
        """Take note that what the hub holds is known to have come there: `held`, by path.

        `wants_no_more`: it has said all that it watches, so that what is not in `held` is nothing to it.
        """
        for path, name in self._latest.items():
            held_name = held.get(path, name if wants_no_more else None)
            if held_name is not None and self.told.get(path) != held_name:
                self.told[path] = held_name
                self.changed.add(path)
        self._judge(now)

    @property
    def races(self) -> frozenset[str]:
        """The ids of the races that wait."""
        return frozenset(_race_of(path) for path, name in self._latest.items() if self.told.get(path) != name)

    def take_changed(self) -> tuple[dict[str, bytes], list[str]]:
        """Return what is to be written down and what is to be forgotten, and take it as done."""
        gone = [path for path in self.told if path not in self._latest] if len(self.told) > PATHS_MAX else []
        for path in gone:
            del self.told[path]
        written = {path: self.told[path] for path in self.changed if path in self.told}
        self.changed.clear()
        return written, gone

    def _judge(self, now: float) -> None:
        if not self.races:
            self.behind_since = None
        elif self.behind_since is None:
            self.behind_since = now


def _race_of(path: str) -> str:
    file = file_of(path)
    return "" if file is None else file.race_id
