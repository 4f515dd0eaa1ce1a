"""Where `pitlink doctor` sends bytes to, to learn what an uplink carries. They are counted and thrown away.

Anybody may send: what a body may weigh and how long it may take is the front's to limit, and so is how much of it a
client may send; here is only how many may do so at once.
"""

import trio
from attrs import define
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["UPLINK_PATH", "UplinkSink"]

UPLINK_PATH = "/api/uplink"
AT_ONCE = 4
"""Past it 503: a measurement that shares the hub's line with others says little."""

LONGEST_S = 30.0


@define(eq=False)
class UplinkSink:
    """Takes bodies and says how many bytes there were."""

    _open: int = 0

    def route(self) -> Route:
        return Route(UPLINK_PATH, self._take, methods=["POST"])

    async def _take(self, request: Request) -> Response:
        if self._open >= AT_ONCE:
            return _refuse(503, "BUSY", "others are measuring now")
        self._open += 1
        taken = 0
        try:
            with trio.move_on_after(LONGEST_S) as late:
                async for piece in request.stream():
                    taken += len(piece)
        except ClientDisconnect:
            pass  # nobody is left to be answered; the front knows
        finally:
            self._open -= 1
        if late.cancelled_caught:
            return _refuse(503, "TIMEOUT", f"it took longer than {LONGEST_S:.0f} s")
        return JSONResponse({"bytes": taken}, headers={"Cache-Control": "no-store"})


def _refuse(status: int, code: str, words: str) -> Response:
    return JSONResponse({"code": code, "words": words}, status, {"Retry-After": "5"})
