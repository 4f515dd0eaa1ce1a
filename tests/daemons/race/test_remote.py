"""The hub's origin: shared fetches, shedding, old copies, and bodies that are never believed unchecked."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked

from daemons.link.requests import Answer, Interrupted
from daemons.link.router import PeerRouter
from daemons.ops.limits import HubLimits
from daemons.ops.trace import bound
from daemons.race.cache import Key, MemoryCache
from daemons.race.config import FetchBounds
from daemons.race.exchange import Form, Told, ask_from_wire, encode_answer, shorten, to_wire
from daemons.race.fetched import Fetched
from daemons.race.remote import RemoteOrigin, Urgency
from protocol.canonical import digest_of, validator_of
from protocol.delta import compress_body
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate

from .fakes import SITE, FakePeer, across

RACE = "/events/e/r/Race.json"
OLD = b'[{"ID":"r","Laps":[]}]'
NEW = b'[{"ID":"r","Laps":[1]}]'
WAITING_MAX = HubLimits().site_fetches_waiting
IN_FLIGHT = 2
FETCH_S = 5.0


def copy_of(path: str, body: bytes, at: float = 0.0, **more: Any) -> Fetched:
    return Fetched(path, body, None, validator_of(body, is_json=False), digest_of(body), at, **more)


@define(eq=False)
class FarSite:
    """Serves `files` as a site would. `gate` holds answers up, `twist` replaces an answer, `error` fails all."""

    files: dict[str, bytes] = field(factory=dict)
    gate: trio.Event | None = None
    twist: Answer | Exception | None = None
    stale: bool = False
    cancelled: int = 0

    async def answer(self, method: str, params: Mapping[str, Any]) -> Answer:
        assert method == "fetch"
        ask = ask_from_wire(across(params))
        try:
            await trio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        if self.twist is not None:
            twist, self.twist = self.twist, None
            if isinstance(twist, Exception):
                raise twist
            return twist
        if ask.path not in self.files:
            raise RequestError(ErrorCode.DENIED, "not allowed")
        told, encoded = encode_answer(
            copy_of(ask.path, self.files[ask.path], stale=self.stale), ask, 0.5, lambda short: None
        )
        return Answer(across(to_wire(told)), encoded)


@define(eq=False)
class Stage:
    site: FarSite
    peer: FakePeer
    cache: MemoryCache
    remote: RemoteOrigin
    told: list[tuple[str, Fetched | RequestError]]

    def asked(self) -> list[str]:
        return [params["p"] for _, params in self.peer.asked]

    async def code_of(self, path: str) -> ErrorCode:
        with pytest.raises(RequestError) as caught:
            await self.remote.fetch(path)
        return caught.value.code

    async def copy(self, path: str = RACE) -> bytes | None:
        copy = await self.cache.get(Key(SITE, "GET", path))
        return None if copy is None else copy.body


@asynccontextmanager
async def hub(body_bytes_max: int = 100_000) -> AsyncIterator[Stage]:
    site = FarSite({RACE: OLD})
    peer = FakePeer(site.answer)
    cache = MemoryCache()
    bounds = FetchBounds(IN_FLIGHT + 1, body_bytes_max, FETCH_S)
    remote = RemoteOrigin(
        PeerRouter({SITE: peer.as_peer}), SITE, cache, trio.current_time, lambda: bounds, PathGate()
    )
    told: list[tuple[str, Fetched | RequestError]] = []
    remote.observe(lambda path, result: told.append((path, result)))
    async with trio.open_nursery() as nursery:
        await nursery.start(remote.run)
        yield Stage(site, peer, cache, remote, told)
        nursery.cancel_scope.cancel()


async def test_callers_of_one_path_share_one_fetch_and_one_that_leaves_takes_nobody_along(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        stage.site.gate = trio.Event()
        got: list[bytes] = []
        leaving = trio.CancelScope()

        async def ask() -> None:
            got.append((await stage.remote.fetch(RACE)).body)

        async def leave() -> None:
            with leaving:
                await stage.remote.fetch(RACE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            await wait_all_tasks_blocked()
            for _ in range(5):
                nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            leaving.cancel()
            await wait_all_tasks_blocked()
            stage.site.gate.set()
        assert got == [OLD] * 5
        assert stage.asked() == [RACE]
        assert stage.remote.statistics.shared == 5


async def test_a_fetch_that_nobody_waits_for_is_cancelled_and_leaves_no_trace(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        stage.site.gate = trio.Event()
        with trio.move_on_after(1):
            await stage.remote.fetch(RACE)
        await wait_all_tasks_blocked()
        assert stage.site.cancelled == 1
        assert stage.remote.in_flight == 0
        assert stage.told == []
        stage.site.gate = None
        assert (await stage.remote.fetch(RACE)).body == OLD


async def test_too_many_waiting_the_finished_races_are_shed_first_then_lists_never_the_live_one(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        kinds = {"fin": Urgency.FINISHED, "list": Urgency.LIST, "live": Urgency.LIVE}
        stage.remote.urgency_of = lambda path: kinds[path.split("/")[2]]
        stage.site.gate = trio.Event()
        results: dict[str, ErrorCode | None] = {}

        async def ask(path: str) -> None:
            stage.site.files[path] = b"[]"
            try:
                await stage.remote.fetch(path)
                results[path] = None
            except RequestError as exc:
                results[path] = exc.code

        async with trio.open_nursery() as nursery:

            async def start(kind: str, count: int) -> None:
                for i in range(count):
                    nursery.start_soon(
                        ask, f"/events/{kind}/{kind}{len(results)}-{i}-{len(stage.remote._waiting)}.json"
                    )
                    await wait_all_tasks_blocked()

            await start("fin", IN_FLIGHT + 10)
            await start("list", WAITING_MAX - 10)
            assert stage.remote.queue_length == WAITING_MAX
            assert stage.remote.is_crowded
            await start("list", 10)
            assert [path.split("/")[2] for path in results] == ["fin"] * 10
            await start("list", 1)  # nothing less urgent waits any more
            assert [path.split("/")[2] for path in results] == ["fin"] * 10 + ["list"]
            await start("live", 3)
            assert [path.split("/")[2] for path in results] == ["fin"] * 10 + ["list"] * 4
            assert set(results.values()) == {ErrorCode.BUSY}
            before = len(stage.peer.asked)
            stage.site.gate.set()
        first = stage.asked()[before : before + 4]  # of tasks that start together Trio runs any first
        assert sorted(path.split("/")[2] for path in first) == ["list", "live", "live", "live"]
        assert stage.remote.statistics.shed == 14


async def test_with_the_link_down_the_last_copy_is_served_marked_and_without_one_it_says_so(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        assert await stage.code_of("/events/unknown.json") is ErrorCode.DENIED
        await trio.sleep(10)
        first = await stage.remote.fetch(RACE)
        assert not first.stale
        assert first.fetched_at == 9.5
        stage.peer.connection = None
        await trio.sleep(10)
        old = await stage.remote.fetch(RACE)
        assert (old.body, old.stale, old.fetched_at) == (OLD, True, 9.5)
        assert await stage.code_of("/current") is ErrorCode.DISCONNECTED
        assert await stage.code_of("/secret") is ErrorCode.DENIED


async def test_a_link_that_goes_in_mid_fetch_leaves_the_old_copy_to_show(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await stage.remote.fetch(RACE)
        stage.site.twist = RequestError(ErrorCode.DISCONNECTED, "lost")
        assert (await stage.remote.fetch(RACE)).stale
        stage.site.twist = RequestError(ErrorCode.DISCONNECTED, "lost")
        assert await stage.code_of("/current") is ErrorCode.DISCONNECTED


async def test_what_did_not_change_is_confirmed_and_younger(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await stage.remote.fetch(RACE)
        await trio.sleep(10)
        again = await stage.remote.fetch(RACE)
        assert (again.body, again.fetched_at) == (OLD, 9.5)
        stage.peer.connection = None
        assert (await stage.remote.fetch(RACE)).fetched_at == 9.5
        assert (stage.remote.statistics.same, stage.remote.statistics.bytes_saved) == (1, len(OLD))


async def test_a_copy_that_the_site_itself_calls_old_replaces_nothing(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await stage.remote.fetch(RACE)
        stage.site.files[RACE], stage.site.stale = NEW, True
        assert (await stage.remote.fetch(RACE)).stale
        assert await stage.copy() == OLD


def _answer(body: bytes, encoded: bytes | None = None, **more: Any) -> Answer:
    about: dict[str, Any] = {"digest": digest_of(body), "size": len(body), "validator": b"v", **more}
    told = Told(about.pop("form", Form.RAW), **about)
    return Answer(across(to_wire(told)), body if encoded is None else encoded)


async def test_a_body_that_is_not_what_its_digest_names_is_fetched_whole_and_counted(
    autojump_clock: MockClock,
) -> None:
    async with hub() as stage:
        await stage.remote.fetch(RACE)
        stage.site.files[RACE] = NEW
        stage.site.twist = _answer(NEW, OLD)
        assert (await stage.remote.fetch(RACE)).body == NEW
        assert stage.remote.statistics.wrong_bodies == 1
        last = ask_from_wire(across(stage.peer.asked[-1][1]))
        assert (last.validator, last.bases) == (b"", [])


async def test_a_body_that_is_wrong_twice_is_an_error_and_not_kept(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        wrong = _answer(NEW, OLD)

        async def always(method: str, params: Mapping[str, Any]) -> Answer:
            return wrong

        stage.peer.answer = always
        assert await stage.code_of(RACE) is ErrorCode.INTERNAL
        assert await stage.copy() is None


async def test_a_body_that_broke_off_is_asked_for_from_there(autojump_clock: MockClock) -> None:
    body = (
        b"["
        + b",".join(b'{"n":%d,"d":"%s"}' % (i, digest_of(b"%d" % i).hex().encode()) for i in range(6000))
        + b"]"
    )
    encoded = compress_body(body)
    async with hub(1 << 20) as stage:
        stage.site.files[RACE] = body
        told = Told(Form.ZSTD, validator=b"v", digest=digest_of(body), size=len(body))
        stage.site.twist = Interrupted(Answer(across(to_wire(told)), encoded[: len(encoded) // 2]))
        assert await stage.code_of(RACE) is ErrorCode.DISCONNECTED
        assert (await stage.remote.fetch(RACE)).body == body
        ask = ask_from_wire(across(stage.peer.asked[-1][1]))
        assert ask.resume == digest_of(body)
        assert ask.offset > len(body) // 4
        assert stage.remote.statistics.resumed == 1
        await stage.remote.fetch(RACE)
        assert ask_from_wire(across(stage.peer.asked[-1][1])).offset == 0  # used up


async def test_a_body_that_changed_since_it_broke_off_comes_whole(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        told = Told(Form.RAW, digest=digest_of(OLD), size=len(OLD))
        stage.site.twist = Interrupted(Answer(across(to_wire(told)), OLD[:7]))
        await stage.code_of(RACE)
        stage.site.files[RACE] = NEW
        assert (await stage.remote.fetch(RACE)).body == NEW


@pytest.mark.parametrize(
    "body", [b"", b'[{"ID":"r","La', b"<html>no such page</html>", b'{"ID":"r"}', b"[1]", b"[NaN]", b"\xff[]"]
)
async def test_what_is_no_race_never_gets_into_the_cache(body: bytes, autojump_clock: MockClock) -> None:
    async with hub() as stage:
        stage.site.twist = _answer(body)
        assert await stage.code_of(RACE) is ErrorCode.ORIGIN_INVALID
        assert await stage.copy() is None
        await stage.remote.fetch(RACE)
        stage.remote.on_push({**_answer(body).result, "p": RACE}, body)
        await wait_all_tasks_blocked()
        assert await stage.copy() == OLD


@pytest.mark.parametrize(
    "fields", [{}, {"f": 99, "n": 1}, {"f": 1, "n": -5}, {"f": 0, "a": 2**62}, {"f": 1, "t": "\n"}]
)
async def test_a_site_that_answers_nonsense_harms_its_own_answers_only(
    fields: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with hub() as stage:
        for result in (Answer(fields, b"x"), Interrupted(Answer(fields, b"x"))):
            stage.site.twist = result
            with pytest.raises(RequestError):
                await stage.remote.fetch("/current")
        stage.remote.on_push({**fields, "p": RACE}, b"x")
        stage.remote.on_push({**fields, "p": 3}, b"x")
        await wait_all_tasks_blocked()
        assert await stage.copy() is None
        assert (await stage.remote.fetch(RACE)).body == OLD


async def test_json_without_a_canonical_form_is_kept_like_any_other(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        body = b'[{"ID":"a","ID":"b"}]'
        stage.site.twist = _answer(body, validator=b"")
        assert (await stage.remote.fetch(RACE)).body == body


async def test_a_body_over_the_limit_is_too_large(autojump_clock: MockClock) -> None:
    async with hub(body_bytes_max=10) as stage:
        assert await stage.code_of(RACE) is ErrorCode.TOO_LARGE
        assert await stage.copy() is None


async def test_no_answer_in_time_is_a_timeout_and_frees_the_place(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        stage.site.gate = trio.Event()
        assert await stage.code_of(RACE) is ErrorCode.TIMEOUT
        assert trio.current_time() == pytest.approx(FETCH_S)
        assert stage.remote.in_flight == 0
        [(path, result)] = stage.told
        assert path == RACE and isinstance(result, RequestError)


async def test_pushes_are_kept_and_told_and_a_base_that_is_gone_is_counted(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        await stage.remote.fetch(RACE)
        stage.told.clear()
        stage.remote.on_push({**_answer(NEW).result, "p": RACE}, NEW)
        await wait_all_tasks_blocked()
        assert await stage.copy() == NEW
        assert [path for path, _ in stage.told] == [RACE]
        gone = _answer(OLD, b"?", form=Form.DELTA, base=shorten(digest_of(b"gone")))
        stage.remote.on_push({**gone.result, "p": RACE}, b"?")
        await wait_all_tasks_blocked()
        assert await stage.copy() == NEW
        assert (stage.remote.statistics.pushes, stage.remote.statistics.wrong_bodies) == (1, 1)


async def test_past_the_rate_of_a_site_what_is_wanted_more_still_goes(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        kinds = {"fin": Urgency.FINISHED, "list": Urgency.LIST, "live": Urgency.LIVE}
        stage.remote.urgency_of = lambda path: kinds[path.split("/")[2]]
        stage.remote.bounds = lambda: HubLimits(site_fetches_per_s=1, site_fetches_burst=8)
        stage.site.files = {f"/events/{kind}/{i}.json": b"[]" for kind in kinds for i in range(9)}

        refusals: Counter[str] = Counter()

        async def served(kind: str) -> int:
            for number in range(9):
                try:
                    await stage.remote.fetch(f"/events/{kind}/{number}.json")
                except RequestError as exc:
                    refusals[f"{exc.code} {exc.words[:24]}"] += 1
                    return number
            return 9

        assert [await served(kind) for kind in kinds] == [4, 2, 2]
        assert refusals == {"BUSY too many fetches of site": 3}
        assert stage.remote.statistics.limited == 3
        await trio.sleep(1)
        assert await served("live") == 1


async def test_one_caller_cannot_take_every_place(autojump_clock: MockClock) -> None:
    async with hub() as stage:
        stage.remote.bounds = lambda: HubLimits(caller_fetches_in_flight=3)
        stage.site.gate = trio.Event()
        codes: Counter[str] = Counter()

        async def ask(identity: str, number: int) -> None:
            path = f"/events/{identity}/{number}.json"
            stage.site.files[path] = b"[]"
            with bound(identity=identity):
                try:
                    await stage.remote.fetch(path)
                except RequestError as exc:
                    codes[f"{identity} {exc.code}"] += 1
                else:
                    codes[identity] += 1

        async with trio.open_nursery() as nursery:
            for number in range(6):
                for identity in ("greedy", "hub"):
                    nursery.start_soon(ask, identity, number)
            nursery.start_soon(ask, "modest", 0)
            await wait_all_tasks_blocked()
            assert codes == {"greedy BUSY": 3}
            stage.site.gate.set()
        assert codes == {"greedy BUSY": 3, "greedy": 3, "hub": 6, "modest": 1}
        with bound(identity="greedy"):
            assert (await stage.remote.fetch(RACE)).body == OLD
