"""What is told of drivers and of what was kept over HTTP, to whom, and what is taken from whom."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from attrs import evolve

from daemons.ops.authority import audit
from daemons.store.errors import StorageError, StorageFault
from daemons.telemetry.web import routes
from daemons.telemetry.web.posted import KEPT_MAX

from .fake import FakeLook, a_session, real_us
from .stand import PASSWORD, Stand, open_stand
from .test_pure import GOOD

BEGAN = 1_773_500_400_000_000


def team(**more: Any) -> FakeLook:
    look = FakeLook(**more)
    look.add("anna")
    look.add("ben", is_connected=False, why="no word from him for 40 s", taken_us=real_us() - 40_000_000)
    look.keep(a_session("s1", BEGAN), a_session("s2", BEGAN + 10**9, ("ben",)))
    return look


async def ask(
    stand: Stand, path: str, who: str = "viewer", method: str = "GET", **more: Any
) -> tuple[int, Any]:
    async with stand.client(who) as client:
        answer = await client.request(method, path, **more)
        return answer.status_code, answer.json() if answer.content else None


async def read(stand: Stand, path: str, who: str = "viewer") -> Any:
    status, told = await ask(stand, path, who)
    assert status == 200, (path, status, told)
    return told


async def test_drivers_with_loss_age_clock_and_what_is_not_there() -> None:
    look = team()
    async with open_stand(look) as stand:
        told = await read(stand, "/api/telemetry/drivers")
        anna, ben = told["drivers"]
        assert told["me"] == {"name": "viewer", "role": "viewer"}
        assert (anna["live"], anna["driving"], anna["name"]) == (True, True, "Anna")
        assert 0 <= anna["age_s"] < 2
        assert (anna["loss"], anna["clock_error_s"]) == (round(9 / 3609, 5), 0.004)
        assert anna["fuel"] | {"at": 0} == {
            "litres": 42.5, "tank": 75.0, "percent": 56.7, "per_lap": 1.7, "laps_left": 25.0, "at": 0,
        }  # fmt: skip
        assert (anna["tyres"]["left_front"], anna["tyres"]["as_of"] < anna["taken"]) == (97.0, True)
        # A quarter round the oval, clockwise from its north: 500 m east of its middle.
        assert anna["place"]["estimated"] is True
        assert abs(anna["place"]["latitude"] - 27.45) < 1e-4
        assert (
            abs(anna["place"]["longitude"] - (-81.35 + 500 / (111_320 * math.cos(math.radians(27.45)))))
            < 1e-4
        )
        # Who is not there drives nothing now, and is nowhere, whatever was known of him last.
        assert (ben["live"], ben["driving"], ben["why"], ben["place"]) == (
            False,
            False,
            "no word from him for 40 s",
            None,
        )
        assert 39 < ben["age_s"] < 60
        look.change("anna", degree=1, degree_words="thinned: car arrays 1 Hz, because the line is slow")
        assert (await read(stand, "/api/telemetry/drivers/anna"))["degree_words"].startswith("thinned")
        assert len((await read(stand, "/api/telemetry/drivers/anna"))["cars"]) == 5
        # While his clock is not known, no age is told, and what was heard a moment ago is live.
        look.change("anna", taken_us=None, heard_us=real_us() - 500_000)
        unknown = await read(stand, "/api/telemetry/drivers/anna")
        assert (unknown["live"], unknown["age_s"], unknown["taken"]) == (True, None, None)
        # Connected, but nothing comes: not live.
        look.change("anna", taken_us=real_us() - 3_000_000)
        assert (await read(stand, "/api/telemetry/drivers/anna"))["live"] is False


async def test_a_driver_nothing_is_known_of_has_no_figures() -> None:
    look = FakeLook()
    look.add("carl", taken_us=None, heard_us=None, fuel=None, tyres=None, clock_error_s=None, ticks=0, lost=0, waiting=None,
             is_connected=False, why="he has never been here", track="", values={})  # fmt: skip
    async with open_stand(look) as stand:
        (carl,) = (await read(stand, "/api/telemetry/drivers"))["drivers"]
        for name in ("age_s", "loss", "clock_error_s", "waiting", "fuel", "tyres", "place", "taken"):
            assert carl[name] is None, name


async def test_who_may_look_at_what() -> None:
    async with open_stand(team()) as stand:
        paths = (
            "/api/telemetry/drivers/anna", "/api/telemetry/drivers/nobody", "/api/telemetry/sessions/s1",
            "/api/telemetry/sessions/nothing", "/api/telemetry/compare?laps=s1-2", "/api/telemetry/live?drivers=anna",
            "/api/telemetry/posted?driver=anna", "/api/telemetry/sessions/s1/export", "/api/telemetry/sessions/s1/replay",
            "/api/telemetry/laps/s1-2/export",
        )  # fmt: skip
        for path in paths:
            assert (await ask(stand, path, ""))[0] == 401, path
            assert (await ask(stand, path, "stranger"))[0] in (403, 404), path
        assert (await ask(stand, "/api/telemetry/drivers", ""))[0] == 401
        assert (await read(stand, "/api/telemetry/drivers", "stranger"))["drivers"] == []
        assert [
            one["driver"] for one in (await read(stand, "/api/telemetry/drivers", "anna"))["drivers"]
        ] == ["anna"]
        # A session that another drove in too is not only anna's.
        assert (await ask(stand, "/api/telemetry/sessions/s1", "anna"))[0] == 403
        assert (await read(stand, "/api/telemetry/sessions", "anna"))["sessions"] == []
        assert (await ask(stand, "/api/telemetry/drivers/nobody"))[1] == {
            "code": "NOT_KEPT", "words": "there is no such driver here",
        }  # fmt: skip
    async with open_stand(team(), is_open=True) as stand:
        for path in (
            "/api/telemetry/drivers",
            "/api/telemetry/sessions/s1",
            "/api/telemetry/compare?laps=s1-2",
        ):
            assert (await ask(stand, path, ""))[0] == 200, path
        assert (await ask(stand, "/api/telemetry", "", "POST", json=GOOD))[0] == 401


async def test_sessions_with_stints_laps_gaps_and_letters() -> None:
    async with open_stand(team()) as stand:
        told = await read(stand, "/api/telemetry/sessions?limit=1")
        assert [one["id"] for one in told["sessions"]] == ["s2"]
        older = await read(stand, f"/api/telemetry/sessions?limit=1&before={told['next']}")
        assert [one["id"] for one in older["sessions"]] == ["s1"]
        assert [
            one["id"] for one in (await read(stand, "/api/telemetry/sessions?driver=anna"))["sessions"]
        ] == ["s1"]
        session = await read(stand, "/api/telemetry/sessions/s1")
        assert session["gaps"][0] == {
            "ticks": 240, "started": BEGAN / 1000 + 150_000, "ended": BEGAN / 1000 + 154_000, "final": False,
            "words": "not back-filled yet",
        }  # fmt: skip
        assert [stint["name"] for stint in session["stints"]] == ["Anna", "Ben"]
        assert session["lap_list"][2]["letters"] == ["P", "P", "Y"]
        assert session["lap_list"][3]["invalid"] == ["off track"]
        assert session["formats"] == ["csv", "ibt"]


async def test_laps_beside_each_other() -> None:
    async with open_stand(team()) as stand:
        told = await read(stand, "/api/telemetry/compare?laps=s1-3,s1-5,s1-4&points=101&channels=speed,gear")
        assert [round(one, 2) for one in told["position"][:3]] == [0.0, 0.01, 0.02]
        assert told["sector_starts"] == [0.0, 0.33, 0.66]
        reference, slow, holed = told["laps"]
        assert set(reference["delta"]) == {0.0}
        assert (slow["delta"][-1], slow["lap"]["driver"]) == (0.3, "ben")
        assert slow["delta"][40] < 0.05 < slow["delta"][62]
        assert holed["columns"]["speed"][75] is None
        assert holed["delta"][75] is None
        assert all(isinstance(gear, int) for gear in reference["columns"]["gear"])
        # The speed of this car falls three times a lap.
        corners = told["corners"]["corners"]
        assert [corner["number"] for corner in corners] == [1, 2, 3]
        first, slow, holed = corners[1]["laps"]
        assert (first["lost_s"], first["slowest"], first["brake_peak"]) == (0.0, 108.0, 50)
        assert 0.1 < slow["lost_s"] <= 0.3
        assert abs(sum(corner["laps"][1]["lost_s"] for corner in corners) - 0.3) < 0.01
        assert first["brake_at"] < first["throttle_at"] < first["full_at"] < told["corners"]["length_m"]
        # Of a lap with a hole as the first one nothing is made up.
        assert (await read(stand, "/api/telemetry/compare?laps=s1-4,s1-3"))["corners"] is None


async def test_answers_are_asked_for_again() -> None:
    async with open_stand(team()) as stand, stand.client("viewer") as client:
        first = await client.get("/api/telemetry/compare?laps=s1-3")
        assert first.headers["cache-control"] == "private, no-cache"
        again = await client.get(
            "/api/telemetry/compare?laps=s1-3", headers={"If-None-Match": first.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("sessions?limit=0", "limit is a number, 1 to 200"),
        ("sessions?limit=nan", "limit is a number"),
        ("sessions?limit=1&limit=2", "limit is one text"),
        ("compare", "laps is a list of lap ids"),
        ("compare?laps=" + ",".join(f"s1-{n}" for n in range(9)), "at most 8"),
        ("compare?laps=s1-1&channels=boost", "'boost' is none of"),
        ("compare?laps=s1-1&points=1e9", "points is a number, 2 to 4000"),
        ("live?hz=0", "hz is a number, 1 to 60"),
        ("live?back=1e9", "back is a number"),
        ("sessions/s1/replay?speed=0", "speed is a number"),
        ("sessions/s1/export?format=xls", "format is one of csv, ibt"),
        ("sessions?driver=" + "x" * 200, "driver is one text"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_words(path: str, words: str) -> None:
    async with open_stand(team()) as stand:
        status, told = await ask(stand, f"/api/telemetry/{path}")
        assert (status, told["code"]) == (400, "BAD_REQUEST")
        assert words in told["words"]


async def test_a_store_that_fails_is_said_in_words() -> None:
    look = team()
    async with open_stand(look) as stand:
        look.fault = StorageError(StorageFault.FAILED, Path("/var/lib/x"), "gone")
        status, told = await ask(stand, "/api/telemetry/sessions")
        assert (status, told["code"]) == (503, "BUSY")
        assert "/var" not in told["words"]


async def test_files_to_take_away() -> None:
    async with open_stand(team()) as stand, stand.client("viewer") as client:
        for path, name in (("sessions/s1", "session-s1"), ("laps/s1-2", "lap-s1-2")):
            answer = await client.get(f"/api/telemetry/{path}/export?format=csv")
            assert (answer.status_code, answer.text) == (200, "tick,Speed\n0,55.5\n")
            assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'


async def test_signing_in_and_posting_as_the_seed_says() -> None:
    async with open_stand(team()) as stand:
        status, told = await ask(
            stand, "/api/auth/login", "", "POST", json={"username": "erik", "password": PASSWORD}
        )
        assert (status, told["user"]) == (200, {"id": "erik", "username": "erik", "role": "operator"})
        bearer = {"Authorization": f"Bearer {told['token']}"}
        assert await ask(stand, "/api/telemetry", "", "POST", json=GOOD, headers=bearer) == (
            200, {"success": True, "id": "1"},
        )  # fmt: skip
        kept = await read(stand, "/api/telemetry/posted?driver=anna")
        assert kept["snapshots"][0]["at"] == BEGAN / 1000 + 250
        assert kept["snapshots"][0]["data"]["speed"] == 215.5
        for name, password in (("erik", "wrong"), ("nobody", PASSWORD)):
            status, told = await ask(
                stand, "/api/auth/login", "", "POST", json={"username": name, "password": password}
            )
            assert (status, told["words"]) == (401, "name or password is wrong")
        assert (await ask(stand, "/api/auth/login", "", "POST", json={"name": "erik"}))[0] == 400
        tries = [
            await ask(stand, "/api/auth/login", "", "POST", json={"username": "erik", "password": "x"})
            for _ in range(6)
        ]
        assert tries[-1][0] == 429


async def test_who_may_post_and_what_is_refused() -> None:
    async with open_stand(team()) as stand:
        ben, nobody = {**GOOD, "driverId": "ben"}, {**GOOD, "driverId": "nobody"}
        assert (await ask(stand, "/api/telemetry", "anna", "POST", json=GOOD))[0] == 200
        assert (await ask(stand, "/api/telemetry", "anna", "POST", json=ben))[0] == 403
        assert (await ask(stand, "/api/telemetry", "viewer", "POST", json=GOOD))[0] == 403
        assert (await ask(stand, "/api/telemetry", "operator", "POST", json=nobody))[0] == 404
        assert (await ask(stand, "/api/telemetry", "", "POST", json=GOOD))[0] == 401
        for body, words in (
            (b"{", "no JSON"),
            (b"[" * 100_000, "at most"),
            (b"[" * 9_000, "no JSON"),
            (b"5", "an object"),
        ):
            status, told = await ask(stand, "/api/telemetry", "operator", "POST", content=body)
            assert status == 400
            assert words in told["words"]
        refused = [row.entry.action for row in stand.file.read(audit.rows) if row.entry.outcome == "refused"]
        assert refused == ["telemetry.post"] * 2


async def test_too_many_posts_are_told_when_to_come_back(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "POSTS_BURST", 3)
    async with open_stand(team()) as stand, stand.client("operator") as client:
        answers = [await client.post("/api/telemetry", content=b"{}") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
        assert answers[-1].headers["retry-after"] == "1"
        mock_clock.jump(1 / routes.POSTS_PER_S)
        assert (await client.post("/api/telemetry", json=GOOD)).status_code == 200


async def test_what_was_posted_does_not_grow_for_ever() -> None:
    async with open_stand(team()) as stand:
        await stand.posted.store.transact(
            lambda conn: conn.execute(
                "INSERT INTO posted (id, driver, at_us, data, who) VALUES (1, 'anna', 0, '{}', 'x'), (?, 'anna', 0, '{}', 'x')",
                (KEPT_MAX,),
            )
        )
        await ask(stand, "/api/telemetry", "operator", "POST", json=GOOD)
        rows = await stand.posted.newest("anna", 10)
        assert [row["id"] for row in rows] == [str(KEPT_MAX + 1), str(KEPT_MAX)]


async def test_figures_are_json_even_of_strange_values() -> None:
    look = team()
    fuel = look.states["anna"].fuel
    assert fuel is not None
    look.change("anna", fuel=evolve(fuel, per_lap=0.0, tank_litres=0.0), values={"LapDistPct": math.nan})
    async with open_stand(look) as stand, stand.client("viewer") as client:
        told = json.loads((await client.get("/api/telemetry/drivers/anna")).content)
        assert (told["fuel"]["laps_left"], told["fuel"]["percent"], told["place"]) == (None, None, None)
