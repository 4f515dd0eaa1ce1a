"""The drivers, live. Whoever looks subscribes; what all of them want is merged into what each relay is asked for."""

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from math import floor
from typing import Final

import structlog
from attrs import define, field

from daemons.telemetry.entries import BadEntry, Entry
from daemons.telemetry.ingestpool import WorkPool
from daemons.telemetry.livebook.driver import DriverLive
from daemons.telemetry.livebook.ring import Piece, Ring
from daemons.telemetry.livebook.wishes import Watcher, merged
from daemons.telemetry.look import Chunk, Column, DriverState, NotKept
from protocol.columns import ColumnsError, Wish
from protocol.columns.tiers import is_of_cars

__all__ = ["LiveBook", "chunk_of"]

_log = structlog.get_logger()

LAG_S: Final = 3.0
"""Who is further behind, once up to date, is too slow: what is between is skipped, and told."""
PIECES_AT_ONCE: Final = 64


@define(eq=False, kw_only=True)
class LiveBook:
    """`on_wish(driver, wish)` is called when something else is to be asked of a relay. `utc_us`: this machine's clock.
    `pool` must be running. Memory: `ring_bytes` a driver at most, and what readers have open."""

    pool: WorkPool
    utc_us: Callable[[], int]
    on_wish: Callable[[str, Wish], None] = lambda driver, wish: None
    back_s: float = 180.0
    ring_bytes: int = 4 * 1024 * 1024
    batch_s: float = 0.1
    keeps_ready: bool = True
    _drivers: dict[str, DriverLive] = field(factory=dict, init=False)
    _wishes: dict[str, Wish] = field(factory=dict, init=False)
    skipped: int = field(default=0, init=False)
    """Ticks that readers were too slow for."""

    def add(self, driver: str) -> DriverLive:
        """Know a driver: who may send. The same one when he is known."""
        if driver not in self._drivers:
            self._drivers[driver] = DriverLive(driver, Ring(self.back_s, self.ring_bytes))
            self._wish(self._drivers[driver])
        return self._drivers[driver]

    def remove(self, driver: str) -> None:
        """Forget one who may not send any more; who looks at him gets no more."""
        gone = self._drivers.pop(driver, None)
        self._wishes.pop(driver, None)
        if gone is not None:
            gone.lot.unpark_all()

    def drivers(self) -> Sequence[str]:
        """Return who is known, sorted."""
        return sorted(self._drivers)

    def driver(self, driver: str) -> DriverLive:
        """Return a driver. Raises NotKept."""
        if driver not in self._drivers:
            raise NotKept(f"there is no driver {driver!r} here")
        return self._drivers[driver]

    def state(self, driver: str) -> DriverState:
        """Return how it stands with a driver now. Raises NotKept."""
        return self.driver(driver).state(self.utc_us())

    def wish(self, driver: str) -> Wish:
        """Return what is wanted of a driver's relay now."""
        return self._wishes[self.driver(driver).name]

    def take(self, driver: str, entry: Entry, taken_us: int | None) -> None:
        """Take a live entry of a driver. `taken_us`: when its newest tick was taken, by this machine's clock; None: not known.
        Quick; what is bad is counted and left out."""
        live = self.driver(driver)
        try:
            live.take(entry, taken_us, self.utc_us())
        except (BadEntry, ColumnsError) as error:
            live.refused += 1
            if live.refused in (1, 10, 100, 1000):
                _log.warning("livebook.refused", driver=driver, count=live.refused, words=str(error))

    def subscribe(
        self, driver: str, names: Sequence[str], hz: float, *, back_s: float = 0.0
    ) -> AsyncGenerator[Chunk, None]:
        """Return the chunks of these channels, the last `back_s` seconds first, then as they come; see `TelemetryLook`.

        Ends when the driver is removed. Raises NotKept at once.
        """
        live = self.driver(driver)
        return self._chunks(live, Watcher(frozenset(names), hz), live.ring.index_back(back_s))

    async def _chunks(self, live: DriverLive, watcher: Watcher, at: int) -> AsyncGenerator[Chunk, None]:
        live.watchers.append(watcher)
        self._wish(live)
        seen: Piece | None = None
        is_up_to_date = False
        try:
            while self._drivers.get(live.name) is live:
                pieces = live.ring.since(at, PIECES_AT_ONCE)
                if not pieces:
                    is_up_to_date = True
                    await live.lot.park()
                    continue
                if is_up_to_date and (newest := _too_late(live.ring, pieces[0])) is not None:
                    pieces = (newest,)
                chunks = await self.pool.do(partial(_open, pieces, watcher))
                at = pieces[-1].index + 1
                for piece, columns in chunks:
                    skipped = _between(seen, piece)
                    self.skipped += skipped
                    seen = piece
                    yield chunk_of(piece, columns, skipped=skipped)
        finally:
            live.watchers.remove(watcher)
            self._wish(live)

    def _wish(self, live: DriverLive) -> None:
        if self._drivers.get(live.name) is not live:
            return
        rate = live.recording.layout.tick_rate if live.recording is not None else 60
        wish = merged(live.watchers, tick_rate=rate, batch_s=self.batch_s, keeps_ready=self.keeps_ready)
        if self._wishes.get(live.name) != wish:
            self._wishes[live.name] = wish
            self.on_wish(live.name, wish)


def _too_late(ring: Ring, piece: Piece) -> Piece | None:
    """Return the piece to go on with when `piece` is too old to be shown, else None."""
    newest = ring.newest
    return newest if newest is not None and newest.heard_us - piece.heard_us > LAG_S * 1e6 else None


def _between(seen: Piece | None, piece: Piece) -> int:
    """Return how many ticks that were here a reader has not seen."""
    if seen is None or seen.recording.id != piece.recording.id:
        return 0
    return piece.first_tick - seen.last_tick - 1 - piece.lost


_Opened = tuple[Piece, dict[str, Column]]


def _open(pieces: Sequence[Piece], watcher: Watcher) -> list[_Opened]:
    """Return the columns that a watcher wants of pieces; in a thread. One that turns out to be bad is left out."""
    found = []
    for piece in pieces:
        try:
            found.append((piece, _columns(piece, watcher)))
        except ColumnsError as error:
            _log.warning("livebook.unreadable", driver=piece.recording.driver, words=str(error))
    return found


def _columns(piece: Piece, watcher: Watcher) -> dict[str, Column]:
    every = max(1, floor(piece.recording.layout.tick_rate / watcher.hz + 1e-9)) if watcher.hz > 0 else 1
    found: dict[str, Column] = {}
    for name in watcher.names:
        column = piece.column(name)
        if column is None:
            continue
        if every > 1 and not is_of_cars(piece.recording.layout[name]):
            kept = column.ticks % every == 0
            column = Column(column.ticks[kept], column.values[kept])
        found[name] = column
    return found


def chunk_of(piece: Piece, columns: dict[str, Column], *, skipped: int = 0) -> Chunk:
    """Return a piece as readers see it."""
    return Chunk(
        driver=piece.recording.driver, recording=piece.recording.id, first_tick=piece.first_tick,
        last_tick=piece.last_tick, columns=columns, tick_rate=piece.recording.layout.tick_rate, taken_us=piece.taken_us,
        lost=piece.lost, skipped=skipped,
    )  # fmt: skip
