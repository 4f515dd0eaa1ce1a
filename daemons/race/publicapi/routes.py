"""The addresses under /api/v1. Answers are made into bytes once a version of the tree, whoever asks.

An answer without an age in it has a strong ETag, the name of the tree's version; one with an age has a weak one, that
does not change with the age but with whether it is old. Every answer says when it was read at the field
(Pitlink-As-Of), and an old one that it is old (Pitlink-Stale).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol

from attrs import define, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daemons.race.pages import board_answer
from daemons.race.publicapi import cuts
from daemons.race.publicapi.cuts import STATES, Missing, Wanted
from daemons.race.publicapi.document import encoded_document
from daemons.race.stream import BoardFeed, freshness_json
from daemons.race.times import utc_text
from daemons.race.treebytes import to_json
from daemons.race.treeready import pack
from daemons.web.assets import is_known
from daemons.web.coding import IDENTITY, best_coding
from daemons.web.refusals import json_response
from daemons.web.resource import Endpoint, Resource

__all__ = ["api_v1_routes"]

CACHED_BYTES_MAX = 4 * 1024 * 1024
ID_CHARACTERS_MAX = 64
_FILTERS = ("state", "pilot", "round")

Sites = Callable[[], Mapping[str, BoardFeed]]


class _BadRequest(ValueError):
    """A parameter that cannot be read; str() says which."""


@define(eq=False)
class _Bodies:
    """The last answers as bytes, by what they are of; CACHED_BYTES_MAX altogether, the oldest go first."""

    _kept: OrderedDict[tuple[object, ...], dict[str, bytes]] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)

    def packed(self, key: tuple[object, ...], make: Callable[[], Any]) -> dict[str, bytes]:
        """Return an answer by content coding."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = pack(to_json(make()))
            self._bytes += sum(map(len, found.values()))
            while self._bytes > CACHED_BYTES_MAX:
                self._bytes -= sum(map(len, self._kept.popitem(last=False)[1].values()))
        return found


class Cut(Protocol):
    """Cuts an answer from a tree."""

    def __call__(self, tree: Mapping[str, Any], request: Request) -> Any: ...


def api_v1_routes(sites: Sites, *, utc_now: Callable[[], float], is_site: bool = False) -> list[BaseRoute]:
    """Return the routes under /api/v1 that are cut from the trees of these sites; the last one answers for every other
    address there, so that these are to come behind all others. `is_site`: the document is that of a site.
    """
    bodies = _Bodies()

    def feed_of(request: Request) -> BoardFeed:
        feed = sites().get(request.path_params["site"])
        if feed is None:
            raise Missing("NO_SITE", "there is no such site here")
        return feed

    def cut(make: Cut) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            feed = feed_of(request)
            version = feed.tree.newest()
            headers = {"ETag": f'"{version.id}"', "Vary": "Accept-Encoding", **_age_headers(feed, utc_now())}
            asked = (pair for pair in request.query_params.multi_items() if pair[0] in _FILTERS)
            packed = bodies.packed(
                (version.id, request.url.path, *asked), lambda: make(version.tree, request)
            )
            if is_known(request.headers.get("if-none-match"), version.id):
                return Response(status_code=304, headers=headers)
            coding = best_coding(request.headers.get("accept-encoding"))
            if coding != IDENTITY:
                headers["Content-Encoding"] = coding
            return Response(packed[coding], 200, headers, "application/json")

        return endpoint

    async def every(request: Request) -> Response:
        listed, state = [], []
        for name, feed in sorted(sites().items()):
            version, age = feed.tree.newest(), _age(feed, utc_now())
            listed.append(cuts.summary(name, version.tree, age))
            state.append((name, version.id, age["stale"]))
        return _aged(request, _name(*state), {"sites": listed}, {})

    async def site(request: Request) -> Response:
        feed = feed_of(request)
        value = cuts.summary(request.path_params["site"], feed.tree.newest().tree, _age(feed, utc_now()))
        return aged(request, feed, value)

    async def now(request: Request) -> Response:
        feed = feed_of(request)
        return aged(request, feed, cuts.now(feed.tree.newest().tree, _age(feed, utc_now())))

    def aged(request: Request, feed: BoardFeed, value: Any) -> Response:
        name = _name(feed.tree.newest().id, feed.freshness(utc_now()).is_stale)
        return _aged(request, name, value, _age_headers(feed, utc_now()))

    async def board(request: Request) -> Response:
        feed = feed_of(request)
        return board_answer(request, feed, feed.freshness(utc_now()))

    async def document(request: Request) -> Response:
        body, version = encoded_document(is_site=is_site)
        headers = {"ETag": f'"{version}"', "Cache-Control": "no-cache"}
        if is_known(request.headers.get("if-none-match"), version):
            return Response(status_code=304, headers=headers)
        return Response(body, 200, headers, "application/json")

    async def nowhere(request: Request) -> Response:
        raise Missing("NO_SUCH_ADDRESS", "there is nothing here; /api/v1/openapi.json tells what there is")

    one = "/api/v1/sites/{site}"
    endpoints: dict[str, Endpoint] = {
        "/api/v1/openapi.json": document,
        "/api/v1/sites": every,
        one: site,
        f"{one}/now": now,
        f"{one}/board": board,
        f"{one}/races": cut(lambda tree, request: cuts.races(tree, _wanted(request))),
        f"{one}/races/{{race}}": cut(lambda tree, request: cuts.race(tree, _id(request, "race"))),
        f"{one}/pilots": cut(lambda tree, request: cuts.pilots(tree)),
        f"{one}/pilots/{{pilot}}": cut(lambda tree, request: cuts.pilot(tree, _id(request, "pilot"))),
        f"{one}/rounds": cut(lambda tree, request: cuts.rounds(tree)),
        f"{one}/stages": cut(lambda tree, request: cuts.stages(tree)),
        f"{one}/bests": cut(lambda tree, request: cuts.bests(tree)),
    }
    routes: list[BaseRoute] = [
        Route(path, Resource({"GET": _answered(endpoint)})) for path, endpoint in endpoints.items()
    ]
    # Of the method GET alone: for another one the address that has it not answers, whoever serves it.
    return [*routes, Route("/api/v1/{rest:path}", _answered(nowhere), methods=["GET"])]


def _answered(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Missing as exc:
            return json_response(404, {"code": exc.code, "words": exc.words})
        except _BadRequest as exc:
            return json_response(400, {"code": "BAD_REQUEST", "words": str(exc)})

    return answer


def _id(request: Request, name: str) -> str:
    return str(request.path_params[name]).lower()


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    for name in _FILTERS:
        if len(query.getlist(name)) > 1:
            raise _BadRequest(f"{name} is given more than once")
    state, pilot, round_ = query.get("state"), query.get("pilot"), query.get("round")
    if state is not None and state not in STATES:
        raise _BadRequest(f"state is one of {', '.join(STATES)}")
    for name, value in (("pilot", pilot), ("round", round_)):
        if value is not None and not 1 <= len(value) <= ID_CHARACTERS_MAX:
            raise _BadRequest(f"{name} is the id of a {name}")
    return Wanted(state, pilot and pilot.lower(), round_ and round_.lower())


def _age(feed: BoardFeed, now: float) -> dict[str, Any]:
    """How old what is shown is, and when it was read; keys of what is not known are absent."""
    value = {**freshness_json(feed.freshness(now)), "as_of": _as_of(feed)}
    return {key: known for key, known in value.items() if known is not None}


def _as_of(feed: BoardFeed) -> str | None:
    return None if feed.as_of is None else utc_text(datetime.fromtimestamp(feed.as_of, UTC))


def _age_headers(feed: BoardFeed, now: float) -> dict[str, str]:
    headers = {"Cache-Control": "no-cache", "Pitlink-As-Of": _as_of(feed) or "never"}
    return {**headers, "Pitlink-Stale": "true"} if feed.freshness(now).is_stale else headers


def _name(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:20]


def _aged(request: Request, name: str, value: Any, more: Mapping[str, str]) -> Response:
    """Answer with a value that has an age in it."""
    headers = {"ETag": f'W/"{name}"', "Cache-Control": "no-cache", **more}
    if is_known(request.headers.get("if-none-match"), name):
        return Response(status_code=304, headers=headers)
    return Response(to_json(value), 200, headers, "application/json")
