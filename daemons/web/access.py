"""Who may look at a site and who may have something done there, and how refusals of both are answered."""

import math
from collections.abc import Awaitable, Callable, Iterable

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemons.link.outbox import OutboxFull
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.identity import Forbidden, Identity, Refusal, Role
from daemons.ops.authority.trail import AuditTrail
from daemons.store.errors import StorageError
from daemons.web.refusals import json_response, refusal_response, retry_later, storage_response
from protocol.errors import HTTP_STATUS, ErrorCode, RequestError

__all__ = ["Access", "BadRequest", "Endpoint", "Held", "NotThere", "guarded"]

Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """What was asked cannot be read; the words are safe to show."""


class NotThere(Exception):
    """There is no such thing: a code and words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@frozen
class Access:
    """The door. `is_open`: everybody who reaches this port may look. Commands always take an operator."""

    authoriser: Authoriser
    trail: AuditTrail
    is_open: bool = False

    def somebody(self, request: Request) -> Identity | None:
        """Return who asks, None where nobody needs to be anybody. Raises Refusal, StorageError."""
        authorization = request.headers.get("authorization")
        if authorization is None and self.is_open:
            return None
        return self.authoriser.identify(authorization)

    def looker(self, request: Request) -> Identity | None:
        """Return who asks, if they may look at anything at all. Raises Refusal, StorageError."""
        identity = self.somebody(request)
        if identity is not None and not self.is_open and not identity.role.covers(Role.VIEWER):
            raise Forbidden("this takes the role viewer", "role")
        return identity

    def reader(self, request: Request, site: str) -> Identity | None:
        """Return who looks at a site, if they may. Raises Refusal, StorageError."""
        identity = self.somebody(request)
        if identity is not None and not self.is_open:
            identity.require(Role.VIEWER, site)
        return identity

    async def operator(self, request: Request, site: str, action: str) -> Identity:
        """Return who has something done, if they may; one who may not leaves a row. Raises Refusal, StorageError."""
        identity = self.authoriser.identify(request.headers.get("authorization"))
        try:
            identity.require(Role.OPERATOR, site)
        except Forbidden as exc:
            await self.trail.note_refused(identity.who, action, site[:64], exc.words)
            raise
        return identity

    def holding(self, request: Request, site: str, stream: Response) -> Response:
        """Return a stream that ends when what let its listener in does so no more."""
        authorization = request.headers.get("authorization")
        if authorization is None and self.is_open:
            return stream
        return Held(stream, self.authoriser, authorization, None if self.is_open else site)

    def holding_all(self, request: Request, sites: Iterable[str], stream: Response) -> Response:
        """Do as `holding`, for a stream of several sites: it ends when its listener may look at one of them no more."""
        held = self.holding(request, "", stream) if self.is_open else stream
        for site in () if self.is_open else sites:
            held = self.holding(request, site, held)
        return held


class Held(Response):
    """A response that lasts as long as the proof of who asked for it. `site` None: whoever it is."""

    def __init__(
        self, inner: Response, authoriser: Authoriser, authorization: str | None, site: str | None
    ) -> None:
        super().__init__()
        self._inner = inner
        self._authoriser = authoriser
        self._authorization = authorization
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Ends in good order when the proof is over."""
        role, is_through = None if self._site is None else Role.VIEWER, False
        try:
            async with self._authoriser.held(self._authorization, role, self._site):
                await self._inner(scope, receive, send)
                is_through = True
        except Refusal as exc:  # between the request and its answer
            await refusal_response(exc)(scope, receive, send)
            return
        if not is_through:
            try:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except OSError:
                pass


def guarded(work: Endpoint) -> Endpoint:
    """Answer in words for whatever cannot be answered otherwise."""

    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except Refusal as exc:
            return refusal_response(exc)
        except BadRequest as exc:
            return json_response(400, {"code": "BAD_REQUEST", "words": str(exc)})
        except NotThere as exc:
            return json_response(404, {"code": exc.code, "words": exc.words})
        except RequestError as exc:
            return _refused(exc)
        except OutboxFull as exc:
            return retry_later(503, str(exc), 5.0)
        except StorageError as exc:
            return storage_response(exc)

    return endpoint


def _refused(exc: RequestError) -> Response:
    retry_s = getattr(exc, "retry_after_s", None)
    if retry_s is not None:
        return retry_later(429, exc.words, math.ceil(retry_s))
    if exc.code is ErrorCode.BUSY:
        return retry_later(503, exc.words, 5.0)
    status = 413 if exc.code is ErrorCode.TOO_LARGE else HTTP_STATUS[exc.code]
    return json_response(status, {"code": exc.code, "words": exc.words})
