"""The life of a daemon's process: signals to an orderly stop inside a deadline, systemd's notifications, exit codes."""

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from functools import partial
from typing import Protocol

import structlog
import trio

from daemons.ops.errors import ConfigError, RefusedToStart, StartAgain
from daemons.ops.groups import leaves
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.memory import give_back_memory, look_for_garbage_rarely
from daemons.ops.openfiles import allow_open_files
from daemons.ops.slowsteps import LOOP_STEPS
from daemons.store import StorageError

__all__ = ["Daemon", "Exit", "notify", "run_daemon", "run_process", "serve_daemon"]

_log = structlog.stdlib.get_logger("pitlink.ops")

EXTEND_S = 60.0
OPENING_MAX_S = 3600.0
"""systemd is asked for another minute, for so long at most, while databases are looked through: cards are slow."""
AGAIN_S = 2.0

STOP_S = 1.8
"""From the signal to the end; what is not done by then is cancelled. A second signal does not wait."""


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILURE = 1
    USAGE = 2  # wrong arguments or configuration: fix them
    REFUSED = 3  # something stands in the way (a port in use, a folder held by another daemon): clear it


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing happens when it did not start us.

    Never waits: a listener that does not read would hold up everything that this process does. What it has no room for
    is lost, with a line in the log.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_UNIX, kind) as sock:
        try:
            sock.connect(address)
            sock.send(state.encode())
        except OSError as exc:
            _log.warning("notify.failed", error=str(exc))


class Daemon(Protocol):
    """What a process runs. `figures_at_start`: what its log says when it is ready."""

    async def run(self, *, task_status: trio.TaskStatus[object]) -> None:
        """Serve until cancelled. Started: it answers."""

    async def prove(self) -> None:
        """Feed systemd's watchdog while work is done."""

    async def stop(self) -> None:
        """End in order what it holds open; then `run` is cancelled."""

    def figures_at_start(self) -> dict[str, object]: ...


Open = Callable[[], AbstractAsyncContextManager[Daemon]]


def run_process(open_daemon: Open, log_level: LogLevel) -> Exit:
    """Run a daemon as a process, from opening it to its orderly end; return the exit code."""
    configure_logs(log_level)
    allow_open_files()
    look_for_garbage_rarely()
    return run_daemon(partial(serve_daemon, open_daemon))


async def serve_daemon(open_daemon: Open, stop: trio.Event) -> None:
    """Open a daemon and run it until `stop`; when it raises StartAgain, open it anew as soon as that is of use."""
    while not stop.is_set():
        over: list[BaseException] = []
        try:
            await _serve(open_daemon, stop)
        except* StartAgain as group:
            over = leaves(group)
        for exc in over[:1]:
            assert isinstance(exc, StartAgain)
            _log.warning("daemon.closed", words=str(exc))
            await _until_usable(exc, stop)


async def _serve(open_daemon: Open, stop: trio.Event) -> None:
    async with trio.open_nursery() as outer:
        ready = trio.Event()
        outer.start_soon(_extend_start, ready)
        async with open_daemon() as daemon, trio.open_nursery() as nursery:
            await nursery.start(lambda *, task_status: daemon.run(task_status=task_status))
            ready.set()
            _log.info("daemon.ready", **daemon.figures_at_start())
            notify("READY=1")
            nursery.start_soon(daemon.prove)
            await stop.wait()
            await daemon.stop()
            nursery.cancel_scope.cancel(reason="orderly stop")


async def _extend_start(ready: trio.Event) -> None:
    """Have systemd wait while the daemon opens; how long that takes is its files' size and its disk's business."""
    with trio.move_on_after(OPENING_MAX_S):
        while not ready.is_set():
            notify(f"EXTEND_TIMEOUT_USEC={int(EXTEND_S * 1e6)}")
            with trio.move_on_after(EXTEND_S / 3):
                await ready.wait()


async def _until_usable(again: StartAgain, stop: trio.Event) -> None:
    told = ""
    while not stop.is_set() and (words := await trio.to_thread.run_sync(again.why_not)):
        if words != told:
            told = words
            _log.warning("daemon.waits", words=words)
            notify(f"STATUS={words}")
        notify("WATCHDOG=1")  # all there is to do is wait
        with trio.move_on_after(AGAIN_S):
            await stop.wait()


def run_daemon(main: Callable[[trio.Event], Awaitable[None]]) -> Exit:
    """Run `main(stop)` until it returns; SIGTERM and SIGINT set `stop`, and after 1.8 s cancel it.

    What holds the event loop for long is told in the log meanwhile.

    What goes wrong is said in words on stderr; the returned exit code says of what kind it was.
    """
    try:
        trio.run(_supervise, main, restrict_keyboard_interrupt_to_checkpoints=True)
    except BaseExceptionGroup as group:
        return _explain(group)
    except (ConfigError, RefusedToStart, StorageError, KeyboardInterrupt) as exc:
        return _explain(BaseExceptionGroup("", [exc]))
    return Exit.OK


async def _supervise(main: Callable[[trio.Event], Awaitable[None]]) -> None:
    stop = trio.Event()
    with LOOP_STEPS.watching():
        async with trio.open_nursery() as nursery:
            # before anything that a signal should end
            await nursery.start(_obey_signals, stop, nursery.cancel_scope)
            nursery.start_soon(give_back_memory)
            await main(stop)
            nursery.cancel_scope.cancel(reason="the daemon has ended")


async def _obey_signals(  # noqa: ASYNC114
    stop: trio.Event, everything: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if stop.is_set():
                everything.cancel(reason=f"a second {name}")
                return
            _log.info("daemon.stopping", signal=name)
            notify("STOPPING=1")
            stop.set()
            everything.deadline = min(everything.deadline, trio.current_time() + STOP_S)


def _explain(group: BaseExceptionGroup[BaseException]) -> Exit:
    """Print what ended the daemon, for a person; a bug with its traceback."""
    found, rest = group.split((ConfigError, RefusedToStart, StorageError))
    if rest is not None:
        rest = rest.split((KeyboardInterrupt, trio.Cancelled))[1]
    if rest is not None:
        _log.error("daemon.crashed", exc_info=rest)
        return Exit.FAILURE
    code = Exit.OK
    for exc in leaves(found):
        print(f"pitlink: {exc}", file=sys.stderr)
        code = max(code, Exit.USAGE if isinstance(exc, ConfigError) else Exit.REFUSED)
    return code
