"""An .ibt file as a source: played as if the simulator ran, at any speed."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio
from attrs import define, field

from daemons.telemetry.capture.ibtfile import IbtFile
from daemons.telemetry.capture.live import monotonic_us, utc_us
from daemons.telemetry.capture.port import Sink, SourceFigures
from daemons.telemetry.capture.recorder import Recorder, tick_reader
from daemons.telemetry.capture.resuming import ALL, Resuming

__all__ = ["IbtSource"]

CHUNK_BYTES = 1 << 18


async def no_wait() -> None:
    """Wait for nothing but a turn of the loop."""
    await trio.lowlevel.checkpoint()


async def had_nothing(id_: bytes) -> int | None:
    """Know of no recording."""
    return None


@define(eq=False)
class IbtSource:
    """Plays `path`. `speed`: 1 as it was driven, 10 ten times as fast, `inf` as fast as `room` allows, which is awaited
    before each quarter of a megabyte: by default it only lets others have a turn. `had(id)` says the last tick that is there
    of a recording already, ALL when nothing of it is wanted, None when nothing is there: what is there is not handed on
    again. `only_finished`: refuse what the simulator still writes."""

    path: Path
    driver: str
    speed: float = 1.0
    room: Callable[[], Awaitable[None]] = no_wait
    had: Callable[[bytes], Awaitable[int | None]] = had_nothing
    only_finished: bool = False
    clock_us: Callable[[], int] = monotonic_us
    utc_us: Callable[[], int] = utc_us
    rows: int = field(default=0, init=False)
    done: int = field(default=0, init=False)
    skipped: bool = field(default=False, init=False)
    words: str | None = field(default=None, init=False)
    _recorder: Recorder | None = field(default=None, init=False)
    _resuming: Resuming | None = field(default=None, init=False)
    _state: str = field(default="not started", init=False)

    def __attrs_post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"a speed of {self.speed:g}: more than 0 is possible")

    def statistics(self) -> SourceFigures:
        """See Source."""
        recorder = self._recorder
        if recorder is None:
            return SourceFigures(state=self._state)
        state = self._state
        if self.done < self.rows:
            state = f"reading {self.path.name}, {100 * self.done // self.rows} %"
        return SourceFigures(
            ticks=self._resuming.ticks if self._resuming else recorder.ticks, skipped=recorder.skipped, doubled=recorder.doubled,
            recordings=recorder.recordings, state=state,
        )  # fmt: skip

    async def run(self, sink: Sink) -> None:
        """Hand on every row, then return. Raises BadLayout or ValueError for a file that cannot be used, OSError."""
        self._state = f"opening {self.path.name}"
        file = await trio.to_thread.run_sync(IbtFile.open, self.path)
        with file:
            had = await self._there(file)
            if had and list(had.values())[-1] in (ALL, await trio.to_thread.run_sync(_last_tick, file)):
                self.skipped, self._state = True, f"{self.path.name} is there already"
                return
            if self.only_finished and file.is_growing(self.utc_us() / 1e6):
                raise ValueError("the simulator still writes it: to be taken in when it is finished")
            self.rows, self.words = file.rows, file.words
            number = 0

            def new_id() -> bytes:
                nonlocal number
                number += 1
                return _numbered(file.id, number)

            self._resuming = Resuming(sink, had) if had else None
            recorder = self._recorder = Recorder(
                self._resuming or sink,
                self.driver,
                self.path.name,
                lambda: file.started_utc_us,
                new_id,
            )
            try:
                recorder.layout(file.layout)
                recorder.info(file.info)
                await self._play(file, recorder)
            finally:
                recorder.end("the file ends" if self.done == self.rows else "the relay stopped")
                self._state = f"{self.path.name} was read" if self.done == self.rows else "stopped"
            if self._resuming is not None and not self._resuming.ticks:
                self.skipped, self._state = True, f"{self.path.name} is there already"

    async def _there(self, file: IbtFile) -> dict[bytes, int]:
        """Return the last tick that is there of each of the file's recordings, as far as there are such."""
        found: dict[bytes, int] = {}
        id_ = file.id
        while (last := await self.had(id_)) is not None:
            found[id_] = last
            id_ = _numbered(file.id, len(found) + 1)
        return found

    async def _play(self, file: IbtFile, recorder: Recorder) -> None:
        size, rate = file.layout.row_bytes, file.layout.tick_rate
        each = max(1, CHUNK_BYTES // size)
        began, began_us, at_once = trio.current_time(), self.clock_us(), math.isinf(self.speed)
        step_us = 1e6 / rate / (1 if at_once else self.speed)
        for first in range(0, file.rows, each):
            await self.room()
            data = await trio.to_thread.run_sync(file.read, first, each)
            for at in range(0, len(data), size):
                after_us = int(self.done * step_us)
                due = began + after_us / 1e6
                if not at_once and due > trio.current_time():
                    await trio.sleep_until(due)
                recorder.row(data[at : at + size], began_us + after_us)
                self.done += 1
            if len(data) < min(each, file.rows - first) * size:
                raise OSError(f"{self.path.name} became shorter while it was read")


def _last_tick(file: IbtFile) -> int:
    row = file.read(file.rows - 1, 1) if file.rows else b""
    return tick_reader(file.layout)(row) if row else -1


def _numbered(id_: bytes, number: int) -> bytes:
    """The first recording of a file has the file's name, those after it names of their own, the same each time."""
    if number == 1:
        return id_
    head = int.from_bytes(id_[:4], "big") ^ number
    return head.to_bytes(4, "big") + id_[4:]
