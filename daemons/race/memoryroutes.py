"""What the memory tells to whoever asks: the versions of a race's files, each as it was, and the chain that proves them."""

import re
from collections.abc import Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.race.memory import SiteMemory
from daemons.race.memorychain import Entry
from daemons.race.privacy import is_private, strip_private
from daemons.store import StorageError
from daemons.web.assets import is_known
from daemons.web.refusals import json_response, storage_response
from daemons.web.resource import Endpoint, Resource
from protocol.errors import RequestError

__all__ = ["memory_routes"]

LISTED_MAX = 500
_DIGITS_MAX = 9
_SHA256 = re.compile(r"[0-9a-f]{64}")

Find = Callable[[str], SiteMemory | None]
"""Returns the memory of the site that a field is shown from now; None when there is no such field."""


def memory_routes(find: Find, *, share_private: bool = False) -> list[BaseRoute]:
    """Return the routes of a race's memory, under /api/v1/sites/{site}/races/{race}.

    `…/versions?after=` which versions there are, 500 at most, with their hashes and the head of the history ·
    `…/versions/{digest}` a version, byte by byte · `…/history` the chain as JSON lines.
    """

    async def listed(request: Request) -> Response:
        memory, race = find(request.path_params["site"]), request.path_params["race"]
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= _DIGITS_MAX):
            return json_response(400, {"code": "BAD_REQUEST", "words": "after is the number of a version"})
        if memory is None:
            return _no_site(request)
        found = await memory.listed(race, after=int(after), most=LISTED_MAX)
        if found is None:
            return _no_race(race)
        value = {
            "site": memory.site,
            "race": race,
            "head": {"number": found.head.number, "at": found.head.at, "hash": found.head.hash},
            "versions": [_version(request, entry, found.kept) for entry in found.entries],
        }
        return json_response(200, value, {"Cache-Control": "no-cache"})

    async def version(request: Request) -> Response:
        memory, digest = find(request.path_params["site"]), request.path_params["digest"]
        if memory is None:
            return _no_site(request)
        name = bytes.fromhex(digest) if _SHA256.fullmatch(digest) else b""
        entry = await memory.find(request.path_params["race"], name)
        body = None if entry is None else await memory.body(name)
        if entry is None or body is None:
            words = (
                "there is no such version of this race"
                if entry is None
                else "this version is not kept any more"
            )
            return json_response(404, {"code": "NO_VERSION", "words": words})
        if not share_private and _holds_private(entry.path, body):
            return json_response(
                403, {"code": "DENIED", "words": "this version holds what stays at the site"}
            )
        headers = {
            "ETag": f'"{digest}"',
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Disposition": f'attachment; filename="{_name(entry)}"',
        }
        if is_known(request.headers.get("if-none-match"), digest):
            return Response(status_code=304, headers=headers)
        return Response(body, 200, headers, "application/json")

    async def history(request: Request) -> Response:
        memory, race = find(request.path_params["site"]), request.path_params["race"]
        if memory is None:
            return _no_site(request)
        head = await memory.head(race)
        if head is None:
            return _no_race(race)
        headers = {"ETag": f'"{head.hash}"', "Cache-Control": "no-cache"}
        if is_known(request.headers.get("if-none-match"), head.hash):
            return Response(status_code=304, headers=headers)
        return Response(await memory.history(race), 200, headers, "application/x-ndjson")

    base = "/api/v1/sites/{site}/races/{race}"
    return [
        Route(f"{base}/versions", Resource({"GET": _guarded(listed)})),
        Route(f"{base}/versions/{{digest}}", Resource({"GET": _guarded(version)})),
        Route(f"{base}/history", Resource({"GET": _guarded(history)})),
    ]


def _guarded(work: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except StorageError as exc:
            return storage_response(exc)

    return endpoint


def _version(request: Request, entry: Entry, kept: Collection[str]) -> dict[str, object]:
    told: dict[str, object] = {
        "number": entry.number,
        "at": entry.at,
        "file": entry.path.rpartition("/")[2],
        "sha256": entry.sha256,
        "size": entry.size,
        "hash": entry.hash,
        "kept": entry.sha256 in kept,
    }
    if entry.sha256 in kept:
        told["href"] = f"{request.url.path}/{entry.sha256}"
    return told


def _name(entry: Entry) -> str:
    """Return the name of a downloaded file: which file, when."""
    name, _, kind = entry.path.rpartition("/")[2].partition(".")
    return f"{name}-{entry.at[:19].replace(':', '')}Z-{entry.sha256[:8]}.{kind}"


def _holds_private(path: str, body: bytes) -> bool:
    """Was this kept when private fields were let out, which they are not any more?"""
    if not is_private(path, body):
        return False
    try:
        return strip_private(body) != body
    except RequestError:
        return True


def _no_site(request: Request) -> Response:
    words = f"there is no site {request.path_params['site'][:64]!r} here"
    return json_response(404, {"code": "NO_SITE", "words": words})


def _no_race(race: str) -> Response:
    return json_response(404, {"code": "NO_RACE", "words": f"nothing is kept of a race {race[:64]!r}"})
