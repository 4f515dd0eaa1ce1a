"""`z`: what was done last is undone, by what was made of how things stood before; or it is said why not."""

import trio

from daemons.ops.client import AdminError
from tests.tui.app.world import HUB, UTC, World, in_textual, shown, site


@in_textual
async def test_a_pause_is_undone_once_and_asked_about() -> None:
    async with shown() as face:
        await face.press("z")
        assert "there is nothing to undo" in face.status
        await face.press("down", "colon", *"pause 60", "enter", "tab", "enter")
        await face.press("z")
        for words in ("Resume site north?", "This undoes: pause site north.", "pitlink ctl site.resume"):
            assert words in face.text
        await face.press("enter", "z", "tab", "enter", "z")
        assert [action for _, action, _ in face.world.asked] == ["site.pause", "site.resume"]
        assert "there is nothing to undo" in face.status


@in_textual
async def test_what_stood_before_is_put_back_not_a_default() -> None:
    world = World()
    async with shown(world) as face:
        paused = site(paused=True, paused_until=UTC + 100.0)
        world.tell({"north": paused}, log={"level": "warning", "until": None})
        await face.press("down", "colon", *"resume", "enter", "tab", "enter")
        await face.press("z")
        assert "pause site north for 100 s, as it was" in face.text
        await face.press("tab", "enter", "up", "colon", *"level debug", "enter", "tab", "enter")
        await face.press("z", "tab", "enter")
        assert world.asked[1:] == [
            (HUB, "site.pause", {"site": "north", "for_s": 100.0}),
            (HUB, "log.level", {"level": "debug"}),
            (HUB, "log.level", {"level": "warning"}),
        ]


@in_textual
async def test_what_cannot_be_undone_says_why_before_and_after() -> None:
    async with shown() as face:
        await face.press("down", "colon", *"purge /events", "enter")
        assert "Cannot be undone: what was forgotten is gone" in face.text
        await face.press("tab", "enter")
        await face.press("z")
        assert face.status.startswith(
            "purge copies of site north: cannot be undone: what was forgotten is gone"
        )
        assert face.app.screen.query("#title"), "nothing was asked"


@in_textual
async def test_what_failed_is_not_undone() -> None:
    world = World(does=lambda action: AdminError(409, "refused", "not now") if "purge" in action else None)
    async with shown(world) as face:
        await face.press("down", "colon", *"pause 60", "enter", "tab", "enter")
        await face.press("colon", *"purge /x", "enter", "tab", "enter")
        assert "failed: not now" in face.status
        await face.press("z")
        assert "This undoes: pause site north." in face.text


@in_textual
async def test_a_command_that_failed_at_its_site_is_said_to_have_failed() -> None:
    failed = {"id": "c1", "status": "FAILED", "words": "no such entry"}
    async with shown(World(does=lambda action: failed)) as face:
        await face.press("down", "colon", *"resume", "enter", "tab", "enter")
        assert face.status.startswith("resume site north: failed: no such entry")


@in_textual
async def test_what_was_said_to_an_alarm_is_taken_back_as_it_was() -> None:
    async with shown() as face:
        face.world.tell({"south": site(connected=False, last_seen_at=UTC - 300)})
        await face.press("7", "a", "s")
        assert "shelved for 10 min: " in face.text
        await face.press("z")
        assert "shelved" not in face.text.replace("shelve the site", "") and "acknowledged: " in face.text
        assert face.status.startswith("undone: shelve the site is gone")
        await face.press("u", "z")
        assert "acknowledged: " in face.text


@in_textual
async def test_an_entry_of_the_allowlist_is_switched_back() -> None:
    async with shown() as face:
        face.world.model.ruled(HUB, "north", [{"pattern": "/events/**", "methods": ["GET"], "enabled": True}])
        await face.press("down", "enter", "end", "enter", "tab", "enter")
        await face.press("z", "tab", "enter")
        assert [params["enabled"] for _, _, params in face.world.asked] == [False, True]


@in_textual
async def test_a_drain_of_a_hub_is_taken_back() -> None:
    async with shown() as face:
        await face.press("colon", *"drain", "enter", "tab", "enter")
        await face.press("z", "tab", "enter")
        assert [params for _, _, params in face.world.asked] == [{"enabled": True}, {"enabled": False}]


@in_textual
async def test_read_only_undoes_nothing() -> None:
    async with shown(is_read_only=True) as face:
        await face.press("z")
        assert "read-only: nothing is changed from here" in face.status


@in_textual
async def test_a_lifetime_is_chosen_and_counts_down() -> None:
    async with shown() as face:
        await face.press("down", "colon", *"pause", "enter")
        assert "for 5 min  (up, down: longer, shorter)" in face.text
        await face.press("down")
        assert "for 1 min  (up" in face.text and "for_s=60 " in face.text
        await face.press(*["up"] * 9)
        assert "until it is resumed  (up" in face.text and "for_s" not in face.text
        await face.press("down", "tab", "enter")
        assert face.world.asked == [(HUB, "site.pause", {"site": "north", "for_s": 14400.0})]
        now = trio.current_time()
        face.world.tell({"north": site(paused=True, paused_until=UTC + 90.5)})
        await face.settle()
        north = next(line for line in face.lines if "north" in line)
        assert "paused, 9" in north and "‖" in north, north
        left_s = face.world.model.sites[HUB, "north"].paused_left_now(now + 60)
        assert left_s is not None and 30 <= left_s <= 31
