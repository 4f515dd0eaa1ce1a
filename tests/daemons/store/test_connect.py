"""Encryption at rest: nothing readable in any file, and a wrong or missing key is said in words."""

from pathlib import Path

import apsw
import pytest

from daemons.store import Migration, StorageError, StorageFault, fetch, open_store
from daemons.store.connect import PLAIN, DatabaseKey, connect, is_encrypted
from daemons.store.copying import check_database

KEY, OTHER = DatabaseKey("a1" * 32), DatabaseKey("b2" * 32)
TABLE = [Migration("test", 1, "CREATE TABLE item (name TEXT PRIMARY KEY) STRICT")]
WORD = "Lap 3 of pilot Ada"
both = pytest.mark.parametrize("inline", [True, False], ids=["inline", "threads"])


def _insert(conn: apsw.Connection) -> None:
    conn.executemany("INSERT INTO item VALUES (?)", [(f"{WORD} {number}",) for number in range(3000)])


def _count(conn: apsw.Connection) -> int:
    return int(fetch(conn, "SELECT count(*) FROM item")[0][0])


@both
async def test_nothing_of_the_content_is_in_any_file_while_it_is_open_and_afterwards(
    tmp_path: Path, inline: bool
) -> None:
    path = tmp_path / "store.db"
    async with open_store(path, migrations=TABLE, inline=inline, key=KEY) as store:
        await store.transact(_insert)
        await store.backup_to(tmp_path / "backup.db")
        files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert {"store.db", "backup.db"} <= set(files)
        assert inline or len(files["store.db-wal"]) > 100_000  # inline there is no log
        assert await store.read(_count) == 3000
    files["closed"] = path.read_bytes()
    for name, data in files.items():
        assert WORD.encode() not in data, name
        assert b"CREATE TABLE" not in data, name
        assert b"SQLite format" not in data, name
    assert is_encrypted(path) and is_encrypted(tmp_path / "backup.db")
    assert check_database(tmp_path / "backup.db", KEY) == {"test": 1}
    async with open_store(path, migrations=TABLE, inline=inline, key=KEY) as store:
        assert await store.read(_count) == 3000


async def test_the_same_without_a_key_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with open_store(path, migrations=TABLE) as store:
        await store.transact(_insert)
    assert WORD.encode() in path.read_bytes()
    assert is_encrypted(path) is False


async def test_a_wrong_a_missing_and_a_needless_key_are_told_apart(tmp_path: Path) -> None:
    secret, plain = tmp_path / "secret" / "store.db", tmp_path / "plain" / "store.db"
    for path, key in ((secret, KEY), (plain, PLAIN)):
        async with open_store(path, migrations=TABLE, key=key) as store:
            await store.transact(_insert)
    for path, key, words in (
        (secret, PLAIN, "it is encrypted, and no key is set; set the key"),
        (secret, OTHER, "the key that is set does not open it"),
        (plain, KEY, "it is not encrypted, but a key is set"),
    ):
        before = path.read_bytes()
        with pytest.raises(StorageError, match=words) as caught:
            async with open_store(path, migrations=TABLE, key=key):
                pass
        assert caught.value.fault is StorageFault.KEY
        assert "a1a1" not in str(caught.value) and "b2b2" not in str(caught.value)
        assert path.read_bytes() == before


async def test_a_page_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with open_store(path, migrations=TABLE, key=KEY) as store:
        await store.transact(_insert)
    data = bytearray(path.read_bytes())
    data[3 * 8192 + 77] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="restore the newest backup") as caught:
        async with open_store(path, migrations=TABLE, key=KEY):
            pass
    assert caught.value.fault is StorageFault.CORRUPT
    with pytest.raises(StorageError):
        check_database(path, KEY)


def test_garbage_is_corrupt_with_and_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    for key in (PLAIN, KEY):
        with pytest.raises(StorageError) as caught:
            connect(path, key)
        assert caught.value.fault is StorageFault.CORRUPT
    assert is_encrypted(path) is None
    assert is_encrypted(tmp_path / "absent") is None


def test_keys_are_checked_and_never_shown() -> None:
    for text in ("password", "a1" * 31, "g1" * 32, "a1" * 32 + "\n"):
        with pytest.raises(ValueError, match="64 hexadecimal digits") as caught:
            DatabaseKey(text)
        assert text.strip() not in str(caught.value)
    assert repr(KEY) == str(KEY) == "DatabaseKey(***)"
    assert not PLAIN
