"""An operator's commands, from the cloud's API to what the site does and back, over the real link."""

from pathlib import Path

import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree
from daemons.ops.tokens import Role
from daemons.pair.desk import LIFETIME_S
from daemons.race.cache import Key
from protocol.messages import Purge
from tests.whole.stage import SITE, Stage, open_stage

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
FILE = f"/events/{EVENT}/Event.json"
COMMANDS = f"/api/sites/{SITE}/commands"


def tree() -> EventTree:
    return EventTree(
        {FILE: f'[{{"ID": "{EVENT}", "Name": "Club night"}}]'.encode(), "httpfiles/Channels.json": b"[]"}
    )


async def _status(stage: Stage, path: str = FILE) -> int:
    return (await stage.origin(path)).status_code


async def test_pause_and_resume(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert await _status(stage) == 200
        done = await stage.result_of(await stage.command(do="pause"))
        assert (done["status"], done["issuer"], done["action"]) == (
            "DONE",
            "bearer caller",
            {"do": "pause", "until": None},
        )
        refused = await stage.origin(FILE)
        assert refused.status_code == 503
        assert refused.json()["code"] == "PAUSED"
        assert int(refused.headers["retry-after"]) > 0
        keeper = stage.cloud.members[SITE].site.keeper
        now = stage.environment.utc_now
        await stage.until(lambda: "paused" in (keeper.freshness(now()).why or ""))
        assert stage.pits.keeper.freshness(now()).why is None  # the field's own page goes on
        assert (await stage.result_of(await stage.command(do="resume")))["status"] == "DONE"
        assert await _status(stage) == 200
        await stage.until(lambda: keeper.freshness(now()).why is None)


async def test_a_pause_until_a_moment_ends_by_itself(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        await stage.result_of(await stage.command(do="pause", until=stage.environment.utc_now() + 1.0))
        assert await _status(stage) == 503
        with trio.fail_after(10):
            while await _status(stage) != 200:
                await trio.sleep(0.05)


async def test_a_rule_is_switched_off_and_on_and_stays_so_across_a_restart(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        off = await stage.command(do="allowlist", pattern="/events/**", enabled=False)
        assert (await stage.result_of(off))["status"] == "DONE"
        refused = await stage.origin(FILE)
        assert (refused.status_code, refused.json()["code"]) == (403, "DENIED")
        assert await _status(stage, "/httpfiles/Channels.json") == 200
        await stage.stop_pits()
        await stage.start_pits()
        await stage.connected()
        assert await _status(stage) == 403
        on = await stage.command(do="allowlist", pattern="/events/**", enabled=True)
        assert (await stage.result_of(on))["status"] == "DONE"
        assert await _status(stage) == 200
        unknown = await stage.result_of(
            await stage.command(do="allowlist", pattern="/secrets/**", enabled=True)
        )
        assert unknown["status"] == "FAILED"
        assert "/secrets/**" in unknown["words"]


async def test_purge_empties_the_clouds_copies_too(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        path = f"/events/{EVENT}/Other.json"
        stage.double.tree.put(path, b'[{"ID": "y"}]')
        assert await _status(stage, path) == 200
        key = Key(SITE, "GET", path)
        assert await stage.cloud.cache.get(key) is not None
        assert (await stage.result_of(await stage.command(do="purge", prefix=path)))["status"] == "DONE"
        with trio.fail_after(10):
            while await stage.cloud.cache.get(key) is not None:
                await trio.sleep(0.02)
        await stage.stop_pits()
        assert (await stage.origin(path)).json()["code"] == "DISCONNECTED"


async def test_reconnect_makes_a_new_connection_and_still_reports(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        before = stage.cloud.members[SITE].site.peer.connection
        assert (await stage.result_of(await stage.command(do="reconnect")))["status"] == "DONE"
        await stage.until(lambda: stage.cloud.members[SITE].site.peer.connection not in (None, before))
        assert await _status(stage) == 200


async def test_a_command_waits_for_its_site_and_one_that_came_too_late_never_runs(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        await stage.stop_pits()
        desk = stage.cloud.members[SITE].desk
        late = await desk.issue(Purge("/"), "caller", lifetime_s=0.05)
        good = await stage.command(do="allowlist", pattern="/current", enabled=False)
        listed = {row["id"]: row for row in await desk.listed()}
        assert listed[good]["status"] == "QUEUED"
        assert listed[good]["expires_at"] - listed[good]["issued_at"] == pytest.approx(LIFETIME_S)
        with trio.fail_after(5):
            while {row["id"]: row for row in await desk.listed()}[late]["status"] != "UNKNOWN":
                await trio.sleep(0.02)
        await stage.start_pits()
        purged: list[str] = []
        stage.pits.deeds.controls.purge = purged.append
        assert (await stage.result_of(late))["status"] == "EXPIRED"
        assert (await stage.result_of(good))["status"] == "DONE"
        assert purged == []


async def test_who_may_command_and_what_is_no_command(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        caller = stage.cloud.tokens.add("reader", Role.CALLER, SITE)
        for token, status, why in (
            ("wrong", 401, "malformed"),
            ("pl_wrong", 401, "unknown"),
            (caller, 403, "role"),
        ):
            headers = {"Authorization": f"Bearer {token}"}
            assert (await stage.callers.get(COMMANDS, headers=headers)).status_code == status
            answer = await stage.callers.post(COMMANDS, headers=headers, json={"do": "pause"})
            assert (answer.status_code, answer.json()["why"]) == (status, why)
            assert answer.headers["www-authenticate"].startswith("Bearer error=")
        reader = {"Authorization": f"Bearer {caller}"}
        assert (await stage.callers.get(f"/api/sites/{SITE}/events", headers=reader)).status_code == 200
        for body in (b"", b"[]", b"{}", b'{"do": "explode"}', b'{"do": "allowlist"}', b"[" * 5000, b"\xff"):
            answer = await stage.callers.post(COMMANDS, content=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST"), body
        assert (await stage.callers.get(COMMANDS)).json() == []
        assert (
            await stage.callers.post("/api/sites/nowhere/commands", json={"do": "pause"})
        ).status_code == 404
