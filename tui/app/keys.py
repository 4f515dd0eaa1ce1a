"""One key after another: what is typed ahead goes where it was meant to.

A key can open a screen, which comes a little later. Over a slow line many keys arrive at once: without this, those typed
into a prompt that is only coming would be lost, or mean something else.
"""

import asyncio
from collections.abc import Awaitable, Callable

from textual import events
from textual.app import App

__all__ = ["KeyLine"]

KEYS_MAX = 1000
SETTLE_S = 1.0
LOOK_S = 0.02


class KeyLine:
    """Keys that wait. `handle`: takes one as Textual does, which goes on after it has returned."""

    def __init__(self, app: "App[int]", handle: Callable[[events.Key], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._keys: asyncio.Queue[events.Key] = asyncio.Queue(KEYS_MAX)

    def add(self, key: events.Key) -> None:
        """Take a key; those that are too many are dropped."""
        if not self._keys.full():
            self._keys.put_nowait(key)

    async def empty(self) -> None:
        """Wait until all that was typed has been done."""
        await self._keys.join()

    async def run(self) -> None:
        """Hand on one after another, until cancelled."""
        while True:
            key = await self._keys.get()
            try:
                await self._handle(key)
                await asyncio.wait_for(self._settle(), SETTLE_S)
            except TimeoutError:
                pass  # something is busy: better out of order than never
            finally:
                self._keys.task_done()

    async def _settle(self) -> None:
        """Wait until a key has gone all its way, and the screen that it opened is there."""
        while True:
            screen = self._app.screen
            for node in (screen.focused or screen).ancestors_with_self:
                passed = asyncio.Event()
                if not node.call_later(passed.set):
                    continue
                # A screen that the key closed does not come to it any more.
                while not passed.is_set() and node.is_running and self._app.screen is screen:
                    try:
                        await asyncio.wait_for(passed.wait(), LOOK_S)
                    except TimeoutError:
                        pass
            if self._app.screen is screen:
                return
