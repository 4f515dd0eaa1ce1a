"""The files of the pages, read once at start and served from memory.

Files name each other by content (`/static/app.js?v=<hash>`), so those may be kept for a year while the page
itself is asked for again every time and answered with 304: a new version is never half loaded. The module that a page
names is sent whole, with all that it imports (`modules`): three requests and the page is there.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.web.modules import ModuleError, join

__all__ = ["PAGES", "SECURITY_HEADERS", "STATIC", "Asset", "Assets", "is_known", "read_assets"]

_ROOMS = ("/", "/schedule", "/pilots", "/pilot", "/race", "/results", "/status")
PAGES = {
    **dict.fromkeys(_ROOMS, "index.html"),  # one frame; app.js shows what the address names
    "/overlay/lower-third": "overlay.html",
    "/overlay/leaderboard": "overlay.html",
    "/sw.js": "sw.js",  # a service worker serves what stands below its own path
}
"""The race's pages, which are the same for everybody, by path; what differs they fetch."""

STATIC = Path(__file__).parent / "static"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_NAMING = (".html", ".js", ".css", ".webmanifest")
_REFERENCE = re.compile(r'"/static/([\w.-]+)"')
_MODULE = re.compile(r'<script type="module" src="/static/([\w.-]+)">')


@frozen
class Asset:
    """One file, ready to be sent. `version` names its content."""

    media_type: str
    body: bytes = field(repr=False)
    packed: bytes = field(repr=False)
    version: str


@frozen
class Assets:
    """The files of a folder by name. `pages`: which of them are pages, by path."""

    files: Mapping[str, Asset]
    pages: Mapping[str, str] = field(factory=lambda: PAGES)

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
        """Return the routes of the pages, and of everything under /static/ but the pages."""

        async def page(request: Request) -> Response:
            return self.answer(request, self.pages[request.url.path])

        async def static(request: Request) -> Response:
            name = request.path_params["name"]
            return self.answer(request, "" if name.endswith(".html") else name)

        return [
            *(Route(path, page, methods=["GET"]) for path in self.pages),
            Route("/static/{name}", static, methods=["GET"]),
        ]


def is_known(if_none_match: str | None, version: str) -> bool:
    """Does If-None-Match name this version? RFC 9110 §13.1.2: a list of entity tags or *, compared weakly."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or f'"{version}"' in tags


@cache
def read_assets(folder: Path = STATIC) -> Assets:
    """Read a folder's files, once a process. Blocks: for start-up only.

    KeyError for a reference to a missing file, ModuleError for files that refer to each other in a ring, and for a
    page's module that cannot be joined with its imports.
    """
    bodies = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    whole = {
        name for page in bodies if page.endswith(".html") for name in _MODULE.findall(bodies[page].decode())
    }
    files: dict[str, Asset] = {}

    def add(name: str, asked_by: tuple[str, ...] = ()) -> Asset:
        if name in asked_by:
            raise ModuleError(f"{name} refers to itself by way of {', '.join(asked_by)}")
        if name not in files:
            body, suffix = bodies[name], Path(name).suffix
            if name in whole:
                body = join(name, lambda part: bodies[part].decode()).encode()
            if suffix in _NAMING:
                body = _REFERENCE.sub(
                    lambda found: f'"/static/{found[1]}?v={add(found[1], (*asked_by, name)).version}"',
                    body.decode(),
                ).encode()
            version = hashlib.sha256(body).hexdigest()[:16]
            files[name] = Asset(_MEDIA_TYPES[suffix], body, gzip.compress(body, 9, mtime=0), version)
        return files[name]

    for name in bodies:
        add(name)
    return Assets(files)
