"""The site's half of the exchange: what it lets out, what it pushes, what it answers without asking the origin."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from daemons.race.exchange import Ask, Form, Told, decode_answer, shorten, to_wire, told_from_wire
from daemons.race.site import LARGE_BYTES, WATCHES_MAX, SiteService
from daemons.race.watches import Watches
from daemons.race.watchrows import ABSENT, FAILING, WATCH_TOPIC, Row
from protocol.canonical import digest_of
from protocol.codec import decode_frames
from protocol.errors import ErrorCode, RemoteProtocolError, RequestError
from protocol.frames import Frame, Fresh, SyncPart, Update
from protocol.pathgate import PathGate, Rule
from protocol.topics import Publisher

from . import makers as make
from .fakes import FakePeer, across
from .field import PILOTS, Field, open_field, race_path

RACE = race_path(101)
LIMIT = 1 << 20


@define(eq=False)
class Stage:
    day: Field
    service: SiteService
    peer: FakePeer
    watches: Watches

    async def fetch(self, path: str, **ask: Any) -> tuple[Told, bytes]:
        reply = await self.service.fetch(to_wire(Ask(path, **ask)))
        return told_from_wire(across(reply.result)), reply.body

    async def code_of(self, path: str) -> ErrorCode:
        with pytest.raises(RequestError) as caught:
            await self.fetch(path)
        return caught.value.code

    async def watch(
        self, *paths: str, priority: int = 0, period_ms: int = 500, held: bytes = b"", **more: Any
    ) -> Any:
        entries = [[path, period_ms, priority, held] for path in paths]
        return (await self.service.watch({"w": entries, **more})).result

    def row(self, path: str) -> Row | None:
        data = self.service.publisher._table.get(path)
        return None if data is None else Row.decode(data)

    def pushes(self) -> list[tuple[str, Told, bytes]]:
        found = [
            (result["p"], told_from_wire({key: value for key, value in result.items() if key != "p"}), body)
            for result, body in self.peer.pushed
        ]
        self.peer.pushed.clear()
        return found


@define(eq=False)
class Wire:
    """Takes the topic's frames off at once."""

    stage: Stage
    frames: list[Frame] = field(factory=list)

    def attach(self) -> None:
        """Begin, as with a hub that has heard nothing."""
        self.stage.service.publisher.attach(None, trio.current_time(), self._take, self._take)

    def _take(self) -> None:
        publisher, now = self.stage.service.publisher, trio.current_time()
        for source in (publisher, publisher.parts):
            while data := source.pull(now, 1 << 20):
                self.frames += decode_frames(data)

    def ages(self) -> list[float]:
        """Return how old what was told since the last call is."""
        ages = [
            trio.current_time() - frame.as_of_us / 1e6
            for frame in self.frames
            if isinstance(frame, Update | Fresh | SyncPart)
        ]
        self.frames.clear()
        return ages


@asynccontextmanager
async def site(
    *,
    share_private: bool = False,
    ttl_s: Callable[[str], float] = lambda path: 0.0,
    rules: list[str] | None = None,
) -> AsyncIterator[Stage]:
    day = open_field([101, 102])
    watches = Watches(day, live=True)
    peer = FakePeer()
    gate = PathGate() if rules is None else PathGate([Rule.parse(rule) for rule in rules])
    service = SiteService(
        day, gate, watches, Publisher(WATCH_TOPIC, 1, 0.02), trio.current_time,
        share_private=share_private, ttl_s=ttl_s, peer=peer.as_peer,
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watches.run)
        yield Stage(day, service, peer, watches)
        nursery.cancel_scope.cancel()


def body_of(told: Told, encoded: bytes, *known: bytes) -> bytes:
    def find(short: bytes) -> bytes | None:
        return next((body for body in known if shorten(digest_of(body)) == short), None)

    return decode_answer(told, encoded, body_bytes_max=LIMIT, find_body=find)


async def test_the_gate_is_asked_before_the_origin(autojump_clock: MockClock) -> None:
    async with site() as stage:
        for path, code in (
            ("/Profiles/secret.xml", ErrorCode.DENIED),
            ("/events/%2e%2e/secret", ErrorCode.DENIED),
            ("events", ErrorCode.BAD_REQUEST),
            ("/events/x?y", ErrorCode.BAD_REQUEST),
        ):
            assert await stage.code_of(path) is code
        with pytest.raises(RequestError) as caught:
            await stage.fetch(RACE, method="POST")
        assert caught.value.code is ErrorCode.DENIED
        assert stage.day.reads == []
        told, encoded = await stage.fetch(RACE)
        assert body_of(told, encoded) == stage.day.files[RACE]


async def test_private_fields_stay_at_the_site_under_any_name(autojump_clock: MockClock) -> None:
    async with site() as stage:
        backup = "/httpfiles/backup.json"
        stage.day.put(backup, stage.day.files[PILOTS])
        for path in (PILOTS, backup):
            told, encoded = await stage.fetch(path)
            pilots = json.loads(body_of(told, encoded))
            assert [pilot["Name"] for pilot in pilots] == ["Ann", "Bo", "Cy"]
            assert not {"FirstName", "LastName", "DiscordID", "PhotoPath"} & set().union(*pilots)
        await stage.watch(PILOTS, backup)
        await trio.sleep(1)
        assert len(stage.peer.pushed) == 2
        for _, told, encoded in stage.pushes():
            assert b"Secret" not in body_of(told, encoded)
        stage.day.put(PILOTS, b"[{ not json")
        assert await stage.code_of(PILOTS) is ErrorCode.ORIGIN_INVALID
    async with site(share_private=True) as stage:
        told, encoded = await stage.fetch(PILOTS)
        assert body_of(told, encoded) == stage.day.files[PILOTS]


async def test_json_that_has_a_key_twice_or_half_a_pair_is_passed_on_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with site() as stage:
        for body in (
            b'[{"Name": "x", "Name": "y", "FirstName": "z"}]',
            b'[{"Name": "\\ud83d", "FirstName": "z"}]',
        ):
            stage.day.put(PILOTS, body)
            told, encoded = await stage.fetch(PILOTS)
            assert b"FirstName" not in body_of(told, encoded)


async def test_paused_nothing_is_answered_or_pushed_and_all_that_is_watched_says_so(
    autojump_clock: MockClock,
) -> None:
    async with site() as stage:
        await stage.watch(RACE)
        await trio.sleep(1)
        assert len(stage.pushes()) == 1
        stage.service.pause(True)
        assert stage.row(RACE) == Row(b"", FAILING, "PAUSED")
        stage.day.race(101, start=make.START)
        await trio.sleep(2)
        assert await stage.code_of(RACE) is ErrorCode.PAUSED
        late = race_path(102)
        assert await stage.watch(late) == {"d": []}  # taken: one day the site goes on
        await trio.sleep(1)
        assert stage.pushes() == []
        stage.service.pause(False)
        assert sorted(path for path, _, _ in stage.pushes()) == [RACE, late]
        assert stage.row(RACE) != Row(b"", FAILING, "PAUSED")


async def test_what_was_not_read_yet_is_not_called_paused_after_a_pause(autojump_clock: MockClock) -> None:
    """The hub takes any row's word that the site is paused."""
    async with site() as stage:
        resting = race_path(102)
        await stage.watch(RACE)
        await stage.watch(resting, priority=3, period_ms=30_000)
        stage.service.pause(True)
        assert {stage.row(RACE), stage.row(resting)} == {Row(b"", FAILING, "PAUSED")}
        stage.service.pause(False)
        assert stage.row(resting) is None and stage.row(RACE) is None
        await trio.sleep(40)
        assert all(row is not None and not row.flags & FAILING for row in map(stage.row, (RACE, resting)))


async def test_a_rule_switched_off_ends_what_is_watched_and_on_again_brings_it_back(
    autojump_clock: MockClock,
) -> None:
    async with site() as stage:
        assert await stage.watch(RACE, "/current") == {"d": []}
        await trio.sleep(1.1)  # between two reads: at the very instant of one, either order is right
        stage.pushes()
        stage.service.switch("/events/**", False)
        assert stage.row(RACE) == Row(b"", FAILING, "DENIED")
        reads = len([path for _, path in stage.day.reads if path == RACE])
        assert await stage.watch(race_path(102)) == {"d": [race_path(102)]}
        stage.day.race(101, start=make.START)
        await trio.sleep(5)
        assert (
            len([path for _, path in stage.day.reads if path == RACE]) == reads
        )  # nor is the origin asked for it
        assert stage.pushes() == []
        stage.service.switch("/events/**", True)
        await trio.sleep(1)
        assert {path for path, _, _ in stage.pushes()} == {RACE, race_path(102)}
        with pytest.raises(ValueError, match="no pattern"):
            stage.service.switch("/Profiles/**", True)


async def test_within_its_ttl_a_path_is_answered_without_asking_the_origin(autojump_clock: MockClock) -> None:
    async with site(ttl_s=lambda path: 10.0 if path == RACE else 0.0) as stage:
        first, _ = await stage.fetch(RACE)
        await trio.sleep(9)
        stage.day.race(101, start=make.START)
        again, encoded = await stage.fetch(RACE, validator=shorten(first.validator))
        assert (again.form, encoded, again.age_ms) == (Form.SAME, b"", 9000)
        assert len(stage.day.reads) == 1
        await trio.sleep(1)
        new, _ = await stage.fetch(RACE, validator=shorten(first.validator))
        assert new.form != Form.SAME
        assert len(stage.day.reads) == 2


async def test_only_what_changed_is_pushed_as_a_delta_to_what_the_hub_holds(
    autojump_clock: MockClock,
) -> None:
    async with site() as stage:
        before = stage.day.files[RACE]
        await stage.watch(RACE, held=shorten(digest_of(before)))
        await trio.sleep(3)
        assert stage.pushes() == []
        stage.day.race(101, start=make.START)
        await trio.sleep(3)
        [(path, told, encoded)] = stage.pushes()
        assert (path, told.form, told.base) == (RACE, Form.DELTA, shorten(digest_of(before)))
        assert body_of(told, encoded, before) == stage.day.files[RACE]
        assert len(encoded) < 200


async def test_a_push_says_how_old_its_read_is(autojump_clock: MockClock) -> None:
    async with site() as stage:
        await stage.watch(RACE, held=shorten(digest_of(stage.day.files[RACE])), period_ms=600_000)
        await trio.sleep(60)  # read once, at the beginning
        await stage.watch(
            RACE, held=b"", period_ms=600_000, n=True
        )  # a new connection of a hub that lost its copy
        [(_, told, _)] = stage.pushes()
        assert 55_000 <= told.age_ms <= 60_000
        assert told.read_us == pytest.approx((trio.current_time() * 1e3 - told.age_ms) * 1e3, abs=2000)


async def test_a_hub_that_holds_something_unknown_is_sent_the_whole(autojump_clock: MockClock) -> None:
    async with site() as stage:
        await stage.watch(RACE, held=b"?" * 12)
        await trio.sleep(1)
        [(_, told, encoded)] = stage.pushes()
        assert told.form == Form.ZSTD
        assert body_of(told, encoded) == stage.day.files[RACE]


async def test_what_could_not_be_pushed_is_pushed_with_the_next_read(autojump_clock: MockClock) -> None:
    async with site() as stage:
        stage.peer.is_full = True
        await stage.watch(RACE)
        await trio.sleep(2)
        stage.peer.is_full = False
        await trio.sleep(1)
        assert [path for path, _, _ in stage.pushes()] == [RACE]


async def test_what_was_fetched_meanwhile_is_the_base_of_the_next_push(autojump_clock: MockClock) -> None:
    async with site() as stage:
        await stage.watch(RACE, period_ms=60_000)
        await trio.sleep(1)
        stage.pushes()
        stage.day.race(101, start=make.START)
        await stage.fetch(RACE)
        held = stage.day.files[RACE]
        stage.day.race(101, start=make.START, flown={1: [3.0, 9.0]})
        stage.watches.nudge()
        await trio.sleep(1)
        [(_, told, encoded)] = stage.pushes()
        assert told.base == shorten(digest_of(held))
        assert body_of(told, encoded, held) == stage.day.files[RACE]


async def test_watches_come_go_and_begin_anew(autojump_clock: MockClock) -> None:
    async with site() as stage:
        one, two, three = RACE, race_path(102), "/current"
        await stage.watch(one, two)
        assert set(stage.watches.paths) == {one, two}
        await stage.watch(three, x=[one, "/never watched"])
        assert set(stage.watches.paths) == {two, three}
        await trio.sleep(1)
        assert stage.row(two) is not None
        await stage.watch(one, n=True)
        assert stage.watches.paths == [one]
        assert stage.row(two) is None
        stage.service.link_lost()
        assert stage.watches.paths == []
        assert stage.row(one) is None


async def test_what_is_hot_from_now_on_is_read_at_once_and_its_age_told(autojump_clock: MockClock) -> None:
    async with site() as stage:
        live, resting, told = RACE, race_path(102), Wire(stage)
        assert await stage.watch(live, n=True) == {"d": []}  # has to be read first
        await stage.watch(resting, priority=2, period_ms=600_000)
        await trio.sleep(60.2)
        told.attach()
        assert told.ages() == pytest.approx([0.2])
        assert "u" not in await stage.watch(resting, period_ms=60_000)
        await trio.sleep(0.1)
        assert told.ages() == pytest.approx([0.3]), "one word, behind the reading; the oldest of both"
        await trio.sleep(1)
        # What was just read is known: the answer says it.
        answer = await stage.watch(resting, priority=2)
        assert answer["u"] / 1e6 == pytest.approx(trio.current_time() - 0.3)
        answer = await stage.watch(resting)
        assert answer["u"] / 1e6 == pytest.approx(trio.current_time() - 1.1)
        # A row that waits is not passed by its age.
        stage.day.race(102, start=make.START)
        stage.watches.nudge(resting)
        await trio.sleep(0.01)
        assert "u" not in await stage.watch(race_path(101))
        # A failure is told in its row, and holds up nobody.
        told.ages()
        stage.day.down = RequestError(ErrorCode.TIMEOUT, "slow")
        assert "u" not in await stage.watch(live, resting, n=True)
        await trio.sleep(0.1)
        assert (stage.row(live), stage.row(resting)) == (Row(b"", FAILING, "TIMEOUT"),) * 2
        stage.day.down = None
        await trio.sleep(0.6)
        assert stage.service._as_of() == pytest.approx(trio.current_time(), abs=0.6)


async def test_what_may_not_be_watched_is_named_and_never_read(autojump_clock: MockClock) -> None:
    async with site() as stage:
        long = f"/events/{'x' * 600}"
        denied = ["/Profiles/x", "/events/../x", "events", long]
        assert await stage.watch(RACE, *denied) == {"d": denied}
        await trio.sleep(2)
        assert {path for _, path in stage.day.reads} == {RACE}


@pytest.mark.parametrize(
    "params",
    [
        {"w": 1},
        {"x": 1},
        {"w": [1]},
        {"w": [["/", 1, 1]]},
        {"w": [["/", "1", 1, b""]]},
        {"w": [["/current", 1, 1, b""], [b"/", 1, 1, b""]]},
    ],
)
async def test_a_watch_that_is_none_changes_nothing(
    params: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with site() as stage:
        await stage.watch(RACE)
        with pytest.raises(RequestError) as caught:
            await stage.service.watch({"n": True, **params})
        assert caught.value.code is ErrorCode.BAD_REQUEST
        assert stage.watches.paths == [RACE]


async def test_watches_are_bounded(autojump_clock: MockClock) -> None:
    async with site() as stage:
        with pytest.raises(RequestError) as caught:
            await stage.watch(*[f"/events/{i}.json" for i in range(WATCHES_MAX + 1)])
        assert caught.value.code is ErrorCode.BUSY
        assert len(stage.watches.paths) == WATCHES_MAX


async def test_rows_tell_how_the_last_read_went(autojump_clock: MockClock) -> None:
    async with site() as stage:
        missing = race_path(109)
        await stage.watch(RACE, missing, "/current")
        await trio.sleep(1)
        told, _ = await stage.fetch(RACE)
        assert stage.row(RACE) == Row(shorten(told.validator))
        row = stage.row(missing)
        assert row is not None and row.flags == ABSENT
        assert stage.row("/current") == Row(b"", FAILING, "ORIGIN_INVALID")
        stage.day.down = RequestError(ErrorCode.ORIGIN_DOWN, "off")
        await trio.sleep(5)
        down = stage.row(RACE)
        assert down is not None and down.failure is not None and down.failure.code is ErrorCode.ORIGIN_DOWN


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x80", b"\x82\x00\x00", b"\x82\x40\x61a"])
def test_a_malformed_row_is_the_sites_fault(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Row.decode(data)


async def test_revalidate_names_what_changed_and_what_cannot_be_said(autojump_clock: MockClock) -> None:
    async with site() as stage:
        told, _ = await stage.fetch(RACE)
        other = race_path(102)
        known = {RACE: shorten(told.validator), other: b"old", "/secret": b"", "/current": b""}
        reply = await stage.service.revalidate({"k": known})
        assert reply.result == {"c": [other], "e": {"/secret": "DENIED", "/current": "ORIGIN_INVALID"}}
        bads: list[dict[str, Any]] = [
            {},
            {"k": []},
            {"k": {1: b""}},
            {"k": {str(i): b"" for i in range(257)}},
        ]
        for bad in bads:
            with pytest.raises(RequestError) as caught:
                await stage.service.revalidate(bad)
            assert caught.value.code is ErrorCode.BAD_REQUEST


async def test_purge_forgets_the_bases_and_sends_the_whole_again(autojump_clock: MockClock) -> None:
    async with site() as stage:
        await stage.watch(RACE)
        await trio.sleep(1)
        stage.pushes()
        stage.service.purge("/events/")
        await trio.sleep(1)
        [(path, told, encoded)] = stage.pushes()
        assert (path, told.form) == (RACE, Form.ZSTD)
        assert body_of(told, encoded) == stage.day.files[RACE]


async def test_a_large_body_is_not_pushed_but_fetched_and_compressed_beside_the_loop(
    autojump_clock: MockClock,
) -> None:
    worked: list[object] = []

    async def offload(work: Any) -> Any:
        worked.append(work)
        return work()

    async with site() as stage:
        stage.service.offload = offload
        big = "/httpfiles/big.json"
        body = json.dumps([{"n": number} for number in range(60_000)]).encode()
        assert len(body) > LARGE_BYTES
        stage.day.put(big, body)
        await stage.watch(big)
        await trio.sleep(1)
        assert stage.pushes() == []
        row = stage.row(big)
        assert row is not None and row.validator
        told, encoded = await stage.fetch(big)
        assert body_of(told, encoded) == body
        changed = body[:-1] + b', {"n": -1}]'
        stage.day.put(big, changed)
        told, encoded = await stage.fetch(big, bases=[shorten(digest_of(body))])
        assert (told.form, body_of(told, encoded, body)) == (Form.DELTA, changed)
        assert len(worked) == 2
