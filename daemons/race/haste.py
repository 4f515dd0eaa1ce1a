"""What must be read at once, because something that is shown names what no file has told of yet.

FPVTrackside writes a race before the lists it refers to. Waiting for the list's next turn once kept a board
without laps for ten seconds (drone-dashboard 6ab4c37), so the list is read at once, a few times more in
haste, and then at its usual pace: a pilot who is in no list must not make us hammer the origin for ever.
"""

from collections.abc import Iterator

from attrs import define, field

from daemons.race.model import Day, Race, Result, State
from daemons.race.paths import CHANNELS, Kind, event_file, race_file
from daemons.race.rules import next_race, unknown_ids

__all__ = ["Haste"]

TRIES_MAX = 5

_LISTS = {"round": Kind.ROUNDS, "pilot": Kind.PILOTS}


@define(eq=False)
class Haste:
    """The paths that should hold an id and do not."""

    _missing: dict[str, frozenset[str]] = field(factory=dict, init=False)
    _tries: dict[str, int] = field(factory=dict, init=False)
    # In order: the order of a set is another in each process.
    _urgent: dict[str, None] = field(factory=dict, init=False)
    _results: tuple[str, tuple[Result, ...]] | None = field(default=None, init=False)

    def look(self, event_id: str | None, day: Day, current: Race | None) -> None:
        """Find what is missing now. A path with a newly missing id becomes urgent."""
        missing: dict[str, set[str]] = {}
        for path, key in _missing(event_id, day, current):
            missing.setdefault(path, set()).add(key)
        for path, keys in missing.items():
            if keys - self._missing.get(path, frozenset()):
                self._tries[path] = 0
                self._urgent[path] = None
        for path in self._tries.keys() - missing.keys():
            del self._tries[path]
        self._missing = {path: frozenset(keys) for path, keys in missing.items()}
        self._look_at_standings(event_id, day, current)

    def _look_at_standings(self, event_id: str | None, day: Day, current: Race | None) -> None:
        """Have the standings that FPVTrackside works out read anew when the current race's results are others."""
        if event_id is None or current is None or current.id not in day.results:
            return
        before, self._results = self._results, (current.id, day.results[current.id])
        if before != self._results and any(stage.standings for stage in day.stages.values()):
            self._urgent[event_file(event_id, Kind.STAGES)] = None

    def was_read(self, path: str) -> None:
        """Count a read, whatever came of it."""
        if path in self._tries:
            self._tries[path] += 1

    def add(self, path: str) -> None:
        """Make a path urgent once."""
        self._urgent[path] = None

    @property
    def soon(self) -> list[str]:
        """The paths to read again within a second or so."""
        return [path for path, tries in self._tries.items() if tries < TRIES_MAX]

    def take_urgent(self) -> tuple[str, ...]:
        """Return the paths to read at once, and forget them."""
        urgent = tuple(self._urgent)
        self._urgent.clear()
        return urgent


def _missing(event_id: str | None, day: Day, current: Race | None) -> Iterator[tuple[str, str]]:
    """Yield (path, id) of what the shown races lack."""
    if event_id is None or current is None:
        return
    for race in (current, next_race(day, current)):
        for kind, key in unknown_ids(day, race) if race is not None else ():
            yield CHANNELS if kind == "channel" else event_file(event_id, _LISTS[kind]), key
    if current.state is State.DONE and current.id not in day.results:
        yield race_file(event_id, current.id, Kind.RESULT), current.id
