"""A page's own address as a QR code, for whoever stands beside: `/qr.svg?of=ADDRESS`.

Only addresses at the host that was asked are drawn: nobody gets a code for a place of his own with our name on it.
"""

import io
from functools import lru_cache
from urllib.parse import urlsplit

import segno
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = ["QR_PATH", "qr_routes", "qr_svg"]

QR_PATH = "/qr.svg"
ADDRESS_MAX = 300
"""Characters. A code of more is not read by a phone at arm's length."""

_HEADERS = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}


@lru_cache(maxsize=256)
def qr_svg(address: str) -> bytes:
    """Return a QR code as SVG, black on white with its quiet zone, at least a tenth of which may be unreadable."""
    body = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        body, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, svgns=True, omitsize=True
    )
    return body.getvalue()


def qr_routes() -> list[BaseRoute]:
    """Return the route; 400 in words for an address that is not one of ours."""

    async def qr(request: Request) -> Response:
        address = request.query_params.get("of", "")
        if not _is_ours(address, request.headers.get("host", "")):
            return Response("Only pages of this host have a code here.\n", 400, _HEADERS, "text/plain")
        return Response(qr_svg(address), 200, _HEADERS, "image/svg+xml")

    return [Route(QR_PATH, qr, methods=["GET"])]


def _is_ours(address: str, host: str) -> bool:
    if not address.isascii() or not address.isprintable() or len(address) > ADDRESS_MAX:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket that does not end
        return False
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc == host
