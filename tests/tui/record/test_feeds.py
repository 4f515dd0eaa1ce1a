"""What the feeds of running daemons tell is recorded whole: the replay's model is the one that they kept."""

from pathlib import Path

import pytest
import trio

from daemons.ops.client import ADMIN_SOCKET, AdminClient
from tests.tui.record.sessions import state
from tests.tui.test_feed import said, say, sockets, until
from tests.whole.stage import SITE, open_stage
from tests.whole.test_admin import FILE, tree
from tui.feed import Direct, open_feeds
from tui.record import Recorder, Recording, Reel
from tui.record.recorder import RecordedModel


async def test_a_session_with_daemons_that_go_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks at anything: commands, dead letters, rules and faults are asked for all the same."""
    monkeypatch.setattr("tui.record.recorder.BLOCK_S", 0.5)  # it takes only some seconds
    path = tmp_path / "r"
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        with Recorder(path, keyframe_bytes=50_000) as recorder:
            model = recorder.model
            sources = [(name, Direct(client)) for name, client in sockets(tmp_path)]
            feeds = open_feeds(sources, 4.0, recorded=model)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feeds.run)
                say(1)
                await until(lambda: len(model.daemons) == 2 and said(model, 1) == {"cloud", "pits"})
                await until(lambda: ("cloud", SITE) in model.commands and ("pits", SITE) in model.dead)
                assert (await feeds.act("cloud", "site.pause", {"site": SITE}))["status"] == "DONE"
                await until(lambda: [row.status for row in model.commands["cloud", SITE]] == ["DONE"])
                await until(lambda: "site.pause" in {row.action for row in model.audit})
                model.acknowledge(model.alarms[0].key) if model.alarms else None
                await stage.stop_pits()
                await until(lambda: any(alarm.site == SITE for alarm in model.alarms))
                await stage.start_pits()
                await until(lambda: not any(alarm.site == SITE for alarm in model.alarms))
                say(2)
                await until(lambda: said(model, 2) == {"cloud", "pits"})
                nursery.cancel_scope.cancel()
            now = state(model)
        assert not recorder.failed and isinstance(model, RecordedModel)
    with Recording.open(path) as recording:
        assert recording.words == "" and recording.keyframe_before(recording.duration_s) > 0
        played, turned = Reel(recording), Reel(recording)
        played.play(recording.duration_s)
        turned.turn_to(recording.duration_s)
        assert turned.position > 0
        turned.play(recording.duration_s)
        assert state(played.model) == state(turned.model) == now and not played.left_out
        names = {call.name for call in recording.calls()}
        assert {"told", "logged", "audited", "lost", "died", "commanded", "ruled", "offered", "tick"} <= names


async def test_the_recording_of_a_daemon_holds_no_token(tmp_path: Path) -> None:
    """It is asked with one, and it is nowhere in the file."""
    from tests.whole.test_admin import admin_token

    path = tmp_path / "r"
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        token = await admin_token(stage)
        with Recorder(path) as recorder:
            feeds = open_feeds(
                [("hub", Direct(AdminClient(stage.page, token)))], 4.0, recorded=recorder.model
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feeds.run)
                say(1)
                await until(lambda: "hub" in recorder.model.daemons and said(recorder.model, 1) == {"hub"})
                nursery.cancel_scope.cancel()
        assert (tmp_path / "cloud" / ADMIN_SOCKET).exists()
    with Recording.open(path) as recording:
        told = "".join(str(call.args) for call in recording.calls())
        assert "'audit'" in told and token not in told and token[10:40] not in told
