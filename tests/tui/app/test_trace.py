"""Page 2: errors are found, a site's lines are found, and a wish is seen across both sides."""

from typing import Any

from tests.tui.app.world import HUB, in_textual, shown

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def line(number: int, event: str, level: str = "info", **said: Any) -> dict[str, Any]:
    """Return a line of a log as the admin API tells it."""
    told = {"at": f"2026-11-21T12:00:{number % 60:02}.000Z", "event": event, "level": level, **said}
    return {"number": number, "level": level, "line": told}


def fetch(number: int, side: str, took_ms: float, status: int = 200, **said: Any) -> dict[str, Any]:
    """Return an access record."""
    told = {"site": "north", "method": "GET", "path": "/a", "status": status, "latency_ms": took_ms}
    return line(number, "fetch", side=side, trace=TRACE, request=number, connection="1a2b.3", **told, **said)


@in_textual
async def test_a_wish_is_seen_across_both_sides() -> None:
    async with shown(size=(120, 30)) as face:
        model = face.world.model
        model.watch("pits", 0.0)
        await face.press("2")
        model.logged(HUB, fetch(9, "hub", 52.0))
        await face.settle()
        await face.press("enter")
        assert face.title.startswith(f"pitlink Trace {TRACE}")
        assert face.world.looked_for == [TRACE]
        assert "not searched, not reached: pits" in face.title
        assert "at the hub; no record of the site's is here" in face.text
        model.traced("pits", TRACE, [fetch(4, "site", 31.0), line(5, "origin.slow", "warning", trace=TRACE)])
        model.traced(HUB, TRACE, [line(3, "fetch.asked", trace=TRACE), fetch(9, "hub", 52.0)])
        await face.settle()
        assert "searched" not in face.title
        assert "200 GET /a for" in face.text
        assert "   52 ms = site 31 ms + link, waiting 21 ms  GET /a" in face.text
        sides = [row.cells[1].text for row in face.table.rows]
        assert sides == ["fetch", "", "site", "", "hub"], "in order of time"
        site = next(text for text in face.lines if " site " in text and "31 ms" in text and "1a2b.3" in text)
        assert site.split()[-2:] == ["4", "pits"], "its request and its daemon"
        await face.press("home", "enter")
        assert "Both sides of a fetch" in face.text
        await face.press("escape", "end", "enter")
        assert "Log line" in face.text and "latency_ms       52.0" in face.text
        await face.press("escape", "escape")
        assert face.title.startswith("pitlink Requests")


@in_textual
async def test_errors_are_found_fetches_that_failed_too() -> None:
    async with shown() as face:
        for told in (
            line(1, "link.up"),
            fetch(2, "hub", 5000.0, 504, code="TIMEOUT"),
            line(3, "disk.full", "error"),
            line(4, "clock.off", "warning"),
            fetch(5, "hub", 5.0),
            line(6, "frame.read", "debug"),
        ):
            face.world.model.logged(HUB, told)
        await face.press(":", *"errors", "enter")
        assert [row.key for row in face.table.rows] == [("2",), ("3",), ("4",)]
        assert "at least warning" in face.title and "failed" in face.text
        await face.press("l")
        assert [row.key for row in face.table.rows] == [("3",)]
        assert "at least error" in face.title
        await face.press("L", "L")
        assert [row.key for row in face.table.rows] == [(str(number),) for number in range(1, 6)]
        await face.press("escape")
        assert len(face.table.rows) == 6 and "at least" not in face.title
        await face.press("escape")
        assert face.title.startswith("pitlink Overview")


@in_textual
async def test_the_log_of_one_site() -> None:
    async with shown() as face:
        model = face.world.model
        model.logged(HUB, line(1, "link.up", site="north"))
        model.logged(HUB, line(2, "link.up", site="south"))
        model.logged(HUB, line(3, "hub.said"))
        await face.press("down", "enter")
        assert face.title.startswith("pitlink Site north")
        await face.press("l")
        assert [row.key for row in face.table.rows] == [("1",)]
        assert "site north" in face.title
        await face.press("escape")
        assert len(face.table.rows) == 3
        await face.press("minus")
        assert face.title.startswith("pitlink Site north")
