"""How HTTP says that the daemon's storage cannot do what was asked just now."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daemons.store import StorageError
from protocol.errors import ErrorCode

__all__ = ["answer_storage_error"]

RETRY_AFTER_S = 5


async def answer_storage_error(request: Request, exc: Exception) -> Response:
    """Answer 503 BUSY with Retry-After: nothing of what was asked has happened. For Starlette's `exception_handlers`."""
    fault = exc.fault if isinstance(exc, StorageError) else "failed"
    words = f"this daemon cannot store anything just now ({fault}); nothing of this request was done"
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    return JSONResponse({"code": ErrorCode.BUSY, "words": words}, 503, headers)
