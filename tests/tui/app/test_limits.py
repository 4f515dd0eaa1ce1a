"""Limits, commands, versions and production on the screen: seen, set, taken back, and said in words."""

from typing import Any

from tests.tui.app.world import ACTIONS, HUB, UTC, World, in_textual, shown, site

LIMITS = {"fetch.max_in_flight": 8, "client_bytes_per_s": 33554432.0, "commands_per_s": {"purge": 1.0}}


def action(name: str, *params: str, at: str = "", **other: Any) -> dict[str, Any]:
    """Return an action as a daemon describes it; parameters as "name:kind", with "?" behind it when it may be left out."""
    told = [
        {
            "name": (pair := param.partition(":"))[0].rstrip("?"),
            "kind": pair[2] or "text",
            "required": "?" not in pair[0],
        }
        for param in params
    ]
    return {"name": name, "params": told, "site": at or None, "changes": True, "help": f"To {name}.", **other}


@in_textual
async def test_a_limit_is_set_for_a_time_and_taken_back() -> None:
    async with shown() as face:
        face.world.model.offered(HUB, [{"name": "limits.set"}, {"name": "limits.lift"}])
        face.world.tell(limits=LIMITS)
        await face.settle()
        await face.press("home", "colon", *"limit fetch.max_in_flight 2", "enter")
        for words in ("fetch.max_in_flight is 2 instead of 8", "for 15 min", "value=2 for_s=900"):
            assert words in face.text.replace("\n", " ")
        await face.press("tab", "enter")
        await face.press("z", "tab", "enter")
        assert face.world.asked == [
            (HUB, "limits.set", {"name": "fetch.max_in_flight", "value": 2, "for_s": 900.0}),
            (HUB, "limits.lift", {"name": "fetch.max_in_flight"}),
        ]


@in_textual
async def test_a_limit_that_is_changed_is_seen_with_what_is_left_and_edited_where_it_stands() -> None:
    async with shown() as face:
        face.world.model.offered(HUB, [{"name": "limits.set"}, {"name": "limits.lift"}])
        changed = {"fetch.max_in_flight": {"configured": 8, "until": UTC + 60.2}}
        face.world.tell(limits={**LIMITS, "fetch.max_in_flight": 2}, limits_changed=changed)
        await face.press("home", "enter")
        line = next(line for line in face.lines if "fetch.max_in_flight" in line)
        assert "2 (configured: 8), 6" in line and "s left" in line
        face.table.point_at(("limit", "fetch.max_in_flight"))
        await face.press("enter")
        assert "Set a limit of cloud hub-1" in face.text and "fetch.max_in_flight 2" in face.lines[-1]
        await face.press("backspace", "3", "enter", *["up"] * 9, "tab", "enter")
        assert face.world.asked == [(HUB, "limits.set", {"name": "fetch.max_in_flight", "value": 3})]
        await face.press("z")
        assert "2, as it was" in face.text and "for_s=60" in face.text
        await face.press("escape", "colon", *"limit fetch.max_in_flight", "enter", "tab", "enter")
        assert face.world.asked[1:] == [(HUB, "limits.lift", {"name": "fetch.max_in_flight"})]


@in_textual
async def test_what_is_no_limit_or_no_value_is_said() -> None:
    async with shown() as face:
        face.world.model.offered(HUB, [{"name": "limits.set"}])
        face.world.tell(limits=LIMITS)
        await face.settle()
        for typed, words in (
            ("patience 3", "'patience' is no limit of cloud hub-1"),
            ("fetch.max_in_flight many", "'many' is no number"),
            ("fetch.max_in_flight 3x", "a space comes between"),
            ("fetch.max_in_flight 3 soon", "'soon' is no time"),
            ("fetch.max_in_flight", "is as configured: 8"),
        ):
            await face.press("home", "colon", *f"limit {typed}", "enter")
            assert words in face.status
        assert face.world.asked == []


@in_textual
async def test_any_command_is_sent_as_ctl_takes_it() -> None:
    async with shown() as face:
        offered = [
            action("site.pause", "site", "for_s?:number", at="site"),
            action("site.allowlist.switch", "site", "pattern", "enabled:flag", at="site"),
            action("site.commands", "site", at="site", changes=False),
            action("audit.accept", "peer"),
        ]
        face.world.model.offered(HUB, offered)
        await face.press("down", "colon", *"command allowlist.switch pattern='/a b/**' enabled=off", "enter")
        for words in (
            "1 site: site north. To site.allowlist.switch.",
            "$ pitlink ctl site.allowlist.switch",
            "enabled=off",
        ):
            assert words in face.text
        await face.press("tab", "enter")
        assert face.world.asked == [
            (HUB, "site.allowlist.switch", {"site": "north", "pattern": "/a b/**", "enabled": False})
        ]
        for typed, words in (
            ("commands", "'commands' is none of allowlist.switch, pause"),
            ("pause later=1", "takes for_s"),
            ("allowlist.switch pattern=/a", "also needs enabled="),
            ("pause site=south", "takes for_s"),
            ("pause 'x", "cannot be read"),
        ):
            await face.press("colon", *f"command {typed}", "enter")
            assert words in face.status, typed
        await face.press("home", "colon", *"command audit.accept peer=north", "enter", "tab", "enter")
        assert face.world.asked[1:] == [(HUB, "audit.accept", {"peer": "north"})]


@in_textual
async def test_commands_are_withdrawn() -> None:
    def command(number: int, decided: float | None = None) -> dict[str, Any]:
        status = "QUEUED" if decided is None else "DONE"
        return {
            "id": f"c{number}", "issuer": "user ann", "issued_at": UTC - number, "expires_at": UTC + 300,
            "action": {"do": "pause"}, "status": status, "words": None, "decided_at": decided,
        }  # fmt: skip

    async with shown() as face:
        face.world.model.offered(HUB, [action("site.withdraw", "site", "id", at="site")])
        face.world.model.commanded(HUB, "north", [command(1), command(2), command(3, UTC)])
        await face.press("5", "end", "x")
        assert "there is nothing to withdraw" in face.status
        await face.press("home", "space", "space", "x")
        assert "Withdraw 2 commands?" in face.text
        await face.press("tab", "enter")
        assert [params for _, _, params in face.world.asked] == [
            {"site": "north", "id": f"c{n}"} for n in (1, 2)
        ]


@in_textual
async def test_what_a_purge_hits_is_counted_before() -> None:
    world = World(does=lambda action: {"entries": 12, "bytes": 348160} if action == "cache.count" else None)
    async with shown(world) as face:
        world.model.offered(HUB, [{"name": name} for name in ACTIONS])
        await face.press("down", "colon", *"purge /events/a", "enter")
        await face.settle()
        assert "north: it hits 12 copies, 340 KiB" in face.text
        assert world.asked == [(HUB, "cache.count", {"site": "north", "prefix": "/events/a"})]
        await face.press("escape", "colon", *"purge events", "enter")
        assert "'events' is no path" in face.status


@in_textual
async def test_production_is_said_in_the_title_and_in_each_question() -> None:
    async with shown() as face:
        face.world.tell(production=True)
        await face.settle()
        assert "! PRODUCTION" in face.title
        strip = face.app.screen.query_one("#title").render_line(0)
        said = next(segment for segment in strip if "PRODUCTION" in segment.text)
        assert said.style is not None and said.style.bold and said.style.color is not None
        assert said.style.color.name == "red"
        await face.press("down", "colon", *"reconnect", "enter")
        assert "! PRODUCTION: cloud hub-1" in face.text
        face.world.tell()
        await face.press("escape")
        await face.settle()
        assert "PRODUCTION" not in face.title


@in_textual
async def test_a_site_of_another_version_is_seen_on_a_wide_overview_and_on_its_page() -> None:
    async with shown(size=(160, 40)) as face:
        old, new = (
            {"software": "pitlink 0.1.0", "protocol": "1.1"},
            {"software": "pitlink 0.2.0", "protocol": "1.2"},
        )
        watching = [{"who": "user ann", "since": UTC - 300}]
        face.world.tell({"north": site(**old), "south": site(**new)}, **new, operators=watching)
        await face.settle()
        assert [line.split()[-3 if "cloud" in line else -2] for line in face.lines[2:5]] == [
            "0.2.0",
            "0.1.0!",
            "0.2.0",
        ]
        await face.press("down", "enter")
        assert "pitlink 0.1.0, protocol 1.1; its hub has pitlink 0.2.0, protocol 1.2" in face.text
        await face.press("escape", "up", "enter")
        assert "pitlink 0.2.0, protocol 1.2" in face.text and "user ann (for 5 min)" in face.text
