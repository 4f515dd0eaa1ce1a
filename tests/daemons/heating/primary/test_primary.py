"""The boiler's store: what a decision caused is on the disk in one transaction, or waits in memory, in order."""

from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from daemons.heating.history.read import events
from daemons.heating.history.write import read_chunks
from daemons.heating.primary.kept import read_settings
from daemons.heating.primary.primary import CHANNEL, Primary
from daemons.store import StorageError, StorageFault, Store, fetch
from protocol.heating import EventKind, HeatEvent, HeatOverride, HeatSwitch
from protocol.messages import decode_body
from tests.daemons.heating.primary.parts import START, Hands, decision, opened


async def causes(primary: Primary) -> list[str]:
    found = await primary.store.read(lambda conn: events(conn, primary.house, limit=1000))
    return [one.cause for _, one in found][::-1]


async def sent(primary: Primary) -> list[object]:
    def read(conn: apsw.Connection) -> list[object]:
        rows = fetch(conn, "SELECT type, version, body FROM link_out_row ORDER BY id")
        return [decode_body(*row) for row in rows]

    return await primary.store.read(read)


async def started(nursery: trio.Nursery, primary: Primary) -> None:
    """Run a primary until what it opened with is on the disk."""
    nursery.start_soon(primary.run)
    while primary.backlog:
        await wait_all_tasks_blocked()


async def test_a_decision_is_one_transaction_and_none_when_nothing_changed(tmp_path: Path) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary, trio.open_nursery() as nursery:
        await started(nursery, primary)
        before = primary.store.statistics().commits
        await primary.decide(hands.clock().instant(), decision(hands, events=3, memory={"v": 1}))
        assert primary.store.statistics().commits == before + 1
        hands.go_on(10)
        await primary.decide(hands.clock().instant(), decision(hands))
        assert primary.store.statistics().commits == before + 1
        assert primary.state is not None
        assert primary.state.at == hands.utc
        assert (await causes(primary))[1:] == ["event 0", "event 1", "event 2"]
        told = [one for one in await sent(primary) if isinstance(one, HeatEvent)]
        assert [one.kind for one in told] == [EventKind.START, *[EventKind.ON] * 3]
        assert primary.told[int(hands.utc // 86_400)].messages == 4
        nursery.cancel_scope.cancel()


async def test_after_a_restart_all_is_as_it_was(tmp_path: Path) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary, trio.open_nursery() as nursery:
        await started(nursery, primary)
        await primary.decide(hands.clock().instant(), decision(hands, events=1, memory={"v": 7}))
        now = hands.clock().instant()
        switch, override = HeatSwitch(is_on=False), HeatOverride(zone="hall", end="permanent", celsius=22.5)
        for action in (switch, override):
            words = await primary.store.transact(
                lambda conn, action=action: primary.change_in(conn, action, by="ann", against=0, now=now)  # type: ignore[misc]
            )
            assert words
        settings, last = primary.settings, primary.state
        assert settings.version == 2
        nursery.cancel_scope.cancel()
    async with opened(tmp_path, hands) as primary:
        assert primary.memory == {"v": 7}
        assert primary.settings == settings
        assert primary.state is not None
        assert last is not None
        assert primary.state.zones == last.zones
        assert primary.told[int(hands.utc // 86_400)].messages == 4


async def test_who_changes_the_settings_is_an_event_and_control_is_told(tmp_path: Path) -> None:
    hands = Hands()
    pokes: list[int] = []
    async with opened(tmp_path, hands) as primary:
        primary.on_settings.append(lambda: pokes.append(primary.settings.version))
        now = hands.clock().instant()
        override = HeatOverride(zone="hall", end="permanent", celsius=22.5)

        def twice(conn: apsw.Connection) -> None:
            primary.change_in(conn, override, by="ann", against=0, now=now)
            primary.change_in(conn, HeatSwitch(is_on=False), by="bob", against=0, now=now)

        await primary.store.transact(twice)
        assert pokes == [1, 2]
        assert [cause.rpartition(" ")[2] for cause in await causes(primary)] == ["(ann)", "(bob)"]
        with pytest.raises(ValueError, match="hall"):
            await primary.store.transact(
                lambda conn: primary.change_in(
                    conn,
                    HeatOverride(zone="hall", end="permanent", celsius=41.0),
                    by="eve",
                    against=0,
                    now=now,
                )
            )
        await primary.store.transact(
            lambda conn: primary.change_in(conn, override, by="ann", against=0, now=now)
        )
        assert primary.settings.version == 2
        assert len(await causes(primary)) == 2


async def test_what_fails_after_a_change_takes_it_back(tmp_path: Path) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary:

        def fail(conn: apsw.Connection) -> None:
            primary.change_in(conn, HeatSwitch(is_on=False), by="ann", against=0, now=hands.clock().instant())
            raise KeyError("its result")

        with pytest.raises(KeyError):
            await primary.store.transact(fail)
        assert primary.settings.is_on
        assert await causes(primary) == []
        now = hands.clock().instant()
        warm = HeatOverride("hall", "permanent", celsius=22.0)
        await primary.store.transact(lambda conn: primary.change_in(conn, warm, by="ann", against=0, now=now))
        assert primary.settings.is_on and primary.settings.version == 1
        assert await primary.store.read(read_settings) == primary.settings


async def test_samples_are_batched_and_the_rest_is_written_at_the_end(tmp_path: Path) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary, trio.open_nursery() as nursery:
        await started(nursery, primary)
        for _ in range(60):  # ten minutes, from a whole quarter of an hour on
            await primary.decide(hands.clock().instant(), decision(hands, on={"hall": True}))
            hands.go_on(10)
        chunks = await primary.store.read(lambda conn: read_chunks(conn, primary.house, 0, 2**40))
        assert [(one.at - START, one.count) for one in chunks] == [(60, 4), (300, 5)]
        assert chunks[1].of("hall")[2].ran_s == 60
        await primary.decide(hands.clock().instant(), decision(hands))
        await primary.flush()
        chunks = await primary.store.read(lambda conn: read_chunks(conn, primary.house, 0, 2**40))
        assert [(one.at - START, one.count) for one in chunks[2:]] == [(600, 1)]
        nursery.cancel_scope.cancel()


async def test_a_disk_that_takes_nothing_is_caught_up_with_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary, trio.open_nursery() as nursery:
        await started(nursery, primary)
        real = primary.store.transact

        async def fails(self: Store, work: object) -> None:
            await trio.lowlevel.checkpoint()
            raise StorageError(StorageFault.DISK_FULL, primary.store.path, "it is full")

        monkeypatch.setattr(Store, "transact", fails)
        for number in range(3):
            with pytest.raises(StorageError):
                await primary.decide(hands.clock().instant(), decision(hands, events=1, memory={"n": number}))
        assert primary.backlog.waiting == 3
        assert primary.fault is not None
        monkeypatch.undo()
        assert primary.store.transact == real
        await primary.decide(hands.clock().instant(), decision(hands, events=1))
        assert primary.fault is None
        assert primary.backlog.waiting == 0
        assert len(await causes(primary)) == 5
        nursery.cancel_scope.cancel()
    async with opened(tmp_path, hands) as primary:
        assert primary.memory == {"n": 2}


async def test_with_nobody_to_tell_nothing_waits_for_anybody(tmp_path: Path) -> None:
    hands = Hands()
    async with opened(tmp_path, hands, tells=False) as primary, trio.open_nursery() as nursery:
        await started(nursery, primary)
        await primary.decide(hands.clock().instant(), decision(hands, events=2))
        assert await sent(primary) == []
        assert len(await causes(primary)) == 3
        assert primary.durable.statistics()[CHANNEL].held.messages == 0
        nursery.cancel_scope.cancel()


async def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary:
        sql = "INSERT OR REPLACE INTO heat_kept VALUES ('settings', 0, ?)"
        await primary.store.transact(lambda conn: conn.execute(sql, (b'{"v": 99}',)))
    with pytest.raises(ValueError, match="version 99"):
        async with opened(tmp_path, hands):
            pass
