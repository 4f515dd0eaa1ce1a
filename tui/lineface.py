"""Runs the faces that need no screen: one snapshot, or lines as things change."""

import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import trio

from tui.feed import Feeds
from tui.model import FeedState, Model, Severity
from tui.plain import Changes, lines, snapshot

if TYPE_CHECKING:
    from tui.record import Recorder

__all__ = ["exit_code", "follow", "once", "print_aside", "print_line", "show", "until_signal"]

FIRST_S = 10.0
LOOK_S = 0.25
STDOUT = 1
GOOD, FAILING, NOT_REACHED = 0, 1, 3
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def print_line(line: str) -> None:
    """Write a line; past Python's own buffer, whose lock a reader that does not read would hold when we end."""
    data = f"{line}\n".encode(errors="replace")
    while data:
        data = data[os.write(STDOUT, data) :]


async def print_aside(line: str) -> None:
    """Write a line in a thread: a reader that does not read holds up nobody else. What a cancelled one has written stays."""
    await trio.to_thread.run_sync(print_line, line, abandon_on_cancel=True)


async def until_signal(work: Callable[[], Awaitable[int]]) -> int:
    """Do the work and return its exit code; on Ctrl-C 0 at once, on another signal that ends it 128 + its number."""
    code = 0
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:

            async def do() -> None:
                nonlocal code
                code = await work()
                nursery.cancel_scope.cancel(reason="the work is done")

            nursery.start_soon(do)
            async for number in signals:
                code = 0 if number == signal.SIGINT else 128 + number
                nursery.cancel_scope.cancel(reason="a signal")
                break
    return code


async def once(feeds: Feeds, *, as_json: bool, say: Callable[[str], None] = print_line) -> int:
    """Print one snapshot as soon as every daemon has answered or failed, after 10 s at the latest.

    Returns 0, 1 while something is failing, 3 when a daemon is not reached.
    """
    model = feeds.model
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feeds.run)
        with trio.move_on_after(FIRST_S):
            while not _is_whole(model, len(feeds.feeds)):  # noqa: ASYNC110 the model tells nobody
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel(reason="one snapshot was asked for")
    show(model, trio.current_time(), {}, as_json=as_json, say=say)
    return exit_code(model)


def show(
    model: Model,
    now: float,
    beside: Mapping[str, Any],
    *,
    as_json: bool,
    say: Callable[[str], None] = print_line,
) -> None:
    """Print one snapshot, of a moment by the model's clock. `beside`: what JSON says besides."""
    if as_json:
        say(json.dumps({**beside, **snapshot(model, now)}, indent=2, ensure_ascii=False))
    else:
        for line in lines(model, now):
            say(line)


async def follow(
    feeds: Feeds, recorder: "Recorder | None" = None, *, say: Callable[[str], Awaitable[None]] = print_aside
) -> NoReturn:
    """Print what changes until cancelled. A reader that does not read holds up the lines, which then say the newest.

    When the recorder fails, that is a line too.
    """
    changes, is_over = Changes(feeds.model), False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feeds.run)
        version, looked_at = -1, float("-inf")
        while True:
            now = trio.current_time()
            if feeds.model.version != version or now - looked_at >= changes.figures_s:
                version, looked_at = feeds.model.version, now
                for line in changes.take(now):
                    await say(line)
            if recorder is not None and recorder.failed and not is_over:
                is_over = True
                await say(recorder.failed_words)
            await trio.sleep(LOOK_S)


def exit_code(model: Model) -> int:
    """Return 0, 1 while something is failing, 3 when a daemon is not reached."""
    if any(feed.state is not FeedState.LIVE for feed in model.feeds.values()):
        return NOT_REACHED
    worst = [view.worst for view in model.daemons.values()]
    is_failing = any(one is not None and one.severity is Severity.FAILING for one in worst)
    return FAILING if is_failing else GOOD


def _is_whole(model: Model, daemons: int) -> bool:
    """Has every daemon said how it stands, with its audit, or is it known that it does not?"""
    if len(model.feeds) < daemons:
        return False
    for name, feed in model.feeds.items():
        if feed.state is FeedState.CONNECTING:
            return False
        view = model.daemons.get(name)
        if (
            feed.state is FeedState.LIVE
            and view is not None
            and (model.last_audit_number(name) < view.audit_count or not _has_told_faults(model, name))
        ):
            return False
    return True


def _has_told_faults(model: Model, daemon: str) -> bool:
    """Are the faults and drills known that a status counts, or are they not told to this operator?"""
    if not (model.chaos.faults_on(daemon) or model.chaos.drills_on(daemon)):
        return True
    is_told = any(offered["name"] == "chaos.list" for offered in model.actions.get(daemon, ()))
    return daemon in model.chaos.views or not is_told
