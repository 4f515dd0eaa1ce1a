"""What an operator does: chosen or typed, asked about with Cancel focused, done by the daemon, said."""

import trio

from daemons.ops.client import AdminError
from tests.tui.app.world import HUB, UTC, World, in_textual, shown
from tui.app.controls import controls
from tui.app.deeds import DEEDS_MAX, Deed, Deeds, command_line


@in_textual
async def test_cancel_has_the_focus() -> None:
    async with shown() as face:
        await face.press("down", "c", "enter", "enter")
        assert face.world.asked == []
        assert face.title.startswith("pitlink Overview")


@in_textual
async def test_a_pause_names_the_site_counts_and_shows_the_command() -> None:
    async with shown() as face:
        await face.press("down", "c", "enter")
        for words in (
            "Pause site north?",
            "1 site stops",
            "for 5 min",
            "3 fetches are under way, 1 wait",
            "$ pitlink ctl site.pause site=north for_s=300 --at cloud-state",
        ):
            assert words in face.text
        await face.press("tab", "enter")
        assert face.world.asked == [(HUB, "site.pause", {"site": "north", "for_s": 300.0})]
        assert face.status.startswith("pause site north: done")


@in_textual
async def test_what_is_typed_is_done_too_and_judged_first() -> None:
    async with shown() as face:
        await face.press("down", "colon", *"pause 0:90", "enter", "right", "enter")
        assert face.world.asked == [(HUB, "site.pause", {"site": "north", "for_s": 90.0})]
        await face.press("colon", *"pause soon", "enter")
        assert "'soon' is no time" in face.status
        await face.press("up", "colon", *"level loud", "enter")
        assert "'loud' is none of" in face.status
        assert len(face.world.asked) == 1


async def test_every_control_of_a_hub_and_its_site() -> None:
    world = World()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.run)
        await world.began.wait()
        nursery.cancel_scope.cancel()
    found = [*controls(world.model, HUB, "north"), *controls(world.model, HUB, "")]
    deeds = {
        control.name: control.question(control.given).deed
        for control in found
        if control.given or not control.asks
    }
    assert {name: (deed.action, deed.params) for name, deed in deeds.items()} == {
        "pause": ("site.pause", {"site": "north", "for_s": 300.0}),
        "resume": ("site.resume", {"site": "north"}),
        "reconnect": ("site.reconnect", {"site": "north"}),
        "purge": ("site.purge", {"site": "north"}),
        "drain": ("drain", {"enabled": True}),
        "level": ("log.level", {"level": "info"}),
        "backup": ("backup.take", {}),
    }


@in_textual
async def test_an_entry_of_the_allowlist_is_switched() -> None:
    async with shown() as face:
        face.world.model.ruled(HUB, "north", [{"pattern": "/events/**", "methods": ["GET"], "enabled": True}])
        await face.press("down", "enter", "end", "enter")
        assert "Switch /events/** of site north off?" in face.text
        await face.press("tab", "enter")
        wanted = {"site": "north", "pattern": "/events/**", "enabled": False}
        assert face.world.asked == [(HUB, "site.allowlist.switch", wanted)]


@in_textual
async def test_dead_letters_are_requeued_and_dropped() -> None:
    letter = {
        "id": 4, "channel": "event", "seq": 9, "type": "lap", "bytes": 70, "error": "no such race", "at": UTC,
    }  # fmt: skip
    async with shown() as face:
        face.world.model.died(HUB, "north", {"count": 1, "oldest": [letter]})
        await face.press("5")
        assert face.world.looked_at == {(HUB, "north")}
        assert "no such race" in face.text
        await face.press("enter")
        assert "why  no such race" in face.text
        await face.press("escape", "r")
        assert "1 message (event 9, lap, 70 B) is applied after all." in face.text
        await face.press("tab", "enter", "x")
        assert "is removed for good" in face.text
        await face.press("enter", "x", "tab", "enter")
        assert [action for _, action, _ in face.world.asked] == ["dead.requeue", "dead.drop"]


@in_textual
async def test_read_only_changes_nothing() -> None:
    async with shown(is_read_only=True) as face:
        face.world.model.ruled(HUB, "north", [{"pattern": "/events/**", "methods": ["GET"], "enabled": True}])
        assert "READ-ONLY" in face.title
        await face.press("down", "c")
        assert "read-only: nothing is changed from here" in face.status
        face.app.desk.deeds.tell("")
        await face.press("colon", *"pause", "enter")
        assert "read-only: nothing is changed from here" in face.status
        await face.press("enter", "end", "enter")
        assert face.title.startswith("pitlink Site") and face.world.asked == []


@in_textual
async def test_only_what_the_daemon_offers_is_shown() -> None:
    async with shown() as face:
        face.world.model.offered(HUB, [{"name": "site.reconnect"}])
        await face.press("down", "c")
        assert ":reconnect" in face.text and ":pause" not in face.text


@in_textual
async def test_a_refusal_is_said_in_the_daemons_words() -> None:
    world = World(does=lambda action: AdminError(403, "role", "that takes the role admin"))
    async with shown(world) as face:
        await face.press("home", "colon", *"backup", "enter", "tab", "enter")
        assert face.status.startswith("backup of cloud hub-1: failed: that takes the role admin")


async def test_no_more_deeds_than_fit_are_begun() -> None:
    async def act(*_: object) -> None:
        raise AssertionError

    deeds = Deeds(act)
    for number in range(DEEDS_MAX + 1):
        deeds.ask(Deed(HUB, "drain", {}, f"drain {number}"))
    assert deeds.last is not None and "refused" in deeds.last.words


def test_the_command_line_can_be_pasted() -> None:
    deed = Deed(HUB, "site.purge", {"site": "north field", "prefix": "/a b", "now": True}, "purge")
    wanted = "pitlink ctl site.purge 'site=north field' 'prefix=/a b' now=on"
    assert command_line(deed, "") == wanted
    assert command_line(deed, "/var/lib/x") == f"{wanted} --at /var/lib/x"
