"""The race's pages: the live page, the tree and the board as JSON, and the stream that keeps the page up to date.

The same code on the site, which has one board, and on the hub, which has one for every site.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.ops.offload import threaded
from daemons.race.keeper import Freshness
from daemons.race.stream import BoardFeed, SiteNews, TreeStream, Viewing, freshness_json
from daemons.race.times import utc_text
from daemons.race.treeready import TreeAnswers
from daemons.web.assets import Assets, is_known
from daemons.web.qr import qr_routes
from daemons.web.refusals import json_response
from daemons.web.resource import Resource

__all__ = ["Boards", "board_answer", "race_routes"]

Boards = Callable[[], Mapping[str, BoardFeed]]
"""Returns the boards there are now, by site."""


def race_routes(
    boards: Boards,
    assets: Assets,
    *,
    utc_now: Callable[[], float],
    news: SiteNews | None = None,
    trees: TreeAnswers | None = None,
) -> list[BaseRoute]:
    """Return the routes of the pages. `news` tells that `boards` returns others than before; `trees` is given where
    the front has it answer most of the requests for trees.

    The pages of `daemons.web.assets` (`?site=name` where there are several) · `/events` their stream (the same), which is
    `/api/v1/sites/{site}/stream` too · `/api/v1/sites/{site}/tree` · `/api/board` and `/api/sites/{site}/board` the
    board as JSON, its weak ETag not changing with its age · `/qr.svg` · `/static/…`.
    """
    viewing = Viewing(boards, utc_now, news or SiteNews())
    answers = trees or TreeAnswers(boards, utc_now, threaded)

    async def events(request: Request) -> Response:
        site = request.query_params.get("site") or None
        return TreeStream(viewing, site, _version(request))

    async def stream(request: Request) -> Response:
        site = request.path_params["site"]
        if site not in boards():
            return _no_site(site, boards())
        if request.method == "HEAD":  # which ends
            return Response(media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        return TreeStream(viewing, site, _version(request))

    async def tree(request: Request) -> Response:
        site = request.path_params["site"]
        feed = boards().get(site)
        return await answers.answer(request, feed) if feed is not None else _no_site(site, boards())

    async def board(request: Request) -> Response:
        known = boards()
        site = request.path_params.get("site", next(iter(known)) if len(known) == 1 else None)
        keeper = known.get(site) if site is not None else None
        if keeper is None:
            return _no_site(site, known)
        return board_answer(request, keeper, keeper.freshness(utc_now()))

    return [
        Route("/events", events, methods=["GET"]),
        Route("/api/v1/sites/{site}/stream", Resource({"GET": stream})),
        Route("/api/v1/sites/{site}/tree", Resource({"GET": tree})),
        Route("/api/board", board, methods=["GET"]),
        Route("/api/sites/{site}/board", board, methods=["GET"]),
        *qr_routes(),
        *assets.routes(),
    ]


def _version(request: Request) -> str:
    """The version of the tree that the client has. A browser that comes back by itself still asks as it first did."""
    named = request.headers.get("last-event-id") or request.query_params.get("after", "")
    return named.removeprefix("W/").strip('"')


def _no_site(site: str | None, known: Iterable[str]) -> Response:
    words = f"there is no site {site!r} here" if site is not None else "name one: /api/sites/…/board"
    return json_response(404, {"code": "NO_SITE", "words": words, "sites": sorted(known)})


def board_answer(request: Request, keeper: BoardFeed, fresh: Freshness) -> Response:
    as_of = keeper.as_of
    as_of_text = None if as_of is None else utc_text(datetime.fromtimestamp(as_of, UTC))
    version = f"{keeper.etag}{'-stale' if fresh.is_stale else ''}"
    headers = {"ETag": f'W/"{version}"', "Cache-Control": "no-cache", "Pitlink-As-Of": as_of_text or "never"}
    if fresh.is_stale:
        headers["Pitlink-Stale"] = "true"
    if is_known(request.headers.get("if-none-match"), version):
        return Response(status_code=304, headers=headers)
    about = freshness_json(fresh)
    about["as_of"] = as_of_text
    body = json.dumps(about, ensure_ascii=False)[:-1].encode() + b', "board": ' + keeper.encoded() + b"}"
    return Response(body, 200, headers, "application/json")
