"""What is told of houses over HTTP, to whom, and what is taken from whom."""

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from daemons.heating.look import lifetime_of
from daemons.heating.state import HouseState
from daemons.heating.web.health import boiler_health, health_route, nas_health
from daemons.heating.web.routes import heating_assets
from daemons.heating.web.views import View
from daemons.link.outbox import OutboxFull
from daemons.ops.health import Health, Severity
from daemons.web.assets import read_assets
from daemons.web.head import Head
from daemons.web.ready import ready_answers
from protocol.errors import ErrorCode, RequestError
from protocol.heating import HeatOverride, HeatSwitch

from .houses import NOW, House, make_house
from .stand import Stand, fill_history, open_stand


async def read(stand: Stand, path: str, who: str = "viewer", **headers: str) -> Any:
    async with stand.client(who) as client:
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()


async def status(stand: Stand, path: str, who: str = "", method: str = "GET", **more: Any) -> tuple[int, Any]:
    async with stand.client(who) as client:
        answer = await client.request(method, path, **more)
        return answer.status_code, answer.json()


def order(house: str = "lodge", **more: Any) -> dict[str, Any]:
    action = {"do": "heat.override", "zone": "kitchen", "celsius": 20.5, "end": "boundary"}
    return {"house": house, "action": action, **more}


async def test_a_house_is_told_with_every_values_age_and_cause() -> None:
    async with open_stand([make_house(age=3.0, speed=2.0)]) as stand:
        told = await read(stand, "/api/houses/lodge")
        zones = {zone["id"]: zone for zone in told["state"]["zones"]}
        assert (told["title"], told["time_zone"], len(zones)) == ("Aspen Lodge", "America/Denver", 14)
        # Read 5 s before the state, which is 3 real seconds old: 6 of the house's, which runs at twice the speed.
        assert zones["master-br"]["age_s"] == 11.0
        assert zones["master-br"]["cause"] == "overridden by ann"
        assert (zones["master-bath"]["celsius"], zones["master-bath"]["sense"]) == (None, "lost")
        assert zones["hot-water"]["age_s"] is None
        assert told["state"]["outdoor_age_s"] == 46.0
        assert told["age"] | {"now": 0} == {
            "age_s": 3.0, "stale_after_s": 60.0, "stale": False, "offline": False, "house_now": NOW, "now": 0,
            "speed": 2.0, "standing": {"connected": True, "waiting": 0, "capacity_days": 62.0},
        }  # fmt: skip
        assert told["settings"]["zones"]["kitchen"]["week"][0] == {
            "day": 0, "minute": 360, "target": {"celsius": 19.5, "is_on": None},
        }  # fmt: skip


async def test_a_house_nobody_heard_of_is_nothing_and_offline() -> None:
    async with open_stand([House(age=None, connected=False)]) as stand:
        told = await read(stand, "/api/houses/lodge")
        assert (told["state"], told["settings"], told["zones"], told["boiler"]) == (None, None, [], None)
        assert (told["age"]["age_s"], told["age"]["offline"], told["age"]["house_now"]) == (None, True, None)


async def test_an_answer_has_a_name_until_something_changes() -> None:
    async with open_stand([make_house()]) as stand, stand.client("viewer") as client:
        first = await client.get("/api/houses/lodge")
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        stand.house.put(age=9.0)
        again = await client.get("/api/houses/lodge", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        for change in (
            lambda: stand.house.put(age=100.0),
            lambda: stand.house.zone("kitchen", celsius=21.0),
        ):
            change()
            answer = await client.get("/api/houses/lodge", headers={"If-None-Match": tag})
            assert answer.status_code == 200
            tag = answer.headers["etag"]


async def test_who_may_look() -> None:
    async with open_stand([make_house(), make_house(name="cabin")]) as stand:
        for path in (
            "/api/houses",
            "/api/houses/lodge",
            "/api/houses/lodge/events",
            "/api/houses/lodge/stream",
        ):
            assert (await status(stand, path))[0] == 401, path
        assert (await status(stand, "/api/houses/lodge", "stranger"))[0] == 403
        assert (await read(stand, "/api/houses", "stranger"))["houses"] == []
        assert (await status(stand, "/api/houses/nowhere", "viewer"))[1]["code"] == "NO_HOUSE"
        told = await read(stand, "/api/houses")
        assert [house["house"] for house in told["houses"]] == ["cabin", "lodge"]
        assert told["me"] == {"name": "viewer", "role": "viewer", "commands": []}
        assert (await read(stand, "/api/houses", "operator"))["me"]["commands"] == ["cabin", "lodge"]


async def test_an_open_house_is_read_by_all_and_changed_by_operators() -> None:
    async with open_stand([make_house(is_here=True)], is_open=True) as stand:
        told = await read(stand, "/api/houses", "")
        assert (told["me"], told["open"], len(told["houses"])) == (None, True, 1)
        assert (await read(stand, "/api/houses/lodge", ""))["here"] is True
        assert (await status(stand, "/api/commands", method="POST", json=order()))[0] == 401
        assert (await status(stand, "/api/commands", "viewer", "POST", json=order()))[0] == 403
        assert ("token viewer", "command", "refused") in stand.audited()
        code, command = await status(stand, "/api/commands", "operator", "POST", json=order())
        assert (code, command["status"], command["words"]) == (200, "DONE", "kitchen is overridden")


async def test_a_command_is_queued_told_and_withdrawn() -> None:
    async with open_stand([make_house()]) as stand, stand.client("operator") as client:
        answer = await client.post("/api/commands", json=order(lifetime_s=90, against=14))
        assert answer.status_code == 202
        where = answer.headers["location"]
        assert where == answer.json()["href"]
        told = (await client.get(where)).json()
        assert (told["status"], told["expires_at"] - told["issued_at"], told["against"]) == ("QUEUED", 90, 14)
        assert told["issuer"] == "token operator"
        done = await client.post(f"{where}/withdraw")
        assert (done.json()["status"], done.json()["words"]) == ("FAILED", "withdrawn by operator")
        assert (await client.post(f"{where}/withdraw")).status_code == 400
        assert (await client.post("/api/houses/lodge/commands/none/withdraw")).status_code == 404
        assert (await status(stand, f"{where}/withdraw", "viewer", "POST"))[0] == 403


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{", "no JSON"),
        (b"[1]", "an object"),
        (b"[" * 40_000, "no JSON"),
        (json.dumps({"house": "lodge"}).encode(), '"do" is one of'),
        (json.dumps(order(lifetime_s=True)).encode(), "lifetime_s"),
        (json.dumps(order(lifetime_s=1e9)).encode(), "lifetime_s"),
        (json.dumps(order(against=-1)).encode(), "against"),
        (json.dumps(order(more=1)).encode(), "'more'"),
        (json.dumps(order(house="\ud800")).encode(), "a name"),
        (
            json.dumps({"house": "lodge", "action": {"do": "reconnect"}}).encode(),
            "nothing that a house can do",
        ),
        (json.dumps({"house": "lodge", "action": {"do": "heat.switch"}}).encode(), "do not fit"),
        (
            b'{"house":"lodge","action":{"do":"heat.override","zone":"x","end":"until","celsius":NaN}}',
            "no command",
        ),
        (b'{"house":"lodge","action":{"do":"heat.mode","zone":"x","mode":"\\ud800"}}', "no command"),
        (
            b'{"house":"lodge","action":{"do":"heat.override","zone":"x","end":"until","until":1e999}}',
            "no command",
        ),
    ],
)
async def test_what_is_no_command_is_refused_in_words(body: bytes, part: str) -> None:
    async with open_stand([make_house()]) as stand:
        code, told = await status(stand, "/api/commands", "operator", "POST", content=body)
        assert (code, told["code"]) == (400, "BAD_REQUEST")
        assert part in told["words"], told
        assert stand.house.orders == []


async def test_a_long_command_and_too_many_are_refused() -> None:
    async with open_stand([make_house()]) as stand, stand.client("operator") as client:
        answer = await client.post("/api/commands", content=b" " * 70_000)
        assert answer.status_code == 413
        codes = [(await client.post("/api/commands", json=order())).status_code for _ in range(62)]
        assert codes[:60] == [202] * 60
        assert codes[-1] == 429
        last = await client.post("/api/commands", json=order())
        assert (last.json()["code"], last.headers["retry-after"]) == ("BUSY", "1")
        assert ("token operator", "command", "refused") in stand.audited()


async def test_what_a_house_refuses_is_said_as_it_is() -> None:
    async with open_stand([make_house()]) as stand:
        for error, code in (
            (RequestError(ErrorCode.BUSY, "full"), 503),
            (RequestError(ErrorCode.DENIED, "no"), 403),
            (OutboxFull("too many wait"), 503),
        ):
            stand.house.refusing = error
            assert (await status(stand, "/api/commands", "operator", "POST", json=order()))[0] == code


async def test_dead_letters_are_listed_requeued_and_dropped() -> None:
    house = make_house()
    house.letters = [
        {"id": "7", "at": NOW, "words": "of another version"},
        {"id": "8", "at": NOW, "words": "no"},
    ]
    async with open_stand([house]) as stand, stand.client("operator") as client:
        assert len((await read(stand, "/api/houses/lodge/dead"))["dead"]) == 2
        assert (await client.post("/api/houses/lodge/dead/7/requeue")).status_code == 200
        assert (await client.post("/api/houses/lodge/dead/8/drop")).status_code == 200
        assert (await client.post("/api/houses/lodge/dead/8/drop")).json()["code"] == "NO_LETTER"
        assert (await status(stand, "/api/houses/lodge/dead/8/drop", "viewer", "POST"))[0] == 403
        assert await read(stand, "/api/houses/lodge/dead") == {"dead": []}


async def test_a_curve_has_its_gap_and_is_as_short_as_asked() -> None:
    house = make_house()
    fill_history(house)
    async with open_stand([house]) as stand:
        path = f"/api/houses/lodge/series?zone=kitchen&from={NOW - 86400}&to={NOW}&points="
        told = await read(stand, path + "96")
        assert (told["zone"], told["step_s"], told["level"]) == ("kitchen", 900, "quarters")
        steps = {late - early for early, late in zip(told["at"], told["at"][1:], strict=False)}
        assert steps == {900, 900 + 3 * 3600}
        assert len(told["celsius"]) == len(told["at"]) == 84
        assert all(
            low <= mean <= high
            for low, mean, high in zip(told["lowest"], told["celsius"], told["highest"], strict=True)
        )
        assert set(told["ran_s"]) == {0, 900}
        assert len((await read(stand, path + "10"))["at"]) <= 11
        assert await read(stand, path + "96") == told
        assert (stand.hot.hits, stand.hot.misses) == (1, 2)
        for wrong in (
            "zone=kitchen&from=9&to=3",
            "zone=kitchen&points=0",
            "zone=kitchen&from=x",
            "",
            "zone=a&zone=b",
        ):
            code, said = await status(stand, f"/api/houses/lodge/series?{wrong}", "viewer")
            assert (code, said["code"]) == (400, "BAD_REQUEST"), wrong
        code, said = await status(stand, "/api/houses/lodge/series?zone=cellar", "viewer")
        assert (code, said["code"]) == (404, "NO_ZONE")


async def test_events_come_page_by_page_and_each_once() -> None:
    house = make_house()
    fill_history(house)
    async with open_stand([house]) as stand:
        seen: list[int] = []
        path = "/api/houses/lodge/events?limit=40"
        told = await read(stand, path)
        while True:
            seen += [event["id"] for event in told["events"]]
            if told["next"] is None:
                break
            told = await read(stand, f"{path}&before={told['next']}")
        assert len(seen) == len(set(seen)) == 150
        off = await read(stand, "/api/houses/lodge/events?kind=OFF&source=master-br&limit=5")
        assert {event["kind"] for event in off["events"]} == {"OFF"}
        assert off["events"][0]["ran_s"] == 1234.0
        for wrong in ("kind=on", "before=1", "limit=501", "limit=0", "source="):
            assert (await status(stand, f"/api/houses/lodge/events?{wrong}", "viewer"))[0] == 400, wrong


async def test_figures_say_what_ran() -> None:
    house = make_house()
    fill_history(house, hole=False)
    async with open_stand([house]) as stand:
        told = await read(stand, f"/api/houses/lodge/metrics?from={NOW - 86400}&to={NOW}")
        kitchen = told["sources"]["kitchen"]
        assert (kitchen["calls"], kitchen["ran_s"], kitchen["run_s"]) == (8, 8 * 3600, 3600)
        assert kitchen["duty"] == pytest.approx(1 / 3)
        assert told["sources"]["burner"]["calls"] == 48
        assert told["degree_days"] > 10


async def test_health_says_what_the_seed_lists() -> None:
    health = Health(lambda: NOW)
    routes = [health_route(health, nas_health(lambda: {"lodge": True, "cabin": False}, lambda: 0.75))]
    transport = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://nas") as client:
        assert (await client.get("/health")).json() == {
            "status": "ok",
            "pi_connected": False,
            "cache_hit_rate": 0.75,
        }
        health.set("disk", Severity.FAILING, "the disk is full")
        answer = await client.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "failing")


def test_a_boilers_health_has_uptime_size_and_memory(tmp_path: Any) -> None:
    database = tmp_path / "boiler.db"
    database.write_bytes(b"x" * 1000)
    (tmp_path / "boiler.db-wal").write_bytes(b"x" * 24)
    told = boiler_health(database)()
    assert told["db_size"] == 1024
    assert isinstance(told["uptime"], float)
    assert told["memory"] is None or told["memory"] > 1_000_000  # type: ignore[operator]


def test_a_switch_is_not_good_for_long() -> None:
    assert lifetime_of(HeatSwitch(False)) == 30.0
    assert lifetime_of(HeatOverride("hot-water", "boundary", is_on=False)) == 30.0
    assert lifetime_of(HeatOverride("kitchen", "boundary", celsius=20.0)) == 3600.0


async def test_every_page_is_there_and_holds_nothing_of_a_house() -> None:
    async with open_stand([make_house()]) as stand, stand.client() as client:
        for path in ("/", "/schedule", "/graphs", "/events", "/figures", "/commands"):
            answer = await client.get(path)
            assert (answer.status_code, "Aspen" in answer.text) == (200, False)
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert (await client.get("/overlay/leaderboard")).status_code == 404
        assert (await client.get("/api/houses/openapi.json")).json()["openapi"] == "3.1.0"


def test_the_front_itself_answers_with_the_pages_of_a_house_and_no_others() -> None:
    ready = ready_answers(heating_assets(read_assets()), lambda: NOW)
    found = {
        path: ready(Head("GET", path, ())) for path in ("/", "/schedule", "/figures", "/pilots", "/sw.js")
    }
    assert [path for path, answer in found.items() if answer is not None] == ["/", "/schedule", "/figures"]
    assert b"heatapp.js" in (found["/"] or b"")


def test_a_state_that_is_the_same_object_is_not_made_into_bytes_again() -> None:
    house = make_house()
    view = View(house)
    assert view.state() is view.state()
    before = view.state()
    house.put(state=HouseState(house="lodge", at=NOW + 10))
    assert view.state() is not before
