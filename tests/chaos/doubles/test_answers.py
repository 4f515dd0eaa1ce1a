"""What the stand-in answers to which path, quirk by quirk."""

import json
from pathlib import Path

import pytest

from chaos.doubles.fpvtrackside import EventTree, HeadHabit, Quirks, load_event_dir

from .client import EVENT, EVENT_ID, connect, fetch, read_reply, request_bytes, serving, small_tree


async def test_files_are_served_as_they_are() -> None:
    async with serving() as double:
        reply = await fetch(double, f"/{EVENT}/Event.json")
        assert (reply.status, reply.body) == (200, b'[{"Name": "Day"}]')
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "etag" not in reply.headers
        channels = await fetch(double, "/httpfiles/Channels.json")
        assert (channels.headers["content-type"], channels.body) == ("text/json", b"[]")
        double.assert_well_mannered()


async def test_missing_file_of_an_event_is_an_empty_200() -> None:
    async with serving() as double:
        reply = await fetch(double, f"/{EVENT}/Results.json")
        assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/events/", f"/{EVENT}", "/httpfiles/Nothing.json", "/a.json"]
)
async def test_unknown_path_is_the_home_page(path: str) -> None:
    async with serving() as double:
        reply = await fetch(double, path)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html")
        assert f'new EventManager("events/{EVENT_ID}", '.encode() in reply.body
        assert reply.body.startswith(b"<!DOCTYPE")
        assert b"results ? a" in reply.body


async def test_current_race_and_versions_without_it() -> None:
    async with serving() as double:
        assert (await fetch(double, "/current")).body == b'{"CurrentRace": null}'
        double.current_race = "abc"
        assert json.loads((await fetch(double, "/current")).body) == {"CurrentRace": "abc"}
        double.quirks = Quirks.old()
        assert b"EventManager" in (await fetch(double, "/current")).body
        assert "content-type" not in (await fetch(double, f"/{EVENT}/Event.json")).headers


async def test_honest_404_when_switched() -> None:
    async with serving(quirks=Quirks.none()) as double:
        assert (await fetch(double, "/nothing")).status == 404
        assert (await fetch(double, f"/{EVENT}/Results.json")).status == 404
        assert (await fetch(double, "/")).status == 200


async def test_query_and_absolute_form_do_not_matter() -> None:
    async with serving() as double:
        assert (await fetch(double, f"/{EVENT}/Event.json?x=1")).body.startswith(b"[")
        assert (await fetch(double, f"http://localhost/{EVENT}/Event.json")).body.startswith(b"[")
        assert (await fetch(double, f"//{EVENT}//Event%2Ejson")).body.startswith(b"[")


@pytest.mark.parametrize(
    "path",
    ["/events/..%5C..%5Cdata%5Cx.xml", "/C:%5Cx", f"/{EVENT}/%252e%252e/Event.json", "/events/../x.json"],
)
async def test_path_out_of_the_event_is_remembered(path: str) -> None:
    async with serving() as double:
        assert b"EventManager" in (await fetch(double, path)).body
        with pytest.raises(AssertionError, match="nothing outside of the event"):
            double.assert_well_mannered()


async def test_other_host_names_are_refused_as_by_http_sys() -> None:
    async with serving() as double:
        reply = await fetch(double, "/", host=f"127.0.0.1:{double.port}")
        assert reply.status == 400
        assert b"Invalid Hostname" in reply.body
        assert reply.headers["content-type"].startswith("text/html")
        assert (await fetch(double, "/", host=f"LOCALHOST:{double.port}")).status == 200
        double.quirks = Quirks(localhost_only=False)
        assert (await fetch(double, "/", host="127.0.0.1")).status == 200
        assert double.manners().wrong_host == 1


async def test_no_http_gets_400() -> None:
    async with serving() as double, await connect(double) as stream:
        await stream.send_all(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await read_reply(stream)).status == 400


async def test_post_is_as_get_and_options_has_a_body() -> None:
    async with serving() as double:
        assert (await fetch(double, f"/{EVENT}/Event.json", "POST")).body == b'[{"Name": "Day"}]'
        options = await fetch(double, f"/{EVENT}/Event.json", "OPTIONS")
        assert options.headers["access-control-allow-methods"] == "GET, POST"
        assert options.body == b'[{"Name": "Day"}]'
        with pytest.raises(AssertionError, match="none but GET"):
            double.assert_well_mannered()


async def test_connection_is_kept_alive() -> None:
    async with serving() as double, await connect(double) as stream:
        for _ in range(3):
            await stream.send_all(request_bytes(f"/{EVENT}/Event.json"))
            assert (await read_reply(stream)).status == 200
        double.assert_well_mannered()
        assert len(double.visits) == 3


async def test_head_after_which_a_body_follows() -> None:
    async with serving(quirks=Quirks(head=HeadHabit.SENDS_BODY)) as double:
        assert (await fetch(double, f"/{EVENT}/Event.json", "HEAD")).body == b'[{"Name": "Day"}]'


async def test_head_as_the_standard_asks() -> None:
    async with serving(quirks=Quirks(head=HeadHabit.FINE)) as double, await connect(double) as stream:
        await stream.send_all(request_bytes(f"/{EVENT}/Event.json", "HEAD", "localhost", "Connection: close"))
        data = b""
        while more := bytes(await stream.receive_some()):
            data += more
        assert b"Content-Length: 17\r\n" in data
        assert data.endswith(b"\r\n\r\n")


async def test_hand_edited_bom_is_served_as_it_is() -> None:
    tree = EventTree({f"{EVENT}/Event.json": b"\xef\xbb\xbf[]"})
    async with serving(tree) as double:
        assert (await fetch(double, f"/{EVENT}/Event.json")).body == b"\xef\xbb\xbf[]"


async def test_recorded_event_is_byte_identical(samples: Path) -> None:
    folder = samples / "fpv" / "tree-test-1"
    async with serving(load_event_dir(folder)) as double:
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) == 18
        for path in files:
            assert (await fetch(double, f"/{path.relative_to(folder)}")).body == path.read_bytes()
        double.assert_well_mannered(in_10_s=None)


def test_small_tree_has_an_event() -> None:
    assert small_tree().event_ids() == [EVENT_ID]
