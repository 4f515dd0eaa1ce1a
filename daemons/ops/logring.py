"""The latest log lines of this process, for whoever looks in later: bounded, oldest dropped and counted.

Readers keep a number, not a queue: a slow one finds a gap and its size, and costs the writers nothing.
"""

import logging
import threading
from collections import deque
from contextvars import ContextVar
from typing import Final

import trio
from attrs import define, field, frozen

__all__ = ["PROCESS_RING", "RING", "LogLine", "LogPage", "LogRing"]


@frozen
class LogLine:
    """One line. `number` counts from 1, gapless; `level` as in "info"; `text` the JSON object, secrets masked."""

    number: int
    level: str
    text: str


@frozen
class LogPage:
    """What `read` found. Go on with `read(page.last)`.

    `dropped`: lines between the number asked for and the first one still here, of whatever level.
    """

    lines: tuple[LogLine, ...]
    dropped: int
    last: int


@define(eq=False)
class LogRing:
    """Keeps the latest lines, at most `max_lines` and `max_chars` of text. Any thread may add or read."""

    max_lines: int = 4_000
    max_chars: int = 2 << 20
    _lines: deque[LogLine] = field(factory=deque, init=False)
    _chars: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)
    _dropped: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _waiting: dict[trio.Event, trio.lowlevel.TrioToken] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def last(self) -> int:
        """The number of the latest line; 0 before the first."""
        return self._count

    @property
    def dropped(self) -> int:
        """Lines that are no longer here, since the start."""
        return self._dropped

    def add(self, level: str, text: str) -> None:
        """Keep a line, in place of the oldest ones where it must be. A line longer than everything is cut."""
        text = text[: self.max_chars]
        with self._lock:
            self._count += 1
            self._lines.append(LogLine(self._count, level, text))
            self._chars += len(text)
            while len(self._lines) > self.max_lines or self._chars > self.max_chars:
                self._chars -= len(self._lines.popleft().text)
                self._dropped += 1
            waiting, self._waiting = self._waiting, {}
        for event, token in waiting.items():
            try:
                token.run_sync_soon(event.set)
            except trio.RunFinishedError:  # its loop ended before it could take itself off
                pass

    def read(
        self, after: int = 0, *, at_least: str = "debug", limit: int = 500, holding: str = ""
    ) -> LogPage:
        """Return up to `limit` lines numbered above `after` and at least as severe, oldest first; those that hold a text."""
        least = _number(at_least)
        with self._lock:
            first = self._lines[0].number if self._lines else self._count + 1
            dropped = max(first - 1 - after, 0)
            last = max(after, first - 1)
            found: list[LogLine] = []
            for line in self._lines:
                if line.number <= after:
                    continue
                if holding in line.text and _number(line.level) >= least:
                    if len(found) == limit:
                        break
                    found.append(line)
                last = line.number
        return LogPage(tuple(found), dropped, last)

    def tail(self, count: int, *, at_least: str = "debug", holding: str = "") -> LogPage:
        """Return the latest `count` lines at least as severe that hold a text, oldest first; nothing counts as dropped."""
        least = _number(at_least)
        with self._lock:
            lines = self._lines if count else ()
            found = [line for line in lines if holding in line.text and _number(line.level) >= least][-count:]
            return LogPage(tuple(found), 0, self._count)

    async def wait_beyond(self, number: int) -> None:
        """Return when there is a line numbered above `number`. Cancelling it leaves nothing behind."""
        await trio.lowlevel.checkpoint()
        while True:
            event = trio.Event()
            with self._lock:
                if self._count > number:
                    return
                self._waiting[event] = trio.lowlevel.current_trio_token()
            try:
                await event.wait()
            finally:
                with self._lock:
                    self._waiting.pop(event, None)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)


PROCESS_RING: Final = LogRing()
"""Logging is one a process, and so is what it last said: `configure_logs` fills this one."""

RING: Final = ContextVar("pitlink_log_ring", default=PROCESS_RING)
"""Where this task's lines go. A process that holds several daemons gives each a ring of its own before it begins."""
