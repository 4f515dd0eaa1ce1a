"""One GET to FPVTrackside, read to its end. The only place that knows the HTTP library.

A connection of its own for every request: FPVTrackside's listener is torn down by any of its exceptions, and
a kept connection that died meanwhile looks like an error of the next request. On loopback a new one costs a
fraction of a millisecond, four times a second. Nothing of a caller's request is passed on, and no cookie,
proxy or password that the machine's environment might offer.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from enum import Enum
from typing import cast

import httpx
from attrs import frozen

__all__ = ["NoAnswer", "OriginHttp", "Reason", "Reply", "check_origin_url", "open_origin_http"]

_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "pitlink",
}
_CONTENT_TYPE_MAX = 128


class Reason(Enum):
    """Why there is no answer."""

    REFUSED = "refused"  # nobody listens
    UNREACHABLE = "unreachable"  # no such name, no route, or nothing came back
    BROKEN = "broken"  # the connection ended before the answer did


class NoAnswer(Exception):
    """The origin gave no whole answer."""

    def __init__(self, reason: Reason, words: str) -> None:
        super().__init__(words)
        self.reason = reason


@frozen
class Reply:
    """An answer that was read to its end. `body` is None when it was larger than allowed."""

    status: int
    content_type: str | None
    body: bytes | None
    is_encoded: bool = False  # it came compressed although identity was asked for


def check_origin_url(url: str) -> str:
    """Return the URL of an origin without its slash. Raises ValueError, saying what is wrong."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise ValueError(f"{url!r} is not a URL: {exc}") from None
    if parsed.scheme != "http" or not parsed.host:
        raise ValueError(f"{url!r} does not look like http://localhost:8080")
    if parsed.userinfo or parsed.path not in ("", "/") or parsed.query or parsed.fragment:
        raise ValueError(f"{url!r} must be a host and a port only, like http://localhost:8080")
    return str(parsed).rstrip("/")


def _is_refused(error: BaseException) -> bool:
    """Did every address refuse? The library wraps trio's error, which wraps one error an address."""
    causes: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None:
        causes.append(seen)
        if isinstance(seen, BaseExceptionGroup):
            return all(_is_refused(inner) for inner in seen.exceptions)
        seen = seen.__cause__ or seen.__context__
    return any(isinstance(cause, ConnectionRefusedError) for cause in causes)


class OriginHttp:
    """Asks one origin. One request at a time."""

    def __init__(self, transport: httpx.AsyncHTTPTransport, base: httpx.URL, connect_s: float) -> None:
        # Without the client around it: redirects, cookies and authentication are not wanted here, and were a
        # quarter of the work.
        self._transport = transport
        self._base = base
        self._extensions = {"timeout": httpx.Timeout(None, connect=connect_s).as_dict()}

    async def get(self, target: str, *, body_bytes_max: int, on_too_large: Callable[[], None]) -> Reply:
        """GET the request target and return the answer; at most `body_bytes_max` of it are ever held.

        A larger body calls `on_too_large` as soon as that is known and is then read to its end unseen,
        because hanging up would tear FPVTrackside's listener down. So would cancelling this. Raises NoAnswer.
        """
        url = self._base.copy_with(raw_path=target.encode("ascii"))
        request = httpx.Request("GET", url, headers=_HEADERS, extensions=self._extensions)
        try:
            response = await self._transport.handle_async_request(request)
            try:
                body = await _read_body(response, body_bytes_max, on_too_large)
            finally:
                await response.aclose()
        except httpx.ConnectError as exc:
            raise NoAnswer(Reason.REFUSED if _is_refused(exc) else Reason.UNREACHABLE, str(exc)) from exc
        except httpx.ConnectTimeout as exc:
            raise NoAnswer(Reason.UNREACHABLE, "no connection in time") from exc
        except httpx.TransportError as exc:
            raise NoAnswer(Reason.BROKEN, str(exc)) from exc
        content_type = response.headers.get("content-type")
        if content_type is not None and len(content_type) > _CONTENT_TYPE_MAX:
            content_type = None
        is_encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
        return Reply(response.status_code, content_type, body, is_encoded)


async def _read_body(
    response: httpx.Response, body_bytes_max: int, on_too_large: Callable[[], None]
) -> bytes | None:
    body: bytearray | None = bytearray()
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > body_bytes_max:
        body = None
        on_too_large()
    # Raw: nothing is unpacked, so nothing small can become large.
    async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as parts:
        async for part in parts:
            if body is None:
                continue
            body += part
            if len(body) > body_bytes_max:
                body = None
                on_too_large()
    return None if body is None else bytes(body)


@asynccontextmanager
async def open_origin_http(url: str, *, connect_s: float) -> AsyncIterator[OriginHttp]:
    """Open a client for the origin at `url`. A connection that is not there after `connect_s` is given up.

    How long an answer may take is bounded by the caller's scope only: nothing in here may hang up on its own.
    """
    base = httpx.URL(check_origin_url(url))
    trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # http only: saves loading the CAs
    async with httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
        verify=trusts_nobody,
        trust_env=False,
        http1=True,
        http2=False,
    ) as transport:
        yield OriginHttp(transport, base, connect_s)
