"""Whatever a power cut takes, it is nothing that was promised; a disk that lies about syncing is noticed by these tests."""

from pathlib import Path

from tests.daemons.heating.primary.powercuts import Tape, cut_and_look, record


async def test_no_cut_loses_what_was_acknowledged(tmp_path: Path) -> None:
    tape = await record(tmp_path, 50, 20)
    found = cut_and_look(tape, 40, seed=1)
    assert found.promises > 500
    assert found.words == []


async def test_a_disk_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    tape = await record(tmp_path, 20, 5)
    kept = [step for step in tape.steps if step[0] == "sync"]
    assert len(kept) > 20
    lying = Tape([not_synced(step) for step in tape.steps], tape.promised)
    assert cut_and_look(lying, 10, seed=1).words != []


def not_synced(step: tuple[str, str, int, bytes]) -> tuple[str, str, int, bytes]:
    """Return a step; one that synced the log writes nothing instead."""
    what, name, number, data = step
    return ("write", name, 0, b"") if what == "sync" and name.endswith("-wal") else (what, name, number, data)
