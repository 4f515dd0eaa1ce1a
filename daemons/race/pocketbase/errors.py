"""PocketBase's shape of an error: {status, message, data}."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from daemons.web.refusals import json_response

__all__ = ["refuse"]


def refuse(status: int, message: str, data: Mapping[str, Any] | None = None) -> Response:
    """Return an error that PocketBase's clients understand. `data` names fields that are wrong, and why."""
    return json_response(status, {"status": status, "message": message, "data": dict(data or {})})
