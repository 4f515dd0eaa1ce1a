"""What happens next in virtual time: the network's own events, woven into MockClock's jumps.

Trio's run loop asks MockClock to jump when no task can run. This file stands in that place: it jumps to
whatever comes first, the next of Trio's deadlines or the next network event, and runs the event right there,
in the loop, without a task. A reader that waits for bytes is therefore a parked task and one heap entry; no
cancel scope, no pump task, no exception: that is where most of the simulation's speed comes from.

It is also where a deadlock is seen: no task can run, nothing is due, ever. Trio would spin there for good.

All private names of Trio that the simulation needs for its clock are used in this file and in `world.py`.
"""

import heapq
import math
import traceback
from collections.abc import Callable, Iterator

import trio
import trio.testing
from trio._core._run import GLOBAL_RUN_CONTEXT

_IDLE_ROUNDS = 4
"""Rounds without anything to do before a deadlock is called: a signal or a thread's answer may be a round
away.
"""


class Deadlock(RuntimeError):
    """No task can run and nothing will ever happen.

    The message shows the task tree and where each task waits.
    """


class ThreadUnderVirtualTime(RuntimeError):
    """A thread is at work while the clock would jump: its result would come at an arbitrary virtual time."""


class Timeline:
    """The heap of the network's events of one run, and the clock's hand.

    `on_jump(now)`, when set, is called after the clock has moved and before anything that was due runs.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._pushed = 0
        self._idle_rounds = 0
        self._clock: trio.testing.MockClock | None = None
        self._limiter: trio.CapacityLimiter | None = None
        self._refused = False
        self.on_jump: Callable[[float], None] | None = None
        self.now: Callable[[], float] = trio.current_time

    def install(self) -> None:
        """Take MockClock's place in jumping.

        Raises RuntimeError unless the run's clock is an autojumping MockClock.
        """
        clock = trio.lowlevel.current_clock()
        if (
            not isinstance(clock, trio.testing.MockClock)
            or clock.autojump_threshold == math.inf
            or clock.rate
        ):
            raise RuntimeError("the simulated network needs trio.testing.MockClock(autojump_threshold=0)")
        self._clock = clock
        self._limiter = trio.to_thread.current_default_thread_limiter()
        self.now = clock.current_time
        clock._autojump = self._advance  # type: ignore[method-assign]

    def at(self, when: float, event: Callable[[], None]) -> None:
        """Run the synchronous `event` at `when`, between task steps.

        Events of the same instant run in this order.
        """
        self._pushed += 1
        heapq.heappush(self._heap, (when, self._pushed, event))

    async def sleep_until(self, when: float) -> None:
        """Sleep until `when` (a checkpoint, cancellable), in order with the events of that instant."""
        task = trio.lowlevel.current_task()
        waiting = True

        def wake() -> None:
            nonlocal waiting
            if waiting:
                waiting = False
                trio.lowlevel.reschedule(task)

        def abort(_: object) -> trio.lowlevel.Abort:
            nonlocal waiting
            waiting = False
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.checkpoint_if_cancelled()
        self.at(when, wake)
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _advance(self) -> None:
        # Called by Trio's loop when no task is runnable and nobody waits in wait_all_tasks_blocked.
        runner = GLOBAL_RUN_CONTEXT.runner
        clock, heap, limiter = self._clock, self._heap, self._limiter
        assert clock is not None
        assert limiter is not None
        if limiter.borrowed_tokens:
            return self._refuse(
                ThreadUnderVirtualTime(
                    "a thread is at work under the simulated clock: run its work inline (open_store(inline=True))"
                )
            )
        while not runner.runq:
            deadline = runner.deadlines.next_deadline()
            when = min(deadline, heap[0][0]) if heap else deadline
            if when == math.inf:
                return self._stuck()
            # Assigned, not added up: t + (x - t) need not be x, and an event would then find itself not yet
            # due.
            if when > clock._virtual_base:
                clock._virtual_base = when
                if self.on_jump is not None:
                    self.on_jump(when)
            self._idle_rounds = 0
            while heap and heap[0][0] <= when:
                heapq.heappop(heap)[2]()
            if deadline <= when:
                runner.deadlines.expire(when)
        return None

    def _stuck(self) -> None:
        self._idle_rounds += 1
        if self._idle_rounds >= _IDLE_ROUNDS:
            self._refuse(Deadlock("no task can run and nothing is due, ever:\n" + task_tree()))

    def _refuse(self, error: RuntimeError) -> None:
        # As Trio delivers Ctrl-C: into the main task, where the program's own nurseries unwind everything
        # else.
        main = GLOBAL_RUN_CONTEXT.runner.main_task
        self._idle_rounds = 0

        def raise_error() -> None:
            raise error

        if main is None or main._abort_func is None or self._refused:
            raise error  # becomes TrioInternalError: ugly, but the run ends
        self._refused = True
        main._attempt_abort(raise_error)


def task_tree() -> str:
    """Describe every task of the run, indented by nursery, with the innermost line of each."""
    root = trio.lowlevel.current_root_task()
    return "\n".join(_describe(root, 0)) if root is not None else "(no task)"


def _describe(task: trio.lowlevel.Task, depth: int) -> Iterator[str]:
    stack = traceback.StackSummary.extract(task.iter_await_frames())
    outside_trio = [frame for frame in stack if "/trio/" not in frame.filename] or list(stack)
    at = f" at {outside_trio[-1].filename}:{outside_trio[-1].lineno}" if outside_trio else ""
    yield f"{'  ' * depth}{task.name}{at}"
    for nursery in task.child_nurseries:
        for child in sorted(nursery.child_tasks, key=lambda task: task._counter):
            yield from _describe(child, depth + 1)
