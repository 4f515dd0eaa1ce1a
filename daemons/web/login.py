"""Signing in over HTTP: `/api/login`, `/api/refresh`, `/api/logout`. JSON in, JSON out, no cookies.

POST /api/login    {"name", "password"}   → {"token", "expires_at", "refresh_token", "refresh_expires_at", …}
POST /api/refresh  {"refresh_token"}      → the same; the refresh token sent is good no more
POST /api/logout   Authorization: Bearer  → 204; the session is over

For programs that were written for the telemetry API as its first description has it, the same by other names:

POST /api/auth/login  {"username", "password"}  → {"token", "user": {"id", "username", "role"}}
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.identity import Forbidden, Refusal
from daemons.ops.authority.keys import NoKeys
from daemons.ops.authority.sessions import Signed
from daemons.ops.authority.signin import SignIn, TooManyAttempts
from daemons.ops.authority.users import PasswordQueueFull
from daemons.store.errors import StorageError
from daemons.web.proxies import client_key
from daemons.web.refusals import json_response, refusal_response, retry_later, storage_response

__all__ = ["auth_login_route", "login_routes"]

BODY_BYTES_MAX = 4096
NO_KEYS_AGAIN_S = "60"
"""Somebody has to type a command first."""

Work = Callable[[Request], Awaitable[Response]]


class _BadBody(Exception):
    """The body is not what is wanted; the words are safe to show."""


def login_routes(sign_in: SignIn, authoriser: Authoriser) -> list[BaseRoute]:
    """Return the three routes."""

    async def login(request: Request) -> Response:
        name, password = await _texts(request, "name", "password")
        return _handed_out(await sign_in.start(name, password, _client(request)))

    async def refresh(request: Request) -> Response:
        (token,) = await _texts(request, "refresh_token")
        return _handed_out(await sign_in.refresh(token, _client(request)))

    async def logout(request: Request) -> Response:
        identity = authoriser.identify(request.headers.get("authorization"))
        if not await sign_in.end(identity):
            words = "only who has signed in can sign out; a token is taken back by: pitlink token revoke"
            raise Forbidden(words, "session")
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    return [
        Route("/api/login", _guarded(login), methods=["POST"]),
        Route("/api/refresh", _guarded(refresh), methods=["POST"]),
        Route("/api/logout", _guarded(logout), methods=["POST"]),
    ]


def auth_login_route(sign_in: SignIn) -> BaseRoute:
    """Return the route /api/auth/login: a session begins, whose refresh token is not handed out."""

    async def login(request: Request) -> Response:
        name, password = await _texts(request, "username", "password")
        signed = await sign_in.start(name, password, _client(request))
        who = signed.identity
        user = {"id": who.name, "username": who.name, "role": who.role.value}
        return json_response(200, {"token": signed.token, "user": user})

    return Route("/api/auth/login", _guarded(login), methods=["POST"])


def _guarded(work: Work) -> Work:
    """Map what signing in raises to answers."""

    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except _BadBody as exc:
            return json_response(400, {"code": "BAD_REQUEST", "words": str(exc)})
        except Refusal as exc:
            return refusal_response(exc)
        except TooManyAttempts as exc:
            return retry_later(429, str(exc), exc.retry_after_s)
        except PasswordQueueFull:
            return retry_later(503, "too many sign in at once", 2.0)
        except NoKeys:
            words = "nobody can sign in here yet: this hub has no keys"
            return json_response(503, {"code": "NO_KEYS", "words": words}, {"Retry-After": NO_KEYS_AGAIN_S})
        except StorageError as exc:
            return storage_response(exc)

    return endpoint


def _client(request: Request) -> str:
    return client_key(request.client.host) if request.client is not None else ""


async def _texts(request: Request, *names: str) -> list[str]:
    """Return these texts of a JSON body of at most 4 KiB. Raises _BadBody."""
    body, length = b"", 0
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:  # to its end, so that the client reads its answer; the front bounds it
                length += len(chunk)
                if length <= BODY_BYTES_MAX:
                    body += chunk
        if length > BODY_BYTES_MAX:
            raise _BadBody(f"the body is longer than {BODY_BYTES_MAX} bytes")
        value = json.loads(body)
    except ClientDisconnect:
        raise _BadBody("the body did not arrive") from None
    except (ValueError, RecursionError):
        raise _BadBody("the body is no JSON") from None
    found = [value.get(name) if isinstance(value, dict) else None for name in names]
    texts = [text for text in found if isinstance(text, str) and _is_text(text)]
    if len(texts) != len(names):
        raise _BadBody(f"the body is a JSON object with {' and '.join(names)}")
    return texts


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _handed_out(signed: Signed) -> Response:
    value = {
        "token": signed.token,
        "expires_at": _iso(signed.expires_at),
        "refresh_token": signed.refresh,
        "refresh_expires_at": _iso(signed.refresh_expires_at),
        "name": signed.identity.name,
        "role": signed.identity.role.value,
        "sites": list(signed.identity.sites),
    }
    return json_response(200, value)


def _iso(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="seconds")
