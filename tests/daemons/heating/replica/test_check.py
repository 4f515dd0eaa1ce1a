"""The check of a replica finds what is missing, changed or doubled, and fetches it again; a house put back to a backup
takes nothing from what is known of it."""

from pathlib import Path

import apsw
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemons.heating.history import read
from daemons.heating.replica import digests
from daemons.heating.replica.digests import Rows, pack_rows, unpack_days, unpack_rows
from daemons.nas import Nas
from daemons.store import fetch
from tests.daemons.heating.replica.farm import SITE, Farm, House, run_farm, until

rows = st.lists(st.binary(max_size=30), max_size=5).map(tuple)


@given(rows, rows)
def test_rows_are_read_as_they_were_sent(events: tuple[bytes, ...], chunks: tuple[bytes, ...]) -> None:
    assert unpack_rows(pack_rows(Rows(events, chunks))) == Rows(events, chunks)


@given(st.binary(max_size=60))
@example(b"(\xb5/\xfd")  # the beginning of a compressed body, and no more
def test_bodies_of_a_stranger_are_refused(body: bytes) -> None:
    for unpack in (unpack_rows, unpack_days):
        with pytest.raises(ValueError, match=r".+"):
            unpack(body + b"\0")


def test_a_body_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        unpack_days(digests._compress(bytes(10**7)))


DAY_S = 86_400.0


async def _live(house: House, last_days_ago: float = 0.0) -> None:
    """Let a day have passed in which a little happened: each six hours one event and five minutes of samples."""
    for quarter in range(4, 0, -1):
        ago_s = last_days_ago * DAY_S + quarter * 6 * 3600.0
        await house.happen("living", ago_s=ago_s)
        await house.sample(ago_s=ago_s)
    house.tell()


async def _history(daemon: Nas | House) -> dict[int, digests.Day]:
    return await daemon.store.read(lambda conn: digests.days(conn, 1, 0, 2**40))


def _sums(nas: Nas, house: House) -> list[object]:
    """The curves of a room at both, made of sums."""
    at = int(nas.environment.utc_now())
    return [
        read.series(one.store._writer.conn, 1, "living", at - 10 * 86_400, at, 40) for one in (nas, house)
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM heat_event WHERE id % 2 = 0",
        "DELETE FROM heat_chunk WHERE at > (SELECT min(at) + 40000 FROM heat_chunk)",
        "UPDATE heat_event SET cause = 'because' WHERE id = 6",
        "INSERT INTO heat_event (house, at, source, kind, cause) "
        "SELECT house, at, source, kind, cause FROM heat_event WHERE id IN (3, 4, 5)",
    ],
)
def test_a_replica_that_differs_is_repaired(damage: str) -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas, farm.house() as house:
            look, check = nas.houses[SITE].look, nas.houses[SITE].check
            for days_ago in (2, 1, 0):
                await _live(house, days_ago)
            await until(lambda: look.standing()["checked_at"] is not None)
            assert await _history(nas) == await _history(house)
            await nas.store.transact(lambda conn: conn.execute(damage) and None)
            assert await _history(nas) != await _history(house)
            before = look.standing()["checked_at"]
            check.now()
            await until(lambda: look.standing()["checked_at"] != before, 120)
            assert await _history(nas) == await _history(house)
            here, there = _sums(nas, house)
            assert here == there
            assert look.standing()["days_repaired"] >= 1
            assert "fetched again" in look.standing()["check"]

    run_farm(main)


def test_what_a_house_forgot_by_a_backup_is_kept() -> None:
    async def main(farm: Farm) -> None:
        file, copy = farm.folder / "boiler" / "boiler.db", farm.folder / "copy.db"
        async with farm.nas() as nas:
            look = nas.houses[SITE].look
            async with farm.house() as house:
                await _live(house, 1)
                house.store.copy_now(copy, lambda: None)
                await _live(house)
                await until(lambda: look.record.events == 8)
                known = await _history(nas)
            _put_back(copy, file)
            async with farm.house() as house:
                await until(lambda: nas.houses[SITE].peer.connection is not None)
                house.tell()
                await house.happen("attic")
                await until(lambda: "backup" in look.standing()["check"] and look.record.events == 9, 300)
                before = look.standing()["checked_at"]
                await until(lambda: look.standing()["checked_at"] != before, 300)
                kept = await _history(nas)
                assert sum(day.events for day in kept.values()) == 9
                assert all(kept[number].chunks >= day.chunks for number, day in known.items())
                repaired = look.standing()["days_repaired"]
                nas.houses[SITE].check.now()
                before = look.standing()["checked_at"]
                await until(lambda: look.standing()["checked_at"] != before, 300)
                assert look.standing()["days_repaired"] == repaired, (
                    "what differs for good is not fetched each time"
                )
                assert "more is known here" in look.standing()["check"]

    run_farm(main)


def test_a_nas_put_back_to_a_backup_gets_everything_again() -> None:
    async def main(farm: Farm) -> None:
        file, copy = farm.folder / "nas" / "nas.db", farm.folder / "copy.db"
        async with farm.house() as house:
            async with farm.nas() as nas:
                await _live(house, 1)
                await until(lambda: nas.houses[SITE].look.record.events == 4)
                nas.store.copy_now(copy, lambda: None)
                await _live(house)
                await until(lambda: nas.houses[SITE].look.record.events == 8)
            _put_back(copy, file)
            async with farm.nas() as nas:
                await until(
                    lambda: nas.houses[SITE].look.record.events == 4, 300
                )  # what it lacks is sent again
                assert await _history(nas) == await _history(house)

    run_farm(main)


def test_ends_that_count_differently_do_not_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(farm: Farm) -> None:
        async with farm.nas() as nas, farm.house() as house:
            look = nas.houses[SITE].look
            house.tell()
            await house.happen("living")
            handlers = dict(house.peer.handlers)
            await until(lambda: nas.houses[SITE].peer.connection is not None)

            async def newer(params: object) -> object:
                reply = await handlers["heat.days"]({"v": 1, "f": 0, "t": 900})
                return type(reply)({**reply.result, "v": 2}, reply.body)

            house.peer.handlers["heat.days"] = newer  # type: ignore[index]
            await until(lambda: "update the older" in look.standing()["check"], 120)

    run_farm(main)


def _put_back(copy: Path, file: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + end).unlink(missing_ok=True)
    conn = apsw.Connection(str(copy))
    assert fetch(conn, "PRAGMA quick_check(1)")[0][0] == "ok"
    conn.close()
    copy.rename(file)
