"""Judging bodies: nothing torn, empty or foreign is ever good, and nothing makes the judge fall over."""

import json
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.race.bodies import (
    Verdict,
    check_body,
    is_hostname_page,
    is_json_path,
    judge,
    judge_in_turns,
    names_event,
    words_for,
)
from daemons.race.slices import WHOLE_BYTES_MAX, WINDOW
from protocol.errors import ErrorCode, RequestError

RACE = "/events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2/6e46456c-bdb1-4e4a-9c79-e69dea809e5e/Race.json"
HOME = b'<!DOCTYPE html><script>new EventManager("events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2", 1)</script>'
DEEP = 200_000

BAD: list[tuple[str, bytes, Verdict]] = [
    (RACE, b"", Verdict.EMPTY),
    (RACE, b"\xef\xbb\xbf", Verdict.EMPTY),
    (RACE, b"\r\n", Verdict.TORN),
    (RACE, b"[", Verdict.TORN),
    (RACE, b'[{"ID": "3a96', Verdict.TORN),
    (RACE, b"[{}] [{}]", Verdict.TORN),
    (RACE, b"[{}]x", Verdict.TORN),
    (RACE, b"\0" * 4096, Verdict.TORN),  # what NTFS leaves after a power cut
    (RACE, b"[{}]\0\0", Verdict.TORN),
    (RACE, b'[{"Name": "\xff\xfe"}]', Verdict.TORN),
    (RACE, b'[{"Name": "\xed\xa0\x80"}]', Verdict.TORN),
    (RACE, '[{"Name": "x"}]'.encode("utf-16"), Verdict.TORN),
    (RACE, b'[{"Length": NaN}]', Verdict.TORN),
    (RACE, b'[{"Length": Infinity}]', Verdict.TORN),
    (RACE, b'[{"n": ' + b"9" * 10_000 + b"}]", Verdict.TORN),
    (RACE, b"[" * DEEP, Verdict.TORN),
    (RACE, b"[" * DEEP + b"]" * DEEP, Verdict.TORN),
    (RACE, b'{"a":' * DEEP + b"1" + b"}" * DEEP, Verdict.TORN),
    (RACE, HOME, Verdict.HOME_PAGE),
    (RACE, b"  \r\n<html></html>", Verdict.HOME_PAGE),
    ("/current", HOME, Verdict.HOME_PAGE),
    ("/events/x/RACE.JSON", HOME, Verdict.HOME_PAGE),
    ("/httpfiles/nothing.js", HOME, Verdict.HOME_PAGE),
    ("/events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2", HOME, Verdict.HOME_PAGE),
    ("/httpfiles/logo.png", b"", Verdict.EMPTY),
    (RACE, b"null", Verdict.WRONG_SHAPE),
    (RACE, b"true", Verdict.WRONG_SHAPE),
    (RACE, b"12", Verdict.WRONG_SHAPE),
    (RACE, b'"x"', Verdict.WRONG_SHAPE),
    (RACE, b'{"ID": "x"}', Verdict.WRONG_SHAPE),
    (RACE, b"[null]", Verdict.WRONG_SHAPE),
    (RACE, b"[[]]", Verdict.WRONG_SHAPE),
    ("/httpfiles/Channels.json", b"{}", Verdict.WRONG_SHAPE),
    ("/events/x/other.json", b"3", Verdict.WRONG_SHAPE),
    ("/current", b"[]", Verdict.WRONG_SHAPE),
    ("/", b'{"CurrentRace": null}', Verdict.WRONG_SHAPE),
    ("/", b"\x89PNG", Verdict.WRONG_SHAPE),
]

GOOD: list[tuple[str, bytes]] = [
    (RACE, b"[]"),
    (RACE, b'\xef\xbb\xbf[{"ID": "x"}]\r\n'),
    (RACE, '[{"Name": "Jörg レース 🏁"}]'.encode()),
    ("/current", b'{"CurrentRace": null}'),
    ("/httpfiles/Channels.json", b"[{}]"),
    ("/events/x/other.json", b"{}"),
    ("/", HOME),
    ("/", b"\xef\xbb\xbf\r\n" + HOME),
    ("/httpfiles/index.html", HOME),
    ("/httpfiles/Formatter.js", b"class Formatter {}"),
    ("/httpfiles/logo.svg", b"<svg></svg>"),
    ("/httpfiles/logo.png", b"\x89PNG\r\n"),
]


@pytest.mark.parametrize(("path", "body", "verdict"), BAD, ids=lambda value: repr(value)[:24])
async def test_bad_bodies(path: str, body: bytes, verdict: Verdict) -> None:
    assert judge(path, body) is verdict
    with pytest.raises(RequestError) as caught:
        await check_body(path, body)
    assert caught.value.code is ErrorCode.ORIGIN_INVALID
    assert caught.value.words == words_for(verdict)


@pytest.mark.parametrize(("path", "body"), GOOD, ids=lambda value: repr(value)[:24])
async def test_good_bodies(path: str, body: bytes) -> None:
    assert judge(path, body) is Verdict.GOOD
    await check_body(path, body)


def test_every_file_of_a_recorded_event_is_good(samples: Path) -> None:
    tree = samples / "fpv" / "tree-test-1"
    files = sorted(file for file in tree.rglob("*") if file.is_file())
    assert len(files) > 15
    for file in files:
        assert judge(f"/{file.relative_to(tree).as_posix()}", file.read_bytes()) is Verdict.GOOD


@given(st.binary(max_size=64), st.sampled_from([RACE, "/", "/current", "/httpfiles/Channels.json", "/a.png"]))
def test_judging_never_raises(body: bytes, path: str) -> None:
    assert judge(path, body) in Verdict


RACES = st.lists(
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(), st.none()), max_size=3
    ),
    max_size=3,
)


@given(RACES, st.data())
def test_no_part_of_a_file_is_taken_for_the_file(value: list[dict[str, object]], data: st.DataObject) -> None:
    body = json.dumps(value, indent=2).encode()
    assert judge(RACE, body) is Verdict.GOOD
    cut = data.draw(st.integers(0, len(body) - 1))
    assert judge(RACE, body[:cut]) in (Verdict.EMPTY, Verdict.TORN)


def test_json_is_promised_by_the_path() -> None:
    assert is_json_path("/current")
    assert is_json_path("/events/x/Race.JSON")
    assert not is_json_path("/")
    assert not is_json_path("/httpfiles/json")


@pytest.mark.parametrize(
    ("page", "is_open"),
    [
        (HOME, True),
        (b"<p>new EventManager ( 'events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2/')", True),
        (b'<p>new EventManager("%eventDirectory%", 1)', False),
        (b'<p>new EventManager("events/", 1)', False),
        (b'<p>new EventManager("events/00000000-0000-0000-0000-000000000000")', False),
        (b"<p>", False),
    ],
)
def test_the_home_page_tells_whether_an_event_is_open(page: bytes, is_open: bool) -> None:
    assert names_event(page) is is_open


def test_the_hostname_page_is_known_by_status_and_words() -> None:
    page = b"<HTML><HEAD><TITLE>Bad Request</TITLE></HEAD><h2>Bad Request - Invalid Hostname</h2>"
    assert is_hostname_page(400, page)
    assert not is_hostname_page(200, page)
    assert not is_hostname_page(400, b"<h2>Bad Request - Invalid Verb</h2>")


HOSTILE_SMALL = [b"", b"{}", b"{},{}", b'{"a":NaN}', b"1", b'"x"', b"[]", b'{"a":1},', b"\xff"]
BIG = 8 * 1024 * 1024
RESULTS = "/events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2/Results.json"
HOSTILE = {
    "empty lists": b"[" + b"[]," * (BIG // 3 - 2) + b"[]]",
    "empty objects": b"[" + b"{}," * (BIG // 3 - 2) + b"{}]",
    "numbers": b"[{}," + b"1e-7," * (BIG // 5 - 2) + b"1]",
    "keys": b"[{" + b",".join(b'"%x":1' % number for number in range(BIG // 12)) + b"}]",
    "many records": b"[" + b'{"a":1},' * 400_000 + b"{}]",
    "lists in lists": b"[" + (b"[" + b"[]," * 30_000 + b"[]],") * 15 + b"[]]",
    "deep": b"[" * BIG,
    "deep again and again": b"[" + (b"[" * 900 + b"]" * 900 + b",") * (BIG // 1802) + b"[]]",
    "one text": b'["' + b"\\u00e9" * (BIG // 6 - 2) + b'"]',
    "one number": b"[" + b"1" * (BIG - 2) + b"]",
    "spaces": b"[" + b" " * (BIG - 2) + b"]",
    "torn": b'[{"a":"' + b"x" * 100 + b'"},' * 70_000,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_large_body_is_judged_in_small_steps(name: str) -> None:
    turns = 0

    async def everybody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(everybody_else)
        verdict = await judge_in_turns(RESULTS, HOSTILE[name])
        nursery.cancel_scope.cancel()
    if name in ("keys", "many records", "lists in lists"):  # what is not refused at first sight
        assert turns > 1_000_000 / WINDOW
    good = ("keys", "many records", "spaces")
    assert verdict is (
        Verdict.GOOD if name in good else Verdict.WRONG_SHAPE if name == "lists in lists" else Verdict.TORN
    )


async def test_a_large_file_of_a_real_day_is_good() -> None:
    row = {"ID": "3a96b1b6-7b6b-43a8-b93e-d918f43607d2", "Points": 3, "Valid": True, "Pilot": "Jörg レース"}
    body = json.dumps([row] * 85_000, ensure_ascii=False).encode()
    assert len(body) > BIG
    assert await judge_in_turns(RESULTS, body) is judge(RESULTS, body) is Verdict.GOOD
    assert await judge_in_turns(RESULTS, body[:-5]) is judge(RESULTS, body[:-5]) is Verdict.TORN
    assert await judge_in_turns(RESULTS, body[:-1] + b",1]") is Verdict.WRONG_SHAPE


@given(st.sampled_from(HOSTILE_SMALL), st.binary(max_size=20))
@settings(max_examples=40)
def test_what_is_large_is_judged_alike(inner: bytes, end: bytes) -> None:
    body = b"[" + inner + b" " * WHOLE_BYTES_MAX + end + b"]"
    assert trio.run(judge_in_turns, RESULTS, body) is judge(RESULTS, body)
