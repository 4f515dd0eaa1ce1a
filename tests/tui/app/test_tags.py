"""Space tags rows; what is done then is done to all that are tagged: asked once, each named, the outcome of each told."""

from typing import Any

from tests.tui.app.world import HUB, UTC, World, in_textual, shown, site

SITES = {name: site() for name in ("east", "north", "south")}


def letter(number: int, channel: str = "event") -> dict[str, Any]:
    """Return a dead letter as the admin API tells it."""
    return {
        "id": number, "channel": channel, "seq": number, "type": "lap", "bytes": 70, "error": "no such race", "at": UTC,
    }  # fmt: skip


@in_textual
async def test_a_control_acts_upon_all_that_are_tagged() -> None:
    async with shown() as face:
        face.world.tell(SITES)
        await face.settle()
        await face.press("down", "space", "space", "home")
        assert "2 tagged" in face.title
        assert [line[0] for line in face.lines[3:6]] == ["*", "*", " "]
        await face.press("colon", *"pause 60", "enter")
        for words in ("Pause 2 sites?", "east, north.", "Each: 1 site stops", "site=east", "site=north"):
            assert words in face.text
        await face.press("tab", "enter")
        wanted = [(HUB, "site.pause", {"site": name, "for_s": 60.0}) for name in ("east", "north")]
        assert sorted(face.world.asked, key=lambda one: str(one[2])) == wanted
        assert "pause 2 sites: 2 of 2 done" in face.status
        await face.press("z")
        assert "Undo 2 deeds?" in face.text
        await face.press("tab", "enter")
        assert [action for _, action, _ in face.world.asked[2:]] == ["site.resume"] * 2


@in_textual
async def test_the_outcome_of_each_is_told_and_only_what_was_done_is_undone() -> None:
    world = World()
    world.fails_for = lambda params: params.get("site") == "north"
    async with shown(world) as face:
        world.tell(SITES)
        await face.settle()
        await face.press("down", "space", "space", "colon", *"resume", "enter", "tab", "enter")
        assert "resume 2 sites: 1 of 2 done" in face.status and "not north" in face.status
        await face.press("colon", *"outcomes", "enter")
        assert "resume site east: done" in face.text
        assert "resume site north: failed: not this one" in face.text


@in_textual
async def test_tags_stay_with_their_rows_through_filter_and_news_and_go_with_them() -> None:
    async with shown() as face:
        face.world.tell(SITES)
        await face.settle()
        await face.press("down", "space", "space", "space", "slash", *"east", "enter")
        assert "3 tagged, 2 hidden by the filter" in face.title
        face.world.tell({"a-new-one": site(), **{name: SITES[name] for name in ("east", "south")}})
        await face.settle()
        assert "2 tagged, 1 hidden by the filter" in face.title
        await face.press("escape")
        assert "tagged" not in face.title and face.status.startswith("/east"), "tags go first"
        await face.press("escape")
        assert not face.status.startswith("/")


@in_textual
async def test_what_not_all_of_them_can_is_not_offered() -> None:
    async with shown() as face:
        await face.press("home", "space", "space", "c")
        assert "there is nothing to do to this" in face.status


@in_textual
async def test_dead_letters_and_entries_of_the_allowlist() -> None:
    async with shown() as face:
        face.world.model.died(
            HUB, "north", {"count": 3, "oldest": [letter(1), letter(2), letter(3, "result")]}
        )
        await face.press("5", "space", "space", "x")
        assert (
            "Drop 2 dead letters?" in face.text and "dead letter 1 of site north, dead letter 2" in face.text
        )
        await face.press("tab", "enter", "escape")
        assert sorted(params["id"] for _, _, params in face.world.asked) == [1, 2]
        rules = [
            {"pattern": path, "methods": ["GET"], "enabled": path != "/b"} for path in ("/a", "/b", "/c")
        ]
        face.world.model.ruled(HUB, "north", rules)
        await face.press(
            "1", "home", "down", "enter", "end", "space", "up", "space", "up", "home", "space", "end", "enter"
        )
        assert "switch /b of site north on, switch /c of site north off" in face.text.replace("\n", " ")
        await face.press("tab", "enter")
        assert sorted(
            (p["pattern"], p["enabled"]) for _, action, p in face.world.asked if "allow" in action
        ) == [
            ("/b", True),
            ("/c", False),
        ]


@in_textual
async def test_alarms() -> None:
    async with shown() as face:
        gone = site(connected=False, last_seen_at=UTC - 300)
        face.world.tell({"north": gone, "south": gone, "west": gone})
        await face.press("7", "space", "space", "a")
        assert face.text.count("acknowledged: ") == 2
        await face.press("z")
        assert "acknowledged: " not in face.text and "undone: acknowledge 2 alarms" in face.status


@in_textual
async def test_a_log_has_no_tags() -> None:
    async with shown() as face:
        await face.press("2", "space")
        assert "tagged" not in face.title
        await face.press("question_mark")
        assert "tag:" not in face.text


@in_textual
async def test_a_long_question_keeps_its_buttons_on_a_small_terminal() -> None:
    async with shown() as face:
        face.world.model.died(
            HUB, "north", {"count": 20, "oldest": [letter(number) for number in range(1, 21)]}
        )
        await face.press("5", *["space"] * 20, "x")
        assert "Drop 20 dead letters?" in face.text and "letter 20 of" in face.text.replace("\n", " ")
        assert "Cancel" in face.lines[-3] and "Drop" in face.lines[-3]
        await face.press("pagedown", "pagedown", "pagedown")
        assert "... and 17 more like these" in face.text and "Cancel" in face.lines[-3]
        await face.press("enter")
        assert face.world.asked == []


@in_textual
async def test_read_only_tags_and_does_nothing() -> None:
    async with shown(is_read_only=True) as face:
        face.world.model.died(HUB, "north", {"count": 1, "oldest": [letter(1)]})
        face.world.tell(limits={"fetch.max_in_flight": 8})
        await face.press("5", "space", "x")
        assert "1 tagged" in face.title and "read-only: nothing is changed from here" in face.status
        await face.press("1", "home", "enter", "end", "enter")
        assert "read-only: nothing is changed from here" in face.status and face.title.startswith(
            "pitlink Site"
        )
        assert face.world.asked == []
