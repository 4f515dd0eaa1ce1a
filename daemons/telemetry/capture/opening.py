"""Opening the simulator's memory with pyirsdk, which may block for ever: in a thread, with a deadline.

Three things about pyirsdk's `startup()` (1.3.7): it asks a local web server without any timeout; it prints; and while the
simulator loads it opens an event at each try and forgets it. Its `is_connected`, its values and its own waiting are not
used: see `memory.py`.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
from attrs import define, field, frozen

from daemons.telemetry.capture.memory import Memory
from protocol.irsdk import HEADER_BYTES, BadLayout, Header

__all__ = ["Opened", "Opener"]


@frozen(eq=False)
class Opened:
    """The simulator's memory, open. `event`: the handle of its event, None for a file."""

    memory: Memory
    event: int | None
    _close: Callable[[], None]

    def close(self) -> None:
        """Unmap it."""
        self._close()


@define(eq=False)
class Opener:
    """Opens the running simulator's memory, or `file` that holds the same."""

    file: Path | None = None
    deadline_s: float = 5.0
    _one: trio.CapacityLimiter = field(init=False, factory=lambda: trio.CapacityLimiter(1))

    async def open(self) -> Opened | str:
        """Return the memory, or in words why it is not to be had now. A try that outlasts the deadline is left to
        itself, and no second one is begun beside it. Cancelling leaves the try to itself too; what it opens it closes."""
        attempt = _Attempt(self.file)
        try:
            with trio.move_on_after(self.deadline_s):
                await trio.to_thread.run_sync(attempt.run, abandon_on_cancel=True, limiter=self._one)
                return attempt.taken()
        finally:
            attempt.give_up()
        return f"the simulator has not answered for {self.deadline_s:g} s, and is asked again"


@define(eq=False)
class _Attempt:
    """One try, in a thread that may come back long after nobody waits for it."""

    file: Path | None
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _given_up: bool = field(default=False, init=False)
    _result: Opened | str = field(default="", init=False)

    def run(self) -> None:
        result = _open(self.file)
        with self._lock:
            if not self._given_up:
                self._result = result
                return
        if isinstance(result, Opened):
            result.close()

    def taken(self) -> Opened | str:
        """Return the result, which from now on is the caller's to close."""
        result, self._result = self._result, ""
        return result

    def give_up(self) -> None:
        """Close what came, or comes, and was not taken."""
        with self._lock:
            self._given_up = True
            result, self._result = self._result, ""
        if isinstance(result, Opened):
            result.close()


def _open(file: Path | None) -> Opened | str:
    try:
        import irsdk
    except ImportError:
        return "pyirsdk is not installed; pitlink's extra `telemetry` brings it"
    said = _hushed(irsdk)
    simulator = irsdk.IRSDK()
    words, memory = "", None
    try:
        if file is not None:
            with file.open(
                "rb"
            ) as head:  # pyirsdk makes an object for each of as many buffers as a stranger's file says
                Header.read(head.read(HEADER_BYTES))
        started = simulator.startup(test_file=None if file is None else str(file))
        if started:
            memory = Memory(simulator._shared_mem)
        elif file is None:
            words = "iRacing does not run" + (f" ({said[-1]})" if said else "")
        else:
            words = f"{file} is not what iRacing writes"
    except FileNotFoundError:
        words = f"{file} is not there yet"
    except AttributeError as exc:
        words = f"the simulator's memory can be opened on Windows only ({exc})"
    except BadLayout as exc:
        words = f"the simulator's memory cannot be read: {exc}"
    except Exception as exc:  # a library's, of any kind: an empty file, an answer that is no HTTP
        words = f"the simulator's memory cannot be opened: {exc or type(exc).__name__}"
    event = simulator._data_valid_event or None

    def close() -> None:
        simulator.shutdown()
        if event is not None:  # pyirsdk forgets it
            irsdk.ctypes.windll.kernel32.CloseHandle(event)

    if memory is None:
        close()
        return words
    return Opened(memory, event, close)


_SAID = threading.local()


def _hushed(irsdk: Any) -> list[str]:
    """Return what pyirsdk prints in this thread from now on, as it comes: a daemon's standard output is not its own, and
    under pythonw there is none. What other threads have it print goes where it would."""
    lines: list[str] = []
    _SAID.lines = lines
    irsdk.print = _say
    return lines


def _say(*words: object, **_: object) -> None:
    lines = getattr(_SAID, "lines", None)
    if lines is None:
        print(*words)
    else:
        lines.append(" ".join(map(str, words)))
