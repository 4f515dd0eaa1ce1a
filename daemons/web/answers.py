"""JSON answers that may be asked for again: named by their content, packed where the caller takes that."""

import gzip
import hashlib
import json

from starlette.requests import Request
from starlette.responses import Response

from daemons.web.assets import is_known

__all__ = ["answer", "to_json"]

PACKED_FROM_BYTES = 1024
_LEVEL = 4


def to_json(value: object) -> bytes:
    """Return a value as compact JSON. Raises ValueError for numbers that JSON has not."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def answer(request: Request, body: bytes, *, name: str = "") -> Response:
    """Answer with JSON, or 304. `name`: what the answer is the same by, where its body has an age in it.

    It is somebody's: a browser may keep it, nobody on the way.
    """
    name = name or hashlib.sha256(body).hexdigest()[:20]
    headers = {
        "ETag": f'W/"{name}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding, Authorization",
    }
    if is_known(request.headers.get("if-none-match"), name):
        return Response(status_code=304, headers=headers)
    if len(body) >= PACKED_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, _LEVEL, mtime=0)
    return Response(body, 200, headers, "application/json")
