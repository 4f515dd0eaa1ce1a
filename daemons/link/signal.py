"""A wake-up for one task."""

import trio


class Signal:
    """Wakes the one task that waits; set while none waits, it is remembered once. Setting never blocks.

    A task that is about to end may still wait when the next one begins to: both are woken.
    """

    __slots__ = ("_is_set", "_tasks")

    def __init__(self) -> None:
        self._is_set = False
        self._tasks: list[trio.lowlevel.Task] = []

    def set(self) -> None:
        """Wake the waiting task, or the next one that waits."""
        self._is_set = True
        if self._tasks:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                trio.lowlevel.reschedule(task)

    def clear(self) -> None:
        """Forget that it was set."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until set; then it is no longer set."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
        else:
            task = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self._tasks.remove(task)
                return trio.lowlevel.Abort.SUCCEEDED

            self._tasks.append(task)
            await trio.lowlevel.wait_task_rescheduled(abort)
        self._is_set = False
