"""Who waits for which socket or which time, and is called when it has come: one task for all of them.

A task for each direction costs a turn of Trio's scheduler, and a change of what the kernel watches, for every read:
more than the reading and the writing. Here a set of the kernel's own holds every socket, Trio waits for that set alone,
and one turn serves whatever is ready, and what becomes ready meanwhile. The time is a file in that set as well, for Trio
would be late by up to a millisecond. Where there is no epoll each socket has its task after all.
"""

import contextlib
import math
import select
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from chaos.proxy.shortcut import Shortcut
from chaos.proxy.wheel import Wheel

__all__ = ["Ready", "TaskReady", "Watch", "make_ready"]

TURN_S = 0.002
"""So long sockets are served before anything else has its turn."""

LOOK_S = 0.00006
"""So long is looked for an answer before going to sleep: to be woken takes as long, and the answer has come meanwhile
where both ends are near."""

LOOK_EVERY = 16
"""Where that was in vain lately, it is tried every so many times."""

WORTH_MAX = 8

FINE_SLACK_S = 0.0002
"""What is due so soon is done now."""

Do = Callable[[], None]
Wait = Callable[[socket.socket], Awaitable[None]]


class Watch(Protocol):
    """One socket. What is called neither blocks nor raises, and is called for as long as there is reason."""

    def read(self, do: Do | None) -> None:
        """Have `do()` called when there is something to read, or an end or a failure to be found by reading."""

    def write(self, do: Do | None) -> None:
        """Have `do()` called when there is room to write, or a failure to be found by writing."""

    def leave(self) -> None:
        """Watch no more, for good: before the socket is closed."""


class Ready(Protocol):
    """Watches sockets, and turns `wheel`, while `run` runs."""

    wheel: Wheel
    shortcut: Shortcut | None
    """From one of the sockets to another, where there is one, while `run` runs."""

    def watch(self, sock: socket.socket) -> Watch:
        """Watch a non-blocking socket: for nothing, to begin with."""

    async def run(self) -> None:
        """Call whoever is to be called, until cancelled; not a second time."""


def make_ready(nursery: trio.Nursery) -> Ready:
    """Return what this system has. What it needs runs in `nursery`, and so must `run`."""
    return EpollReady() if sys.platform == "linux" else TaskReady(nursery)


if sys.platform == "linux":
    from chaos.proxy.alarm import Alarm

    _READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
    _NOT_READ, _NOT_WRITE = ~_READ, ~_WRITE

    class EpollReady:
        """A set within Trio's own: level-triggered, so that what was not read yet is told again."""

        def __init__(self) -> None:
            self.wheel = Wheel(FINE_SLACK_S)
            self.shortcut: Shortcut | None = None
            self._epoll = select.epoll()
            self._watches: dict[int, _EpollWatch] = {}
            self._worth = 0
            self._idle = 0

        def watch(self, sock: socket.socket) -> Watch:
            watch = self._watches[sock.fileno()] = _EpollWatch(self._epoll, self._watches, sock.fileno())
            return watch

        async def run(self) -> None:
            watches, number = self._watches, self._epoll.fileno()
            clock = trio.current_time
            with contextlib.ExitStack() as open_files:
                open_files.callback(self._epoll.close)
                alarm = open_files.enter_context(contextlib.closing(Alarm()))
                self.shortcut = open_files.enter_context(contextlib.closing(Shortcut()))
                self._epoll.register(alarm.fd, select.EPOLLIN)
                alarm_at = math.inf

                def set_alarm(when: float) -> None:
                    nonlocal alarm_at
                    if when != alarm_at:
                        alarm_at = when
                        alarm.set(when - clock())

                self.wheel.on_earlier = set_alarm
                set_alarm(self.wheel.turn(clock()))
                while True:
                    await trio.lowlevel.wait_readable(number)
                    until = clock() + TURN_S
                    while events := self._next():
                        for fd, event in events:
                            if (watch := watches.get(fd)) is None:
                                continue  # the alarm, or one that another has closed
                            if event & _NOT_WRITE and watch.on_read is not None:
                                watch.on_read()
                            if event & _NOT_READ and watch.on_write is not None:
                                watch.on_write()
                        now = clock()
                        set_alarm(self.wheel.turn(now))
                        if now > until:
                            break

        def _next(self) -> list[tuple[int, int]]:
            """Return what is ready, or in a moment, if looking for it has been worth it lately: or else nothing."""
            poll = self._epoll.poll
            if events := poll(0):
                return events
            self._idle += 1
            if not self._worth and self._idle % LOOK_EVERY:
                return events
            until = trio.current_time() + LOOK_S
            while not (events := poll(0)) and trio.current_time() < until:
                pass
            self._worth = min(WORTH_MAX, self._worth + 1) if events else max(0, self._worth - 2)
            return events

    class _EpollWatch:
        """A socket is in the set only while somebody waits for it: a failed one would be told without end."""

        __slots__ = ("_epoll", "_fd", "_mask", "_watches", "on_read", "on_write")

        def __init__(self, epoll: select.epoll, watches: "dict[int, _EpollWatch]", fd: int) -> None:
            self.on_read: Do | None = None
            self.on_write: Do | None = None
            self._epoll = epoll
            self._watches = watches
            self._fd = fd
            self._mask = 0

        def read(self, do: Do | None) -> None:
            self.on_read = do
            self._set(self._mask & _WRITE | (0 if do is None else _READ))

        def write(self, do: Do | None) -> None:
            self.on_write = do
            self._set(self._mask & _READ | (0 if do is None else _WRITE))

        def leave(self) -> None:
            self.on_read = self.on_write = None
            self._set(0)
            self._watches.pop(self._fd, None)
            self._fd = -1

        def _set(self, mask: int) -> None:
            before, self._mask = self._mask, mask
            if mask == before or self._fd < 0 or self._epoll.closed:
                return
            if not mask:
                self._epoll.unregister(self._fd)
            elif not before:
                self._epoll.register(self._fd, mask)
            else:
                self._epoll.modify(self._fd, mask)


class TaskReady:
    """A task for each socket and direction that somebody waits for."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.wheel = Wheel()
        self.shortcut: Shortcut | None = None
        self._nursery = nursery

    def watch(self, sock: socket.socket) -> Watch:
        return _TaskWatch(self._nursery, sock)

    async def run(self) -> None:
        await self.wheel.run()


class _TaskWatch:
    def __init__(self, nursery: trio.Nursery, sock: socket.socket) -> None:
        self._nursery = nursery
        self._sock = sock
        self._scopes: dict[Wait, trio.CancelScope] = {}

    def read(self, do: Do | None) -> None:
        self._want(trio.lowlevel.wait_readable, do)

    def write(self, do: Do | None) -> None:
        self._want(trio.lowlevel.wait_writable, do)

    def leave(self) -> None:
        self.read(None)
        self.write(None)

    def _want(self, wait: Wait, do: Do | None) -> None:
        if (scope := self._scopes.pop(wait, None)) is not None:
            scope.cancel(reason="nobody waits for it any more")
        if do is not None:
            scope = self._scopes[wait] = trio.CancelScope()
            self._nursery.start_soon(self._call, wait, do, scope)

    async def _call(self, wait: Wait, do: Do, scope: trio.CancelScope) -> None:
        with scope:
            while not scope.cancel_called:
                await wait(self._sock)
                if not scope.cancel_called:
                    do()
