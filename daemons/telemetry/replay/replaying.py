"""A replay: chunks of what was kept, paced as they were."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from math import floor
from typing import Final

import trio
from attrs import define, field

from daemons.telemetry.look import Chunk, Column
from daemons.telemetry.past import Kept, Past
from protocol.columns import Batch
from protocol.columns.tiers import is_of_cars
from protocol.irsdk import Layout

__all__ = ["SPEED_MAX", "Replay"]

SPEED_MAX: Final = 1000.0
STEP_S: Final = 0.1
"""Of the session a chunk; at speeds above 1 as much more, so that no more chunks come."""

SILENCE_S: Final = 10.0
"""Longer times of which nothing was kept are passed over."""


@define(eq=False)
class Replay:
    """Of a session, from `from_us` (UTC) on. One task reads `chunks`; any may call the other methods.

    `driver` "": whoever drove; `hz`: of scalars, at most.
    """

    past: Past
    session: str
    driver: str
    names: Sequence[str]
    hz: float
    from_us: int
    speed: float = 1.0
    _shown_us: int = field(init=False)
    _paused: bool = field(default=False, init=False)
    _waiting: trio.CancelScope | None = field(default=None, init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._shown_us = self.from_us
        self.set_speed(self.speed)

    @property
    def at_us(self) -> int:
        """Where it is."""
        return self._shown_us

    def pause(self) -> None:
        """Stop where it is."""
        self._paused = True
        self._turn()

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._turn()

    def seek(self, at_us: int) -> None:
        """Go on from another instant; the next chunk is from there."""
        self._shown_us = at_us
        self._turn()

    def set_speed(self, speed: float) -> None:
        """Go on `speed` times as quick, 0.01 to 1000. Raises ValueError."""
        if not 0.01 <= speed <= SPEED_MAX:
            raise ValueError(f"a speed of {speed}: 0.01 to {SPEED_MAX:g} can be")
        self.speed = speed
        self._turn()

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield chunks until the session's end. Raises NotKept at the first, StorageError."""
        recordings = await self.past.recordings(self.session)
        recordings = [
            kept for kept in recordings if self.driver in ("", kept.driver) and kept.first_tick >= 0
        ]
        while True:
            while self._paused:
                await self._changed.wait()
            begun_s = trio.current_time()
            begun_us = before_us = self._shown_us
            changed = self._changed
            async with aclosing(self._from(recordings, begun_us)) as pieces:
                async for at_us, chunk in pieces:
                    if at_us - before_us > SILENCE_S * 1e6:  # nobody wants to see nothing for an hour
                        begun_us += at_us - before_us - int(STEP_S * 1e6)
                    before_us = at_us
                    with trio.CancelScope() as self._waiting:
                        await trio.sleep_until(begun_s + (at_us - begun_us) / 1e6 / self.speed)
                    if changed.is_set():
                        break
                    self._shown_us = at_us
                    yield chunk
                    if changed.is_set():
                        break
                else:
                    if not changed.is_set():
                        return

    def _turn(self) -> None:
        """Have whoever waits look anew."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._changed.set()
        self._changed = trio.Event()

    async def _from(
        self, recordings: Sequence[Kept], from_us: int
    ) -> AsyncGenerator[tuple[int, Chunk], None]:
        """Yield chunks from an instant on, each with the instant of its last tick."""
        for kept in recordings:
            first = max(kept.first_tick, kept.tick_at(from_us))
            if first > kept.last_tick:
                continue
            layout = (await self.past.open(kept)).layout
            seen = None
            async with aclosing(self.past.batches(kept, first, kept.last_tick)) as batches:
                async for batch in batches:
                    step = max(1, round(STEP_S * layout.tick_rate * max(1.0, self.speed)))
                    for chunk in await self.past.pool.do(
                        partial(_chunks, kept, layout, batch, first, seen, step, self.names, self.hz)
                    ):
                        seen = chunk.last_tick
                        yield kept.at_us(chunk.last_tick), chunk


def _chunks(
    kept: Kept,
    layout: Layout,
    batch: Batch,
    first: int,
    seen: int | None,
    step: int,
    names: Sequence[str],
    hz: float,
) -> list[Chunk]:
    """Return a batch, from tick `first` on, in chunks of `step` ticks; in a thread."""
    every = max(1, floor(layout.tick_rate / hz + 1e-9)) if hz > 0 else 1
    columns = {}
    for name in names:
        if name in batch.names:
            ticks, values = batch.column(name)
            if every > 1 and not is_of_cars(layout[name]):
                kept_ticks = ticks % every == 0
                ticks, values = ticks[kept_ticks], values[kept_ticks]
            columns[name] = Column(ticks, values)
    found = []
    at, last = max(first, int(batch.ticks[0])), int(batch.ticks[-1])
    while at <= last:
        end = min(last, (at // step + 1) * step - 1)
        found.append(
            Chunk(
                driver=kept.driver, recording=kept.id, first_tick=at, last_tick=end,
                columns={name: _between(column, at, end) for name, column in columns.items()},
                tick_rate=layout.tick_rate, taken_us=kept.at_us(end), lost=0 if seen is None else at - seen - 1,
            )
        )  # fmt: skip
        seen, at = end, end + 1
    return found


def _between(column: Column, first: int, last: int) -> Column:
    low, high = column.ticks.searchsorted((first, last + 1)).tolist()
    return Column(column.ticks[low:high], column.values[low:high])
