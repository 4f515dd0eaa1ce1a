"""The feed against daemons that may be broken: faults are placed, seen, counted down and gone; drills are seen."""

from pathlib import Path

import pytest
import trio

from daemons.ops.client import AdminError
from tests.tui.test_feed import sockets, until, watching
from tests.whole.stage import SITE, open_stage
from tests.whole.test_admin import admin_token, tree
from tui.app.chaos_controls import lift_deed
from tui.feed import Direct, open_feeds
from tui.lineface import once
from tui.model import FeedState
from tui.model.chaos_words import chaos_words


async def test_a_fault_is_placed_counted_down_and_gone_by_its_lease_with_its_audit_row(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path, tree=tree(), fragile=True) as stage:
        await stage.connected()
        async with watching(*sockets(tmp_path)) as feeds:
            chaos = feeds.model.chaos
            await until(lambda: len(feeds.model.daemons) == 2 and len(feeds.model.actions) == 2)
            for _ in range(2):
                heard = {name: view.at for name, view in feeds.model.daemons.items()}
                await until(
                    lambda heard=heard: all(
                        view.at > heard[name] for name, view in feeds.model.daemons.items()
                    )
                )
            assert chaos.views == {}, "nobody looks and nothing is on: nobody asks"
            feeds.look_at_chaos(True)
            await until(lambda: len(chaos.views) == 2 and len(chaos.kinds) == 2)
            assert {view.is_allowed for view in chaos.views.values()} == {True}
            assert "lte-driving" in {kind.name for kind in chaos.kinds["pits"]}
            params = {"name": "slow", "type": "latency", "attributes": {"latency": 20}, "lease_s": 3.0}
            await feeds.act("pits", "chaos.place", {**params, "stream": "upstream", "lease_s": 60.0})
            await until(chaos.faults)
            lift = lift_deed(feeds.model, chaos.faults()[0])
            assert lift is not None and lift.deed.undo is not None
            await feeds.act("pits", lift.deed.action, lift.deed.params)
            await until(lambda: not chaos.faults())
            await feeds.act("pits", lift.deed.undo.action, lift.deed.undo.params)
            await until(chaos.faults)
            (again,) = chaos.faults()
            assert (again.params["stream"], again.params["attributes"]["latency"]) == ("upstream", 20)
            assert 50 < (again.left_s or 0) <= 60, "for what was left of it"
            await feeds.act("pits", "chaos.place", params)
            await until(lambda: (chaos.faults()[0].left_s or 9) <= 3)
            (fault,) = chaos.faults()
            now = trio.current_time()
            assert (fault.daemon, fault.kind) == ("pits", "latency") and "latency 20" in fault.words
            assert 0 < (fault.left_now(now) or 0) <= 3 and chaos_words(feeds.model, now) == "CHAOS 1 on"
            await until(lambda: any(one.touched for one in chaos.faults()))
            assert stage.pits.hazards is not None
            await until(lambda: not stage.pits.hazards.show())
            await until(lambda: not chaos.faults() and not chaos_words(feeds.model, trio.current_time()))
            await until(lambda: sum(row.action == "chaos.place" for row in feeds.model.audit) == 3)
            rows = [row for row in feeds.model.audit if row.action.startswith("chaos.")]
            assert [row.action for row in rows] == [
                "chaos.place",
                "chaos.place",
                "chaos.remove",
                "chaos.place",
            ]
            assert {(row.daemon, row.target, row.outcome) for row in rows} == {("pits", "slow", "done")}


async def test_a_fault_that_somebody_else_placed_is_said_though_nobody_looks(tmp_path: Path) -> None:
    async with open_stage(tmp_path, fragile=True) as stage:
        await stage.connected()
        other = dict(sockets(tmp_path))["pits"]
        async with watching(*sockets(tmp_path)) as feeds:
            await until(lambda: len(feeds.model.actions) == 2)
            await other.act("chaos.place", name="theirs", type="delay_acks", lease_s=60)
            await until(feeds.model.chaos.faults)
            assert chaos_words(feeds.model, trio.current_time()) == "CHAOS 1 on"
            assert [fault.name for fault in feeds.model.chaos.faults()] == ["theirs"]
            assert feeds.model.chaos.kinds == {}
            await other.act("chaos.reset")
            await until(lambda: not feeds.model.chaos.faults())
        said: list[str] = []
        await other.act("chaos.place", name="again", type="delay_acks", lease_s=60)
        feeds = open_feeds([(name, Direct(client)) for name, client in sockets(tmp_path)])
        await once(feeds, as_json=False, say=said.append)
        assert any(line.startswith(f"  fault at pits {SITE}: again: delay_acks") for line in said), said


async def test_a_daemon_that_forbids_faults_says_so_and_refuses(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        await stage.connected()
        async with watching(*sockets(tmp_path)) as feeds:
            feeds.look_at_chaos(True)
            await until(lambda: len(feeds.model.chaos.views) == 2)
            assert all(not view.is_allowed for view in feeds.model.chaos.views.values())
            assert "[chaos] allow = true" in feeds.model.chaos.views["cloud"].why_not
            with pytest.raises(AdminError, match="faults are not allowed in this daemon"):
                await feeds.act("cloud", "chaos.place", {"name": "x", "type": "silence"})
            await until(lambda: any(row.outcome == "refused" for row in feeds.model.audit))


async def test_an_operator_from_afar_sees_a_drill_by_token_and_its_end(tmp_path: Path) -> None:
    """By the hub's own port, as through https."""
    from daemons.ops.authority.identity import Role
    from daemons.ops.client import AdminClient

    async with open_stage(tmp_path) as stage:
        await stage.connected()
        drill = AdminClient(stage.page, await admin_token(stage, Role.OPERATOR))
        standing = {
            "run": "cut 1",
            "drill": "cut",
            "phase": "faults",
            "steps": 1,
            "started_utc": "2026-11-21T14:00:00Z",
        }
        async with watching(("hub", drill)) as feeds:
            await until(lambda: feeds.model.feeds["hub"].state is FeedState.LIVE)
            await drill.act("chaos.drill", run="cut 1", standing=standing)
            await until(lambda: feeds.model.chaos.running(trio.current_time()))
            assert chaos_words(feeds.model, trio.current_time()) == "DRILL cut"
            on = {**standing, "on": [{"step": "cable", "words": "silence on uplink"}]}
            await drill.act("chaos.note", run="cut 1", standing=on)
            await until(lambda: feeds.model.chaos.runs["cut 1"].on == ("cable: silence on uplink",), 20)
            over = {**standing, "phase": "over", "verdict": "FAIL", "why": "fresh after cable"}
            await drill.act("chaos.drill", run="cut 1", standing=over)
            await until(lambda: feeds.model.chaos.runs["cut 1"].verdict == "FAIL", 20)
            assert chaos_words(feeds.model, trio.current_time()) == ""
