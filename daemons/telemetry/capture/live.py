"""The running simulator as a source: its start and exit are followed, each row is handed on once."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import trio
from attrs import define, field

from daemons.telemetry.capture.memory import Changed, Memory
from daemons.telemetry.capture.opening import Opened, Opener
from daemons.telemetry.capture.pace import EventPace, Pace, PhasePace
from daemons.telemetry.capture.port import Sink, SourceFigures
from daemons.telemetry.capture.recorder import Recorder

__all__ = ["LiveSource"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

QUIET_S: Final = 2.0
"""Without a row for so long the memory is opened anew: it may be one that nobody writes any longer."""
GONE_S: Final = 30.0
"""Without a row for so long the recording is over."""
INFO_AGAIN_S: Final = 1.0
"""A changed session info is looked at once more after this: nothing tells when its text is complete."""


def monotonic_us() -> int:
    """Return this machine's monotonic clock in µs."""
    return time.monotonic_ns() // 1000


def utc_us() -> int:
    """Return UTC in µs since 1970."""
    return time.time_ns() // 1000


def pace_of(opened: Opened) -> Pace:
    """Return what waits for the rows of this memory."""
    period_s = 1 / opened.memory.layout.tick_rate
    if sys.platform == "win32" and opened.event is not None:
        handle = opened.event
        return EventPace(lambda: trio.lowlevel.WaitForSingleObject(handle), period_s)
    return PhasePace(period_s)


@define(eq=False)
class LiveSource:
    """Captures the simulator of this machine, or `file` that a double keeps the same memory in. See `port.Source`."""

    driver: str
    file: Path | None = None
    retry_s: float = 1.0
    clock_us: Callable[[], int] = monotonic_us
    utc_us: Callable[[], int] = utc_us
    pace: Callable[[Opened], Pace] = pace_of
    _opener: Opener = field(init=False)
    _recorder: Recorder | None = field(default=None, init=False)
    _memory: Memory | None = field(default=None, init=False)
    _torn: int = field(default=0, init=False)
    _missed: int = field(default=0, init=False)
    _opened: int = field(default=0, init=False)
    _row_at_us: int | None = field(default=None, init=False)
    _state: str = field(default="not started", init=False)

    def __attrs_post_init__(self) -> None:
        self._opener = Opener(self.file)

    def statistics(self) -> SourceFigures:
        """See Source."""
        recorder, memory = self._recorder, self._memory
        return SourceFigures(
            ticks=recorder.ticks if recorder else 0,
            missed=self._missed + (memory.missed if memory else 0),
            skipped=recorder.skipped if recorder else 0,
            doubled=recorder.doubled if recorder else 0,
            torn=self._torn + (memory.torn if memory else 0),
            reopened=max(0, self._opened - 1),
            recordings=recorder.recordings if recorder else 0,
            state=self._state,
        )

    async def run(self, sink: Sink) -> None:
        """Capture until cancelled."""
        source = "the simulator" if self.file is None else str(self.file)
        recorder = self._recorder = Recorder(sink, self.driver, source, self.utc_us)
        try:
            while True:
                opened = await self._opener.open()
                if isinstance(opened, str):
                    if self._is_gone():
                        recorder.end(opened)
                    self._say(opened)
                    await trio.sleep(self.retry_s)
                    continue
                try:
                    if opened.memory.connected:
                        recorder.layout(opened.memory.layout)
                        await self._follow(opened, recorder)
                    else:
                        recorder.end("the simulator ended")
                        self._say("waiting for the simulator: its memory is there, it does not run")
                        await trio.sleep(self.retry_s)
                except ValueError as exc:  # the layout has nothing that tells the rows' order
                    self._say(f"the simulator's memory cannot be used: {exc}")
                    await trio.sleep(self.retry_s)
                finally:
                    self._forget()
                    opened.close()
        finally:
            recorder.end("the relay stopped")
            self._say("stopped")

    async def _follow(self, opened: Opened, recorder: Recorder) -> None:
        """Hand on rows until this memory has no more."""
        memory = self._memory = opened.memory
        self._opened += 1
        memory.skip()
        pace, info = self.pace(opened), _Info(memory)
        since_us = at_us = self.clock_us()
        new = 0
        while True:
            missed = memory.missed
            try:
                rows = memory.new_rows()
            except Changed:
                recorder.end("the simulator publishes other variables: another car or another build")
                self._say("the simulator publishes other variables: opened anew")
                return
            now_us = self.clock_us()
            if (text := info.news(now_us)) is not None:
                recorder.info(text)
            for age, row in zip(range(len(rows) - 1, -1, -1), rows, strict=True):
                # read together, not written together
                at_us = max(at_us, now_us - age * 1_000_000 // memory.layout.tick_rate)
                recorder.row(row.data, at_us, memory.missed - missed)
                missed = memory.missed
            if rows:
                since_us = now_us
                self._row_at_us = now_us
                if not new:
                    self._say(f"capturing {len(memory.layout.variables)} channels")
            elif self._stands_still(memory, recorder, now_us, since_us):
                return
            new = len(rows)
            await pace.wait(new)

    def _stands_still(self, memory: Memory, recorder: Recorder, now_us: int, since_us: int) -> bool:
        """Return whether this memory, with nothing new, is to be left."""
        if not memory.connected:
            recorder.end("the simulator ended")
            self._say("the simulator ended")
            return True
        if now_us - since_us < QUIET_S * 1e6:
            return False
        if self._is_gone():
            recorder.end(f"the simulator stood still for {GONE_S:g} s")
        self._say("the simulator stands still")
        return True

    def _is_gone(self) -> bool:
        """Whether so long no row came that the recording is over though nothing says that the simulator ended."""
        return self._row_at_us is None or self.clock_us() - self._row_at_us > GONE_S * 1e6

    def _forget(self) -> None:
        if self._memory is not None:
            self._torn += self._memory.torn
            self._missed += self._memory.missed
            self._memory = None

    def _say(self, words: str) -> None:
        if words != self._state:
            self._state = words
            _log.info("capture.state", words=words)


@define(eq=False)
class _Info:
    """When the session info is worth copying: 30 to 110 kB, some times a minute."""

    memory: Memory
    _update: int | None = None
    _again_us: int | None = None

    def news(self, now_us: int) -> bytes | None:
        """Return the session info if it may have changed."""
        update = self.memory.info_update
        again = self._again_us is not None and now_us >= self._again_us
        if update == self._update and not again:
            return None
        text = self.memory.info()
        if text is not None:
            self._update, self._again_us = update, None if again else now_us + int(INFO_AGAIN_S * 1e6)
        return text
