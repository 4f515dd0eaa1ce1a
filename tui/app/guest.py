"""Trio as a guest in Textual's loop: the half that talks with daemons, in the same thread as the half that paints.

The Trio half never calls Textual: what it learns is in a model that has a version, and a painter looks at that.
The Textual half calls only what does not wait (`send_nowait`, `cancel`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    import trio
    from outcome import Outcome

__all__ = ["Guest"]


@define(eq=False)
class Guest:
    """One run of Trio beside a running asyncio loop. `main` is run once, between `start` and `stop`."""

    main: Callable[[], Awaitable[None]]
    _scope: "trio.CancelScope | None" = None
    _ended: "asyncio.Future[None] | None" = None

    def start(self) -> None:
        """Begin; to be called from the loop's thread, outside of Trio."""
        import trio

        loop = asyncio.get_running_loop()
        self._scope = trio.CancelScope()
        self._ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            self._run,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=loop.call_soon,
            done_callback=self._take,
            # Without it Trio takes the wake-up file of asyncio, whose signal handlers then never run.
            host_uses_signal_set_wakeup_fd=True,
        )

    async def wait(self) -> None:
        """Wait until it has ended; raises what ended it. Cancelling this leaves it running."""
        assert self._ended is not None, "not started"
        await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """End it and wait for that, whoever cancels this meanwhile: a guest left behind would spoil the next run."""
        if self._ended is None or self._scope is None:
            return
        self._scope.cancel(reason="the terminal ends")
        cancelled = False
        while not self._ended.done():
            try:
                await asyncio.wait([self._ended])
            except asyncio.CancelledError:  # noqa: ASYNC103 (raised again below, when the guest has ended)
                cancelled = True
        if not self._ended.cancelled():
            self._ended.exception()  # whoever waits says it; here it only has been looked at
        if cancelled:
            raise asyncio.CancelledError

    async def _run(self) -> None:
        assert self._scope is not None, "not started"
        with self._scope:
            await self.main()

    def _take(self, ended: "Outcome[None]") -> None:
        assert self._ended is not None
        if self._ended.done():
            return
        try:
            ended.unwrap()
        except Exception as exc:
            self._ended.set_exception(exc)
        except BaseException as exc:  # noqa: ASYNC103 (an exit or an interrupt in the Trio half: Textual would not look at it)
            self._ended.set_exception(RuntimeError(f"the half that talks with daemons ended: {exc!r}"))
        else:
            self._ended.set_result(None)
