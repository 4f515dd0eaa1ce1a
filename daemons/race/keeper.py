"""Keeps the board of a site's open event from the files as they come in, by polling or by pushes alike.

No clock and no I/O: `apply` takes what was read, `failed` what could not be read. What does not parse
changes nothing: the last good file stays, and the board grows old, which is shown. Whoever shows the board
waits with `wait_change`: one event swapped per change wakes all, and the bytes are encoded once per
version, not per viewer.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import tzinfo

import structlog
import trio
from attrs import define, field, frozen

from daemons.race.board import Board, make_board
from daemons.race.dayfiles import DayFiles
from daemons.race.fetched import Fetched
from daemons.race.fields import FieldNews
from daemons.race.files import BadFile
from daemons.race.haste import Haste
from daemons.race.model import Day, Race, State
from daemons.race.paths import CURRENT, HOME, Kind, race_file
from daemons.race.plan import Outlook, plan_watches
from daemons.race.rules import current_race
from daemons.race.treekeeper import TreeKeeper
from daemons.race.watches import Watch
from protocol.errors import ErrorCode, RequestError

__all__ = ["BoardKeeper", "Freshness"]

_log = structlog.stdlib.get_logger("pitlink.race")

LIVE_STALE_S = 5.0
IDLE_STALE_S = 45.0
"""Older than this, the board is marked as old. With no race live the origin is asked rarely."""

OLD_NEWS_S = 2.0
"""A race that becomes the current one is read at once when its file is older than this."""

_SOURCE_TROUBLE = {
    ErrorCode.ORIGIN_DOWN: "The timing program does not answer",
    ErrorCode.TIMEOUT: "The timing program is slow to answer",
    ErrorCode.DISCONNECTED: "The field is offline",
    ErrorCode.PAUSED: "The organiser has paused the live data",
    ErrorCode.INCOMPATIBLE: "The field's software is too old or too new for this site",
    ErrorCode.INTERNAL: "The live data is disturbed",
}
"""What spectators are told; what an operator needs to know stands in the logs and in the health registry."""

_RACE_TROUBLE = "The race's file cannot be read at the moment"


@frozen
class Freshness:
    """How old a board is. `age_s` None: nothing was ever read. `why`: what is wrong, in words, if
    anything."""

    age_s: float | None
    stale_after_s: float
    why: str | None

    @property
    def is_stale(self) -> bool:
        return self.age_s is None or self.age_s > self.stale_after_s


@define(eq=False)
class BoardKeeper:
    """The board of one site.

    `site_zone` is for events that do not name their time zone; `live_s` the wanted period of the live
    race's file. `version` counts boards, `serial` counts everything that a viewer must be told, `encodings`
    how often a board was turned into bytes, `bad_files` the files that did not parse. `tree` has all that is shown of
    the event, of which the board is the part that overlays need.
    """

    site_zone: tzinfo | None = None
    live_s: float = 0.5
    tree: TreeKeeper = field(factory=TreeKeeper, init=False)
    version: int = field(default=0, init=False)
    serial: int = field(default=0, init=False)
    encodings: int = field(default=0, init=False)
    bad_files: int = field(default=0, init=False)
    _files: DayFiles = field(factory=DayFiles, init=False)
    _haste: Haste = field(factory=Haste, init=False)
    _outlook: Outlook | None = field(default=None, init=False)
    _plan: tuple[Watch, ...] = field(default=(), init=False)
    _current: Race | None = field(default=None, init=False)
    _read_at: dict[str, float] = field(factory=dict, init=False)
    _bad: dict[str, str] = field(factory=dict, init=False)
    _source_trouble: str | None = field(default=None, init=False)
    _race_trouble: str | None = field(default=None, init=False)
    _board: Board = field(init=False)
    _encoded: bytes = field(default=b"", init=False)
    _etag: str = field(default="", init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._board = make_board(self._files.day, None)

    def __repr__(self) -> str:
        return f"<BoardKeeper event={self._files.event_id} version={self.version} {self._board['phase']}>"

    # --- what comes in --------------------------------------------------------------------------------------

    def apply(self, path: str, fetched: Fetched) -> bool:
        """Take what was read at `path`; return whether the board is another one now. Never raises or waits.

        A file of another event than the open one is ignored; one that does not parse is counted and changes
        nothing.
        """
        if not self._files.concerns(path):
            return False
        self._haste.was_read(path)
        if not fetched.stale:
            self._source_is_back()
        if fetched.absent and path.endswith("/Race.json"):
            return False
        try:
            is_new = self._files.take(path, fetched)
        except BadFile as exc:
            self._note_bad(exc)
            return False
        self._bad.pop(path, None)
        self._read_at[path] = max(fetched.fetched_at, self._read_at.get(path, 0.0))
        if path == self.current_path:
            self._set_race_trouble(None)
        return self._refresh() if is_new else False

    def failed(self, path: str, error: RequestError) -> None:
        """Take note that `path` could not be read, and why. Never raises, never waits."""
        self._haste.was_read(path)
        if words := _SOURCE_TROUBLE.get(error.code):
            self._set_source_trouble(words)
        elif path == CURRENT and error.code in (ErrorCode.ORIGIN_INVALID, ErrorCode.DENIED):
            self._files.no_current()
            self._refresh()
        elif path == self.current_path and error.code is not ErrorCode.BUSY:
            self._set_race_trouble(_RACE_TROUBLE)

    def recall(self, race_id: str, results: bytes, races: Sequence[bytes]) -> bool:
        """Take the last good results of a race, as `DayFiles.recall` says; return whether the board is another one now.
        They are wanted for the races of `missing_results` alone."""
        return self._files.recall(race_id, results, races) and self._refresh()

    @property
    def missing_results(self) -> frozenset[str]:
        """Finished races whose results are empty, and of which no good ones were read yet."""
        return self._files.missing_results

    def confirm(self, as_of: float, paths: Collection[str]) -> None:
        """Take note that at `as_of` (UTC, seconds) the files at these paths were still as they are here.

        For a hub that is told of changes only: without it the board would look as old as its last change.
        """
        for path in self._read_at.keys() & set(paths):
            self._read_at[path] = max(as_of, self._read_at[path])
        self._source_is_back()

    def _source_is_back(self) -> None:
        if self._source_trouble is not None:
            self._set_source_trouble(None)
            # FPVTrackside's server is away while an event is closed: another one may be open now, and the
            # files of the old one are still served as if nothing had happened.
            self._haste.add(HOME)

    def _note_bad(self, bad: BadFile) -> None:
        self.bad_files += 1
        if self._bad.get(bad.path) != bad.why:
            self._bad[bad.path] = bad.why
            _log.warning("race.file_bad", path=bad.path, why=bad.why)
        if bad.path == self.current_path:
            self._set_race_trouble(_RACE_TROUBLE)

    # --- what follows ---------------------------------------------------------------------------------------

    def _refresh(self) -> bool:
        files = self._files
        before, self._current = self._current, current_race(files.day, files.selected)
        if (before.id if before else None) != (self._current.id if self._current else None):
            self._race_trouble = None
            path, newest = self.current_path, max(self._read_at.values(), default=0.0)
            if path is not None and self._read_at.get(path, 0.0) < newest - OLD_NEWS_S:
                self._haste.add(path)
        self._haste.look(files.event_id, files.day, self._current)
        is_other = self.tree.look_at(files.day, files.selected, self.site_zone, files.kept_results)
        board = make_board(
            files.day, files.selected, site_zone=self.site_zone, kept_results=files.kept_results
        )
        if board == self._board:
            if is_other:  # in what is not on the board
                self._tell()
            return False
        self._board = board
        self._encoded = b""
        self.version += 1
        self._tell()
        return True

    def watches(self) -> tuple[Watch, ...]:
        """Return what should be read from now on, and how often."""
        files = self._files
        outlook = Outlook(
            files.event_id, files.day, self._current, files.selected, files.has_current, self._haste.soon
        )
        if outlook != self._outlook:  # asked after every read, and most change nothing
            self._outlook, self._plan = outlook, plan_watches(outlook, live_s=self.live_s)
        return self._plan

    def take_urgent(self) -> tuple[str, ...]:
        """Return the paths to read at once, and forget them."""
        return self._haste.take_urgent()

    @property
    def is_live(self) -> bool:
        """Is a race being flown, as far as is known?"""
        return self._current is not None and self._current.state is State.LIVE

    @property
    def current_path(self) -> str | None:
        """The file of the race that is shown, if any."""
        if self._current is None or self._files.event_id is None:
            return None
        return race_file(self._files.event_id, self._current.id, Kind.RACE)

    # --- what is shown --------------------------------------------------------------------------------------

    @property
    def day(self) -> Day:
        """What is known of the event, as a value."""
        return self._files.day

    @property
    def field_news(self) -> tuple[FieldNews, ...]:
        """How this FPVTrackside's files differ from all known versions of them."""
        return self._files.field_news

    @property
    def board(self) -> Board:
        """The board as it stands; not to be changed."""
        return self._board

    def encoded(self) -> bytes:
        """Return the board and its version as JSON, the same bytes for everybody until the next version."""
        if not self._encoded:
            shown = {"version": self.version, **self._board}
            self._encoded = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
            self._etag = hashlib.sha256(self._encoded).hexdigest()[:20]
            self.encodings += 1
        return self._encoded

    @property
    def etag(self) -> str:
        """A name for `encoded()`, made of its content, so that it says the same across a restart."""
        self.encoded()
        return self._etag

    @property
    def as_of(self) -> float | None:
        """When the current race was last read (UTC, seconds); with no current race, anything. None: never."""
        if self.current_path is not None:
            return self._read_at.get(self.current_path)
        return max(self._read_at.values(), default=None)

    def clock_stepped(self, by_s: float) -> None:
        """Take note that the clock went by so much. Put back it makes nothing younger than it is; what was read between
        the step and this call counts as older until it is read again.

        Put forward, or after a sleep of the machine, which looks the same, all is rather too old than too young.
        """
        if by_s < 0:
            for path in self._read_at:
                self._read_at[path] += by_s

    def freshness(self, utc_now: float) -> Freshness:
        """Return how old the board is at `utc_now` (UTC, seconds)."""
        as_of = self.as_of
        age_s = None if as_of is None else max(0.0, utc_now - as_of)
        stale_after_s = LIVE_STALE_S if self.is_live else IDLE_STALE_S
        return Freshness(age_s, stale_after_s, self._source_trouble or self._race_trouble)

    async def wait_change(self, serial: int) -> None:
        """Wait until `self.serial` is not `serial`; returns at once if it is not. Any number may wait."""
        if self.serial == serial:
            await self._changed.wait()
        else:
            await trio.lowlevel.checkpoint()

    def _tell(self) -> None:
        self.serial += 1
        self._changed.set()
        self._changed = trio.Event()

    def _set_source_trouble(self, words: str | None) -> None:
        if words != self._source_trouble:
            self._source_trouble = words
            self._tell()

    def _set_race_trouble(self, words: str | None) -> None:
        if words != self._race_trouble:
            self._race_trouble = words
            self._tell()
