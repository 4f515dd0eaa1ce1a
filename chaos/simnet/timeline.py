"""What happens next in virtual time: the network's own events, woven into MockClock's jumps.

Trio's run loop asks MockClock to jump when no task can run. This file stands in that place: it jumps to
whatever comes first, the next of Trio's deadlines or the next network event, and runs the event right there,
in the loop, without a task. A reader that waits for bytes is therefore a parked task and one heap entry; no
cancel scope, no pump task, no exception: that is where most of the simulation's speed comes from.

It is also where a deadlock is seen: no task can run, nothing is due, ever. Trio would spin there for good.

All private names of Trio that the simulation needs for its clock are used in this file and in `world.py`.
"""

import functools
import heapq
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import outcome
import trio
import trio.testing
from trio._core._instrumentation import Instruments
from trio._core._run import GLOBAL_RUN_CONTEXT

_ROUNDS_PER_INSTANT = 50_000
"""Rounds of the loop (or events) at one instant before a livelock is called."""

_ROUNDS_WITHOUT_IO = 64

_IDLE_ROUNDS = 4
"""Rounds without anything to do before a deadlock is called: a signal or a thread's answer may be a round
away.
"""


class Deadlock(RuntimeError):
    """No task can run and nothing will ever happen.

    The message shows the task tree and where each task waits.
    """


class Livelock(RuntimeError):
    """Tasks run on and on while virtual time stands still: a retry without a pause, most often."""


class Timeline:
    """The heap of the network's events of one run, and the clock's hand.

    `on_jump(now)`, when set, is called after the clock has moved and before anything that was due runs.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._pushed = 0
        self._idle_rounds = 0
        self._rounds = 0
        self._io: _RareIo
        self._clock: trio.testing.MockClock | None = None
        self._refusals = 0
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
        self.now = functools.partial(getattr, clock, "_virtual_base")
        clock.current_time = self.now  # type: ignore[method-assign]
        clock._autojump = self._advance  # type: ignore[method-assign]
        runner = GLOBAL_RUN_CONTEXT.runner
        self._io = _RareIo(runner.io_manager, self._count_round)
        runner.io_manager = self._io  # type: ignore[assignment]
        if runner.instruments.data == {"_all": {}}:
            # Asked five times a task step whether there is one: a dict answers without a call of Python.
            runner.instruments = _NoInstruments()  # type: ignore[assignment]

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

    async def sleep(self, seconds: float) -> None:
        """Stand for `trio.sleep`, which has a cancel scope expire and an exception unwind it."""
        if not seconds >= 0:
            raise ValueError("`seconds` must be non-negative")
        if seconds:
            await self.sleep_until(self.now() + seconds)
        else:
            await trio.lowlevel.checkpoint()

    def _count_round(self) -> None:
        self._rounds += 1
        if self._rounds > _ROUNDS_PER_INSTANT:
            self._rounds = 0
            self._refuse(Livelock("virtual time stands still while tasks run on:\n" + task_tree()))

    def _advance(self) -> None:
        # Called by Trio's loop when no task is runnable and nobody waits in wait_all_tasks_blocked.
        runner = GLOBAL_RUN_CONTEXT.runner
        clock, heap = self._clock, self._heap
        assert clock is not None
        while not runner.runq:
            deadline = runner.deadlines.next_deadline()
            when = min(deadline, heap[0][0]) if heap else deadline
            if when == math.inf:
                self._stuck()
                return
            # Assigned, not added up: t + (x - t) need not be x, and an event would then find itself not yet
            # due.
            if when > clock._virtual_base:
                clock._virtual_base = when
                self._rounds = 0
                if self.on_jump is not None:
                    self.on_jump(when)
            self._idle_rounds = 0
            self._count_round()
            while heap and heap[0][0] <= when:
                heapq.heappop(heap)[2]()
            if deadline <= when:
                runner.deadlines.expire(when)

    def _stuck(self) -> None:
        self._idle_rounds += 1
        self._io.look()
        if self._idle_rounds >= _IDLE_ROUNDS:
            self._refuse(Deadlock("no task can run and nothing is due, ever:\n" + task_tree()))

    def _refuse(self, error: RuntimeError) -> None:
        # As Trio delivers Ctrl-C: into the main task, where the program's own nurseries unwind the rest.
        # What a shield protects is told itself when that was not enough. A run that hangs would be worse.
        main = GLOBAL_RUN_CONTEXT.runner.main_task
        self._idle_rounds = self._rounds = 0
        self._refusals += 1
        if main is None or self._refusals > 5:
            raise error
        for task in [main] if self._refusals == 1 else _family(main):
            _throw_into(task, error)


def _throw_into(task: trio.lowlevel.Task, error: RuntimeError) -> None:
    def raise_error() -> None:
        raise error

    if task._abort_func is not None:
        task._attempt_abort(raise_error)
    elif task._next_send is not None:  # about to run; None: it has not begun
        task._next_send = outcome.Error(error)


def _family(task: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    children = [child for nursery in task.child_nurseries for child in _in_order(nursery)]
    return [task, *(one for child in children for one in _family(child))]


def _in_order(nursery: trio.Nursery) -> list[trio.lowlevel.Task]:
    return sorted(nursery.child_tasks, key=lambda task: task._counter)


class _RareIo:
    """Trio's I/O manager, asked for events in one round of many: there is no real I/O to hear of, but for what
    other threads and signals send. Saves a system call a round, and with `on_round` an instrument.
    """

    def __init__(self, real: Any, on_round: Callable[[], None]) -> None:
        self._real = real
        self._get_events = real.get_events
        self._on_round = on_round
        self._left = 0
        self.process_events = real.process_events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def look(self) -> None:
        """Ask the real one in the next round."""
        self._left = 0

    def get_events(self, timeout: float) -> Any:
        """Return what the real one has, or, mostly, nothing."""
        self._on_round()
        self._left -= 1
        if timeout <= 0 < self._left and sys.platform != "win32":
            return ()
        self._left = _ROUNDS_WITHOUT_IO
        return self._get_events(timeout)


class _NoInstruments(dict[str, Any]):
    """Stands for Trio's collection of instruments while there are none."""

    def add_instrument(self, instrument: trio.abc.Instrument) -> None:
        """Put Trio's own back, with this one."""
        GLOBAL_RUN_CONTEXT.runner.instruments = Instruments([instrument])


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
        for child in _in_order(nursery):
            yield from _describe(child, depth + 1)
