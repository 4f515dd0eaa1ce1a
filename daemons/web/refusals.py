"""Refusals as HTTP: 401 with a challenge, 403, 429, 503; in words that hold nothing of what was sent."""

import json
import math
from collections.abc import Mapping

from starlette.responses import Response

from daemons.ops.authority.identity import Forbidden, Refusal
from daemons.store.errors import StorageError

__all__ = ["json_response", "refusal_response", "retry_later", "storage_response"]


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer that nobody may store."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(
        body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json"
    )


def refusal_response(refusal: Refusal) -> Response:
    """Return 401 or 403 for somebody who is not let in; `why` is the refusal's code."""
    if isinstance(refusal, Forbidden):
        value = {"code": "FORBIDDEN", "why": refusal.code, "words": refusal.words}
        return json_response(403, value, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
    challenge = "Bearer" if refusal.code in ("missing", "password") else 'Bearer error="invalid_token"'
    value = {"code": "UNAUTHORISED", "why": refusal.code, "words": refusal.words}
    return json_response(401, value, {"WWW-Authenticate": challenge})


def retry_later(status: int, words: str, after_s: float) -> Response:
    """Return 429 or 503 and when to come back."""
    value = {"code": "BUSY", "words": words}
    return json_response(status, value, {"Retry-After": str(max(1, math.ceil(after_s)))})


def storage_response(error: StorageError) -> Response:
    """Return 503 for a file that cannot be read or written just now; where it is is nobody's business."""
    return retry_later(503, f"this cannot be looked up or kept just now: {error.fault}", 5.0)
