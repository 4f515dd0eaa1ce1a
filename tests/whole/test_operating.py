"""What an operator changes while it runs, and for a time; and what the status says for a screen to show it."""

from pathlib import Path

import attrs
import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree, Quirks
from daemons.link.peer import PROTOCOL, SOFTWARE
from daemons.ops.authority.identity import Role
from daemons.ops.client import AdminClient, AdminError
from daemons.ops.logs import LogLevel, log_level, set_log_level
from tests.whole.stage import SITE, Stage, open_stage
from tests.whole.test_admin import EVENT, FILE, admin_token, doors, tree

BODY_BYTES = 4000
OTHERS = [f"/events/{EVENT}/Other{number}.json" for number in range(4)]


def files() -> EventTree:
    body = f'[{{"ID": "{EVENT}", "Name": "{"x" * BODY_BYTES}"}}]'.encode()
    return EventTree({FILE: b"[]", **dict.fromkeys(OTHERS, body)})


async def codes(stage: Stage, *paths: str) -> list[str]:
    """Ask for these at once; return what came of each, sorted."""
    found: list[str] = []

    async def ask(path: str) -> None:
        answer = await stage.origin(path)
        found.append("OK" if answer.status_code == 200 else answer.json()["code"])

    async with trio.open_nursery() as nursery:
        for path in paths:
            nursery.start_soon(ask, path)
    return sorted(found)


async def test_one_fetch_at_a_time_at_the_site_and_the_second_is_busy_until_the_limit_is_lifted(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path, tree=files(), quirks=Quirks(answer_delay_s=0.3)) as stage:
        await stage.connected()
        pits, _ = doors(tmp_path)
        told = await pits.act("limits.set", name="fetch.max_in_flight", value=1, for_s=600)
        assert told == {"name": "fetch.max_in_flight", "value": 1, "for_s": 600.0}
        assert await codes(stage, *OTHERS[:2]) == ["BUSY", "OK"]
        status = await pits.status()
        change = status["limits_changed"]["fetch.max_in_flight"]
        assert (status["limits"]["fetch.max_in_flight"], change["configured"]) == (1, 8)
        assert 590 < change["until"] - status["now"] <= 600
        assert await pits.act("limits.lift", name="fetch.max_in_flight") == {
            "name": "fetch.max_in_flight",
            "value": 8,
        }
        assert await codes(stage, *OTHERS[2:]) == ["OK", "OK"]
        with pytest.raises(AdminError, match="was not changed for a time"):
            await pits.act("limits.lift", name="fetch.max_in_flight")


@pytest.mark.parametrize("at", [0, 1], ids=["pits", "cloud"])
async def test_a_body_that_is_too_large_for_a_time(tmp_path: Path, at: int) -> None:
    async with open_stage(tmp_path, tree=files()) as stage:
        await stage.connected()
        daemon = doors(tmp_path)[at]
        await daemon.act("limits.set", name="fetch.max_body_bytes", value=1024, for_s=1.5)
        assert await codes(stage, OTHERS[0]) == ["TOO_LARGE"]
        with trio.fail_after(20):
            while await codes(stage, OTHERS[0]) != ["OK"]:
                await trio.sleep(0.05)
        assert "limits_changed" in await daemon.status() and not (await daemon.status())["limits_changed"]


async def test_a_fetch_takes_too_long_at_the_hub(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=files(), quirks=Quirks(answer_delay_s=0.5)) as stage:
        await stage.connected()
        _, cloud = doors(tmp_path)
        await cloud.act("limits.set", name="fetch.timeout_s", value=0.1, for_s=60)
        answer = await stage.origin(OTHERS[0])
        assert (answer.status_code, answer.json()["code"]) == (504, "TIMEOUT")
        await cloud.act("limits.lift", name="fetch.timeout_s")
        assert await codes(stage, OTHERS[0]) == ["OK"]


async def test_for_good_takes_an_admin_is_kept_and_told_to_the_other_end(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        operator = AdminClient(stage.page, await admin_token(stage, Role.OPERATOR))
        with pytest.raises(AdminError, match="role admin") as caught:
            await operator.act("limits.set", name="fetch.timeout_s", value=2)
        assert caught.value.status == 403
        await operator.act("limits.set", name="fetch.timeout_s", value=2, for_s=60)
        for name, value, words in (
            ("fetch.timeout_s", 0, "are possible"),
            ("fetch.allow", [], "no limit here"),
        ):
            with pytest.raises(AdminError, match=words):
                await cloud.act("limits.set", name=name, value=value, for_s=60)
        for for_s in (0, -1, 1e9):
            with pytest.raises(AdminError, match="a week at most"):
                await cloud.act("limits.set", name="fetch.timeout_s", value=2, for_s=for_s)
        before_after = [
            (row["before"], row["after"]) for row in await cloud.audit() if row["outcome"] == "done"
        ]
        assert before_after == [(5.0, {"value": 2, "for_s": 60.0})]
        await pits.act("limits.set", name="fetch.max_in_flight", value=3, for_s=600)
        await pits.act("limits.set", name="fetch.max_in_flight", value=5)  # in place of what was for a time
        assert stage.pits.lapses.until("limit fetch.max_in_flight") is None
        await stage.stop_pits()
        await stage.start_pits()
        await stage.connected()
        assert (await pits.act("limits.list"))["fetch.max_in_flight"] == 5
        connection = stage.cloud.members[SITE].site.peer.connection
        assert connection is not None and connection.theirs.limits.requests_in_flight == 5
        assert stage.pits.origin.limits.in_flight == 5


async def test_a_log_level_for_a_time_goes_back_by_itself_to_what_was_not_for_a_time(tmp_path: Path) -> None:
    before = log_level()
    set_log_level(LogLevel.WARNING)
    try:
        async with open_stage(tmp_path, tree=tree()) as stage:
            pits, _ = doors(tmp_path)
            await pits.act("log.level", level="debug", for_s=60)
            await pits.act("log.level", level="info", for_s=0.2)
            assert (await pits.status())["log"]["level"] == "info"
            await stage.until(lambda: log_level() is LogLevel.WARNING)
            assert (await pits.status())["log"] == {"level": "warning", "until": None}
            await pits.act("log.level", level="debug", for_s=0.1)
            await pits.act("log.level", level="error")  # this one stays
            assert (await pits.status())["log"] == {"level": "error", "until": None}
    finally:
        set_log_level(before)


async def test_a_pause_for_a_time_survives_a_restart_and_both_ends_say_until_when(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        pits, cloud = doors(tmp_path)
        await cloud.act("site.pause", site=SITE, for_s=300)
        until = (await pits.status())["paused_until"]
        assert 290 < until - stage.environment.utc_now() <= 300
        await stage.stop_pits()
        assert (await cloud.status())["sites"][SITE]["paused_until"] is None
        await stage.start_pits()
        await stage.connected()
        status = await pits.status()
        assert (status["paused"], status["paused_until"]) == (True, until)
        with trio.fail_after(15):
            while (there := (await cloud.status())["sites"][SITE])["paused_until"] is None:
                await trio.sleep(0.02)
        assert there["paused"] is True and abs(there["paused_until"] - until) < 5
        await pits.act("pause")  # now until it is resumed
        with trio.fail_after(15):
            while (there := (await cloud.status())["sites"][SITE])["paused_until"] is not None:
                await trio.sleep(0.02)
        assert there["paused"] is True and (await pits.status())["paused_until"] is None


async def test_versions_production_and_who_watches_are_in_the_status(tmp_path: Path) -> None:
    def production(config):  # type: ignore[no-untyped-def]
        return attrs.evolve(config, production=True)

    async with open_stage(tmp_path, tree=tree(), pits_config=production) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        with trio.fail_after(15):  # each has heard the other's hello a moment after the line stands
            while True:
                here, there = await pits.status(), await cloud.status()
                if here["link"]["software"] and there["sites"][SITE]["software"]:
                    break
                await trio.sleep(0.02)
        assert (here["production"], there["production"]) == (True, False)
        for told in (here, there, here["link"], there["sites"][SITE]):
            assert (told["software"], told["protocol"]) == (SOFTWARE, PROTOCOL)
        assert there["operators"] == []
        async with cloud.log(count=0, follow=True):
            with trio.fail_after(15):
                while not (watching := (await cloud.status())["operators"]):
                    await trio.sleep(0.02)
            assert len(watching) == 1 and abs(watching[0]["since"] - stage.environment.utc_now()) < 30
        with trio.fail_after(15):
            while (await cloud.status())["operators"]:
                await trio.sleep(0.02)
        await stage.stop_pits()
        assert (await cloud.status())["sites"][SITE]["software"] == SOFTWARE, "as it was told last"
        await stage.start_pits()


async def test_what_a_purge_would_hit_is_counted(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=files()) as stage:
        await stage.connected()
        for path in OTHERS[:2]:
            assert (await stage.origin(path)).status_code == 200
        pits, cloud = doors(tmp_path)
        found = await cloud.act("cache.count", site=SITE, prefix=OTHERS[0])
        assert found["entries"] == 1 and found["bytes"] > BODY_BYTES
        assert (await cloud.act("cache.count", site=SITE, prefix=OTHERS[0][:-6]))["entries"] == 2
        assert (await pits.act("cache.count", prefix=OTHERS[0]))["entries"] == 1
        await cloud.act("site.purge", site=SITE, prefix=OTHERS[0])
        with trio.fail_after(15):
            while (await cloud.act("cache.count", site=SITE, prefix=OTHERS[0]))["entries"]:
                await trio.sleep(0.02)
        assert (await cloud.act("cache.count", site=SITE, prefix=OTHERS[1]))["entries"] == 1


async def test_a_command_that_waits_for_its_site_is_withdrawn(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        _, cloud = doors(tmp_path)
        await stage.stop_pits()
        sent = await cloud.act("site.pause", site=SITE, wait_s=0)
        assert sent["status"] == "QUEUED"
        await cloud.act("site.withdraw", site=SITE, id=sent["id"])
        await stage.start_pits()
        result = await stage.result_of(sent["id"])
        assert (result["status"], result["words"]) == ("FAILED", "withdrawn before it ran")
        assert not stage.pits.service.paused
        for id_, words in (
            (sent["id"], "it is FAILED already"),
            ("nothing", "there is no command 'nothing'"),
        ):
            with pytest.raises(AdminError, match=words):
                await cloud.act("site.withdraw", site=SITE, id=id_)
