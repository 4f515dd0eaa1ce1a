"""What an operator has daemons do: keys put deeds on a channel, the Trio half does them and notes what came of it."""

import math
import shlex
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from daemons.ops.typed import written
from tui.model.words import age, printable

if TYPE_CHECKING:
    import trio

__all__ = ["Deed", "Deeds", "Done", "Look", "Looked", "Outcome", "command_line"]

DEEDS_MAX = 16
"""Under way or waiting at once; more are refused, in words. Those that were asked for together count when they begin."""

BESIDE_MAX = 8
_BAD_STATUSES = ("FAILED", "EXPIRED")


@frozen
class Deed:
    """An action that a daemon is asked for. `title`: in words, with what it is done to; `on`: that alone.

    `undo`: what undoes it, made of how things stood before; without it `why_not` says why nothing does. `command`: what does
    the same, where that is no `pitlink ctl`.
    """

    daemon: str
    action: str
    params: Mapping[str, Any] = field(hash=False)
    title: str
    on: str = ""
    undo: "Deed | None" = None
    why_not: str = ""
    command: tuple[str, ...] = ()


@frozen
class Look:
    """Something that a daemon is only asked, for a question to count what it hits. `said`: what the answer says."""

    daemon: str
    action: str
    params: Mapping[str, Any] = field(hash=False)
    about: str
    said: Callable[[Any], str]


@define(eq=False)
class Looked:
    """What came of a look, so far."""

    words: str


@frozen
class Outcome:
    """How it is with a deed. `is_good` None: under way."""

    words: str
    is_good: bool | None


@frozen
class Done:
    """What was done last: `deeds` of daemons, or something of this terminal's own, which `undo` takes back."""

    title: str
    deeds: tuple[Deed, ...] = ()
    undo: Callable[[], None] | None = None


def command_line(deed: Deed, place: str) -> str:
    """Return the command that does the same. `place`: what --at takes; "" where it is found by itself."""
    if deed.command:
        return shlex.join(deed.command)
    parts = ["pitlink", "ctl", deed.action]
    parts += [f"{name}={written(value)}" for name, value in deed.params.items()]
    if place:
        parts += ["--at", place]
    return shlex.join(parts)


if TYPE_CHECKING:
    _Work = Callable[[], Awaitable[None]]
    _Works = tuple[trio.MemorySendChannel[_Work], trio.MemoryReceiveChannel[_Work]]


@define(eq=False)
class Deeds:
    """The deeds of one operator. `act`: asks the daemon of that name; raises AdminError and Unreachable.

    `under_way`: how many are not done yet. `last_done`: what `z` would undo.
    """

    act: Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
    version: int = 0
    outcomes: deque[Outcome] = field(factory=lambda: deque(maxlen=200))
    under_way: int = 0
    last_done: Done | None = None
    _works: "_Works | None" = None

    def _channel(self) -> "_Works":
        """Return where deeds wait, bounded by `ask`. Trio is imported by whoever first needs it, after the first picture."""
        import trio

        if self._works is None:
            self._works = trio.open_memory_channel[Callable[[], Awaitable[None]]](math.inf)
        return self._works

    # --- from the Textual half; these return at once --------------------------------------------------------------

    @property
    def last(self) -> Outcome | None:
        """The newest that is known of any."""
        return self.outcomes[-1] if self.outcomes else None

    def ask(self, *deeds: Deed, title: str = "", is_undoing: bool = False) -> None:
        """Have them done, together when they are several; `title`: what they are called then. What undoes is not undone."""
        title = title or deeds[0].title
        if self.under_way >= DEEDS_MAX:
            self._note(f"{title}: refused, {DEEDS_MAX} others are under way", False)
            return
        self.under_way += len(deeds)
        self._note(f"{title} ...", None)
        self._channel()[0].send_nowait(partial(self._do_all, deeds, title, is_undoing))

    def look(self, look: Look) -> Looked:
        """Have a daemon asked; what it says will be in what is returned, and moves the version."""
        looked = Looked(f"{look.about}counting ...")
        self._channel()[0].send_nowait(partial(self._look, look, looked))
        return looked

    def did(self, title: str, undo: Callable[[], None]) -> None:
        """Note something that was done here, to nobody but this operator's own picture."""
        self.last_done = Done(title, undo=undo)
        self.version += 1

    def take_last(self) -> Done | None:
        """Return what was done last, to be undone now: it is forgotten."""
        found, self.last_done = self.last_done, None
        return found

    def tell(self, words: str, *, is_good: bool = False) -> None:
        """Say something to the operator where outcomes are said."""
        self._note(words, is_good)

    # --- the Trio half ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do them as they come, beside each other; cancelling this gives up the answers, not always the deeds."""
        import trio

        async with trio.open_nursery() as nursery:
            async for work in self._channel()[1]:
                nursery.start_soon(work)

    async def _do_all(self, deeds: tuple[Deed, ...], title: str, is_undoing: bool) -> None:
        """Do them: those on one site one after another, in their order, beside those on others."""
        import trio

        limiter, done = trio.CapacityLimiter(BESIDE_MAX), list[Deed]()

        async def do(those: list[Deed]) -> None:
            async with limiter:
                done.extend([deed for deed in those if await self._do(deed)])

        of_each: dict[tuple[str, Any], list[Deed]] = {}
        for deed in deeds:
            of_each.setdefault((deed.daemon, deed.params.get("site")), []).append(deed)
        async with trio.open_nursery() as nursery:
            for those in of_each.values():
                nursery.start_soon(do, those)
        failed = [deed.on or deed.title for deed in deeds if deed not in done]
        if done and not is_undoing:
            self.last_done = Done(title, tuple(deed for deed in deeds if deed in done))
        if len(deeds) > 1:
            words = f"{title}: {len(done)} of {len(deeds)} done (:outcomes tells of each)"
            if failed:
                words += f"; not {', '.join(failed)}"
            self._note(words, not failed)
        self.under_way -= len(deeds)  # now it is known what there is to undo

    async def _do(self, deed: Deed) -> bool:
        from daemons.ops.client import AdminError, Unreachable

        began = time.monotonic()
        try:
            result = await self.act(deed.daemon, deed.action, deed.params)
        except (AdminError, Unreachable) as exc:
            self._note(f"{deed.title}: failed: {printable(str(exc))}", False)
            return False
        words, is_good = _said(result)
        self._note(f"{deed.title}: {words} ({age(time.monotonic() - began)})", is_good)
        return is_good

    async def _look(self, look: Look, looked: Looked) -> None:
        from daemons.ops.client import AdminError, Unreachable

        try:
            said = look.said(await self.act(look.daemon, look.action, look.params))
        except (AdminError, Unreachable) as exc:
            said = f"not counted: {printable(str(exc))}"
        except (KeyError, TypeError, ValueError):
            said = "not counted: the daemon says it in another way"
        looked.words = f"{look.about}{said}"
        self.version += 1

    def _note(self, words: str, is_good: bool | None) -> None:
        self.outcomes.append(Outcome(words, is_good))
        self.version += 1


def _said(result: Any) -> tuple[str, bool]:
    """Return what a daemon answered, in words, and whether it was done. A command may also have failed at its site."""
    match result:
        case str():
            return printable(result), True
        case {"status": str(status), "words": words} if status in _BAD_STATUSES:
            return printable(f"{status.lower()}: {words or 'the site does not say why'}"), False
        case {"words": str(words)} if words:
            return printable(words), True
        case {"status": str(status)} if status != "DONE":
            return printable(f"{status.lower()}: the site has not said yet what came of it"), True
        case _:
            return "done", True
