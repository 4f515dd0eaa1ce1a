"""The origin client beside the stand-in for FPVTrackside, whose book of manners is asserted in every test."""

import math
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from chaos.doubles.fpvtrackside import FPVTrackside, HeadHabit, Quirks, load_event_dir
from daemons.race.origin import DOWN_REST_S, Fetched, LocalOrigin, OriginLimits, OriginState
from protocol.canonical import digest_of, validator_of
from protocol.errors import ErrorCode, RequestError
from tests.daemons.race.origins import (
    EVENT,
    QUICK,
    RACE,
    RESULTS,
    UTC_S,
    beside,
    fails,
    make_tree,
    state_of,
    until,
)

CALM = Quirks(relisten_s=0.01)


def opened(quirks: Quirks = CALM) -> FPVTrackside:
    double = FPVTrackside(make_tree(), quirks)
    double.open_event()
    return double


# --- bodies ----------------------------------------------------------------------------------------------


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


# --- empty, torn, foreign --------------------------------------------------------------------------------


async def test_a_file_that_is_not_there_is_absent_after_three_reads_and_then_after_one() -> None:
    double = opened()
    async with beside(double) as origin:
        fetched = await origin.fetch(RESULTS)
        assert (fetched.body, fetched.absent, fetched.stale) == (b"[]", True, False)
        assert fetched.digest == digest_of(b"[]")
        times = [visit.at_s for visit in double.visits]
        assert len(times) == 3
        assert 0.9 < times[2] - times[0] < 2.0
        assert (await origin.fetch(RESULTS)).absent
        assert len(double.visits) == 4
        double.tree.put(RESULTS, b'[{"Points": 1}]')
        assert not (await origin.fetch(RESULTS)).absent
        double.tree.put(RESULTS, b"")
        emptied = await origin.fetch(RESULTS)
        assert (emptied.body, emptied.absent, emptied.stale) == (b'[{"Points": 1}]', False, True)
        assert len(double.visits) == 8
        assert (await origin.fetch(RESULTS)).stale
        assert len(double.visits) == 9
        statistics = origin.statistics()
        assert (statistics.absent, statistics.stale, statistics.empty) == (2, 2, 8)


async def test_a_file_that_comes_to_life_meanwhile_is_not_absent() -> None:
    double = opened()
    async with beside(double) as origin, trio.open_nursery() as nursery:

        async def write_after_two_reads() -> None:
            await until(lambda: len(double.visits) == 2 and not double.visits[1].is_in_flight)
            double.tree.put(RESULTS, b"[{}]")

        nursery.start_soon(write_after_two_reads)
        assert (await origin.fetch(RESULTS)).body == b"[{}]"
    assert len(double.visits) == 3


async def test_a_write_under_way_is_waited_for() -> None:
    double = opened()
    old, new = b'[{"Laps": []}]', b'[{"Laps": [1]}]'
    double.tree.put(RACE, old)
    async with beside(double) as origin, trio.open_nursery() as nursery:
        await origin.fetch(RACE)
        nursery.start_soon(lambda: double.tree.write(RACE, new, torn_s=0.08))
        await trio.testing.wait_all_tasks_blocked(0.001)
        fetched = await origin.fetch(RACE)
        assert (fetched.body, fetched.stale) == (new, False)
        statistics = origin.statistics()
        assert statistics.empty + statistics.torn >= 1


async def test_a_file_that_stays_torn_is_invalid_and_never_remembered() -> None:
    double = opened()
    async with beside(double, QUICK) as origin:
        good = await origin.fetch(RACE)
        double.tree.tear(RACE, 10)
        assert "torn" in await fails(origin, RACE, ErrorCode.ORIGIN_INVALID)
        assert origin.statistics().torn == 3
        assert state_of(origin) is OriginState.UP
        double.tree.put(RACE, b"")
        assert (await origin.fetch(RACE)).body == good.body


async def test_torn_and_empty_by_turns_is_not_absent() -> None:
    double = opened()
    async with beside(double, QUICK) as origin, trio.open_nursery() as nursery:

        async def fill_half_after_two_reads() -> None:
            await until(lambda: len(double.visits) == 2 and not double.visits[1].is_in_flight)
            double.tree.put(RESULTS, b"[{")

        nursery.start_soon(fill_half_after_two_reads)
        await fails(origin, RESULTS, ErrorCode.ORIGIN_INVALID)


async def test_the_home_page_is_no_json_and_is_not_asked_for_again() -> None:
    double = opened(attrs.evolve(CALM, has_current=False))
    async with beside(double, QUICK) as origin:
        assert "home page" in await fails(origin, "/current", ErrorCode.ORIGIN_INVALID)
        assert len(double.visits) == 1
        await fails(origin, "/httpfiles/Nothing.json", ErrorCode.ORIGIN_INVALID)
        await fails(origin, "/httpfiles/nothing.js", ErrorCode.ORIGIN_INVALID)
        assert origin.statistics().invalid == 3


async def test_an_honest_404_is_an_empty_file() -> None:
    double = opened(Quirks.none())
    async with beside(double, QUICK) as origin:
        assert (await origin.fetch(RESULTS)).absent


# --- how it stands ---------------------------------------------------------------------------------------


async def test_off_then_up_then_no_event() -> None:
    told: list[tuple[str, str]] = []
    double = FPVTrackside(make_tree(), CALM)
    async with beside(double, on_state=lambda state, words: told.append((state, words))) as origin:
        assert "Auto start HTTP Server" in await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert state_of(origin) is OriginState.OFF
        assert double.url in origin.words
        double.open_event()
        await double.wait_listening()
        await trio.sleep(DOWN_REST_S)
        await origin.fetch(RACE)
        assert state_of(origin) is OriginState.UP
        double.close_event()
        assert "no event is open" in await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert state_of(origin) is OriginState.NO_EVENT
    assert [state for state, _ in told] == [OriginState.OFF, OriginState.UP, OriginState.NO_EVENT]


async def test_a_refusal_is_the_answer_for_a_moment() -> None:
    double = FPVTrackside(make_tree(), CALM)
    async with beside(double) as origin:
        await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert origin.statistics().sent == 2  # a connection error is tried once more
        assert origin.statistics().retried == 1
        for _ in range(100):
            await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert origin.statistics().sent == 2
        await trio.sleep(DOWN_REST_S)
        await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert origin.statistics().sent == 4


async def test_a_refusal_answers_all_who_wait() -> None:
    double = FPVTrackside(make_tree(), CALM)
    async with beside(double) as origin, trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(fails, origin, f"/events/{number}.json", ErrorCode.ORIGIN_DOWN)
    assert origin.statistics().sent == 2


async def test_a_home_page_without_an_event_says_so() -> None:
    double = FPVTrackside(make_tree(), attrs.evolve(CALM, off_until_event=False))
    async with beside(double, QUICK) as origin:
        assert b"EventManager" in (await origin.fetch("/")).body
        assert state_of(origin) is OriginState.NO_EVENT
        await origin.fetch("/httpfiles/Channels.json")
        assert state_of(origin) is OriginState.NO_EVENT
        double.open_event()
        await origin.fetch("/")
        assert state_of(origin) is OriginState.UP


async def test_answers_only_to_localhost_says_how_to_mend_it() -> None:
    double = opened()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(double.serve)
        origin = LocalOrigin(f"http://127.0.0.1:{port}", utc_now=lambda: UTC_S)
        await nursery.start(origin.run)
        words = await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)
        assert "http://localhost" in words
        assert "netsh http add urlacl" in words
        assert state_of(origin) is OriginState.LOCALHOST_ONLY
        nursery.cancel_scope.cancel()
    assert double.manners().wrong_host == 1
    double.assert_well_mannered()


# --- time ------------------------------------------------------------------------------------------------

SHORT = OriginLimits(fetch_s=0.25, read_s=1.0)


async def test_past_its_time_the_caller_gets_timeout_and_the_answer_is_read_to_its_end() -> None:
    double = opened()
    async with beside(double, SHORT) as origin:
        double.freeze()
        began = trio.current_time()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        assert trio.current_time() - began == pytest.approx(0.25, abs=0.1)
        assert state_of(origin) is OriginState.SILENT
        assert origin.statistics().in_flight == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(origin.fetch, RACE)  # waits; its own time counts from when it is sent
            await trio.sleep(0.4)
            assert len(double.visits) == 1
            double.thaw()
        assert state_of(origin) is OriginState.UP
        assert len(double.visits) == 2
        assert origin.statistics().aborted_late == 0
        assert origin.statistics().timeouts == 1


async def test_what_came_too_late_is_still_remembered() -> None:
    double = opened()
    limits = OriginLimits(fetch_s=0.25, read_again_after_s=(0.01, 0.02))
    async with beside(double, limits) as origin:
        double.freeze()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        double.thaw()
        await until(lambda: origin.statistics().good == 1)
        double.tree.put(RACE, b"")
        assert (await origin.fetch(RACE)).stale


async def test_the_time_of_a_fetch_holds_for_all_its_reads() -> None:
    double = opened()
    double.tree.put(RACE, b"[")
    limits = OriginLimits(fetch_s=0.4, read_again_after_s=(0.3, 0.9))
    async with beside(double, limits) as origin:
        began = trio.current_time()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        assert trio.current_time() - began < 0.85  # before the second time of reading again
        assert state_of(origin) is OriginState.UP  # it does answer
        await trio.sleep(1.0)
    assert len(double.visits) == 2


async def test_only_after_the_last_limit_is_the_answer_given_up_and_counted() -> None:
    double = opened(attrs.evolve(CALM, abort_tears_down=False))
    async with beside(double, OriginLimits(fetch_s=0.1, read_s=0.4), aborts=1) as origin:
        double.freeze()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        await until(lambda: origin.statistics().aborted_late == 1)
        assert origin.statistics().in_flight == 0
        await until(lambda: double.manners().aborted == 1)
        double.thaw()


async def test_a_slow_but_steady_answer_is_no_timeout() -> None:
    double = opened(attrs.evolve(CALM, part_bytes=10, part_delay_s=0.01))
    double.tree.put(RACE, b"[" + b" " * 200 + b"]")
    async with beside(double, OriginLimits(fetch_s=2.0)) as origin:
        await origin.fetch(RACE)


async def test_a_caller_that_goes_never_ends_the_request() -> None:
    double = opened()
    async with beside(double) as origin:
        double.freeze()
        with trio.move_on_after(0.1) as scope:
            await origin.fetch(RACE)
        assert scope.cancelled_caught
        double.thaw()
        await origin.fetch("/")
        assert origin.statistics().good == 2
        assert origin.statistics().never_sent == 0


async def test_a_caller_that_goes_while_it_waits_is_never_sent() -> None:
    double = opened()
    async with beside(double) as origin, trio.open_nursery() as nursery:
        double.freeze()
        nursery.start_soon(origin.fetch, "/")
        await trio.testing.wait_all_tasks_blocked(0.05)
        with trio.move_on_after(0.05):
            await origin.fetch(RACE)
        assert origin.statistics().never_sent == 1
        assert origin.statistics().waiting == 0
        double.thaw()
    assert [visit.target for visit in double.visits] == ["/"]


async def test_a_stop_lets_a_short_answer_end() -> None:
    double = opened(attrs.evolve(CALM, answer_delay_s=0.2))
    async with trio.open_nursery() as nursery:
        await nursery.start(double.serve)
        origin = LocalOrigin(double.url, utc_now=lambda: UTC_S)
        async with trio.open_nursery() as inner:
            await inner.start(origin.run)
            inner.start_soon(fails, origin, RACE, ErrorCode.ORIGIN_DOWN)
            await until(lambda: bool(double.visits))
            inner.cancel_scope.cancel()
        assert origin.statistics().aborted_at_stop == 0
        await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    double.assert_well_mannered(aborts=0)


async def test_a_stop_waits_a_second_and_no_longer() -> None:
    double = opened(attrs.evolve(CALM, abort_tears_down=False))
    async with trio.open_nursery() as nursery:
        await nursery.start(double.serve)
        double.freeze()
        origin = LocalOrigin(double.url, utc_now=lambda: UTC_S)
        async with trio.open_nursery() as inner:
            await inner.start(origin.run)
            inner.start_soon(origin.fetch, RACE)
            await until(lambda: bool(double.visits))
            began = trio.current_time()
            inner.cancel_scope.cancel()
        assert 0.9 < trio.current_time() - began < 1.5
        assert origin.statistics().aborted_at_stop == 1
        nursery.cancel_scope.cancel()
    double.assert_well_mannered(aborts=1)


async def test_after_a_stop_everybody_is_told() -> None:
    double = opened()
    async with beside(double) as origin:
        pass
    assert "not running" in await fails(origin, RACE, ErrorCode.ORIGIN_DOWN)


# --- many at once ----------------------------------------------------------------------------------------


async def test_callers_of_one_path_share_one_request() -> None:
    double = opened()
    results: list[Fetched] = []
    async with beside(double) as origin:
        double.freeze()

        async def ask() -> None:
            results.append(await origin.fetch(RACE))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked(0.05)
            nursery.start_soon(ask)  # also one that comes when it is on its way
            await trio.testing.wait_all_tasks_blocked(0.05)
            double.thaw()
        assert origin.statistics().shared == 20
    assert len(results) == 21
    assert len(double.visits) == 1


async def test_the_ninth_is_busy_and_own_reads_have_their_own_line() -> None:
    double = opened()
    async with beside(double, OriginLimits(fetch_s=math.inf)) as origin, trio.open_nursery() as nursery:
        double.freeze()
        for number in range(8):
            nursery.start_soon(origin.fetch, f"/httpfiles/{number}.html")
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert origin.statistics().waiting == 7
        await fails(origin, "/current", ErrorCode.BUSY)
        assert origin.statistics().busy == 1
        nursery.start_soon(origin.own.fetch, RACE)
        await trio.testing.wait_all_tasks_blocked(0.05)
        double.thaw()
    targets = [visit.target for visit in double.visits]
    assert len(targets) == 9
    assert targets[1] == RACE  # its turn comes after the one on its way


async def test_too_large_is_said_at_once_and_read_to_its_end() -> None:
    double = opened(attrs.evolve(CALM, part_bytes=50_000, part_delay_s=0.1))
    double.tree.put(RACE, b"[" + b" " * 500_000 + b"]")
    async with beside(double, OriginLimits(body_bytes=100_000)) as origin:
        began = trio.current_time()
        assert "100000 bytes" in await fails(origin, RACE, ErrorCode.TOO_LARGE)
        assert trio.current_time() - began < 0.7  # its length is announced
        await origin.fetch("/")
        assert trio.current_time() - began > 0.9
        assert origin.statistics().too_large == 1
        assert origin.statistics().aborted_late == 0


# --- connection errors -----------------------------------------------------------------------------------


async def test_a_listener_that_falls_over_is_tried_once_more() -> None:
    double = opened()
    async with beside(double) as origin, trio.open_nursery() as nursery:
        double.freeze()
        nursery.start_soon(origin.fetch, RACE)
        await until(lambda: bool(double.visits))
        double.thaw()
        double.tear_down()
    assert origin.statistics().retried == 1
    assert state_of(origin) is OriginState.UP


async def test_no_second_try_past_its_time() -> None:
    double = opened()
    async with beside(double, SHORT) as origin:
        double.freeze()
        await fails(origin, RACE, ErrorCode.TIMEOUT)
        double.tear_down()
        double.thaw()
        await double.wait_listening()
        await trio.sleep(0.3)
        assert origin.statistics().sent == 1
        assert origin.statistics().retried == 0
        assert origin.statistics().unanswered == 1
