"""Where FPVTrackside's own notifications go: each is a hint to look now, never a truth.

FPVTrackside PUTs one JSON object per happening to its `NotificationURL` (`documentation/
POST_Extension_INTERFACE.en.md`, 1.1): it waits 1.5 s for the 200, sends the next only after it, and repeats
nothing. So the answer is 200, empty, and at once, whatever came. Nothing of a hint is believed or kept: the
worst that a forged one can do is a read that would have come a little later, and those are rationed here and
by the origin's own budget.
"""

import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import structlog
import trio
from attrs import define, field, frozen
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["Hint", "HintEndpoint", "HintStatistics"]

_log = structlog.stdlib.get_logger("pitlink.race")

BODY_BYTES_MAX = 64 * 1024
BODY_WITHIN_S = 1.0
"""FPVTrackside gives us 1.5 s; past this the answer goes out without the rest of the body."""

BURST = 20
PER_S = 10.0
"""A gate that eight pilots pass at once sends eight; above this, hints are swallowed."""

KIND_MAX = 40


@frozen
class Hint:
    """Something happened at FPVTrackside. `kind` is its word for it (RaceStart, DetectionExt), "" when it
    said none."""

    kind: str = ""


@define
class HintStatistics:
    """Counts since the start."""

    received: int = 0
    swallowed: int = 0  # too many at once
    unreadable: int = 0  # no JSON object of a bearable size; hints all the same


@define(eq=False)
class HintEndpoint:
    """The handler behind `NotificationURL`. `nudge(hint)` must not wait and not raise."""

    nudge: Callable[[Hint], None]
    _counts: HintStatistics = field(factory=HintStatistics, init=False)
    _level: float = field(default=float(BURST), init=False)
    _level_at: float = field(default=0.0, init=False)

    def route(self, path: str) -> Route:
        """Return the route that serves it, for PUT as FPVTrackside does it and POST as people try it."""
        return Route(path, self.handle, methods=["PUT", "POST"])

    def statistics(self) -> HintStatistics:
        """Return the counts as they are now."""
        return self._counts

    async def handle(self, request: Request) -> Response:
        """Answer 200 and nudge. Reads at most 64 KiB and for at most a second; never fails for what was
        sent."""
        body = await _read(request)
        self._counts.received += 1
        if not self._may_pass(trio.current_time()):
            self._counts.swallowed += 1
            return Response(status_code=200)
        hint = _parse(body)
        if hint is None:
            self._counts.unreadable += 1
            hint = Hint()
        _log.debug("hint.received", kind=hint.kind)
        self.nudge(hint)
        return Response(status_code=200)

    def _may_pass(self, now: float) -> bool:
        self._level = min(float(BURST), self._level + (now - self._level_at) * PER_S)
        self._level_at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


async def _read(request: Request) -> bytes | None:
    """Return the body, or None when it is too large, does not come in time or breaks off."""
    body = bytearray()
    with trio.move_on_after(BODY_WITHIN_S):
        try:
            async with aclosing(request.stream()) as parts:
                async for part in parts:
                    body += part
                    if len(body) > BODY_BYTES_MAX:
                        return None
        except ClientDisconnect:
            return None
        return bytes(body)
    return None


def _parse(body: bytes | None) -> Hint | None:
    if body is None:
        return None
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if not isinstance(kind, str) or len(kind) > KIND_MAX or not kind.isascii() or not kind.isprintable():
        return Hint()
    return Hint(kind)
