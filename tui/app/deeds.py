"""What an operator has daemons do: keys put deeds on a channel, the Trio half does them and notes what came of it."""

import math
import shlex
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from attrs import define, field, frozen

from daemons.ops.client import AdminError, Unreachable
from tui.model.words import age, printable

__all__ = ["Deed", "Deeds", "Outcome", "command_line"]

DEEDS_MAX = 16
"""Under way or waiting at once; more are refused, in words."""


@frozen
class Deed:
    """An action that a daemon is asked for. `title`: in words, with what it is done to."""

    daemon: str
    action: str
    params: Mapping[str, Any] = field(hash=False)
    title: str


@frozen
class Outcome:
    """How it is with a deed. `is_good` None: under way."""

    words: str
    is_good: bool | None


def command_line(deed: Deed, place: str) -> str:
    """Return the command that does the same. `place`: what --at takes; "" where it is found by itself."""
    parts = ["pitlink", "ctl", deed.action]
    parts += [f"{name}={_written(value)}" for name, value in deed.params.items()]
    if place:
        parts += ["--at", place]
    return shlex.join(parts)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


@define(eq=False)
class Deeds:
    """The deeds of one operator. `act`: asks the daemon of that name; raises AdminError and Unreachable.

    `under_way`: how many are not done yet.
    """

    act: Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
    version: int = 0
    outcomes: deque[Outcome] = field(factory=lambda: deque(maxlen=50))
    under_way: int = 0
    _send: trio.MemorySendChannel[Deed] = field(init=False)
    _receive: trio.MemoryReceiveChannel[Deed] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Deed](math.inf)  # bounded by `ask`

    @property
    def last(self) -> Outcome | None:
        """The newest that is known of any."""
        return self.outcomes[-1] if self.outcomes else None

    def ask(self, deed: Deed) -> None:
        """Have it done; from the Textual half. Returns at once."""
        if self.under_way >= DEEDS_MAX:
            self._note(f"{deed.title}: refused, {DEEDS_MAX} others are under way", False)
            return
        self.under_way += 1
        self._note(f"{deed.title} ...", None)
        self._send.send_nowait(deed)

    def tell(self, words: str) -> None:
        """Say something to the operator where outcomes are said."""
        self._note(words, False)

    async def run(self) -> None:
        """Do them as they come, beside each other; cancelling this gives up the answers, not always the deeds."""
        async with trio.open_nursery() as nursery:
            async for deed in self._receive:
                nursery.start_soon(self._do, deed)

    async def _do(self, deed: Deed) -> None:
        began = time.monotonic()
        try:
            result = await self.act(deed.daemon, deed.action, deed.params)
        except (AdminError, Unreachable) as exc:
            self._note(f"{deed.title}: failed: {printable(str(exc))}", False)
        else:
            self._note(f"{deed.title}: {_said(result)} ({age(time.monotonic() - began)})", True)
        finally:
            self.under_way -= 1

    def _note(self, words: str, is_good: bool | None) -> None:
        self.outcomes.append(Outcome(words, is_good))
        self.version += 1


def _said(result: Any) -> str:
    match result:
        case str():
            return printable(result)
        case {"words": str(words)} if words:
            return printable(words)
        case _:
            return "done"
