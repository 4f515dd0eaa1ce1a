"""How the origin stands, in words: off, up, without an event, answering only to localhost, falling over."""

import attrs
import trio
import trio.testing

from chaos.doubles.fpvtrackside import FPVTrackside
from daemons.race.origin import DOWN_REST_S, LocalOrigin, OriginState
from protocol.errors import ErrorCode
from tests.daemons.race.origins import (
    CALM,
    QUICK,
    RACE,
    UTC_S,
    beside,
    fails,
    make_tree,
    opened,
    state_of,
    until,
)


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
