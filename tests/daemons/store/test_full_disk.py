"""A disk without any room left, at each place that writes: said in words, nothing corrupted, and well again by itself."""

from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemons.ops.authority.file import open_authority
from daemons.ops.authority.sitekey import SiteKey, load_site_key, save_site_key
from daemons.ops.errors import RefusedToStart
from daemons.ops.tokens import Role, TokenTable
from daemons.store import Migration, StorageError, StorageFault, fetch, open_store
from daemons.store.archive import backups_in, take_backup, verify_backup
from daemons.store.connect import PLAIN, DatabaseKey
from daemons.store.copying import check_database
from daemons.store.migrations import TOUCH
from daemons.store.restore import restore_backup
from tests.smalldisk import small_disk

KEY = DatabaseKey("a1" * 32)
TABLE = (Migration("test", 1, "CREATE TABLE item (number INTEGER PRIMARY KEY, body BLOB) STRICT"),)
keys = pytest.mark.parametrize("key", [PLAIN, KEY], ids=["plain", "encrypted"])


def _insert(conn: apsw.Connection, number: int, size: int = 100_000) -> None:
    conn.execute("INSERT INTO item VALUES (?, zeroblob(?))", (number, size))


def _numbers(conn: apsw.Connection) -> list[int]:
    return [number for (number,) in fetch(conn, "SELECT number FROM item ORDER BY number")]


@keys
async def test_the_store(tmp_path: Path, key: DatabaseKey) -> None:
    told: list[StorageFault | None] = []
    with small_disk(tmp_path) as disk:
        path = disk.path / "state" / "store.db"
        async with open_store(path, migrations=TABLE, key=key) as store:
            store.on_fault(lambda error: told.append(error and error.fault))
            await store.transact(lambda conn: _insert(conn, 1))
            disk.fill()
            for number in (2, 3):
                with pytest.raises(StorageError, match="free some space") as caught:
                    await store.transact(lambda conn, number=number: _insert(conn, number))
                assert caught.value.fault is StorageFault.DISK_FULL
            assert store.fault is not None
            await store.transact(_numbers)  # looking proves nothing
            assert store.fault is not None
            assert await store.read(_numbers) == [1]
            disk.free()
            await store.probe()
            assert store.fault is None
            await store.transact(lambda conn: _insert(conn, 4))
            assert told == [StorageFault.DISK_FULL, None] or told == [
                StorageFault.DISK_FULL,
                StorageFault.DISK_FULL,
                None,
            ]
            disk.fill()  # and is closed on a full disk
        with pytest.raises(StorageError, match="opening it takes 64 KiB"):  # SQLite would end the process
            check_database(path, key)
        disk.free()
        check_database(path, key)
        async with open_store(path, migrations=TABLE, key=key) as store:
            assert await store.read(_numbers) == [1, 4]


@keys
async def test_a_probe_is_refused_by_a_disk_that_takes_no_writes(tmp_path: Path, key: DatabaseKey) -> None:
    """A row that is written as it was is not written at all: that would be taken for a disk that is well."""
    with small_disk(tmp_path) as disk:
        async with open_store(disk.path / "state" / "store.db", migrations=TABLE, key=key) as store:
            with open_authority(disk.path / "state", migrations=TABLE, key=key) as file:
                await store.transact(lambda conn: _insert(conn, 1))
                versions = await store.read(_versions), file.read(_versions)
                await store.probe()
                file.write_now(lambda conn: conn.execute(TOUCH))
                assert (await store.read(_versions), file.read(_versions)) == versions
                disk.fail()
                with pytest.raises(StorageError):
                    await store.probe()
                with pytest.raises(StorageError):
                    file.write_now(lambda conn: conn.execute(TOUCH))
                assert await store.read(_numbers) == [1], "who only reads goes on"


def _versions(conn: apsw.Connection) -> list[object]:
    return fetch(conn, "SELECT * FROM migration")


@keys
async def test_a_start_on_a_full_disk_is_refused_in_words(tmp_path: Path, key: DatabaseKey) -> None:
    with small_disk(tmp_path) as disk:
        path = disk.path / "state" / "store.db"
        async with open_store(path, migrations=TABLE, key=key) as store:
            await store.transact(lambda conn: _insert(conn, 1))
        disk.fill()
        for again in (path, path, disk.path / "new" / "store.db"):
            with pytest.raises(StorageError, match="free some space") as caught:
                async with open_store(again, migrations=TABLE, key=key):
                    pass
            assert caught.value.fault is StorageFault.DISK_FULL
        disk.free()
        async with open_store(path, migrations=TABLE, key=key) as store:
            assert await store.read(_numbers) == [1]


@keys
def test_the_authority_file(tmp_path: Path, key: DatabaseKey) -> None:
    with small_disk(tmp_path) as disk:
        with open_authority(disk.path / "state", migrations=TABLE, key=key) as file:
            file.write_now(lambda conn: _insert(conn, 1))
            disk.fill()
            with pytest.raises(StorageError) as caught:
                file.write_now(lambda conn: _insert(conn, 2))
            assert caught.value.fault is StorageFault.DISK_FULL
            assert file.read(_numbers) == [1]
            disk.free()
            file.write_now(lambda conn: _insert(conn, 3))
            assert file.read(_numbers) == [1, 3]
        check_database(disk.path / "state" / "authority.db", key)


@keys
async def test_a_backup_and_a_restore(tmp_path: Path, key: DatabaseKey) -> None:
    with small_disk(tmp_path) as disk:
        state, into = tmp_path / "state", disk.path / "backups"
        async with open_store(state / "store.db", migrations=TABLE, key=key) as store:
            await store.transact(lambda conn: _insert(conn, 1))
            good = take_backup(state, into, at=1e9, key=key, reserve=0)
            disk.fill(leave=60_000)  # not seen before, as the copy's last pages do not fit
            for reserve in (0, -(10**9)):
                with pytest.raises(StorageError) as caught:
                    take_backup(state, into, at=1e9 + 60, key=key, reserve=reserve)
                assert caught.value.fault in (StorageFault.DISK_FULL, StorageFault.FAILED)
                assert [path.name for path in into.iterdir()] == [good.path.name]
            with pytest.raises(StorageError):
                restore_backup(good.path, disk.path / "other", key=key)
            assert not list((disk.path / "other").glob("*.db*"))
            disk.free()
            take_backup(state, into, at=1e9 + 120, key=key, reserve=0)
            restore_backup(good.path, disk.path / "other", key=key)
        for backup in backups_in(into):
            verify_backup(backup.path, key)
        assert len(list(backups_in(into))) == 2


def test_the_sites_key(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        path = disk.path / "site.key"
        first, second = (SiteKey(Ed25519PrivateKey.generate(), "field", "hub") for _ in range(2))
        save_site_key(path, first)
        disk.fill()
        with pytest.raises(RefusedToStart, match="cannot be written"):
            save_site_key(path, second)
        kept = load_site_key(path)
        assert kept is not None and kept.public == first.public
        disk.free()
        save_site_key(path, second)
        kept = load_site_key(path)
        assert kept is not None and kept.public == second.public


def test_the_token_table(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        table = TokenTable(disk.path / "tokens.toml")
        table.add("ann", Role.OPERATOR, "*")
        before = table.path.read_bytes()
        disk.fill()
        with pytest.raises(RefusedToStart, match="cannot be written"):
            table.add("long name" * 2000, Role.OPERATOR, "*")
        assert table.path.read_bytes() == before
        disk.free()
        table.add("bob", Role.OPERATOR, "*")
        assert len(TokenTable(table.path).load()) == 2
