"""The tree as a whole, `/api/v1/sites/{site}/tree`: bytes that are made once a version and written to whoever asks.

Caching: `public` because it is the same for everybody. `max-age=0`: a browser asks every time, with the name of the
version that it has, and mostly is answered 304. `s-maxage=1`: what stands in front of a hub asks us once a second
however many ask it; a second is below the age that a page shows as fresh, and the page's stream goes on from whatever
version it was given. `stale-while-revalidate=1`: nobody waits while it asks. `stale-if-error=60`: while the hub starts
anew a page still opens with the last state, and says by `Pitlink-As-Of` and by its dead stream how old that is.
"""

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import trio
from attrs import define, field
from starlette.requests import Request
from starlette.responses import Response

from daemons.ops.offload import Offload
from daemons.race.keeper import Freshness
from daemons.race.stream import BoardFeed
from daemons.race.times import utc_text
from daemons.race.treekeeper import Version
from daemons.web.assets import is_known
from daemons.web.coding import IDENTITY, best_coding
from daemons.web.head import Head
from daemons.web.httpdate import HttpDate
from daemons.web.resource import EXPOSED
from protocol.zstd import ZstdCompressor

__all__ = ["TreeAnswers", "pack"]

_BEFORE, _AFTER = "/api/v1/sites/", "/tree"
CACHE_CONTROL = "public, max-age=0, s-maxage=1, stale-while-revalidate=1, stale-if-error=60"

SMALL_BYTES = 64 * 1024
"""Up to this a body is packed at once, in a millisecond or two; a longer one beside the loop, while others are served."""

_ZSTD_LEVEL = 6
"""Its window is 2 MiB: browsers take up to 8 (RFC 9659)."""


def pack(body: bytes) -> dict[str, bytes]:
    """Return a body in every content coding that there is."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    zstd = ZstdCompressor(level=_ZSTD_LEVEL).compress(body, ZstdCompressor.FLUSH_FRAME)
    return {IDENTITY: body, "zstd": zstd, "gzip": packer.compress(body) + packer.flush()}


def _pack_now(feed: BoardFeed, version: Version) -> None:
    feed.tree.encodings["packed"] += 1
    version.packed.update(pack(version.body()))


@define(eq=False)
class TreeAnswers:
    """Answers with trees, each version packed once, when it is first asked for."""

    boards: Callable[[], Mapping[str, BoardFeed]]
    utc_now: Callable[[], float]
    offload: Offload
    _packing: trio.Lock = field(factory=trio.Lock, init=False)
    _date: HttpDate = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._date = HttpDate(self.utc_now)

    def ready(self, head: Head) -> bytes | None:
        """The front's `ready`: the whole answer, or None when the application is to be asked."""
        path = head.target.partition("?")[0]
        if not path.startswith(_BEFORE) or not path.endswith(_AFTER) or head.method not in ("GET", "HEAD"):
            return None
        feed = self.boards().get(path[len(_BEFORE) : -len(_AFTER)])
        if feed is None:
            return None
        version = feed.tree.newest()
        if not version.packed:
            if len(version.body()) > SMALL_BYTES:
                return None
            _pack_now(feed, version)
        tags = head.header_list("if-none-match")
        status, headers, body = self._answer(
            feed, version, ", ".join(tags) if tags else None, head.header("accept-encoding")
        )
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if status is HTTPStatus.OK:
            lines.append(f"Content-Length: {len(body)}")
        content = b"" if head.method == "HEAD" else body
        return b"%s\r\nDate: %s\r\n\r\n%s" % (
            "\r\n".join(lines).encode("latin-1"),
            self._date.text(),
            content,
        )

    async def answer(self, request: Request, feed: BoardFeed) -> Response:
        """Answer the same for who was not answered ready."""
        version = feed.tree.newest()
        async with self._packing:
            if not version.packed:
                body = version.body()
                if len(body) <= SMALL_BYTES:
                    _pack_now(feed, version)
                else:
                    feed.tree.encodings["packed"] += 1
                    version.packed.update(await self.offload(lambda: pack(body)))
        status, headers, body = self._answer(
            feed, version, request.headers.get("if-none-match"), request.headers.get("accept-encoding")
        )
        return Response(body, status.value, headers)

    def _answer(
        self, feed: BoardFeed, version: Version, if_none_match: str | None, accept_encoding: str | None
    ) -> tuple[HTTPStatus, dict[str, str], bytes]:
        fresh: Freshness = feed.freshness(self.utc_now())
        as_of = feed.as_of
        headers = {
            "ETag": f'"{version.id}"',
            "Cache-Control": CACHE_CONTROL,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": EXPOSED,
            "Pitlink-As-Of": (utc_text(datetime.fromtimestamp(as_of, UTC)) if as_of is not None else None)
            or "never",
        }
        if fresh.is_stale:
            headers["Pitlink-Stale"] = "true"
        if is_known(if_none_match, version.id):
            return HTTPStatus.NOT_MODIFIED, headers, b""
        coding = best_coding(accept_encoding)
        headers["Content-Type"] = "application/json"
        if coding != IDENTITY:
            headers["Content-Encoding"] = coding
        return HTTPStatus.OK, headers, version.packed[coding]
