"""The pages: the board as JSON, the files; over ASGI, with nothing of a server."""

import gzip
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from daemons.race.keeper import BoardKeeper
from daemons.web.assets import STATIC, read_assets
from protocol.errors import ErrorCode, RequestError

from .field import open_field
from .viewers import app_of, keeper_of, lap


def client_of(boards: dict[str, BoardKeeper]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app_of(boards)), base_url="http://pits")


# --- the board as JSON ---


async def test_the_board_is_served_with_its_age(autojump_clock: MockClock) -> None:
    day = open_field([101], Name="Coupe d’hiver 🏁")
    keeper = keeper_of(day)
    await trio.sleep(2.5)
    async with client_of({"pits": keeper}) as client:
        answer = await client.get("/api/board")
        same = await client.get("/api/sites/pits/board")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    value = answer.json()
    assert value["board"] == {"version": keeper.version, **keeper.board}
    assert (value["age_s"], value["stale"], value["why"]) == (2.5, False, None)
    assert value["as_of"] == answer.headers["pitlink-as-of"] == "1970-01-01T00:00:00.000Z"
    assert "pitlink-stale" not in answer.headers
    assert same.content == answer.content


async def test_a_board_that_is_known_is_not_sent_again(autojump_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    async with client_of({"pits": keeper}) as client:
        etag = (await client.get("/api/board")).headers["etag"]
        await trio.sleep(3)
        for header in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
            answer = await client.get("/api/board", headers={"If-None-Match": header})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        lap(keeper, day, [4.0])
        answer = await client.get("/api/board", headers={"If-None-Match": etag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != etag


async def test_an_old_board_says_so(autojump_clock: MockClock) -> None:
    keeper = keeper_of(open_field([101]))
    async with client_of({"pits": keeper}) as client:
        etag = (await client.get("/api/board")).headers["etag"]
        keeper.failed("/", RequestError(ErrorCode.DISCONNECTED))
        await trio.sleep(1000)
        answer = await client.get("/api/board", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["pitlink-stale"] == "true"
    assert (answer.json()["stale"], answer.json()["why"]) == (True, "The field is offline")


async def test_before_anything_was_read_the_board_is_no_error() -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        answer = await client.get("/api/board")
    assert (answer.status_code, answer.headers["pitlink-as-of"]) == (200, "never")
    assert (answer.json()["age_s"], answer.json()["stale"]) == (None, True)


async def test_of_several_sites_one_is_to_be_named() -> None:
    boards = {"north": BoardKeeper(), "south": BoardKeeper()}
    async with client_of(boards) as client:
        assert (await client.get("/api/sites/north/board")).status_code == 200
        for path in ("/api/board", "/api/sites/west/board"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["sites"]) == (404, ["north", "south"])


# --- the files ---


async def test_the_page_reads_nothing_from_anybody_else() -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        page = await client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert page.headers["x-content-type-options"] == "nosniff"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        names = ["pages.css", "app.js", "icon.svg"]
        for name in names:
            assert f'"/static/{name}?v=' in page.text
        texts = [page.text, *[(await client.get(f"/static/{name}")).text for name in names]]
    for text in texts:
        for address in (part.split('"')[0] for part in text.split("//")[1:]):
            assert not address.startswith(("cdn", "fonts", "unpkg")), address
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "innerHTML" not in texts[2]


async def test_pinned_files_may_be_kept_and_the_page_is_asked_for_again() -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        page = await client.get("/")
        pinned = page.text.split('src="')[1].split('"')[0]
        script = await client.get(pinned)
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (await client.get("/static/app.js?v=old")).headers["cache-control"] == "no-cache"
        again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == page.headers["content-security-policy"]


async def test_files_are_packed_for_who_can_unpack_them() -> None:
    plain = (STATIC / "pages.css").read_bytes()
    async with client_of({"pits": BoardKeeper()}) as client:
        packed = await client.get("/static/pages.css", headers={"Accept-Encoding": "gzip, br"})
        whole = await client.get("/static/pages.css", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert (packed.content, whole.content) == (plain, plain)
    assert int(packed.headers["content-length"]) < len(plain) / 2


@pytest.mark.parametrize(
    "path", ["/static/none.js", "/static/index.html", "/static/..%2fassets.py", "/static/"]
)
async def test_what_is_no_file_is_not_there(path: str) -> None:
    async with client_of({"pits": BoardKeeper()}) as client:
        assert (await client.get(path)).status_code == 404


def test_a_page_that_names_a_file_that_is_not_there_is_found_at_start(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<script src="/static/gone.js"></script>')
    with pytest.raises(KeyError, match=r"gone\.js"):
        read_assets(tmp_path)
    (tmp_path / "gone.js").write_text("1")
    assert gzip.decompress(read_assets(tmp_path).files["page.html"].packed).count(b"?v=") == 1
