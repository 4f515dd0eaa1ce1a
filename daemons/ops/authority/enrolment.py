"""Enrolment at the hub: a code that was typed at a site makes the site's new public key the one that proves it.

The code has 60 random bits and a day, so guessing needs no limit of its own beyond the front's.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import apsw
import structlog
from attrs import frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemons.ops.authority import audit, sites
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Refusal, Unauthorised
from daemons.ops.authority.sitekey import check_possession
from daemons.store.errors import StorageError

__all__ = ["ENROL_PATH", "enrolment_routes"]

_log = structlog.stdlib.get_logger("pitlink.ops")

ENROL_PATH = "/api/enroll"
RETRY_AFTER_S = "5"
_BODY_BYTES_MAX = 4096


@frozen
class _Wish:
    """What a site sends: the code as typed, its public key, and the key's signature over the code."""

    code: str
    key: bytes
    proof: str


def enrolment_routes(file: AuthorityFile, hub: str, utc_now: Callable[[], float]) -> list[BaseRoute]:
    """Return the route of POST /api/enroll: 200 {"site", "hub"}, 400, 401 {"code", "words"}, 503."""

    async def enrol(request: Request) -> Response:
        try:
            wish = await _read(request)
            # Read first: strangers who try codes do not take the file's lock, for which commands and sign-ins wait.
            file.read(lambda conn: sites.check_code(conn, wish.code, wish.key, utc_now()))
            row = await file.write(lambda conn: _enrol(conn, wish, utc_now()))
        except Refusal as refusal:
            client = request.client.host if request.client else ""
            _log.warning("site.enrolment_refused", address=client, code=refusal.code, words=refusal.words)
            status = 400 if refusal.code == "malformed" else refusal.status
            return _answer({"code": refusal.code, "words": refusal.words}, status)
        except StorageError as exc:
            _log.warning("site.enrolment_failed", words=str(exc))
            answer = _answer({"code": "BUSY", "words": "the hub cannot write just now: try again"}, 503)
            answer.headers["Retry-After"] = RETRY_AFTER_S
            return answer
        _log.info("site.enrolled", site=row.name)
        return _answer({"site": row.name, "hub": hub}, 200)

    return [Route(ENROL_PATH, enrol, methods=["POST"])]


def _answer(body: dict[str, Any], status: int) -> Response:
    return JSONResponse(body, status, {"Cache-Control": "no-store"})


async def _read(request: Request) -> _Wish:
    """Read a wish, and see that the private half of the key is where it came from. Raises Unauthorised."""
    data = await request.body()  # the front has its own bound
    if len(data) > _BODY_BYTES_MAX:
        raise Unauthorised("this is longer than any enrolment", "malformed")
    try:
        body = json.loads(data)
        code, key, proof = (body[name] for name in ("code", "key", "proof"))
        if not all(isinstance(part, str) for part in (code, key, proof)):
            raise TypeError
        sites.check_code_form(code)
        wish = _Wish(code, urlsafe_b64decode(key), proof)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unauthorised(
            'an enrolment is {"code", "key", "proof"}, made by pitlink enroll', "malformed"
        ) from None
    if not check_possession(wish.key, wish.code, wish.proof):
        raise Unauthorised("the enrolment is not signed by its own key", "signature")
    return wish


def _enrol(conn: apsw.Connection, wish: _Wish, now: float) -> sites.SiteRow:
    before = {row.name: row for row in sites.list_sites(conn)}
    row = sites.enrol(conn, wish.code, wish.key, now)
    if row != before.get(row.name):
        known = before.get(row.name)
        had = known.key if known is not None else None
        audit.append(
            conn,
            audit.AuditEntry(
                now,
                f"site {row.name}",
                "site.enrol",
                row.name,
                None if had is None else {"key": had.hex()[:16]},
                {"key": wish.key.hex()[:16]},
            ),
        )
    return row
