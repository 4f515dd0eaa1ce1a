"""The admin APIs of pits and cloud, and their audits, over the real link."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree
from daemons.ops.authority import heads, keys, tokens
from daemons.ops.authority.identity import Role
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError
from daemons.ops.logs import LogLevel, log_level, set_log_level
from protocol.messages import OriginLost, encode_body
from tests.whole.stage import SITE, Stage, open_stage

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
FILE = f"/events/{EVENT}/Event.json"


def tree() -> EventTree:
    return EventTree({FILE: f'[{{"ID": "{EVENT}", "Name": "Club night"}}]'.encode()})


def doors(folder: Path) -> tuple[AdminClient, AdminClient]:
    """The admin sockets of pits and of the cloud."""
    return AdminClient(folder / "pits" / ADMIN_SOCKET), AdminClient(folder / "cloud" / ADMIN_SOCKET)


async def agreed(stage: Stage) -> None:
    """Wait until each end keeps the head that the other has now."""
    site, hub = stage.pits.admin.trail, stage.cloud.admin.trail

    def both() -> bool:
        at_hub = hub.file.read(lambda conn: heads.kept_of(conn, SITE))
        at_site = site.file.read(lambda conn: heads.kept_of(conn, "hub"))
        return (
            at_hub is not None
            and at_site is not None
            and (at_hub.head, at_site.head) == (site.head(), hub.head())
        )

    await stage.until(both)


async def test_how_it_stands_is_told_on_both_sockets(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        pits, cloud = doors(tmp_path)
        status = await pits.status()
        assert (status["daemon"], status["site"], status["paused"]) == ("pits", SITE, False)
        assert status["link"]["status"] == "ready"
        assert "/events/**" in [rule["pattern"] for rule in status["allowlist"]]
        status = await cloud.status()
        assert status["sites"][SITE]["connected"] is True
        assert status["sites"][SITE]["fetches"] >= 1
        assert status["cache"]["entries"] >= 1
        for daemon in (pits, cloud):
            assert "pitlink_" in await daemon.metrics()
            names = {action["name"] for action in await daemon.actions()}
            assert {
                "drain",
                "limits.set",
                "log.level",
                "backup.take",
                "dead.list",
                "cache.statistics",
            } <= names


async def test_what_an_operator_sees_at_once_is_in_the_status(tmp_path: Path) -> None:
    """Round trips, hits, bytes saved, dead letters and a pause: at the hub of each site, and at the site of itself."""
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        for _ in range(2):
            assert (await stage.origin(FILE)).status_code == 200
        there, here = (await cloud.status())["sites"][SITE], await pits.status()
        assert there["cache_hits"] + there["cache_misses"] >= 2
        assert (there["paused"], there["dead_letters"], here["dead_letters"]) == (False, 0, 0)
        assert there["bytes_saved"] >= 0 and (there["bulk_delay_s"] or 0.0) < 15
        assert {"round_trip_p50_s", "round_trip_p99_s", "bulk_delay_s"} <= here["link"].keys()
        assert abs(here["now"] - stage.environment.utc_now()) < 30
        await pits.act("pause")
        with trio.fail_after(15):
            while not (await cloud.status())["sites"][SITE]["paused"]:
                await trio.sleep(0.02)
        await stage.stop_pits()
        there = (await cloud.status())["sites"][SITE]
        assert (there["paused"], there["round_trip_p50_s"]) == (None, None)
        await stage.start_pits()


async def test_a_sites_own_actions(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, _ = doors(tmp_path)
        assert await pits.act("pause") == {"words": "paused"}
        assert (await stage.origin(FILE)).json()["code"] == "PAUSED"
        assert await pits.act("resume") == {"words": "running"}
        assert (await stage.origin(FILE)).status_code == 200
        await pits.act("pause", for_s=0.3)
        assert stage.pits.service.paused
        await stage.until(lambda: not stage.pits.service.paused)
        assert (await pits.act("cache.statistics"))["paths"] >= 1
        await pits.act("purge")
        before = stage.cloud.members[SITE].site.peer.connection
        await pits.act("reconnect")
        await stage.until(lambda: stage.cloud.members[SITE].site.peer.connection not in (None, before))
        assert (await pits.act("drain"))["drained"] is True
        assert (await pits.act("dead.list"))["count"] == 0
        with pytest.raises(AdminError, match="no dead letter 7"):
            await pits.act("dead.drop", id=7)
        done = [(row["action"], row["outcome"]) for row in await pits.audit()]
        assert done == [
            ("pause", "done"),
            ("resume", "done"),
            ("pause", "done"),
            ("purge", "done"),
            ("reconnect", "done"),
            ("drain", "done"),
            ("dead.drop", "refused"),
        ]


async def test_the_allowlist_is_switched_kept_and_never_widened(tmp_path: Path) -> None:
    """By the site's own socket, and by an admin's token at the hub: only entries of the site's config go on and off."""
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        at_hub = AdminClient(stage.page, await admin_token(stage))
        await pits.act("allowlist.switch", pattern="/events/**", enabled=False)
        assert (await stage.origin(FILE)).json()["code"] == "DENIED"
        await stage.stop_pits()
        await stage.start_pits()
        await stage.connected()
        assert (await stage.origin(FILE)).json()["code"] == "DENIED"  # kept
        rules = {rule["pattern"]: rule for rule in await at_hub.act("site.allowlist.list", site=SITE)}
        assert rules["/events/**"]["enabled"] is False
        done = await at_hub.act("site.allowlist.switch", site=SITE, pattern="/events/**", enabled=True)
        assert done["status"] == "DONE"
        assert (await stage.origin(FILE)).status_code == 200
        for pattern in ("/**", "/events", "/secrets/**", "/events/**/", "/EVENTS/**", ""):
            with pytest.raises(AdminError, match="only this site's config file"):
                await pits.act("allowlist.switch", pattern=pattern, enabled=True)
        await at_hub.act("limits.set", name="commands_per_s", value={"allowlist": 100.0})
        for pattern in ("/**", "/secrets/**", "/EVENTS/**"):
            done = await at_hub.act("site.allowlist.switch", site=SITE, pattern=pattern, enabled=True)
            assert (done["status"], pattern in done["words"]) == ("FAILED", True)
        assert [rule.pattern for rule in stage.pits.service.gate.rules] == list(rules)
        assert (await stage.origin("/secrets/x")).json()["code"] == "DENIED"
        with pytest.raises(AdminError, match="no site 'elsewhere'"):
            await at_hub.act("site.allowlist.switch", site="elsewhere", pattern="/", enabled=True)
        rows = [row for row in await cloud.audit() if row["action"] == "site.allowlist.switch"]
        assert [row["outcome"] for row in rows] == ["begun"] * 4 + ["refused"]
        assert rows[0]["who"] == "token root" and rows[0]["target"] == SITE
        await until_rows(cloud, lambda row: row["who"] == f"link {SITE}", 4)
        results = [row for row in await cloud.audit() if row["who"] == f"link {SITE}"]
        assert [row["outcome"] for row in results] == ["done"] + ["failed"] * 3
        assert [row["after"]["id"] for row in results] == [row["after"]["id"] for row in rows[:4]]
        told = [row for row in await pits.audit() if row["who"] == "link token root"]
        assert [row["outcome"] for row in told] == ["begun", "done"] + ["begun", "failed"] * 3


async def until_rows(daemon: AdminClient, is_one: Callable[[dict[str, Any]], bool], count: int) -> None:
    """Wait until the audit has so many of these rows."""
    with trio.fail_after(15):
        while sum(map(is_one, await daemon.audit(last=500))) < count:
            await trio.sleep(0.02)


async def admin_token(stage: Stage, role: Role = Role.ADMIN) -> str:
    """Issue a token by the hub's authority file, as the command line does."""
    now = stage.environment.utc_now()

    def work(conn: apsw.Connection) -> str:
        keys.init_keys(conn, now, os.urandom)
        _, token = tokens.issue_token(
            conn,
            name="root",
            role=role,
            sites=("*",),
            now=now,
            expires_at=now + 600,
            by="test",
            urandom=os.urandom,
        )
        return token

    return await stage.cloud.authority.write(work)


async def test_a_hubs_actions(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        _, cloud = doors(tmp_path)
        assert (await stage.origin(FILE)).status_code == 200
        assert (await cloud.act("cache.statistics"))["entries"] >= 1
        assert (await cloud.act("site.pause", site=SITE))["status"] == "DONE"
        assert (await stage.origin(FILE)).json()["code"] == "PAUSED"
        assert (await cloud.act("site.resume", site=SITE))["status"] == "DONE"
        assert (await cloud.act("site.purge", site=SITE, prefix="/x"))["status"] == "DONE"
        assert len(await cloud.act("site.commands", site=SITE)) == 3
        assert await cloud.act("cache.purge", site=SITE) == {"prefix": ""}
        assert (await cloud.act("dead.list", site=SITE))["count"] == 0
        before = stage.cloud.members[SITE].site.peer.connection
        await cloud.act("site.reconnect", site=SITE)
        await stage.until(lambda: stage.cloud.members[SITE].site.peer.connection not in (None, before))
        assert await cloud.act("drain") == {"draining": True}
        assert (await stage.callers.get("/readyz")).status_code == 503
        await stage.until(lambda: stage.cloud.members[SITE].site.peer.connection is None)
        with pytest.raises(AdminError, match="does not say"):
            await cloud.act("site.allowlist.list", site=SITE)
        assert await cloud.act("drain", enabled=False) == {"draining": False}
        await stage.connected()


async def test_limits_level_and_backup(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        level = log_level()
        try:
            for daemon in doors(tmp_path):
                before = (await daemon.act("limits.list"))["client_requests_per_s"]
                set_to = await daemon.act("limits.set", name="client_requests_per_s", value=333)
                assert set_to == {"name": "client_requests_per_s", "value": 333.0}
                with pytest.raises(AdminError, match="expected a number"):
                    await daemon.act("limits.set", name="client_requests_per_s", value="many")
                with pytest.raises(AdminError, match="no limit here"):
                    await daemon.act("limits.set", name="patience", value=1)
                assert (await daemon.act("limits.set", name="client_requests_per_s"))["value"] == before
                assert await daemon.act("log.level", level="warning") == {"level": "warning"}
                assert log_level() is LogLevel.WARNING
                backup = await daemon.act("backup.take")
                assert await trio.Path(backup["path"]).exists()
        finally:
            set_log_level(level)
        assert stage.pits.limits.now.client_requests_per_s == stage.pits.config.limits.client_requests_per_s


async def test_a_cut_tail_at_the_site_is_found_when_it_connects_again(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        for _ in range(3):
            await pits.act("resume")
        await agreed(stage)
        assert (await pits.verify_audit())["faults"] == []
        await stage.stop_pits()
        cut_tail(tmp_path / "pits", keep=1)
        await stage.start_pits()
        await stage.connected()
        await stage.until(lambda: any("audit" in w.name for w in stage.cloud.health.warnings))
        assert "its end was cut off" in str((await cloud.status())["warnings"])
        await stage.until(lambda: any(w.name == "audit-kept-hub" for w in stage.pits.health.warnings))
        assert "tail was cut" in (await pits.verify_audit())["faults"][0]["words"]
        await cloud.act("audit.accept", peer=SITE)
        await pits.act("reconnect")
        await agreed(stage)
        await stage.until(lambda: not any("audit" in w.name for w in stage.pits.health.warnings))
        assert (await pits.verify_audit())["faults"] == []
        assert [row["action"] for row in await cloud.audit()] == ["audit.break", "audit.accept"]


def cut_tail(folder: Path, keep: int) -> None:
    """Remove the newest rows and every note of them, as somebody would who has the disk."""
    conn = apsw.Connection(str(folder / "authority.db"))
    for trigger in ("audit_row_is_kept", "audit_row_is_final", "audit_row_is_next"):
        conn.execute(f"DROP TRIGGER {trigger}")
    conn.execute("DELETE FROM audit_row WHERE number > ?", (keep,))
    conn.execute("DELETE FROM audit_head_by")
    conn.close()


async def test_commands_by_the_api_leave_rows_at_both_ends(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        id_ = await stage.command(do="purge", prefix="/x")
        await stage.result_of(id_)
        await until_rows(cloud, lambda row: True, 2)
        begun, done = await cloud.audit()
        assert (begun["who"], begun["action"], begun["target"]) == ("bearer caller", "command.purge", SITE)
        assert (begun["outcome"], begun["after"]["id"]) == ("begun", id_)
        assert (done["who"], done["action"], done["target"]) == (f"link {SITE}", "command.purge", SITE)
        assert (done["outcome"], done["after"]["issuer"]) == ("done", "bearer caller")
        told = [(row["who"], row["action"], row["outcome"]) for row in await pits.audit()]
        assert told == [("link bearer caller", "command.purge", outcome) for outcome in ("begun", "done")]
        reader = await admin_token(stage, Role.VIEWER)
        headers = {"Authorization": f"Bearer {reader}"}
        answer = await stage.callers.post(
            f"/api/sites/{SITE}/commands", json={"do": "pause"}, headers=headers
        )
        assert answer.status_code == 403
        assert (await cloud.audit())[-1]["outcome"] == "refused"
        assert reader not in str(await cloud.audit())
        await agreed(stage)


async def test_dead_letters_are_applied_after_all_or_dropped(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        _, cloud = doors(tmp_path)
        good = encode_body(OriginLost(5.0, "gone"))

        def bury(conn: apsw.Connection) -> None:
            for kind, version, body in (good, ("nonsense", 1, b"\xff")):
                row = (SITE, "event", 1, 1, kind, version, body, "ValueError: once", 5.0)
                conn.execute(
                    "INSERT INTO link_dead (peer, channel, epoch, seq, type, version, body, error, at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )

        await stage.cloud.store.transact(bury)
        listed = await cloud.act("dead.list", site=SITE)
        first, second = (letter["id"] for letter in listed["oldest"])
        assert "body" not in str(listed)
        record = stage.cloud.members[SITE].record
        assert not [row for row in await record.listed() if row["type"] == "origin.lost"]
        assert await cloud.act("dead.requeue", site=SITE, id=first) == {"id": first}
        lost = [row["at"] for row in await record.listed() if row["type"] == "origin.lost"]
        assert lost == [5.0]  # the site's journal adds rows of its own meanwhile
        with pytest.raises(AdminError, match="still cannot be applied"):
            await cloud.act("dead.requeue", site=SITE, id=second)
        assert await cloud.act("dead.drop", site=SITE, id=second) == {"id": second}
        assert (await cloud.act("dead.list", site=SITE))["count"] == 0
        with pytest.raises(AdminError, match="no site 'x'"):
            await cloud.act("dead.list", site="x")
        outcomes = [(row["action"], row["outcome"]) for row in await cloud.audit()]
        assert outcomes == [
            ("dead.requeue", "done"),
            ("dead.requeue", "done"),
            ("dead.requeue", "failed"),
            ("dead.drop", "done"),
            ("dead.list", "refused"),
        ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_what_takes_an_admin_is_refused_to_others_at_the_hubs_port(tmp_path: Path, role: Role) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        _, cloud = doors(tmp_path)
        daemon = AdminClient(stage.page, await admin_token(stage, role))
        for action, params in (
            ("limits.set", {"name": "site_fetches_per_s", "value": 1}),
            ("audit.accept", {"peer": SITE}),
        ):
            with pytest.raises(AdminError) as caught:
                await daemon.act(action, **params)
            assert caught.value.status == 403
        assert [row["outcome"] for row in await cloud.audit()] == ["refused", "refused"]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stage.pits.front.ports[0]}") as site:  # type: ignore[union-attr]
            assert (await site.get("/admin/status")).status_code == 404  # not on a site's port
