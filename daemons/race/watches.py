"""Which of the origin's paths are read again, how often, for all who want them: the local page and the hub.

One loop reads one path at a time through the `Origin`, whose own manners and rate come on top. A push hint makes what
is hot due at once; it is only ever a hint, the read is the truth.
"""

from collections.abc import Callable, Iterable

import structlog
import trio
from attrs import define, field, frozen

from daemons.race.fetched import Fetched, Origin
from protocol.errors import ErrorCode, RequestError

_log = structlog.stdlib.get_logger("pitlink.race")

IDLE_GAP_S = 5.0
"""With no race live, unasked reads stay this far apart."""

DOWN_WAIT_S = (1.0, 5.0)
"""How long the loop leaves an origin alone that does not answer: first, and at most."""

OVERDUE_FACTOR = 8.0
"""A path this many periods late goes before any priority, so that nothing starves."""


@frozen
class Watch:
    """Read `path` every `period_s` seconds. Smaller `priority` first; 0 is hot: what a hint makes due at once."""

    path: str
    period_s: float
    priority: int = 1


@define(eq=False)
class _Row:
    watch: Watch
    due_at: float
    read_at: float | None = None  # None: never yet
    latest: Fetched | None = None


Observer = Callable[[str, Fetched | RequestError], None]


@define(eq=False)
class Watches:
    """The watched paths of one origin. Observers get every result of every read, changed or not."""

    origin: Origin
    live: bool = False
    _wanted: dict[str, dict[str, Watch]] = field(factory=dict, init=False)
    _rows: dict[str, _Row] = field(factory=dict, init=False)
    _observers: list[Observer] = field(factory=list, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)
    _hinted: dict[str, None] = field(factory=dict, init=False)  # in order, as they came
    _last_read_at: float = field(default=float("-inf"), init=False)

    def observe(self, observer: Observer) -> None:
        """Call `observer(path, result)` after every read."""
        self._observers.append(observer)

    def want(self, owner: str, watches: Iterable[Watch]) -> None:
        """Replace what `owner` wants; of several owners' wishes for a path the most frequent one holds."""
        self._wanted[owner] = {watch.path: watch for watch in watches}
        now = trio.current_time()
        merged: dict[str, Watch] = {}
        for wishes in self._wanted.values():
            for path, watch in wishes.items():
                known = merged.get(path)
                if known is None:
                    merged[path] = watch
                else:
                    merged[path] = Watch(
                        path, min(known.period_s, watch.period_s), min(known.priority, watch.priority)
                    )
        for path in self._rows.keys() - merged.keys():
            del self._rows[path]
        for path, watch in merged.items():
            row = self._rows.get(path)
            if row is None:
                self._rows[path] = _Row(watch, now)
            elif row.watch != watch:
                row.watch = watch
                if row.read_at is not None:
                    row.due_at = row.read_at + watch.period_s
        self._wake()

    @property
    def paths(self) -> list[str]:
        return list(self._rows)

    def latest(self, path: str) -> Fetched | None:
        """Return what the last good read of a watched path gave, or None."""
        row = self._rows.get(path)
        return row.latest if row is not None else None

    def nudge(self, *paths: str) -> None:
        """Look now: at these paths, or at all hot ones. Never waits."""
        self._hinted |= dict.fromkeys(
            paths or (row.watch.path for row in self._rows.values() if row.watch.priority == 0)
        )
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _next(self, now: float) -> tuple[_Row | None, float]:
        """Return the row to read now, or None and when to look again."""
        hinted = [self._rows[path] for path in self._hinted if path in self._rows]
        if hinted:
            return min(hinted, key=lambda row: (row.watch.priority, row.due_at)), now
        self._hinted.clear()
        if not self._rows:
            return None, float("inf")
        due = [row for row in self._rows.values() if row.due_at <= now]
        if not due:
            return None, min(row.due_at for row in self._rows.values())
        quiet_until = float("-inf") if self.live else self._last_read_at + IDLE_GAP_S
        # What was never read does not wait for the gap, a page waits for it. Then it is the priority that decides,
        # also among what is due beside it: a hundred unread races must not hold up the one that is about to start.
        if quiet_until > now and all(row.read_at is not None for row in due):
            return None, quiet_until
        late = [row for row in due if now - row.due_at > OVERDUE_FACTOR * row.watch.period_s]
        if late:
            return min(late, key=lambda row: row.due_at), now
        return min(due, key=lambda row: (row.watch.priority, row.due_at)), now

    async def run(self) -> None:
        """Read what is due, for ever. Cancel it to stop; a read under way is left to the origin's own manners."""
        down_for = 0
        while True:
            changed = self._changed
            now = trio.current_time()
            row, wake_at = self._next(now)
            if row is None:
                with trio.move_on_at(wake_at):
                    await changed.wait()
                continue
            path = row.watch.path
            self._hinted.pop(path, None)
            self._last_read_at = now
            result = await self._read(path)
            row.read_at = now
            if isinstance(result, Fetched):
                row.latest = result
            row.due_at = now + row.watch.period_s
            for observer in self._observers:
                observer(path, result)
            if isinstance(result, RequestError) and result.code is ErrorCode.ORIGIN_DOWN:
                down_for += 1
                await trio.sleep(min(DOWN_WAIT_S[0] * 2 ** (down_for - 1), DOWN_WAIT_S[1]))
            else:
                down_for = 0

    async def _read(self, path: str) -> Fetched | RequestError:
        try:
            return await self.origin.fetch(path)
        except RequestError as exc:
            _log.debug("watch.failed", path=path, code=exc.code)
            return exc
