"""The files of one open event, taken one by one into a `Day`. Pure; a bad file leaves the last good one.

Two things make it more than a dictionary: results belong to one flight of a race (a race can be flown
again), and results that turn empty while the race stays finished are kept, because FPVTrackside empties the
file before it recalculates, and has been seen to leave it empty.
"""

from collections.abc import Sequence

import structlog
from attrs import define, evolve, field

from daemons.race.fetched import Fetched
from daemons.race.fields import FieldNews, field_news
from daemons.race.files import (
    BadFile,
    event_of_home,
    read_channels,
    read_current,
    read_event,
    read_pilots,
    read_race,
    read_results,
    read_rollovers,
    read_rounds,
    read_stages,
)
from daemons.race.model import Day, Race, State
from daemons.race.parts import load
from daemons.race.paths import CURRENT, File, Kind, file_of, race_file

__all__ = ["DayFiles"]

_log = structlog.stdlib.get_logger("pitlink.race")

FIELD_NEWS_MAX = 32
"""Different ones that are told. A version of FPVTrackside makes one a kind of file."""

_WITHOUT_FIELDS = (Kind.HOME, Kind.CURRENT)
_UNSEEN = object()


@define(eq=False)
class DayFiles:
    """What is known of the open event. `has_current`: does this FPVTrackside tell which race is selected?
    `kept_results`: races whose results turned empty and are shown as they last were; `missing_results`: those that were
    empty when they were first read, so that only `recall` can bring the last good ones. `field_news`: how files differ
    from all known versions of them, each told once in the log."""

    day: Day = field(factory=Day, init=False)
    event_id: str | None = field(default=None, init=False)
    selected: str | None = field(default=None, init=False)
    has_current: bool = field(default=True, init=False)
    kept_results: frozenset[str] = field(default=frozenset(), init=False)
    missing_results: frozenset[str] = field(default=frozenset(), init=False)
    field_news: tuple[FieldNews, ...] = field(default=(), init=False)
    _digests: dict[str, bytes] = field(factory=dict, init=False)
    _fields_seen: dict[str, State | None] = field(factory=dict, init=False)

    def concerns(self, path: str) -> bool:
        """Is this a file that is read here, and not one of another event?"""
        file = file_of(path)
        return file is not None and file.event_id in ("", self.event_id)

    def take(self, path: str, fetched: Fetched) -> bool:
        """Take a file that `concerns` us; return whether it was new. After BadFile nothing has changed."""
        file = file_of(path)
        if file is None or self._digests.get(path) == fetched.digest:
            return False
        if self._take(file, path, fetched):
            self._digests[path] = fetched.digest
        self._look_at_fields(file, path, fetched)
        return True

    def recall(self, race_id: str, results: bytes, races: Sequence[bytes]) -> bool:
        """Take the last good Result.json of a race, as an earlier run of this program saw it; return whether it was wanted.
        `races`: the race's Race.json as it was then, and every version since. They say whether it is of this flight."""
        race = self.day.races.get(race_id)
        if race_id not in self.missing_results or race is None or self.event_id is None:
            return False
        self.missing_results -= {race_id}
        path = race_file(self.event_id, race_id, Kind.RESULT)
        try:
            found = read_results(path, results)
            then = [read_race(path, body) for body in races]
        except BadFile:  # kept by a version that read it otherwise
            return False
        if not found or any(known.state is not State.DONE or known.start != race.start for known in then):
            return False
        self.kept_results |= {race_id}
        self.day = evolve(self.day, results={**self.day.results, race_id: found})
        return True

    def no_current(self) -> None:
        """Take note that `/current` cannot be had."""
        self.selected, self.has_current = None, False
        self._digests.pop(CURRENT, None)

    def _take(self, file: File, path: str, fetched: Fetched) -> bool:
        """Put one file into the day. Returns False when the same bytes must be looked at again next time."""
        body, day = fetched.body, self.day
        match file.kind:
            case Kind.HOME:
                self._open(event_of_home(body))
            case Kind.CURRENT:
                self._take_current(path, body)
            case Kind.CHANNELS:
                self.day = evolve(day, channels=read_channels(path, body))
            case Kind.PILOTS:
                self.day = evolve(day, pilots=read_pilots(path, body))
            case Kind.ROUNDS:
                self.day = evolve(day, rounds=read_rounds(path, body))
            case Kind.STAGES:
                self.day = evolve(day, stages=read_stages(path, body))
            case Kind.RESULTS:
                self.day = evolve(day, rollovers=read_rollovers(path, body))
            case Kind.EVENT:
                self._take_event(file, path, fetched)
            case Kind.RACE:
                self._take_race(file, path, fetched)
            case Kind.RESULT:
                return self._take_results(file.race_id, path, body)
        return True

    def _open(self, event_id: str | None) -> None:
        """Start anew, but for the channels, when another event is open. A page that names none says
        nothing."""
        if event_id is None or event_id == self.event_id:
            return
        _log.info("event.opened", event_id=event_id)
        self.event_id = event_id
        self.day = Day(channels=self.day.channels)
        self.selected, self.kept_results, self.missing_results = None, frozenset(), frozenset()
        for path in [path for path in self._digests if path.startswith("/events/") or path == CURRENT]:
            del self._digests[path]
        self._fields_seen.clear()

    def _take_current(self, path: str, body: bytes) -> None:
        try:
            self.selected, self.has_current = read_current(path, body), True
        except BadFile:  # a version before 2026-06-30 answers with its home page
            self.selected, self.has_current = None, False

    def _take_event(self, file: File, path: str, fetched: Fetched) -> None:
        event = read_event(path, fetched.body)
        if event.id != file.event_id:
            raise BadFile(path, "the event has another ID")
        self.day = evolve(self.day, event=event)

    def _take_race(self, file: File, path: str, fetched: Fetched) -> None:
        race = read_race(path, fetched.body)
        if race.id != file.race_id:
            raise BadFile(path, "the race has another ID")
        before = self.day.races.get(race.id)
        if race.state is not State.DONE or (before is not None and before.start != race.start):
            self._drop_results(file, race)
        self.day = evolve(self.day, races={**self.day.races, race.id: race})

    def _drop_results(self, file: File, race: Race) -> None:
        """The race is flown again, or further: results read before are those of another flight."""
        self._digests.pop(race_file(file.event_id, race.id, Kind.RESULT), None)
        self.kept_results -= {race.id}
        self.missing_results -= {race.id}
        others = {key: results for key, results in self.day.results.items() if key != race.id}
        self.day = evolve(self.day, results=others)

    def _take_results(self, race_id: str, path: str, body: bytes) -> bool:
        results = read_results(path, body)
        race = self.day.races.get(race_id)
        if race is None or race.state is not State.DONE:
            return False
        if results:
            self.kept_results -= {race_id}
            self.missing_results -= {race_id}
            self.day = evolve(self.day, results={**self.day.results, race_id: results})
        elif self.day.results.get(race_id):
            self.kept_results |= {race_id}
        else:
            self.missing_results |= {race_id}
        return True

    def _look_at_fields(self, file: File, path: str, fetched: Fetched) -> None:
        """Compare a file's fields with the known ones: when it is first read, a race's in each of its states."""
        race = self.day.races.get(file.race_id) if file.kind is Kind.RACE else None
        state = race.state if race is not None else None
        if file.kind in _WITHOUT_FIELDS or fetched.absent or self._fields_seen.get(path, _UNSEEN) is state:
            return
        self._fields_seen[path] = state
        news = field_news(file.kind, load(path, fetched.body))
        if news is None or news in self.field_news or len(self.field_news) >= FIELD_NEWS_MAX:
            return
        self.field_news += (news,)
        _log.warning(
            "race.file_changed", file=news.file, unknown=list(news.unknown), missing=list(news.missing)
        )
