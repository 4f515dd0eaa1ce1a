"""Worker threads for work of many drivers: what waits is done together, a turn of the loop for all of it."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

import trio
from attrs import define, field

__all__ = ["WorkPool"]

T = TypeVar("T")
TOGETHER_MAX = 32


@define(eq=False)
class _Job:
    task: trio.lowlevel.Task
    work: Callable[[], Any]
    value: Any = None
    error: BaseException | None = None


@define(eq=False)
class WorkPool:
    """`threads` take up to 32 jobs each at a time, in order. As many wait as there are callers: each has one job.

    With 0 threads, for simulations (a MockClock jumps while a thread works), all is done on the event loop.
    """

    threads: int = 2
    _jobs: deque[_Job] = field(factory=deque, init=False)
    _lot: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)

    @property
    def waiting(self) -> int:
        """Jobs not begun."""
        return len(self._jobs)

    async def do(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread and return its value, or raise its error. Cancelling withdraws a job that has not begun;
        one that has is finished, and its value returned."""
        if not self.threads:
            await trio.lowlevel.checkpoint()
            return work()
        job = _Job(trio.lowlevel.current_task(), work)
        self._jobs.append(job)
        self._lot.unpark()

        def withdraw(_: object) -> trio.lowlevel.Abort:
            if job not in self._jobs:
                return trio.lowlevel.Abort.FAILED
            self._jobs.remove(job)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(withdraw)
        if job.error is not None:
            raise job.error
        return cast(T, job.value)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled."""
        if not self.threads:
            task_status.started()
            await trio.sleep_forever()
        limiter = trio.CapacityLimiter(self.threads)
        async with trio.open_nursery() as nursery:
            for _ in range(self.threads):
                nursery.start_soon(self._work, limiter)
            task_status.started()

    async def _work(self, limiter: trio.CapacityLimiter) -> None:
        while True:
            while not self._jobs:
                await self._lot.park()
            # Shared out: two threads with a half each are done before one with all.
            share = min(TOGETHER_MAX, math.ceil(len(self._jobs) / self.threads))
            jobs = [self._jobs.popleft() for _ in range(share)]
            with trio.CancelScope(shield=True):  # a thread cannot be abandoned, and who waits must be told
                await trio.to_thread.run_sync(_do, jobs, limiter=limiter)
            for job in jobs:
                trio.lowlevel.reschedule(job.task)


def _do(jobs: list[_Job]) -> None:
    for job in jobs:
        try:
            job.value = job.work()
        except BaseException as error:  # noqa: ASYNC103 (handed to the task that waits)
            job.error = error
