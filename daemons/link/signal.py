"""A wake-up for one task."""

import trio


class Signal:
    """Wakes the one task that waits; set while none waits, it is remembered once. Setting never blocks."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """Wake the waiting task, or the next one that waits."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until set; then it is no longer set."""
        await self._event.wait()
        self._event = trio.Event()
