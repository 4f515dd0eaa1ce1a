"""Commands and the audit: nothing goes out, and nothing is done, that was not noted; every end is noted once more."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio
from attrs import define
from trio.testing import MockClock

from daemons.link import schema
from daemons.link.durable import DurableChannels
from daemons.link.outbox import OutboxFull, OutChannel
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.ops.health import Health
from daemons.pair import desk, executor
from daemons.pair.desk import CommandDesk, TooManyCommands
from daemons.pair.executor import CommandExecutor
from daemons.pair.issuing import issue_audited, note_issued, note_taken
from daemons.race.deeds import Controls, SiteDeeds
from daemons.store import open_store
from daemons.store.errors import StorageError, StorageFault
from protocol.frames import Message
from protocol.messages import Action, Command, Pause, Purge, Result, ResultStatus, encode_body

ANN = Identity("user", "ann", Role.OPERATOR, ("field",))
ID = "0a1b2c3d-0000-4000-8000-00000000000%d"


@define(eq=False)
class Hub:
    """A hub's desk for one site, and its audit."""

    desk: CommandDesk
    trail: AuditTrail

    async def issue(self) -> str:
        return await issue_audited(self.trail, self.desk, Purge("/x"), ANN)

    async def hear(self, id_: str, status: ResultStatus) -> None:
        """Take a result as it comes over the link."""
        body = encode_body(Result(id_, status, "words", 5.0))
        await self.desk.store.transact(lambda conn: self.desk.effect(conn, Message("result", 1, 1, *body)))

    def rows(self) -> list[tuple[str, str, str, Any]]:
        return told(self.trail)


def told(trail: AuditTrail) -> list[tuple[str, str, str, Any]]:
    return [(row.entry.who, row.entry.action, row.entry.outcome, row.entry.after) for row in trail.rows()]


def trail_of(file: AuthorityFile) -> AuditTrail:
    return AuditTrail(file, lambda: 1000.0, Health(lambda: 1000.0))


@asynccontextmanager
async def open_hub(folder: Path, **rates: float) -> AsyncIterator[Hub]:
    environment = Environment()
    migrations = (*schema.MIGRATIONS, *desk.MIGRATIONS)
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS, inline=True) as file:
        async with open_store(folder / "hub.db", migrations=migrations, inline=True) as store:
            durable = DurableChannels(
                store, "field", out=[OutChannel("command")], inbound={}, new_epoch=environment.new_epoch,
                utc_now=environment.utc_now,
            )  # fmt: skip
            await durable.open()
            trail = trail_of(file)
            note = partial(note_issued, trail, "field")
            yield Hub(CommandDesk(store, durable, "field", environment, lambda: rates, note=note), trail)


def cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: AuthorityFile, work: object) -> None:
        raise StorageError(StorageFault.DISK_FULL, self.path, "full")

    monkeypatch.setattr(AuthorityFile, "write_now", full)


async def settled() -> None:
    """Let the rows follow that are written a moment later."""
    await trio.sleep(1)
    await trio.testing.wait_all_tasks_blocked()


async def test_while_nothing_can_be_audited_nothing_is_issued(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hub(tmp_path) as hub:
        with monkeypatch.context() as patch:
            cannot_write(patch)
            await hub.trail.note_refused("user bob", "command.purge", "field", "no")
            with pytest.raises(StorageError):
                await hub.issue()
        assert await hub.desk.listed() == []
        await hub.trail.note("user ann", "anything")
        await hub.issue()


async def test_what_the_audit_says_of_a_command_is_durable_with_it_and_outlives_a_crash(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hub(tmp_path) as hub, trio.open_nursery() as nursery:
        nursery.start_soon(hub.desk.run)
        with monkeypatch.context() as patch:
            cannot_write(patch)  # from this moment on
            id_ = await hub.issue()
            issued_at = (await hub.desk.listed())[0]["issued_at"]
            await settled()
            assert hub.rows() == []
        nursery.cancel_scope.cancel()
    async with open_hub(tmp_path) as hub, trio.open_nursery() as nursery:
        nursery.start_soon(hub.desk.run)
        await settled()
        assert hub.rows() == [
            ("user ann", "command.purge", "begun", {"do": "purge", "prefix": "/x", "id": id_})
        ]
        assert hub.trail.rows()[0].entry.at_utc_s == issued_at
        await hub.hear(id_, ResultStatus.DONE)
        await settled()
        assert [row[2] for row in hub.rows()] == ["begun", "done"]
        nursery.cancel_scope.cancel()
    async with open_hub(tmp_path) as hub, trio.open_nursery() as nursery:
        nursery.start_soon(hub.desk.run)
        await settled()
        assert len(hub.rows()) == 2, "once, when nothing came between"
        nursery.cancel_scope.cancel()


async def test_issued_noted_and_noted_again_with_its_result(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_hub(tmp_path) as hub, trio.open_nursery() as nursery:
        nursery.start_soon(hub.desk.run)
        good, bad = await hub.issue(), await hub.issue()
        await settled()
        begun = ("user ann", "command.purge", "begun")
        assert [row[:3] for row in hub.rows()] == [begun, begun]
        assert hub.rows()[0][3] == {"do": "purge", "prefix": "/x", "id": good}
        assert {row["issuer"] for row in await hub.desk.listed()} == {"user ann"}
        for _ in range(2):  # what comes twice counts once
            await hub.hear(good, ResultStatus.DONE)
            await hub.hear(bad, ResultStatus.EXPIRED)
        await settled()
        results = hub.rows()[2:]
        assert sorted(row[:3] for row in results) == [
            ("link field", "command.purge", "done"),
            ("link field", "command.purge", "failed"),
        ]
        by_id = {row[3]["id"]: row[3] for row in results}
        assert by_id[bad] == {"id": bad, "issuer": "user ann", "status": "EXPIRED", "words": "words"}
        nursery.cancel_scope.cancel()


async def test_a_result_that_came_before_a_crash_is_noted_after_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_hub(tmp_path) as hub:
        id_ = await hub.issue()
        await hub.hear(id_, ResultStatus.DONE)
    async with open_hub(tmp_path) as hub, trio.open_nursery() as nursery:
        assert hub.rows() == []
        nursery.start_soon(hub.desk.run)
        await settled()
        assert [row[:3] for row in hub.rows()] == [
            ("user ann", "command.purge", "begun"),
            ("link field", "command.purge", "done"),
        ]
        nursery.cancel_scope.cancel()


async def test_what_is_too_much_is_noted_as_refused(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hub(tmp_path, purge=0.1) as hub, trio.open_nursery() as nursery:
        nursery.start_soon(hub.desk.run)
        with monkeypatch.context() as patch:

            async def full(*_: object, **__: object) -> None:
                raise OutboxFull("too much waits")

            patch.setattr(CommandDesk, "issue", full)
            with pytest.raises(OutboxFull):
                await hub.issue()
        await trio.sleep(10)
        await hub.issue()
        with pytest.raises(TooManyCommands):
            await hub.issue()
        await settled()
        assert sorted((row[2], row[3].get("words", "")[:8]) for row in hub.rows()) == [
            ("begun", ""),
            ("refused", "too many"),
            ("refused", "too much"),
        ]
        nursery.cancel_scope.cancel()


# --- at the site -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_site(folder: Path, hub_now: Callable[[], float | None]) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Give what is purged or paused, a way to send commands, and the audit."""
    environment = Environment()
    migrations = (*schema.MIGRATIONS, *executor.MIGRATIONS)
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS, inline=True) as file:
        async with open_store(folder / "site.db", migrations=migrations, inline=True) as store:
            durable = DurableChannels(
                store, "hub", out=[OutChannel("result")], inbound={}, new_epoch=environment.new_epoch,
                utc_now=environment.utc_now,
            )  # fmt: skip
            await durable.open()
            trail = trail_of(file)
            purged: list[str] = []
            nothing: Callable[..., None] = lambda *_: None  # noqa: E731
            paused: Callable[[bool], None] = lambda is_paused: purged.append(f"paused: {is_paused}")  # noqa: E731
            controls = Controls(paused, purged.append, nothing, nothing)
            deeds = SiteDeeds(store, controls, environment.utc_now)
            commands = CommandExecutor(
                store, durable, deeds, hub_now, environment.utc_now, partial(note_taken, trail)
            )

            async def send(number: int, expires_at: float, action: Action | None = None) -> None:
                wish = action or Purge(f"/{number}")
                body = encode_body(Command(ID % number, "user ann", expires_at, 0, wish))

                def take(conn: apsw.Connection) -> None:
                    commands.effect(conn, Message("command", 1, number, *body))

                await store.transact(take)

            async with trio.open_nursery() as nursery:
                await nursery.start(deeds.run)
                nursery.start_soon(commands.run)
                yield purged, send, trail
                nursery.cancel_scope.cancel()


async def test_a_site_notes_a_command_before_it_acts(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_now = 100.0
    async with open_site(tmp_path, lambda: hub_now) as (purged, send, trail):
        with monkeypatch.context() as patch:
            cannot_write(patch)
            await send(1, 200.0)
            await send(2, 900.0)
            await trio.sleep(30)
            assert purged == []  # while the disk is full
            hub_now = 300.0
        await trio.sleep(30)
        assert purged == ["/2"]
        assert [(row[2], row[3]["id"][-1]) for row in told(trail)] == [
            ("begun", "1"),
            ("failed", "1"),
            ("begun", "2"),
            ("done", "2"),
        ]
        assert told(trail)[1][3]["words"] == "it came too late"
        assert told(trail)[0][0] == "link user ann"


async def test_what_was_decided_before_a_restart_holds_before_anything_is_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_site(tmp_path, lambda: 100.0) as (heard, send, _):
        await send(1, 200.0, Pause())
        await trio.sleep(1)
        assert heard == ["paused: True"]
    async with open_site(tmp_path, lambda: 100.0) as (heard, _, _):
        assert heard == ["paused: True"]
