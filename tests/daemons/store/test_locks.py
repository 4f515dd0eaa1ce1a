"""Nothing this process does takes its locks off a database: another program that closes the file must leave the log."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from daemons.ops.authority.file import open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.store.connect import connect, keep_log

_OTHER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1])
conn.execute("INSERT INTO note VALUES ('other')")
conn.commit()
print(conn.execute("SELECT count(*) FROM note").fetchone()[0])
conn.close()
"""


def _other(path: Path) -> int:
    """Add a row as another program does, last to close the file if locks are missing; return how many it saw."""
    command = [sys.executable, "-c", _OTHER, str(path)]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


@contextmanager
def _logged(path: Path) -> Iterator[apsw.Connection]:
    conn = connect(path)
    try:
        keep_log(conn, path)
        conn.execute("CREATE TABLE IF NOT EXISTS note (text)")
        yield conn
    finally:
        conn.close()


def _prove(path: Path, conn: apsw.Connection) -> None:
    seen = _other(path)
    assert path.with_name(f"{path.name}-wal").exists()
    conn.execute("INSERT INTO note VALUES ('ours')")
    assert _other(path) == seen + 2


def test_a_second_connection_takes_no_locks_away(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with _logged(path):
        pass
    with _logged(path) as first, _logged(path) as second:
        _prove(path, first)
        connect(path, read_only=True).close()
        _prove(path, second)


def test_an_authority_file_that_is_open_twice_keeps_its_locks(tmp_path: Path) -> None:
    with open_authority(tmp_path, migrations=AUTHORITY_MIGRATIONS) as file:
        file.write_now(lambda conn: conn.execute("CREATE TABLE note (text)"))
    with open_authority(tmp_path, migrations=AUTHORITY_MIGRATIONS) as file:
        for _ in range(2):
            with open_authority(tmp_path, migrations=AUTHORITY_MIGRATIONS):
                pass
            seen = _other(file.path)
            file.write_now(lambda conn: conn.execute("INSERT INTO note VALUES ('ours')"))
            assert _other(file.path) == seen + 2


@pytest.mark.parametrize("close", [True, False])
def test_a_file_nobody_has_open_is_read_again(tmp_path: Path, close: bool) -> None:
    """What was open here once and is not any more, closed or dropped, is no reason not to look."""
    path = tmp_path / "x.db"
    conn = connect(path)
    keep_log(conn, path)
    if close:
        conn.close()
    del conn
    with _logged(path) as again:
        _prove(path, again)
