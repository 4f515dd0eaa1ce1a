"""The files of the pages, read once at start and served from memory.

Pages name their scripts and styles by content (`/static/live.js?v=<hash>`), so those may be kept for a year
while the page itself is asked for again every time and answered with 304: a new version is never half
loaded.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = ["PAGES", "SECURITY_HEADERS", "STATIC", "Asset", "Assets", "is_known", "read_assets"]

PAGES = {"/": "index.html"}
"""The pages, which are the same for everybody, by path; what differs they fetch."""

STATIC = Path(__file__).parent / "static"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Nothing but our own files is loaded, and nothing that a pilot calls himself can run."""

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_REFERENCE = re.compile(r'"/static/([\w.-]+)"')


@frozen
class Asset:
    """One file, ready to be sent. `version` names its content."""

    media_type: str
    body: bytes = field(repr=False)
    packed: bytes = field(repr=False)
    version: str


@frozen
class Assets:
    """The files of a folder by name."""

    files: Mapping[str, Asset]

    def answer(self, request: Request, name: str) -> Response:
        """Answer with a file: whole, gzipped, or 304; with 404 in plain words when there is no such file."""
        asset = self.files.get(name)
        if asset is None:
            return Response("There is no such page here.\n", 404, {"Cache-Control": "no-cache"}, "text/plain")
        headers = self.headers(asset, is_pinned=request.query_params.get("v") == asset.version)
        if is_known(request.headers.get("if-none-match"), asset.version):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            packed_headers = {**headers, "Content-Encoding": "gzip"}
            return Response(asset.packed, 200, packed_headers, asset.media_type)
        return Response(asset.body, 200, headers, asset.media_type)

    def headers(self, asset: Asset, *, is_pinned: bool) -> dict[str, str]:
        """Return what every answer with this file says. `is_pinned`: it was asked for by its version."""
        return {
            **SECURITY_HEADERS,
            "ETag": f'"{asset.version}"',
            "Cache-Control": "public, max-age=31536000, immutable" if is_pinned else "no-cache",
            "Vary": "Accept-Encoding",
        }

    def routes(self) -> list[BaseRoute]:
        """Return the route of everything under /static/ but the pages."""

        async def static(request: Request) -> Response:
            name = request.path_params["name"]
            return self.answer(request, "" if name.endswith(".html") else name)

        return [Route("/static/{name}", static, methods=["GET"])]


def is_known(if_none_match: str | None, version: str) -> bool:
    """Does If-None-Match name this version? RFC 9110 §13.1.2: a list of entity tags or *, compared weakly."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or f'"{version}"' in tags


def read_assets(folder: Path = STATIC) -> Assets:
    """Read a folder's files. Blocks: for start-up only. KeyError for a reference to a missing file."""
    files: dict[str, Asset] = {}

    def pinned(reference: re.Match[str]) -> str:
        return f'"/static/{reference[1]}?v={files[reference[1]].version}"'

    for path in sorted(folder.iterdir(), key=lambda path: path.suffix == ".html"):  # pages name the others
        body = path.read_bytes()
        if path.suffix == ".html":
            body = _REFERENCE.sub(pinned, body.decode()).encode()
        version = hashlib.sha256(body).hexdigest()[:16]
        files[path.name] = Asset(_MEDIA_TYPES[path.suffix], body, gzip.compress(body, 9, mtime=0), version)
    return Assets(files)
