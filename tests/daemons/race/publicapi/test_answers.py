"""What is answered under /api/v1: values of the tree, versions, errors in words; over ASGI, with nothing of a server."""

from typing import Any

import httpx
import jsonschema_rs
import pytest
from starlette.applications import Starlette

from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.race.publicapi.document import EVENT_STREAMS, document
from daemons.race.publicapi.routes import api_v1_routes
from daemons.web.assets import read_assets
from protocol.errors import ErrorCode, RequestError

from .. import makers as make
from ..field import fetched
from ..pocketbase.days import LIVE, played

ONE = "/api/v1/sites/field"
NOW = 60.0


def client_of(keepers: dict[str, BoardKeeper]) -> httpx.AsyncClient:
    app = Starlette(routes=api_v1_routes(lambda: keepers, utc_now=lambda: NOW))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pits")


async def got(path: str, keeper: BoardKeeper | None = None, **query: str) -> Any:
    async with client_of({"field": keeper or played()[0]}) as client:
        answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_sites_and_how_old_each_is() -> None:
    async with client_of({"field": played()[0], "empty": BoardKeeper()}) as client:
        empty, field = (await client.get("/api/v1/sites")).json()["sites"]
        assert (await client.get(ONE)).json() == field
    assert (field["site"], field["event"]["name"], field["phase"]) == ("field", "Winter Cup", "live")
    assert (field["races"], field["pilots"], field["headline"]) == (3, 3, "Race 1-2 is on")
    assert field["age"] == {
        "age_s": 60.0, "stale_after_s": 5.0, "stale": True, "as_of": "1970-01-01T00:00:00.000Z",
    }  # fmt: skip
    assert (empty["phase"], "event" in empty, "age_s" in empty["age"]) == ("no_event", False, False)


async def test_now_is_the_race_that_is_on_the_one_before_and_those_that_come() -> None:
    now = await got(f"{ONE}/now")
    assert now["race"]["name"] == "Race 1-2"
    assert now["race"]["rows"][make.pilot_id(1)]["lap_times"] == [5.0]
    assert now["previous"]["id"] == make.race_id(101)
    assert [race["id"] for race in now["next"]] == [make.race_id(103)]


async def test_races_in_their_order_and_those_that_are_wanted() -> None:
    async def ids(**query: str) -> list[str]:
        return [race["id"] for race in (await got(f"{ONE}/races", **query))["races"]]

    first, second, third = (make.race_id(number) for number in (101, 102, 103))
    assert await ids() == [first, second, third]
    assert await ids(state="live") == [second]
    assert await ids(state="done", pilot=make.pilot_id(2), round=make.round_id(1)) == [first]
    assert await ids(pilot=make.pilot_id(3)) == []
    assert await ids(round=make.round_id(2)) == []
    assert "lap_times" not in str((await got(f"{ONE}/races"))["races"])


async def test_one_race_is_the_race_of_the_tree() -> None:
    keeper = played()[0]
    race = await got(f"{ONE}/races/{make.race_id(101)}", keeper)
    assert race == keeper.tree.newest().tree["races"][make.race_id(101)]
    assert race["ranking"] == [make.pilot_id(1), make.pilot_id(2)]
    assert await got(f"{ONE}/races/{make.race_id(101).upper()}", keeper) == race


async def test_pilots_rounds_stages_and_bests() -> None:
    pilots = (await got(f"{ONE}/pilots"))["pilots"]
    assert [pilot["name"] for pilot in pilots] == ["Ann", "Bo", "Cy"]
    assert await got(f"{ONE}/pilots/{make.pilot_id(2)}") == pilots[1]
    rounds = (await got(f"{ONE}/rounds"))["rounds"]
    assert [(round_["number"], len(round_["races"])) for round_ in rounds] == [(1, 3), (2, 0)]
    stage = (await got(f"{ONE}/stages"))["stages"][0]
    assert (stage["rows"][0]["name"], stage["rows"][0]["values"][1]) == ("Ann", "10")
    assert [best["s"] for best in (await got(f"{ONE}/bests"))["laps"]] == [5.0, 6.0]


async def test_answers_are_packed_for_who_can_unpack_them() -> None:
    async with client_of({"field": played()[0]}) as client:
        plain = await client.get(f"{ONE}/races", headers={"Accept-Encoding": "identity"})
        packed = await client.get(f"{ONE}/races", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


async def test_a_parameter_twice_is_refused_also_when_one_of_them_was_answered_before() -> None:
    async with client_of({"field": played()[0]}) as client:
        assert (await client.get(f"{ONE}/races?state=done")).status_code == 200
        assert (await client.get(f"{ONE}/races?state=live&state=done")).status_code == 400


async def test_the_board_is_the_small_feed_for_overlays() -> None:
    keeper = played()[0]
    board = await got(f"{ONE}/board", keeper)
    assert board["board"] == {"version": keeper.version, **keeper.board}


@pytest.mark.parametrize("path", ["", "/now", "/races", "/pilots", "/rounds", "/stages", "/bests", "/board"])
async def test_who_has_it_is_not_sent_it_again(path: str) -> None:
    keeper, day = played()
    async with client_of({"field": keeper}) as client:
        answer = await client.get(ONE + path)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-cache"
        known = {"If-None-Match": answer.headers["etag"]}
        again = await client.get(ONE + path, headers=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
        head = await client.head(ONE + path)
        assert (head.status_code, head.headers["etag"]) == (200, answer.headers["etag"])
        _lap(keeper, day)
        assert (await client.get(ONE + path, headers=known)).status_code == 200


def _lap(keeper: BoardKeeper, day: Any) -> None:
    path = day.race(102, **LIVE, flown={1: [1.0, 5.0, 4.5]})
    keeper.apply(path, fetched(path, day.files[path]))


async def test_an_answer_with_its_age_in_it_is_another_one_when_it_turns_old() -> None:
    keeper, _ = played()
    now = 1.0
    app = Starlette(routes=api_v1_routes(lambda: {"field": keeper}, utc_now=lambda: now))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pits") as client:
        fresh = await client.get(f"{ONE}/now")
        now = 2.0
        known = {"If-None-Match": fresh.headers["etag"]}
        assert (await client.get(f"{ONE}/now", headers=known)).status_code == 304
        keeper.failed("/", RequestError(ErrorCode.DISCONNECTED))
        now = 100.0
        old = await client.get(f"{ONE}/now", headers=known)
        listed = await client.get("/api/v1/sites", headers={"If-None-Match": fresh.headers["etag"]})
    assert (old.status_code, old.headers["pitlink-stale"]) == (200, "true")
    assert (old.json()["age"]["stale"], old.json()["age"]["why"]) == (True, "The field is offline")
    assert listed.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/sites/nowhere", 404, "NO_SITE"),
        ("/api/v1/sites/nowhere/races", 404, "NO_SITE"),
        (f"{ONE}/races/{make.race_id(999)}", 404, "NO_RACE"),
        (f"{ONE}/races/x", 404, "NO_RACE"),
        (f"{ONE}/pilots/x", 404, "NO_PILOT"),
        (f"{ONE}/laps", 404, "NO_SUCH_ADDRESS"),
        ("/api/v1/", 404, "NO_SUCH_ADDRESS"),
        (f"{ONE}/races?state=over", 400, "BAD_REQUEST"),
        (f"{ONE}/races?state=live&state=done", 400, "BAD_REQUEST"),
        (f"{ONE}/races?pilot=", 400, "BAD_REQUEST"),
        (f"{ONE}/races?round={'x' * 65}", 400, "BAD_REQUEST"),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_words(path: str, status: int, code: str) -> None:
    async with client_of({"field": played()[0]}) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["words"]


async def test_there_is_nothing_to_write_and_a_browser_may_ask_first() -> None:
    async with client_of({"field": played()[0]}) as client:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await client.request(method, f"{ONE}/races")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
            assert answer.json()["code"] == "METHOD_NOT_ALLOWED"
        asked = {"Origin": "https://club.example", "Access-Control-Request-Method": "GET"}
        allowed = await client.options(
            f"{ONE}/races", headers={**asked, "Access-Control-Request-Headers": "if-none-match"}
        )
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, "*")
    assert allowed.headers["access-control-allow-headers"] == "if-none-match"


@pytest.mark.parametrize("part", ["tree", "stream"])
async def test_the_tree_and_its_stream_are_as_open_as_the_rest(part: str) -> None:
    keepers = {"field": played()[0]}
    app = Starlette(routes=race_routes(lambda: keepers, read_assets(), utc_now=lambda: NOW))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pits") as client:
        head = await client.head(f"{ONE}/{part}")
        assert (head.status_code, head.headers["access-control-allow-origin"]) == (200, "*")
        refused = await client.delete(f"{ONE}/{part}")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        missing = await client.get(f"/api/v1/sites/nowhere/{part}")
        assert (missing.status_code, missing.json()["code"]) == (404, "NO_SITE")
        asked = {"Origin": "https://club.example", "Access-Control-Request-Method": "GET"}
        assert (await client.options(f"{ONE}/{part}", headers=asked)).status_code == 204


async def test_the_document_is_served_and_every_shape_in_it_is_a_schema() -> None:
    served = await got("/api/v1/openapi.json")
    assert served == document()
    operations = {one["operationId"] for path in served["paths"].values() for one in path.values()}
    assert set(EVENT_STREAMS) < operations
    for name, schema in served["components"]["schemas"].items():
        jsonschema_rs.meta.validate({**schema, "components": served["components"]})
        assert jsonschema_rs.is_valid({"$ref": f"#/components/schemas/{name}", **_parts(served)}, {}) in (
            True,
            False,
        )


def _parts(served: dict[str, Any]) -> dict[str, Any]:
    return {"components": served["components"]}


async def test_the_tree_is_as_the_document_says() -> None:
    schema = {"$ref": "#/components/schemas/Tree", **_parts(document())}
    for keeper in (played()[0], BoardKeeper()):
        jsonschema_rs.validate(schema, keeper.tree.newest().tree)
