"""Backups: taken beside a writer, read back, put back on another machine; nothing half-made is ever left or believed."""

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import apsw
import pytest
import trio

from daemons.store import Migration, StorageError, StorageFault, Store, fetch, open_store
from daemons.store.archive import (
    MANIFEST,
    backups_in,
    prune,
    read_backup,
    take_backup,
    verify_backup,
)
from daemons.store.connect import PLAIN, DatabaseKey, connect, is_encrypted
from daemons.store.restore import change_key, restore_backup

KEY, OTHER = DatabaseKey("a1" * 32), DatabaseKey("b2" * 32)
TABLE = [Migration("test", 1, "CREATE TABLE item (number INTEGER PRIMARY KEY, body TEXT) STRICT")]
AT = 1_800_000_000.0
WORD = "Lap 3 of pilot Ada"
keys = pytest.mark.parametrize("key", [PLAIN, KEY], ids=["plain", "encrypted"])


def _insert(conn: apsw.Connection, number: int) -> None:
    conn.execute("INSERT INTO item VALUES (?, ?)", (number, f"{WORD} {number} " * 20))


def _numbers(conn: apsw.Connection) -> list[int]:
    return [number for (number,) in fetch(conn, "SELECT number FROM item ORDER BY number")]


async def _fill(state: Path, key: DatabaseKey, count: int = 100) -> None:
    async with open_store(state / "pits.db", migrations=TABLE, key=key) as store:
        await store.transact(lambda conn: [_insert(conn, number) for number in range(count)])
    (state / "site.key").write_bytes(b"SECRET OF THE SITE")
    (state / "site.key").chmod(0o600)
    (state / "backups").mkdir(exist_ok=True)


@keys
async def test_taken_during_writes_and_restored_elsewhere_it_is_complete_to_the_moment(
    tmp_path: Path, key: DatabaseKey
) -> None:
    state, other = tmp_path / "state", tmp_path / "other"
    await _fill(state, key)
    acknowledged: list[int] = []
    seen: list[tuple[int, Path, int]] = []

    async def write(store: Store) -> None:
        for number in range(1000, 9000):
            await store.transact(lambda conn, number=number: _insert(conn, number))
            acknowledged.append(number)

    async with open_store(state / "pits.db", migrations=TABLE, key=key) as store:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, store)
            for turn in range(4):
                while len(acknowledged) < 50 * (turn + 1):
                    await trio.sleep(0.001)
                before = len(acknowledged)
                backup = await trio.to_thread.run_sync(
                    lambda: take_backup(state, tmp_path / "backups", at=AT, key=key, reserve=0)
                )
                seen.append((before, backup.path, len(acknowledged)))
            nursery.cancel_scope.cancel()
    assert [backup.path for backup in backups_in(tmp_path / "backups")] == [path for _, path, _ in seen]
    for before, path, after in seen:
        shutil.rmtree(other, ignore_errors=True)
        restore_backup(path, other, key=key)
        async with open_store(other / "pits.db", migrations=TABLE, key=key) as store:
            numbers = [number for number in await store.read(_numbers) if number >= 1000]
        assert numbers == list(range(1000, 1000 + len(numbers))), "a prefix: one moment, nothing torn"
        assert before <= len(numbers) <= after + 1
        assert (other / "site.key").read_bytes() == b"SECRET OF THE SITE"
        assert stat.S_IMODE((other / "site.key").stat().st_mode) == 0o600
    assert any(before < after for before, _, after in seen), "the writer went on meanwhile"


@keys
async def test_all_is_for_its_owner_only_and_with_a_key_nothing_is_readable(
    tmp_path: Path, key: DatabaseKey
) -> None:
    state = tmp_path / "state"
    await _fill(state, key)
    backup = take_backup(state, tmp_path / "backups", at=AT, name="pits-field", key=key, reserve=0)
    assert backup.path.name == "pits-field-20270115T080000Z"
    assert {part.name for part in backup.parts} == {"pits.db", "files.db"}
    assert stat.S_IMODE(backup.path.stat().st_mode) == 0o700
    for file in backup.path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    content = b"".join(file.read_bytes() for file in backup.path.iterdir())
    for secret in (WORD.encode(), b"SECRET OF THE SITE"):
        assert (secret in content) is (key == PLAIN)
    assert verify_backup(backup.path, key) == backup == read_backup(backup.path)
    if key:
        for wrong in (PLAIN, OTHER):
            with pytest.raises(StorageError) as caught:
                verify_backup(backup.path, wrong)
            assert caught.value.fault is StorageFault.KEY


@keys
async def test_verify_finds_any_flipped_byte_a_missing_file_and_a_broken_manifest(
    tmp_path: Path, key: DatabaseKey
) -> None:
    await _fill(tmp_path / "state", key, 10)
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, key=key, reserve=0)
    for part in backup.parts:
        file = backup.path / part.name
        good = file.read_bytes()
        for at in (0, 100, len(good) // 2, len(good) - 1):
            file.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            with pytest.raises(StorageError, match="digest differs") as caught:
                verify_backup(backup.path, key)
            assert caught.value.fault is StorageFault.CORRUPT
        file.unlink()
        with pytest.raises(StorageError, match="cannot be read"):
            verify_backup(backup.path, key)
        file.write_bytes(good)
    verify_backup(backup.path, key)
    manifest = json.loads((backup.path / MANIFEST).read_bytes())
    for bad in (
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({**manifest, "format": 2}).encode(),
        json.dumps({**manifest, "parts": [{**manifest["parts"][0], "name": "../pits.db"}]}).encode(),
    ):
        (backup.path / MANIFEST).write_bytes(bad)
        with pytest.raises(StorageError):
            read_backup(backup.path)
    assert list(backups_in(tmp_path / "backups")) == []
    with pytest.raises(StorageError, match="it is no backup"):
        read_backup(tmp_path)


async def test_a_restore_never_overwrites_unasked_and_moves_aside_what_was_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await _fill(state, PLAIN, 10)
    backup = take_backup(state, tmp_path / "backups", at=AT, reserve=0)
    async with open_store(state / "pits.db", migrations=TABLE) as store:
        await store.transact(lambda conn: _insert(conn, 500))
        with pytest.raises(StorageError, match=f"process {os.getpid()}"):
            restore_backup(backup.path, state, replace=True)
    with pytest.raises(StorageError, match="--replace moves what is there aside"):
        restore_backup(backup.path, state)
    (state / "site.key").write_bytes(b"ANOTHER KEY")
    (state / "pits.db-wal").write_bytes(b"a log of a crash that must not be read into the old copy")
    _, aside = restore_backup(backup.path, state, replace=True, at=AT)
    assert aside is not None and aside.parent == state
    async with open_store(aside / "pits.db", migrations=TABLE) as store:
        assert 500 in await store.read(_numbers)
    assert (aside / "site.key").read_bytes() == b"ANOTHER KEY"
    assert (aside / "pits.db-wal").exists() is False or (aside / "pits.db-wal").stat().st_size == 0
    async with open_store(state / "pits.db", migrations=TABLE) as store:
        assert await store.read(_numbers) == list(range(10))
    assert (state / "site.key").read_bytes() == b"SECRET OF THE SITE"
    assert [path.name for path in state.iterdir() if "restored" in path.name or "part" in path.name] == []


async def test_a_bad_backup_touches_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await _fill(state, PLAIN, 10)
    backup = take_backup(state, tmp_path / "backups", at=AT, reserve=0)
    file = backup.path / "pits.db"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    before = {path: path.read_bytes() for path in state.iterdir() if path.is_file()}
    with pytest.raises(StorageError, match="digest"):
        restore_backup(backup.path, state, replace=True)
    assert {path: path.read_bytes() for path in state.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", ["site.key", "pits.db"])
async def test_a_restore_overwrites_no_file_of_a_fresh_folder_unasked(tmp_path: Path, name: str) -> None:
    state, fresh = tmp_path / "state", tmp_path / "fresh"
    await _fill(state, PLAIN, 10)
    backup = take_backup(state, tmp_path / "backups", at=AT, reserve=0)
    fresh.mkdir()
    (fresh / name).write_bytes(b"made just now")
    with pytest.raises(StorageError, match=f"there is {name} already; --replace"):
        restore_backup(backup.path, fresh)
    assert (fresh / name).read_bytes() == b"made just now"
    assert {path.name for path in fresh.iterdir()} == {name, "lock"}
    _, aside = restore_backup(backup.path, fresh, replace=True, at=AT)
    assert aside is not None and (aside / name).read_bytes() == b"made just now"
    assert (fresh / "site.key").read_bytes() == b"SECRET OF THE SITE"


NAMES_OF_ATTACKERS = [
    "../escaped", "/tmp/pitlink-escaped", "a/../../escaped", "..\\escaped", "..", ".", "", ".bashrc", "a\0b",
    "pits.db-wal", "authority.db", "lock", "site.key.part",
]  # fmt: skip


def _forge(backup: Path, key: DatabaseKey, *row: object) -> None:
    """Put a row into the small files, and make the digest fit: whoever can write a backup can do both."""
    files = backup / "files.db"
    conn = connect(files, key)
    conn.execute("DROP TABLE file; CREATE TABLE file (name, mode, body)")
    conn.execute("INSERT INTO file VALUES (?, ?, ?)", row)
    conn.close()
    _fit(backup)


def _fit(backup: Path) -> None:
    manifest = json.loads((backup / MANIFEST).read_bytes())
    for part in manifest["parts"]:
        part["sha256"] = hashlib.sha256((backup / part["name"]).read_bytes()).hexdigest()
    (backup / MANIFEST).write_text(json.dumps(manifest))


@keys
@pytest.mark.parametrize("name", NAMES_OF_ATTACKERS)
async def test_a_forged_backup_writes_nowhere_but_where_files_of_a_backup_go(
    tmp_path: Path, key: DatabaseKey, name: str
) -> None:
    await _fill(tmp_path / "state", key, 3)
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, key=key, reserve=0)
    _forge(backup.path, key, name, 0o600, b"ssh-ed25519 of an attacker")
    other = tmp_path / "deep" / "other"
    before = set(tmp_path.rglob("*"))
    for read in (
        lambda: verify_backup(backup.path, key),
        lambda: restore_backup(backup.path, other, key=key),
        lambda: restore_backup(backup.path, other, key=key, replace=True),
    ):
        with pytest.raises(StorageError, match="no small file is called") as caught:
            read()
        assert caught.value.fault is StorageFault.CORRUPT
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("row", [(5, 0o600, b""), ("a", "b", b""), ("a", 0o600, "text"), (None, 0, b"")])
async def test_small_files_of_other_types_are_refused(tmp_path: Path, row: tuple[object, ...]) -> None:
    await _fill(tmp_path / "state", PLAIN, 3)
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, reserve=0)
    _forge(backup.path, PLAIN, *row)
    with pytest.raises(StorageError, match="no table of small files"):
        verify_backup(backup.path)


@pytest.mark.parametrize("name", ["", "..", ".hidden.db", "a/b.db", "a\\b.db", "lock", "site.key"])
async def test_no_database_of_a_backup_has_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    await _fill(tmp_path / "state", PLAIN, 3)
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, reserve=0)
    manifest = json.loads((backup.path / MANIFEST).read_bytes())
    manifest["parts"].append({**manifest["parts"][0], "name": name})
    (backup.path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(StorageError, match="no file of a backup is called"):
        read_backup(backup.path)


async def test_a_file_is_restored_through_no_link(tmp_path: Path) -> None:
    await _fill(tmp_path / "state", PLAIN, 3)
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, reserve=0)
    other, precious = tmp_path / "other", tmp_path / "precious"
    other.mkdir()
    precious.write_bytes(b"of somebody else")
    (other / "site.key.part").symlink_to(precious)
    restore_backup(backup.path, other)
    assert precious.read_bytes() == b"of somebody else"
    assert (other / "site.key").read_bytes() == b"SECRET OF THE SITE"


async def test_a_plain_backup_is_encrypted_by_being_restored_with_a_key(tmp_path: Path) -> None:
    await _fill(tmp_path / "state", PLAIN, 10)
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, reserve=0)
    restore_backup(backup.path, tmp_path / "other", key=KEY)
    assert is_encrypted(tmp_path / "other" / "pits.db")
    async with open_store(tmp_path / "other" / "pits.db", migrations=TABLE, key=KEY) as store:
        assert await store.read(_numbers) == list(range(10))


async def test_keys_are_changed_for_all_databases_and_after_an_interruption_again(tmp_path: Path) -> None:
    await _fill(tmp_path, PLAIN, 10)
    other = connect(tmp_path / "authority.db")
    other.execute("CREATE TABLE who (name TEXT); INSERT INTO who VALUES ('ann')")
    other.close()
    for old, new in ((PLAIN, KEY), (KEY, OTHER), (OTHER, PLAIN)):
        assert len(change_key(tmp_path, old, new)) == 2
        assert change_key(tmp_path, old, new) == []
        conn = connect(tmp_path / "authority.db", new)
        assert fetch(conn, "SELECT name FROM who") == [("ann",)]
        conn.close()
        async with open_store(tmp_path / "pits.db", migrations=TABLE, key=new) as store:
            assert await store.read(_numbers) == list(range(10))
            with pytest.raises(StorageError, match="process"):
                change_key(tmp_path, new, OTHER)
        leak = WORD.encode() in (tmp_path / "pits.db").read_bytes()
        assert leak is (new == PLAIN)
    with pytest.raises(StorageError, match="is not encrypted"):
        change_key(tmp_path, KEY, OTHER)


async def test_the_oldest_go_never_the_newest_nor_those_of_others(tmp_path: Path) -> None:
    await _fill(tmp_path / "state", PLAIN, 3)
    into = tmp_path / "backups"
    mine = [
        take_backup(tmp_path / "state", into, at=AT + hour * 3600, name="pits-a", reserve=0).path
        for hour in (0, 1, 2)
    ]
    theirs = take_backup(tmp_path / "state", into, at=AT - 9999, name="pits-b", reserve=0).path
    early = take_backup(
        tmp_path / "state", into, at=AT - 500, name="pits-a", reserve=0
    ).path  # a clock was wrong
    assert prune(into, "pits-a", 3, early) == mine[:1]
    assert {path.name for path in into.iterdir()} == {path.name for path in (*mine[1:], theirs, early)}


async def test_a_backup_never_takes_the_daemons_last_room(tmp_path: Path) -> None:
    await _fill(tmp_path / "state", PLAIN, 3)
    with pytest.raises(StorageError, match=r"a backup wants .* MB free") as caught:
        take_backup(tmp_path / "state", tmp_path / "state" / "backups", at=AT, reserve=10**18)
    assert caught.value.fault is StorageFault.DISK_FULL
    assert list((tmp_path / "state" / "backups").iterdir()) == []


async def test_one_that_is_stopped_midway_leaves_nothing(tmp_path: Path) -> None:
    await _fill(tmp_path / "state", PLAIN, 2000)
    steps = 0

    def checkpoint() -> None:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_backup(tmp_path / "state", tmp_path / "backups", at=AT, reserve=0, checkpoint=checkpoint)
    assert list((tmp_path / "backups").iterdir()) == []
    (tmp_path / "backups" / ".pits.part").mkdir()  # of one that was killed
    (tmp_path / "backups" / ".pits.part" / "pits.db").write_bytes(b"half")
    backup = take_backup(tmp_path / "state", tmp_path / "backups", at=AT, reserve=0)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [backup.path.name]
