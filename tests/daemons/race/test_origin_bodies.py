"""What the origin client hands out of the bodies that FPVTrackside gives, beside the stand-in and its book of manners."""

from pathlib import Path

import pytest

from chaos.doubles.fpvtrackside import FPVTrackside, HeadHabit, Quirks, load_event_dir
from daemons.race.origin import Fetched, OriginState
from protocol.canonical import digest_of, validator_of
from protocol.errors import ErrorCode, RequestError
from tests.daemons.race.origins import (
    CALM,
    EVENT,
    QUICK,
    RACE,
    UTC_S,
    beside,
    opened,
    state_of,
)


async def test_a_file_comes_as_its_original_bytes_with_its_names() -> None:
    double = opened()
    body = b'\xef\xbb\xbf[ {"b": 1,\r\n "a": "\xc3\xa9"} ]\r\n'
    double.tree.put(RACE, body)
    async with beside(double) as origin:
        assert state_of(origin) is OriginState.UNKNOWN
        fetched = await origin.fetch(RACE)
        assert state_of(origin) is OriginState.UP
    assert fetched == Fetched(
        RACE, body, "application/json", validator_of(body, is_json=True), digest_of(body), UTC_S
    )


async def test_nothing_of_a_caller_or_the_machine_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    double = opened()
    async with beside(double) as origin:
        await origin.fetch(RACE)
    (visit,) = double.visits
    assert visit.target == RACE
    assert visit.headers == {
        "host": f"localhost:{double.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "user-agent": "pitlink",
    }


async def test_head_is_answered_from_a_get() -> None:
    double = opened(Quirks(head=HeadHabit.TEARS_DOWN))
    async with beside(double) as origin:
        assert await origin.fetch(RACE, method="HEAD") == await origin.fetch(RACE)
    assert [visit.method for visit in double.visits] == ["GET", "GET"]
    assert double.manners().torn_down == 0


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "get", ""])
async def test_other_methods_are_never_sent(method: str) -> None:
    double = opened()
    async with beside(double) as origin:
        with pytest.raises(RequestError) as caught:
            await origin.fetch(RACE, method=method)
        assert caught.value.code is ErrorCode.DENIED
    assert not double.visits


@pytest.mark.parametrize(
    "path", ["/events/..%5Cx", "/events/%252e%252e/x", "/events/a\\b", "/events/../x", "x"]
)
async def test_there_is_no_way_around_the_gates_idea_of_a_path(path: str) -> None:
    double = opened()
    async with beside(double) as origin:
        with pytest.raises(RequestError):
            await origin.fetch(path)
    assert not double.visits


async def test_odd_names_are_sent_as_exactly_one_url() -> None:
    path = f"/events/{EVENT}/Grün & 1+1; レース=~'(x)'!@,.json"
    double = opened()
    double.tree.put(path, b"[]")
    async with beside(double) as origin:
        assert (await origin.fetch(path)).body == b"[]"
    (visit,) = double.visits
    assert visit.target == (
        f"/events/{EVENT}/Gr%C3%BCn%20%26%201%2B1%3B%20%E3%83%AC%E3%83%BC%E3%82%B9%3D~%27%28x%29%27%21%40%2C.json"
    )


@pytest.mark.parametrize("quirks", [CALM, Quirks.old(), Quirks.none()])
async def test_types_go_by_path_whatever_the_version_says(quirks: Quirks) -> None:
    double = opened(quirks)
    async with beside(double, QUICK) as origin:
        fetched = await origin.fetch(RACE)
        assert fetched.content_type == quirks.events_content_type
        channels = await origin.fetch("/httpfiles/Channels.json")
        assert channels.content_type == "text/json"
        assert channels.validator == validator_of(channels.body, is_json=True)
        home = await origin.fetch("/")
        assert home.content_type == "text/html"
        assert home.validator == validator_of(home.body, is_json=False)


async def test_a_recorded_event_comes_byte_for_byte(samples: Path) -> None:
    folder = samples / "fpv" / "tree-test-1"
    double = FPVTrackside(load_event_dir(folder), CALM)
    double.open_event()
    async with beside(double, QUICK) as origin:
        for file in folder.rglob("*.json"):
            path = f"/{file.relative_to(folder).as_posix()}"
            assert (await origin.fetch(path)).body == file.read_bytes()
    assert double.manners().requests >= 15


async def test_unchanged_bytes_are_not_taken_apart_again() -> None:
    double = opened()
    async with beside(double) as origin:
        first = await origin.fetch(RACE)
        again = await origin.fetch(RACE)
        assert again == first
        assert again.validator is first.validator
        assert origin.statistics().unchanged == 1
