"""One address and its methods, open to pages of any origin: clubs show what is public here on pages of their own.

Every answer may be read by any origin (CORS; no cookie and no credential changes what is answered). HEAD is answered
as GET is. A method that an address does not have is answered with 405, what it has (Allow), and words. OPTIONS is a
browser's question before a request (a preflight) and nothing else.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemons.web.refusals import json_response

__all__ = ["EXPOSED", "Endpoint", "Refuse", "Resource", "plain_refusal"]

Endpoint = Callable[[Request], Awaitable[Response]]

Refuse = Callable[[int, str], Response]
"""Returns the refusal of a method in the shape of an API: status and words."""

PREFLIGHT_S = 86400
EXPOSED = "ETag, Pitlink-As-Of, Pitlink-Stale, Retry-After"


def plain_refusal(status: int, words: str) -> Response:
    """Return a refusal as this project's own API words it."""
    return json_response(
        status, {"code": "METHOD_NOT_ALLOWED" if status == 405 else "NOT_FOUND", "words": words}
    )


class Resource:
    """An ASGI application for a route that takes all methods: `Route(path, Resource({"GET": read}))`."""

    def __init__(self, methods: dict[str, Endpoint], refuse: Refuse = plain_refusal) -> None:
        self._methods = methods
        self._refuse = refuse
        self._allow = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)

    def __repr__(self) -> str:
        return f"<Resource {self._allow}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see `daemons.web.asgi` for what its writing may raise."""
        request = Request(scope, receive, send)
        response = await self._answer(request)
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            asked = request.headers.get("access-control-request-headers", "")
            headers = {
                "Access-Control-Allow-Methods": self._allow,
                "Access-Control-Max-Age": str(PREFLIGHT_S),
                "Vary": "Access-Control-Request-Headers",
            }
            if asked:
                headers["Access-Control-Allow-Headers"] = asked
            return Response(status_code=204, headers=headers)
        endpoint = self._methods.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            response = self._refuse(405, f"this address answers {self._allow}")
            response.headers["Allow"] = self._allow
            return response
        return await endpoint(request)
