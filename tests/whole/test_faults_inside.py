"""Faults inside of real daemons, by their admin APIs: refused where the config does not allow them, else as asked."""

import time
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from chaos.carrier import CarrierError, NotCarried
from chaos.drills.daemoncarrier import DaemonCarrier
from chaos.faults import EatMessage, Latency, Placed, Silence, Stream
from chaos.scenario import Deed
from daemons.ops.authority.identity import Role
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError
from daemons.race.config import PitsConfig
from protocol.linkstatus import Status
from tests.whole.stage import SITE, Stage, open_stage
from tests.whole.test_admin import admin_token


def doors(folder: Path) -> dict[str, AdminClient]:
    return {
        "site": AdminClient(folder / "pits" / ADMIN_SOCKET),
        "hub": AdminClient(folder / "cloud" / ADMIN_SOCKET),
    }


def by_name(config: PitsConfig) -> PitsConfig:
    """Dial the hub by a name: an address is looked up nowhere."""
    return attrs.evolve(config, cloud_url=config.cloud_url.replace("127.0.0.1", "localhost"))


async def left_s(doors: dict[str, AdminClient]) -> dict[str, float]:
    """What is left of each fault's lease."""
    listed = [await door.act("chaos.list") for door in doors.values()]
    return {row["name"]: row["lease_left_s"] for told in listed for row in told["faults"]}


async def drilled(door: AdminClient, names: list[str]) -> None:
    """Wait until a daemon says that just these drills run on it."""
    with trio.fail_after(15):
        while (await door.status())["chaos"]["drills"] != names:
            await trio.sleep(0.01)


async def warned(door: AdminClient) -> dict[str, str]:
    return {row["name"]: row["words"] for row in (await door.status())["warnings"]}


def link(stage: Stage) -> Status:
    assert stage.pits.dialer is not None
    return stage.pits.dialer.status.status


async def test_without_the_config_every_action_is_refused_in_words_and_audited(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        await stage.connected()
        for door in doors(tmp_path).values():
            for action, params in (
                ("chaos.place", {"name": "x", "type": "silence"}),
                ("chaos.remove", {"name": "x"}),
                ("chaos.renew", {}),
                ("chaos.reset", {}),
            ):
                with pytest.raises(AdminError, match=r"\[chaos\] allow = true in its config") as refused:
                    await door.act(action, **params)
                assert refused.value.status == 403
            assert [row["outcome"] for row in await door.audit()] == ["refused"] * 4
            listed = await door.act("chaos.list")
            assert (listed["allowed"], listed["faults"], listed["drills"]) == (False, [], [])
            assert "[chaos] allow = true" in listed["words"]
            assert await door.act("chaos.kinds") == {"faults": [], "profiles": []}
            assert (await door.status())["chaos"] == {"allowed": False, "faults": 0, "drills": []}
            assert "chaos" not in await warned(door)


async def test_a_fault_is_an_admins_and_what_cannot_be_is_refused(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        site, hub = doors(tmp_path).values()
        operator = AdminClient(stage.page, await admin_token(stage, Role.OPERATOR))
        with pytest.raises(AdminError) as refused:
            await operator.act("chaos.place", name="x", type="silence")
        assert refused.value.status == 403
        wrong: list[tuple[AdminClient, dict[str, Any], str]] = [
            (site, {"type": "lattency"}, "is none of"),
            (
                site,
                {"type": "latency", "attributes": {"latncy": 5}},
                "has no 'latncy'; it has latency, jitter",
            ),
            (site, {"type": "latency", "attributes": {"latency": -5}}, "latency must be 0 to"),
            (site, {"type": "latency", "attributes": [1]}, "JSON object"),
            (site, {"type": "latency", "stream": "sideways"}, "upstream, downstream or both"),
            (site, {"type": "latency", "toxicity": 2}, "0 to 1"),
            (site, {"type": "latency", "lease_s": 0}, "lease_s"),
            (site, {"type": "kill"}, "from outside"),
            (site, {"type": "clock_step", "attributes": {"seconds": "5"}}, "must be a number"),
            (site, {"type": "trace", "attributes": {"file": "/etc/passwd"}}, "reads no recordings"),
            (site, {"type": "latency", "name": "../x"}, "short text"),
            (hub, {"type": "dns_dead"}, "a hub asks for no names"),
            (site, {}, "one type, or one profile"),
            (site, {"type": "latency", "profile": "3g"}, "one type, or one profile"),
            (site, {"profile": "4g"}, "is none of clean"),
            (site, {"profile": "3g", "stream": "upstream"}, "of its own"),
        ]
        for door, params, words in wrong:
            with pytest.raises(AdminError, match=words) as refused:
                await door.act("chaos.place", **{"name": "x", **params})
            assert refused.value.status == 400
        assert {row["outcome"] for row in await site.audit()} == {"refused"}
        for door in (site, hub):
            assert (await door.act("chaos.list"))["faults"] == []
            assert await warned(door) == await warned(door) | {
                "chaos": "faults may be put into this daemon: [chaos] allow is on, not for a race"
            }
            assert "chaos-faults" not in await warned(door)


async def test_a_live_link_falls_silent_is_found_dead_and_comes_back(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        door = doors(tmp_path)["site"]
        hub = stage.cloud.members[SITE].site.peer
        shown = await door.act("chaos.place", name="cable", type="silence", lease_s=40)
        assert shown["type"] == "silence" and 39 < shown["lease_left_s"] <= 40
        assert (await warned(door))["chaos-faults"] == "broken on purpose: cable (silence)"
        id_ = await stage.command(do="pause")
        await stage.until(
            lambda: hub.connection is None
        )  # it waits for an answer: 4 s, more after slow round trips
        assert hub.figures.ended == {"peer_silent": 1}
        assert set(stage.pits.peer.figures.ended) <= {"peer_silent"}  # it has not heard that the hub has left
        began = time.monotonic()
        assert await door.act("chaos.remove", name="cable") == {"removed": True}
        assert (await stage.result_of(id_))["status"] == "DONE"
        assert time.monotonic() - began < 3
        assert link(stage) is Status.READY and stage.pits.peer.attempt > 1
        listed = await door.act("chaos.list")
        assert listed["faults"] == [] and listed["touched"]["cable"] >= 1
        assert "chaos-faults" not in await warned(door)
        row = (await door.audit())[0]
        assert (row["action"], row["target"], row["outcome"]) == ("chaos.place", "cable", "done")


async def test_a_hub_resets_one_sites_link_until_the_lease_ends(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        hub = doors(tmp_path)["hub"]
        await hub.act("chaos.place", name="other", type="reset_peer", site="elsewhere", lease_s=20)
        await stage.origin("/httpfiles/Pilots.json")  # whatever is answered: it came over the link, and back
        assert stage.pits.peer.attempt == 1
        await hub.act("chaos.place", name="mine", type="reset_peer", site=SITE, lease_s=0.5)
        await stage.until(lambda: stage.pits.peer.attempt > 1)
        await stage.until(lambda: stage.cloud.hazards is not None and len(stage.cloud.hazards.show()) == 1)
        await stage.until(lambda: link(stage) is Status.READY)
        assert set(stage.pits.peer.figures.ended) <= {"broken"}
        assert (await hub.act("chaos.list"))["touched"]["other"] == 0


async def test_an_eaten_command_is_a_gap_that_the_next_one_shows(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        site = doors(tmp_path)["site"]
        await site.act("chaos.place", name="eat", type="eat_message", stream="downstream")
        first = await stage.command(do="pause")
        await stage.until(lambda: _touched(stage) == 1)
        second = await stage.command(do="resume")
        results = [await stage.result_of(id_) for id_ in (first, second)]
        assert [row["status"] for row in results] == ["DONE", "DONE"]
        assert stage.pits.peer.attempt == 2
        assert not stage.pits.service.paused
        commands = [row["action"] for row in await site.audit() if row["outcome"] == "done"]
        assert commands == ["chaos.place", "command.pause", "command.resume"]


def _touched(stage: Stage) -> int:
    assert stage.pits.hazards is not None
    return stage.pits.hazards.touched()["eat"]


async def test_names_that_are_not_found_and_a_clock_that_is_wrong(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True, pits_config=by_name) as stage:
        await stage.connected()
        site = doors(tmp_path)["site"]
        await site.act("chaos.place", name="dns", type="dns_dead")
        await site.act("reconnect")
        assert stage.pits.dialer is not None
        await stage.until(lambda: link(stage) is Status.LOST)
        words = (await site.status())["link"]["words"]
        assert "no internet here: no name server answers (Temporary failure in name resolution)" in words
        assert await site.act("chaos.remove", name="dns") == {"removed": True}
        await stage.until(lambda: link(stage) is Status.READY)

        await site.act("chaos.place", name="slow", type="dns_slow", attributes={"delay_s": 0.5})
        began = time.monotonic()
        await site.act("reconnect")
        await stage.until(lambda: link(stage) is not Status.READY)
        await stage.until(lambda: link(stage) is Status.READY)
        assert 0.5 <= time.monotonic() - began < 3

        attributes = {"seconds": 3600}
        await site.act("chaos.place", name="clock", type="clock_step", attributes=attributes)
        assert 3599 < stage.pits.environment.utc_now() - time.time() < 3601
        assert await site.act("chaos.reset") == {"removed": 2}
        assert abs(stage.pits.environment.utc_now() - time.time()) < 1
        touched = (await site.act("chaos.list"))["touched"]
        assert set(touched) == {"dns", "slow", "clock"}
        assert all(count >= 1 for count in touched.values())


async def test_a_profile_is_placed_and_ended_as_a_whole(tmp_path: Path) -> None:
    """Its parts are faults as others are; those that are not its parts stay."""
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        site = doors(tmp_path)["site"]
        kinds = await site.act("chaos.kinds")
        assert {"latency", "clock_step", "dns_dead"} <= {one["type"] for one in kinds["faults"]}
        assert "trace" not in {one["type"] for one in kinds["faults"]}
        assert "dns_dead" not in {
            one["type"] for one in (await doors(tmp_path)["hub"].act("chaos.kinds"))["faults"]
        }
        for one in kinds["faults"]:
            await site.act(
                "chaos.place", name="one", type=one["type"], attributes=one["attributes"], lease_s=1
            )
            assert await site.act("chaos.remove", name="one") == {"removed": True}
        await site.act("chaos.place", name="drive-in", type="latency", attributes={"latency": 1})
        placed = (await site.act("chaos.place", name="drive", profile="lte-driving", lease_s=30))["placed"]
        parts = {one["name"] for one in placed}
        assert {"drive.latency_upstream", "drive.outages"} <= parts
        status = await site.status()
        assert status["chaos"]["faults"] == len(parts) + 1
        listed = (await site.act("chaos.list"))["faults"]
        assert all(29 < one["lease_left_s"] <= 30 for one in listed if one["name"] in parts)
        assert all(0 <= one["on_s"] < 10 for one in listed)
        assert await site.act("chaos.remove", name="drive.*") == {"removed": len(parts)}
        assert [one["name"] for one in (await site.act("chaos.list"))["faults"]] == ["drive-in"]


async def test_a_drill_says_how_it_stands_and_its_beginning_and_end_are_audited(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        await stage.connected()
        site = doors(tmp_path)["site"]
        for params, words in (
            ({"run": "x", "standing": [1]}, "JSON object"),
            ({"run": "x", "standing": {"drill": "a" * 20_000}}, "bytes at most"),
            ({"run": "", "standing": {"drill": "cut"}}, "run"),
            ({"run": "x", "standing": {"drill": "cut"}, "lease_s": 0}, "lease_s"),
        ):
            with pytest.raises(AdminError, match=words) as refused:
                await site.act("chaos.note", **params)
            assert refused.value.status == 400
        with pytest.raises(AdminError, match=r"begin it with chaos\.drill"):
            await site.act("chaos.note", run="one", standing={"drill": "cut"})
        await site.act("chaos.drill", run="one", standing={"drill": "cut", "against": "north"})
        await site.act("chaos.drill", run="two", standing={"drill": "killed"}, lease_s=0.01)
        await site.act("chaos.note", run="one", standing={"drill": "cut", "phase": "faults"})
        await drilled(site, ["cut"])
        shown = {one["run"]: one for one in (await site.act("chaos.list"))["drills"]}
        assert (shown["one"]["heard"], shown["one"]["standing"]["phase"]) == (True, "faults")
        assert shown["two"]["heard"] is False
        await site.act("chaos.drill", run="one", standing={"drill": "cut", "verdict": "PASS"}, lease_s=0.01)
        await drilled(site, [])
        shown = {one["run"]: one for one in (await site.act("chaos.list"))["drills"]}
        assert shown["one"]["heard"] is True
        rows = [row for row in await site.audit() if row["outcome"] == "done"]
        told = {(row["action"], row["target"], str(row["after"])) for row in rows}
        assert len(rows) == 3 and told == {
            ("chaos.drill", "cut", "{'against': 'north'}"),
            ("chaos.drill", "killed", "begins"),
            ("chaos.drill", "cut", "{'verdict': 'PASS'}"),
        }


async def test_a_drill_places_renews_and_removes_them_and_leaves_others_alone(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        mine = doors(tmp_path)
        carrier = DaemonCarrier(mine, SITE)
        await mine["site"].act("chaos.place", name="theirs", type="latency", attributes={"latency": 1})
        await carrier.place("late", f"uplink:{SITE}", Placed("late", Latency(0.2), Stream.UPSTREAM), 30.0)
        await carrier.place("gap", "uplink", Placed("gap", EatMessage(0.0)), 30.0)
        await carrier.deed("clock", Deed("clock_step", "hub", {"seconds": 60.0}), 30.0)
        begun = before = await left_s(mine)
        with trio.fail_after(15):
            while not all(before[name] < begun[name] for name in begun):  # shown in tenths
                await trio.sleep(0.05)
                before = await left_s(mine)
        await carrier.renew()
        after = await left_s(mine)
        assert set(after) == {"theirs", "drill.late", "drill.gap", "drill.clock"}
        assert all(after[name] > before[name] for name in after)
        assert await carrier.left_over() == [
            "late inside of the site",
            "gap inside of the site",
            "clock inside of the hub",
        ]
        assert await carrier.touched("late") == 1
        await carrier.remove("late")
        assert await carrier.touched("late") == 1
        await carrier.reset()
        assert await carrier.left_over() == []
        listed = await mine["site"].act("chaos.list")
        assert [row["name"] for row in listed["faults"]] == ["theirs"]
        with pytest.raises(NotCarried, match="alone, and not origin"):
            await carrier.place("x", "origin", Placed("x", Silence()), 1.0)
        with pytest.raises(NotCarried, match="by itself"):
            await carrier.deed("x", Deed("kill", "site"), 1.0)
        at_hub = DaemonCarrier({"hub": mine["hub"]}, SITE)
        await at_hub.place("late", "uplink", Placed("late", Latency(0.1)), 30.0)
        (row,) = (await mine["hub"].act("chaos.list"))["faults"]
        assert (row["name"], row["site"]) == ("drill.late", SITE)
        await stage.stop_pits()
        with pytest.raises(CarrierError, match=r"admin\.sock"):
            await carrier.deed("clock", Deed("clock_step", "site"), 1.0)
        assert await carrier.left_over() == ["late inside of the hub"]
        await stage.start_pits()
