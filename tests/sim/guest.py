"""A Trio run that stands still between calls: whoever drives it lets it run until one thing is done, and looks.

Trio's guest mode, with the caller as its host. Under a virtual clock nothing happens between two calls, no thread is
ever needed, and the same calls give the same run.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import outcome
import trio
from attrs import define

T = TypeVar("T")


@define(eq=False)
class _Wish:
    work: Callable[[], Awaitable[Any]]
    answer: "outcome.Outcome[Any] | None" = None


class GuestRun:
    """Run `surroundings()` and, inside of it, one `do` after the other. `end` leaves the block."""

    def __init__(
        self, clock: trio.abc.Clock, surroundings: Callable[[], AbstractAsyncContextManager[None]]
    ) -> None:
        self._ticks: deque[Callable[[], object]] = deque()
        self._over: outcome.Outcome[Any] | None = None
        self._send, self._receive = trio.open_memory_channel[_Wish](1)
        self._surroundings = surroundings
        trio.lowlevel.start_guest_run(
            self._serve,
            run_sync_soon_threadsafe=self._ticks.append,
            done_callback=self._done,
            host_uses_signal_set_wakeup_fd=True,
            clock=clock,
        )

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Let the run go on until `work()` is done; return its result, or raise what it, or the run, raised."""
        wish = _Wish(work)
        self._send.send_nowait(wish)
        while wish.answer is None:
            if self._over is not None:
                self._over.unwrap()
                raise RuntimeError("the run is over")
            self._ticks.popleft()()
        value: T = wish.answer.unwrap()
        return value

    def end(self) -> None:
        """Leave the surroundings and end the run. Raises what it raised, if nobody has been told."""
        if self._over is None:
            self._send.close()
            while self._over is None:
                self._ticks.popleft()()
            self._over.unwrap()

    def _done(self, over: "outcome.Outcome[Any]") -> None:
        self._over = over

    async def _serve(self) -> None:
        async with self._surroundings():
            wishes: AsyncIterator[_Wish] = self._receive
            async for wish in wishes:
                answer = await outcome.acapture(wish.work)
                if isinstance(answer, outcome.Error) and isinstance(answer.error, trio.Cancelled):
                    answer.unwrap()  # the surroundings have failed: what they raise is the answer
                wish.answer = answer
