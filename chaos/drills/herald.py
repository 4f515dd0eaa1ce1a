"""Tells how a drill stands: to the daemons that it drills, for whoever watches them, and to a program that started it.

What a daemon does not take or a program does not read holds up no drill.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

import trio
from attrs import define, field

from daemons.ops.client import AdminClient, AdminError, Unreachable

__all__ = ["Herald"]

EACH_S: Final = 1.0
"""How often the same phase is told again; another one at once."""

LEASE_S: Final = 15.0
TELL_S: Final = 2.0
_NOT_TAKEN: Final = (400, 403, 404)


@define(eq=False)
class Herald:
    """`daemons`: told by `chaos.drill` and `chaos.note`; those that do not know them are asked no more. `out`: gets a line of
    JSON each time; `on_unread`: called when nobody reads it any more."""

    daemons: Sequence[AdminClient] = ()
    out: TextIO | None = None
    on_unread: Callable[[], None] = lambda: None
    _standing: Mapping[str, Any] = field(factory=dict, init=False)
    _news: trio.Event = field(factory=trio.Event, init=False)
    _deaf: set[AdminClient] = field(factory=set, init=False)
    _begun: set[AdminClient] = field(factory=set, init=False)
    _is_unread: bool = field(default=False, init=False)

    def say(self, standing: Mapping[str, Any]) -> None:
        """Take how it stands now; it is told soon."""
        is_new = _turn(standing) != _turn(self._standing)
        self._standing = standing
        if is_new:
            self._news.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            self._news = trio.Event()
            await self._tell(self._standing)
            with trio.move_on_after(EACH_S):
                await self._news.wait()

    async def end(self, standing: Mapping[str, Any]) -> None:
        """Tell how it ended; takes 2 s at most."""
        self._begun.clear()  # the end is audited as the beginning is
        with trio.move_on_after(TELL_S, shield=True):
            await self._tell(standing)

    async def _tell(self, standing: Mapping[str, Any]) -> None:
        if not standing:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._print, json.dumps(standing, ensure_ascii=True))
            for daemon in self.daemons:
                if daemon not in self._deaf:
                    nursery.start_soon(self._note, daemon, standing)

    async def _note(self, daemon: AdminClient, standing: Mapping[str, Any]) -> None:
        action = "chaos.note" if daemon in self._begun else "chaos.drill"
        with trio.move_on_after(TELL_S):
            try:
                await daemon.act(action, run=standing["run"], standing=standing, lease_s=LEASE_S)
            except AdminError as exc:
                # One that was started again knows nothing of this run (409).
                self._begun.discard(daemon)
                if exc.status in _NOT_TAKEN:
                    self._deaf.add(daemon)
            except Unreachable:
                pass  # the drill itself may have taken it down
            else:
                self._begun.add(daemon)

    async def _print(self, line: str) -> None:
        if self.out is None or self._is_unread:
            return
        try:
            await trio.to_thread.run_sync(self._write, line, abandon_on_cancel=True)
        except OSError:
            self._is_unread = True
            self.on_unread()

    def _write(self, line: str) -> None:
        assert self.out is not None
        self.out.write(f"{line}\n")
        self.out.flush()


def _turn(standing: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what is told at once when it changes."""
    on = tuple(one["step"] for one in standing.get("on", ()))
    return (standing.get("phase"), on, standing.get("clock") is None)
