"""The app on a model: pages, keys, the filter, what is said of a daemon that is gone."""

import pytest
import trio
from textual.worker import WorkerFailed

from tests.tui.app.world import HUB, UTC, World, in_textual, shown, site
from tui.app.guest import Guest


def log(number: int, event: str, level: str = "info") -> dict[str, object]:
    """Return a line of a log as the admin API tells it."""
    line = {"at": f"2026-11-21T12:00:{number % 60:02}.000Z", "event": event, "level": level}
    return {"number": number, "level": level, "line": line}


@in_textual
async def test_the_overview_shows_the_hub_and_its_sites_in_80_by_24() -> None:
    async with shown() as face:
        face.world.tell({"north": site(), "south": site(connected=False, last_seen_at=UTC - 300)})
        await face.settle()
        assert "1 of 2 sites connected" in face.title
        north = next(line for line in face.lines if "north" in line)
        assert north.split()[:3] == ["●", "north", "connected"]
        assert north.split()[5:] == ["40", "ms", "120", "ms", "3", "1", "2", "0"]
        assert any("south" in line and "gone for 5 min" in line and "✗" in line for line in face.lines)


@in_textual
async def test_a_wide_screen_shows_more() -> None:
    async with shown(size=(160, 30)) as face:
        face.world.tell(
            warnings=[{"name": "disk", "severity": "failing", "words": "the disk is full", "since": UTC}]
        )
        await face.settle()
        assert "1.2k" in face.text and "4.8 MiB" in face.text and "300 ms" in face.text
        assert "failing: the disk is full" in face.text
        assert "1 alarm" in face.title


@in_textual
async def test_enter_opens_a_site_and_esc_leads_out() -> None:
    async with shown() as face:
        await face.press("down", "enter")
        assert face.title.startswith("pitlink Site north")
        assert face.world.looked_at == {(HUB, "north")}
        assert "p50 40 ms, p99 120 ms" in face.text
        await face.press("escape")
        assert face.title.startswith("pitlink Overview")
        assert face.world.looked_at == frozenset()
        await face.press("minus")
        assert face.title.startswith("pitlink Site north")


@in_textual
async def test_digits_names_and_history_lead_to_pages() -> None:
    async with shown() as face:
        for key, words in (
            ("2", "Requests"),
            ("5", "Commands"),
            ("7", "Alarms"),
            ("8", "Audit"),
            ("1", "Over"),
        ):
            await face.press(key)
            assert face.title.startswith(f"pitlink {words}")
        await face.press("left_square_bracket")
        assert face.title.startswith("pitlink Audit")
        await face.press("right_square_bracket")
        assert face.title.startswith("pitlink Overview")
        await face.press("colon", *"lo", "tab", "enter")
        assert face.title.startswith("pitlink Requests")
        await face.press("colon", *"nor", "enter")
        assert face.title.startswith("pitlink Site north")
        await face.press("colon", *"nonsense", "enter")
        assert "nothing here is called 'nonsense'" in face.status


@in_textual
async def test_the_log_is_live_and_filtered() -> None:
    async with shown() as face:
        await face.press("2")
        for number in range(1, 60):
            face.world.model.logged(HUB, log(number, f"fetch.done path=/events/{number}"))
        face.world.model.logged(HUB, log(60, "fetch.failed code=TIMEOUT", "error"))
        await face.settle()
        assert "60 lines" in face.title
        assert "fetch.failed" in face.lines[22] and "error" in face.lines[22]
        await face.press("slash", *"fail", "enter")
        assert [row.cells[2].text for row in face.table.rows] == ["fetch.failed code=TIMEOUT"]
        assert face.status.startswith("/fail")
        await face.press("slash", *(["backspace"] * 4), *"!fail", "enter")
        assert len(face.table.rows) == 59
        await face.press("escape")
        assert len(face.table.rows) == 60
        await face.press("home")
        face.world.model.logged(HUB, log(61, "later"))
        await face.settle()
        assert face.table.chosen == ("1",), "who reads an old line is left there"
        await face.press("end", "enter")
        assert "later" in face.text and "Log line" in face.text


@in_textual
async def test_what_strangers_wrote_moves_no_cursor() -> None:
    async with shown() as face:
        await face.press("2")
        face.world.model.logged(HUB, log(1, "evil \x1b[2J\x1b]52;c;AAAA\x07 name"))
        face.world.tell({"no\x1brth": site()})
        await face.settle()
        assert "\x1b" not in face.text and "\x07" not in face.text
        await face.press("enter")
        assert "\x1b" not in face.text
        await face.press("escape", "1")
        assert "\x1b" not in face.text and "no\\u001brth" in face.text


@in_textual
async def test_alarms_are_acknowledged_and_shelved() -> None:
    async with shown() as face:
        face.world.tell({"south": site(connected=False, last_seen_at=UTC - 300)})
        await face.press("7")
        assert "the site is gone" in face.text
        await face.press("a")
        assert "acknowledged: " in face.text and "alarm" not in face.title.partition("Alarms")[2]
        await face.press("u")
        assert "acknowledged: " not in face.text
        await face.press("s")
        assert "shelved for 10 min: the site" in face.text
        await face.press("enter")
        assert face.title.startswith("pitlink Site south")


@in_textual
async def test_a_frozen_picture_stands_still_and_the_model_goes_on() -> None:
    async with shown() as face:
        await face.press("f")
        assert "FROZEN" in face.title
        face.world.tell({"north": site(fetches_in_flight=77)})
        await face.settle()
        assert "77" not in face.text
        await face.press("f")
        assert "77" in face.text and "FROZEN" not in face.title


@in_textual
async def test_a_daemon_that_is_gone_is_said_in_words() -> None:
    async with shown() as face:
        now = trio.current_time()
        face.world.model.lost(HUB, "nobody listens at cloud-state", now, retry_at=now + 4)
        await face.settle()
        assert "nobody listens at cloud-state" in face.status
        assert "lost" in face.title
        assert any("connected?" in line for line in face.lines), "what is only remembered has a question mark"


@in_textual
async def test_the_keys_that_mean_something_here_are_shown() -> None:
    async with shown(size=(80, 40)) as face:
        await face.press("7", "question_mark")
        assert "acknowledge" in face.text and "Requests and errors" in face.text
        assert "Copy selected" not in face.text
        await face.press("escape", "1", "question_mark")
        assert "acknowledge" not in face.text


@in_textual
async def test_leaving_ends_the_trio_half() -> None:
    async with shown() as face:
        world = face.world
        assert world.is_running
        await face.pilot.press("Q")
    assert not world.is_running
    assert face.app.return_code == 0
    assert any("north" in line for line in face.app.last_screen)


@in_textual
async def test_an_error_in_the_trio_half_ends_the_app() -> None:
    world = World(fails=ValueError("broken"))
    with pytest.raises(WorkerFailed):
        async with shown(world):
            pass
    assert not world.is_running


@in_textual
async def test_an_interrupt_in_the_trio_half_is_an_error_too() -> None:
    async def main() -> None:
        raise SystemExit(3)

    guest = Guest(main)
    guest.start()
    with pytest.raises(RuntimeError, match="SystemExit"):
        await guest.wait()
    await guest.stop()
