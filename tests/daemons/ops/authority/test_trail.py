"""The audit of a daemon, and the heads that two ends of a link keep of each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import MockClock

from daemons.ops.authority import audit
from daemons.ops.authority.audit import Head
from daemons.ops.authority.file import PROBE_S, AuthorityFile, open_authority
from daemons.ops.authority.heads import Verdict, kept_by, tell
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import REFUSED_BURST, AuditTrail
from daemons.ops.health import Health, Severity
from daemons.store.errors import StorageError, StorageFault


@contextmanager
def trails(folder: Path) -> Iterator[tuple[AuditTrail, AuditTrail]]:
    """The audit of a site and that of a hub."""
    with (
        open_authority(folder / "site", migrations=AUTHORITY_MIGRATIONS) as site,
        open_authority(folder / "hub", migrations=AUTHORITY_MIGRATIONS) as hub,
    ):
        yield trail_of(site), trail_of(hub)


def trail_of(file: AuthorityFile) -> AuditTrail:
    return AuditTrail(file, lambda: 1000.0, Health(lambda: 1000.0))


async def exchange(site: AuditTrail, hub: AuditTrail) -> Verdict:
    """Let the site tell the hub its head, as the link does."""
    known = site.file.read(kept_by).get("hub", audit.EMPTY)
    verdict = await hub.judge("field", site.file.read(lambda conn: tell(conn, known.count)))
    if verdict.agreed is None:
        verdict = await hub.judge("field", site.file.read(lambda conn: tell(conn, verdict.kept.count)))
    await site.kept("hub", verdict)
    return verdict


def tamper(trail: AuditTrail, *statements: str) -> None:
    conn = apsw.Connection(str(trail.file.path))
    for trigger in ("audit_row_is_next", "audit_row_is_kept", "audit_row_is_final"):
        conn.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    for statement in statements:
        conn.execute(statement)
    conn.close()


def warnings(trail: AuditTrail) -> list[str]:
    return [warning.words for warning in trail.health.warnings]


async def test_rows_are_added_and_both_ends_agree(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, hub):
        assert (await exchange(site, hub)).agreed
        for number in range(5):
            await site.note("user ann", "pause", "field", before=False, after=True)
            assert (await exchange(site, hub)) == Verdict(site.head(), True), number
        assert await site.verify() == ([], site.head())
        assert site.head().count == 5
        assert warnings(site) == warnings(hub) == []


async def test_a_cut_tail_is_found_by_verify_and_said_at_both_ends(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, hub):
        for _ in range(5):
            await site.note("user ann", "pause")
        await exchange(site, hub)
        tamper(site, "DELETE FROM audit_row WHERE number > 3")
        faults, head = await site.verify()
        assert head.count == 3
        assert "tail was cut: 5 rows" in faults[0].words and "hub" in faults[0].words
        tamper(site, "DELETE FROM audit_head_by")  # who is thorough removes that as well
        assert (await site.verify())[0] == []
        assert (await exchange(site, hub)).agreed is False
        assert "its end was cut off" in warnings(hub)[0]
        assert "tail was cut: 5 rows" in warnings(site)[0]
        assert "tail was cut: 5 rows" in (await site.verify())[0][0].words
        (row,) = hub.rows()
        assert (row.entry.action, row.entry.outcome) == ("audit.break", "failed")
        await exchange(site, hub)
        assert len(hub.rows()) == 1  # said once


async def test_a_cut_tail_that_has_grown_again_is_found(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, hub):
        for _ in range(5):
            await site.note("user ann", "pause")
        await exchange(site, hub)
        tamper(site, "DELETE FROM audit_row WHERE number > 3", "DELETE FROM audit_head_by")
        for _ in range(4):
            await site.note("user eve", "harmless")
        assert (await site.verify())[0] == []
        assert (await exchange(site, hub)).agreed is False
        assert "is another one than it was" in warnings(hub)[0]
        assert "history was rewritten" in (await site.verify())[0][0].words


async def test_a_break_stays_across_a_restart_until_an_operator_accepts_it(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, hub):
        for _ in range(3):
            await site.note("user ann", "pause")
        await exchange(site, hub)
        tamper(site, "DELETE FROM audit_row WHERE number > 1")
        await exchange(site, hub)
    with trails(tmp_path) as (site, hub):
        hub.warn_of_breaks()
        assert len(warnings(hub)) == 1
        found = await hub.accept("field", "user bob")
        assert found is not None and found.head.count == 3
        assert warnings(hub) == []
        assert (await exchange(site, hub)).agreed is True
        assert (await site.verify())[0] == []
        assert hub.rows()[-1].entry.who == "user bob"
        assert await hub.accept("nobody", "user bob") is None


async def test_the_kept_hash_is_not_given_away_before_it_is_proven(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, hub):
        await site.note("user ann", "pause")
        await exchange(site, hub)
        await site.note("user ann", "pause")
        told = site.file.read(lambda conn: tell(conn, 0))
        verdict = await hub.judge("field", told)
        assert verdict.agreed is None
        assert verdict.kept == Head(1, audit.EMPTY.hash)


async def test_a_head_on_paper_is_held_against_the_audit(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, _):
        for _ in range(3):
            await site.note("user ann", "pause")
        paper = site.head()
        assert (await site.verify(paper))[0] == []
        assert "history" in (await site.verify(Head(2, paper.hash)))[0][0].words


async def test_what_one_who_is_refused_can_cause_is_bounded(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, _):
        for _ in range(200):
            await site.note_refused("user eve", "limits.set", "", "this takes the role admin")
        await site.note_refused("user ann", "limits.set", "", "this takes the role admin")
        assert len(site.rows()) == int(REFUSED_BURST) + 1
        assert site.left_out == 200 - int(REFUSED_BURST)


async def test_change_and_row_are_one_transaction(tmp_path: Path) -> None:
    with trails(tmp_path) as (site, _):

        def persist(conn: apsw.Connection) -> None:
            conn.execute("INSERT INTO audit_head_by VALUES ('x', 0, x'00', 0)")
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await site.note("user ann", "x", persist=persist)
        assert site.rows() == [] and site.file.read(kept_by) == {}


async def test_a_file_that_cannot_be_written_is_said_and_taken_back_by_itself(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Another program holds the file's lock during one write; nobody acts again afterwards."""
    with open_authority(tmp_path, migrations=AUTHORITY_MIGRATIONS, inline=True) as file:
        trail = trail_of(file)
        await trail.note("user ann", "x")
        file._writer.set_busy_timeout(1)
        other = apsw.Connection(str(file.path))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.watch, lambda: None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError):
                await trail.note("user ann", "x")
            (warning,) = trail.health.warnings
            assert warning.severity is Severity.DEGRADED and "nothing can be audited" in warning.words
            await trio.sleep(5 * PROBE_S)
            assert not trail.health.is_failing and warnings(trail)
            other.execute("ROLLBACK")
            await trio.sleep(PROBE_S + 0.1)
            assert warnings(trail) == [] and file.fault is None
            nursery.cancel_scope.cancel()
        other.close()
        assert len(trail.rows()) == 1


async def test_a_damaged_file_stays_failing(tmp_path: Path, autojump_clock: MockClock) -> None:
    with open_authority(tmp_path, migrations=AUTHORITY_MIGRATIONS, inline=True) as file:
        trail = trail_of(file)

        def damaged(conn: apsw.Connection) -> None:
            raise StorageError(StorageFault.CORRUPT, file.path, "malformed")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.watch, lambda: None)
            with pytest.raises(StorageError):
                await trail.note("user ann", "x", persist=damaged)
            await trio.sleep(2 * PROBE_S)
            await trail.note("user ann", "x")
            assert trail.health.is_failing
            nursery.cancel_scope.cancel()


async def test_what_one_peer_does_not_accept_another_does_not_take_back(tmp_path: Path) -> None:
    with trails(tmp_path) as (_, hub):
        await hub.note("user ann", "x")
        there = hub.head()
        await hub.kept("north", Verdict(Head(7, b"n" * 32), False))
        for _ in range(2):
            await hub.kept("south", Verdict(there, True))
        (words,) = warnings(hub)
        assert words.startswith("north does not accept") and "tail was cut" in words
        await hub.kept("north", Verdict(there, True))
        assert warnings(hub) == []
