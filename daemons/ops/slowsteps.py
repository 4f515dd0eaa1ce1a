"""Finds what holds the event loop: any step of a task of more than 100 ms is told, with its stack.

An instrument of Trio notes when a step begins and ends (0.3 µs each); a thread looks 20 times a second whether the
present one is late, and then where it is. A step inside C code that keeps the interpreter's lock is told all the same,
with where its task waits afterwards instead. Not for simulations, whose clock stands still during a step.
"""

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import structlog
import trio

from daemons.ops.metrics import Histogram

__all__ = ["LOOP_STEPS", "SlowSteps"]

_log = structlog.stdlib.get_logger("pitlink.ops")

LIMIT_S: Final = 0.1
_STUCK_S: Final = 5.0
_REPORT_EVERY_S: Final = 10.0
_FRAMES_MAX: Final = 15
_BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class SlowSteps(trio.abc.Instrument):
    """The instrument. `watching` installs it in the running loop.

    Tells at most one step in 10 s, the others are counted in `steps` (a histogram of what exceeded the limit). A step
    of more than 5 s is told while it lasts.
    """

    def __init__(self, limit_s: float = LIMIT_S, report_every_s: float = _REPORT_EVERY_S) -> None:
        self.steps = Histogram(_BOUNDS_S)
        self._limit_s = limit_s
        self._report_every_s = report_every_s
        self._began = 0.0  # 0: no step is under way
        self._number = 0
        self._seen: tuple[int, str] = 0, ""  # the last late step, and where it was
        self._reported_at = float("-inf")
        self._untold = 0
        self._thread_id = 0
        self._over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the running loop for the body of the block. One loop at a time."""
        self._thread_id = threading.get_ident()
        self._over = threading.Event()
        self._began = 0.0
        thread = threading.Thread(target=self._look, name="slow steps", daemon=True)
        thread.start()
        trio.lowlevel.add_instrument(self)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(self)
            self._over.set()
            thread.join()

    # --- the instrument's hooks: nothing here may raise, Trio would take the instrument off --------------------

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note the beginning of a step."""
        self._number += 1
        self._began = time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note its end."""
        began, self._began = self._began, 0.0
        if began and (took_s := time.perf_counter() - began) >= self._limit_s:
            self._late(task, took_s)

    def _late(self, task: trio.lowlevel.Task, took_s: float) -> None:
        self.steps.observe(took_s)
        now = time.monotonic()
        if now - self._reported_at < self._report_every_s:
            self._untold += 1
            return
        number, stack = self._seen
        where = {"stack": stack} if number == self._number else {"waits_now": _waits(task)}
        _log.warning("loop.held", task=task.name, seconds=round(took_s, 3), untold=self._untold, **where)
        self._reported_at, self._untold = now, 0

    # --- the thread ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        told = 0
        while not self._over.wait(self._limit_s / 2):
            number, began = self._number, self._began
            late_s = time.perf_counter() - began if began else 0.0
            if late_s < self._limit_s:
                continue
            if self._seen[0] != number:
                frame: FrameType | None = sys._current_frames().get(self._thread_id)
                text = "" if frame is None else _words(traceback.extract_stack(frame))
                del frame  # it would keep the locals of a foreign stack alive
                if number == self._number and self._began:
                    self._seen = number, text
            elif late_s >= _STUCK_S and told != number:
                told = number
                _log.error("loop.stuck", seconds=round(late_s, 1), stack=self._seen[1])


def _words(stack: traceback.StackSummary) -> str:
    """Return the inner end of a stack, one line a frame; files by their last two parts."""
    return "\n".join(
        f"{'/'.join(frame.filename.rsplit('/', 2)[-2:])}:{frame.lineno} {frame.name}: {frame.line}"
        for frame in stack[-_FRAMES_MAX:]
        if "/trio/_core/" not in frame.filename
    )


def _waits(task: trio.lowlevel.Task) -> str:
    frames: list[Any] = list(task.iter_await_frames())
    return _words(traceback.StackSummary.extract(iter(frames)))


LOOP_STEPS: Final = SlowSteps()
"""The one of this process: `run_daemon` has it watch, and /metrics shows its counts."""
