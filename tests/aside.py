"""A Trio program beside a test that is none: a browser's driver wants the test's thread for itself."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

import trio
from attrs import frozen

__all__ = ["Aside", "open_aside"]

T = TypeVar("T")
R = TypeVar("R")
END_S = 30.0


@frozen(eq=False)
class Aside(Generic[T]):
    """What runs there. Its value is touched by `call` and `wait` alone, which do so in its own thread."""

    _value: T
    _token: trio.lowlevel.TrioToken
    _over: trio.Event

    def call(self, function: Callable[[T], R]) -> R:
        """Return what the function makes of the value."""
        return trio.from_thread.run_sync(function, self._value, trio_token=self._token)

    def wait(self, function: Callable[[T], Awaitable[R]]) -> R:
        """The same for an async function."""
        return trio.from_thread.run(function, self._value, trio_token=self._token)

    def end(self) -> None:
        try:
            self._token.run_sync_soon(self._over.set)
        except trio.RunFinishedError:  # it failed; which is told at the end of the block
            pass


@contextmanager
def open_aside(opened: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[Aside[T]]:
    """Enter `opened()` in a thread of its own, until the end of the block. What it raises is raised here."""
    told: SimpleQueue[Aside[T] | BaseException | None] = SimpleQueue()

    async def hold() -> None:
        async with opened() as value:
            over = trio.Event()
            told.put(Aside(value, trio.lowlevel.current_trio_token(), over))
            await over.wait()

    def run() -> None:
        try:
            trio.run(hold)
        except BaseException as exc:
            told.put(exc)
        else:
            told.put(None)

    thread = Thread(target=run, name="aside", daemon=True)
    thread.start()
    first = told.get(timeout=END_S)
    if not isinstance(first, Aside):
        raise first or AssertionError("it was over before it began")
    try:
        yield first
    finally:
        first.end()
        last = told.get(timeout=END_S)
        thread.join(END_S)
    if isinstance(last, BaseException):
        raise last
