"""The live sender: rows in batches of a fraction of a second, in the tiers that the backend wishes, as far as there is room.

```
tick ─→ batch ─→ worker thread: encode by wish and degree ─→ the link's short queue (late ones dropped, counted)
```

Nothing waits here: of batches that are not packed in time the oldest is dropped. HEAD and the whole session info come
first on each connection; a session info that changes is sent against the one before.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import numpy as np
import structlog
import trio
from attrs import define, field, frozen

from daemons.link.signal import Signal
from daemons.link.streams import StreamsOut
from daemons.telemetry.entries import WISH, EntryKind, pack_head
from daemons.telemetry.recording import Recording
from daemons.telemetry.sending.pressure import Degree, Pressure, thinned
from protocol.columns import ColumnsError, Group, Wish, encode, encode_info, groups_of
from protocol.irsdk import Layout
from protocol.streams import ENTRY_BYTES_MAX
from protocol.streams_live import LiveOut

__all__ = ["LiveFigures", "LiveSender"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

UNPACKED_MAX: Final = 2
KEPT_BYTES_MAX: Final = 256 * 1024
"""When so much of session infos waits, what waits is dropped and all begins anew."""
_LEVEL: Final = 3


@frozen(kw_only=True)
class LiveFigures:
    """What was sent live since it began. `unpacked`: batches dropped before they were packed, `dropped`: entries after."""

    is_connected: bool
    batches: int
    bytes: int
    unpacked: int
    dropped: int
    waited_s: float
    degree: int
    words: str
    wish: Wish


@define(eq=False)
class _Rows:
    """A batch that is gathered."""

    layout: Layout
    room: int
    groups: list[Group]
    count: int = field(default=0, init=False)
    as_of_us: int = field(default=0, init=False)
    rows: np.ndarray = field(init=False)
    ticks: np.ndarray = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = np.empty((self.room, self.layout.row_bytes), np.uint8)
        self.ticks = np.empty(self.room, np.int64)

    def pack(self) -> bytes:
        return encode(
            self.layout, self.rows[: self.count], self.ticks[: self.count], self.groups, level=_LEVEL
        )


async def _to_thread(work: Callable[[], Any]) -> Any:
    return await trio.to_thread.run_sync(work)


@define(eq=False)
class LiveSender:
    """A Sink (see `capture.port`). `run` must be running. `batch_s`: the shortest batch, whatever is wished.

    `clock_us`: the clock of the rows' `at_us`; `utc_us`: UTC. Both are read once a batch.
    """

    streams: StreamsOut
    pressure: Pressure
    clock_us: Callable[[], int]
    utc_us: Callable[[], int]
    batch_s: float = 0.1
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]] = _to_thread
    wish: Wish = field(factory=Wish, init=False)
    batches: int = field(default=0, init=False)
    packed_bytes: int = field(default=0, init=False)
    unpacked: int = field(default=0, init=False)
    _before: tuple[int, int, int] = field(default=(0, 0, 0), init=False)  # of streams that are closed
    _recording: Recording | None = field(default=None, init=False)
    _info: bytes = field(default=b"", init=False)
    _told_info: bytes | None = field(default=None, init=False)
    _live: LiveOut | None = field(default=None, init=False)
    _must_begin: bool = field(default=False, init=False)
    _rows: _Rows | None = field(default=None, init=False)
    _full: deque[_Rows] = field(factory=deque, init=False)
    _chosen: tuple[bytes, Wish, Degree] | None = field(default=None, init=False)
    _effective: tuple[Wish, list[Group]] | None = field(default=None, init=False)
    _signal: Signal = field(factory=Signal, init=False)

    def __attrs_post_init__(self) -> None:
        self.streams.on_wish[WISH] = self._on_wish

    # --- the sink ------------------------------------------------------------------------------------------------

    def opened(self, recording: Recording) -> None:
        """See Sink."""
        self._close()
        self._recording, self._info = recording, recording.info
        self._live = self.streams.live(recording.id, self._begin)

    def tick(self, tick: int, row: bytes, at_us: int) -> None:
        """See Sink."""
        live, recording = self._live, self._recording
        if live is None or recording is None or not live.is_open:
            return
        rows = self._rows
        if rows is None:
            effective = self._what(recording.layout)
            if effective is None:
                return
            wish, groups = effective
            room = max(wish.batch_ticks, round(self.batch_s * recording.layout.tick_rate))
            rows = self._rows = _Rows(recording.layout, room, groups)
        at = rows.count
        rows.ticks[at] = tick
        rows.rows[at] = np.frombuffer(row, np.uint8)
        rows.count = at + 1
        if rows.count == rows.room:
            rows.as_of_us = self.utc_us() - max(0, self.clock_us() - at_us)
            self._end_batch()

    def info(self, text: bytes) -> None:
        """See Sink."""
        self._info = text
        self._signal.set()

    def closed(self, words: str) -> None:
        """See Sink."""
        recording, live = self._recording, self._live
        if live is not None and recording is not None and live.is_open and not self._must_begin:
            live.put(EntryKind.END, words.encode(), trio.current_time(), keep=True)
        # It stays open, so that the end may be sent, until the next recording.
        self._recording, self._rows = None, None
        self._full.clear()

    # --- what is sent --------------------------------------------------------------------------------------------

    def _on_wish(self, body: bytes) -> None:
        try:
            self.wish = Wish.unpack(body)
        except ColumnsError as exc:
            _log.warning("live.wish_refused", words=str(exc))

    def _what(self, layout: Layout) -> tuple[Wish, list[Group]] | None:
        """Return what is sent of this layout now; None: nothing."""
        key = (layout.digest, self.wish, self.pressure.degree)
        if key != self._chosen:
            wish = thinned(self.wish, self.pressure.degree)
            groups = [] if wish is None else groups_of(layout, wish)
            self._chosen = key
            self._effective = None if wish is None or not groups else (wish, groups)
        return self._effective

    def _begin(self, live: LiveOut) -> None:
        """A connection takes entries: what the others cannot be read without goes first."""
        self._must_begin, self._told_info = True, None
        self._rows = None
        self._full.clear()
        self._signal.set()

    def _end_batch(self) -> None:
        rows, self._rows = self._rows, None
        if rows is not None and rows.count:
            if len(self._full) >= UNPACKED_MAX:
                self._full.popleft()
                self.unpacked += 1
            self._full.append(rows)
            self._signal.set()

    def _close(self) -> None:
        live, self._live = self._live, None
        self._recording, self._rows, self._must_begin = None, None, False
        self._full.clear()
        if live is not None:
            self.streams.close_live(live)
            self._before = self._counts(live)

    # --- packing -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Pack and send what is gathered, until cancelled."""
        while True:
            await self._signal.wait()
            await self._begin_anew()
            await self._tell_info()
            while self._full:
                await self._send(self._full.popleft())

    async def _begin_anew(self) -> None:
        while self._must_begin and (recording := self._recording) is not None:
            self._must_begin = False
            live, info = self._live, self._info
            head, packed = await self.in_thread(partial(_prologue, recording, info))
            if live is None or not self._is_same(live):
                continue  # another connection, or another recording
            live.put(EntryKind.HEAD, head, trio.current_time(), as_of_us=recording.started_utc_us, keep=True)
            live.put(EntryKind.INFO, packed, trio.current_time(), keep=True)
            self._told_info = info

    async def _tell_info(self) -> None:
        live, told, info = self._live, self._told_info, self._info
        if live is None or told is None or told == info or not live.is_open:
            return
        if live.kept_bytes > KEPT_BYTES_MAX:
            live.restart()
            self._begin(live)
            return
        packed = await self.in_thread(partial(encode_info, info, told))
        if self._is_same(live):
            live.put(EntryKind.INFO, packed, trio.current_time(), keep=True)
            self._told_info = info

    async def _send(self, rows: _Rows) -> None:
        live = self._live
        try:
            data = await self.in_thread(rows.pack)
        except ColumnsError as exc:
            _log.error("live.rows_refused", words=str(exc))
            return
        if live is None or not self._is_same(live) or self._told_info is None or len(data) > ENTRY_BYTES_MAX:
            self.unpacked += 1
            return
        with suppress(ValueError):
            if live.put(EntryKind.ROWS, data, trio.current_time(), as_of_us=rows.as_of_us) is not None:
                self.batches += 1
                self.packed_bytes += len(data)

    def _is_same(self, live: LiveOut) -> bool:
        """Is it, behind an await, still the same recording on the same connection?"""
        return live is self._live and not self._must_begin

    # --- figures -------------------------------------------------------------------------------------------------

    def _counts(self, live: LiveOut | None) -> tuple[int, int, int]:
        dropped, crowded, sent_bytes = self._before
        if live is None:
            return self._before
        return dropped + live.dropped, crowded + live.crowded, sent_bytes + live.sent_bytes

    @property
    def crowded(self) -> int:
        """Entries for which the line was too slow."""
        return self._counts(self._live)[1]

    @property
    def sent_bytes(self) -> int:
        """Bytes of entries that are on the line or beyond."""
        return self._counts(self._live)[2]

    def statistics(self) -> LiveFigures:
        """Return figures."""
        live = self._live
        return LiveFigures(
            is_connected=live is not None and live.is_open,
            batches=self.batches,
            bytes=self.packed_bytes,
            unpacked=self.unpacked,
            dropped=self._counts(live)[0],
            waited_s=0.0 if live is None else live.oldest_s(trio.current_time()),
            degree=self.pressure.degree,
            words=self.pressure.words,
            wish=self.wish,
        )


def _prologue(recording: Recording, info: bytes) -> tuple[bytes, bytes]:
    return pack_head(recording), encode_info(info, None)
