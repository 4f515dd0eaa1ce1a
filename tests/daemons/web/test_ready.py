"""What the front answers without the application is, header for header, what the application answers."""

import itertools
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemons.web.assets import PAGES, Assets, read_assets
from daemons.web.head import Head
from daemons.web.ready import ready_answers
from tests.daemons.web.fronts import in_memory, utc_now


def _app(assets: Assets) -> Starlette:
    async def page(request: Request) -> Response:
        return assets.answer(request, PAGES["/"])

    return Starlette(routes=[Route("/", page), *assets.routes()])


def _head(target: str, method: str = "GET", **headers: str) -> Head:
    fields = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Head(method, target, fields)


async def test_it_agrees_with_the_application_in_every_case() -> None:
    assets = read_assets()
    version = assets.files["app.js"].version
    page = assets.files["index.html"].version
    targets = [
        "/",
        "/?site=a",
        "/static/app.js",
        f"/static/app.js?v={version}",
        "/static/app.js?v=old",
        "/static/pages.css",
    ]
    known = [
        "",
        f'if-none-match: "{version}"\r\n',
        f'if-none-match: "x", W/"{page}"\r\n',
        "if-none-match: *\r\n",
    ]
    encodings = ["", "accept-encoding: br\r\n", "accept-encoding: br, gzip\r\n"]
    async with (
        in_memory(_app(assets)) as (_, ask_app),
        in_memory(_app(assets), ready=ready_answers(assets, utc_now)) as (front, ask_ready),
    ):
        slow, fast = ask_app(), ask_ready()
        cases = list(itertools.product(targets, ("GET", "HEAD"), known, encodings))
        for target, method, tag, encoding in cases:
            expected = await slow.get(target, method=method, headers=tag + encoding)
            answer = await fast.get(target, method=method, headers=tag + encoding)
            assert answer == expected, (target, method, tag, encoding)
        assert front.statistics.ready_answers == len(cases)


@pytest.mark.parametrize(
    "head",
    [
        _head("/", "POST"),
        _head("/static/index.html"),
        _head("/static/"),
        _head("/static/../config.py"),
        _head("/events"),
        _head("/static/none.js"),
    ],
)
def test_whatever_else_is_the_applications(head: Head) -> None:
    assert ready_answers(read_assets(), utc_now)(head) is None


def test_the_date_goes_on() -> None:
    now = [1_700_000_000.9]
    ready = ready_answers(read_assets(), lambda: now[0])
    dates: list[Any] = []
    for now[0] in (1_700_000_000.9, 1_700_000_001.0, 1_700_000_001.5):
        answer = ready(_head("/"))
        assert answer is not None
        dates.append(answer.split(b"Date: ")[1].split(b"\r\n")[0])
    assert dates == [b"Tue, 14 Nov 2023 22:13:20 GMT", *[b"Tue, 14 Nov 2023 22:13:21 GMT"] * 2]
