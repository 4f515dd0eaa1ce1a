"""The QR code of a page's address: ours, as it was asked, and nobody else's."""

import httpx
import pytest
import segno
from starlette.applications import Starlette

from daemons.web.qr import qr_routes, qr_svg


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=qr_routes()))
    return httpx.AsyncClient(transport=transport, base_url="https://race.example:8443")


async def test_a_page_of_ours_has_a_code(client: httpx.AsyncClient) -> None:
    address = "https://race.example:8443/pilot?id=1&site=a%20b"
    async with client:
        answer = await client.get("/qr.svg", params={"of": address})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.content == qr_svg(address)
    matrix = segno.make(address, error="m", micro=False)
    assert f'viewBox="0 0 {matrix.symbol_size()[0]} ' in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://elsewhere.example/",
        "https://race.example/",
        "https://race.example:8443@elsewhere.example/",
        "javascript:alert(1)",
        "ftp://race.example:8443/",
        "https://[race.example:8443/",
        "https://race.example:8443/" + "x" * 300,
        "https://race.example:8443/é",
    ],
)
async def test_nothing_else_has_one(client: httpx.AsyncClient, address: str) -> None:
    async with client:
        answer = await client.get("/qr.svg", params={"of": address})
    assert answer.status_code == 400
    assert "Only pages of this host" in answer.text
