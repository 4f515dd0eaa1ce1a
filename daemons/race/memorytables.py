"""The tables of the memory: which versions of which files were seen when, and their bytes, packed.

A version's bytes are kept once, however often it is seen again, as a zstd frame or as the difference to the file's
last whole one, whichever is much smaller. Two reads then give back any version.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import apsw
from attrs import frozen

from daemons.race.memorychain import Entry, next_entry
from daemons.race.times import utc_text
from daemons.store import Migration, fetch
from protocol.canonical import digest_of
from protocol.delta import apply_delta, compress_body, decompress_body, make_delta

__all__ = [
    "MIGRATIONS",
    "Seen",
    "Size",
    "are_kept",
    "entries_of",
    "forget",
    "last_good",
    "read_body",
    "record",
    "size_of",
]

MIGRATIONS = (
    Migration(
        "memory",
        1,
        """
        CREATE TABLE memory_version (
            site TEXT NOT NULL,
            subject TEXT NOT NULL,     -- whose history: a race's id, or an event's
            number INTEGER NOT NULL,   -- 1, 2, 3 ... of this history
            at_ms INTEGER NOT NULL,    -- UTC
            path TEXT NOT NULL,
            digest BLOB NOT NULL,
            size INTEGER NOT NULL,
            prev BLOB NOT NULL,
            PRIMARY KEY (site, subject, number)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX memory_version_by_digest ON memory_version (site, digest);

        CREATE TABLE memory_body (
            site TEXT NOT NULL,
            digest BLOB NOT NULL,
            base BLOB,                 -- of which `data` is the difference; NULL: it is whole
            data BLOB NOT NULL,
            size INTEGER NOT NULL,
            kept_ms INTEGER NOT NULL,
            PRIMARY KEY (site, digest)
        ) STRICT;
        CREATE INDEX memory_body_by_base ON memory_body (site, base) WHERE base IS NOT NULL;
        """,
    ),
)

VERSIONS_MAX = 5000
"""Versions of one history. A race of 8 pilots and 100 laps has 800."""

_SMALLER = 2
"""A difference is kept when it is so many times smaller than the whole file, packed."""

_EMPTY = frozenset({b"", b"[]"})


@frozen
class Seen:
    """A file as it was read. `subject`: whose history it belongs to; `at`: UTC seconds."""

    site: str
    subject: str
    path: str
    body: bytes
    digest: bytes
    at: float


@frozen
class Size:
    """How much is kept: versions, different contents, and their bytes as packed."""

    versions: int
    bodies: int
    bytes: int


def record(conn: apsw.Connection, seen: Sequence[Seen]) -> int:
    """Add what is another version than the last of its path; return how many were. A history that is full takes none."""
    return sum(_record(conn, one) for one in seen)


def _record(conn: apsw.Connection, seen: Seen) -> bool:
    last = next(entries_of(conn, seen.site, seen.subject, newest=True), None)
    known = fetch(
        conn,
        "SELECT digest FROM memory_version WHERE site = ? AND subject = ? AND path = ? ORDER BY number DESC LIMIT 1",
        (seen.site, seen.subject, seen.path),
    )
    before = bytes(known[0][0]) if known else None
    if before == seen.digest or (last is not None and last.number >= VERSIONS_MAX):
        return False
    _keep_body(conn, seen, before)
    entry = next_entry(
        last, at=_text(round(seen.at * 1000)), path=seen.path, sha256=seen.digest.hex(), size=len(seen.body)
    )
    conn.execute(
        "INSERT INTO memory_version VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (seen.site, seen.subject, entry.number, round(seen.at * 1000), seen.path, seen.digest, entry.size,
         bytes.fromhex(entry.prev)),
    )  # fmt: skip
    return True


def _keep_body(conn: apsw.Connection, seen: Seen, before: bytes | None) -> None:
    """Keep the bytes, unless they are: as the difference to the file's last whole version if that is much smaller."""
    if fetch(conn, "SELECT 1 FROM memory_body WHERE site = ? AND digest = ?", (seen.site, seen.digest)):
        return
    data, base = compress_body(seen.body), None
    found = fetch(
        conn,
        "SELECT coalesce(base, digest) FROM memory_body WHERE site = ? AND digest = ?",
        (seen.site, before),
    )
    whole = None if not found else read_body(conn, seen.site, bytes(found[0][0]))
    if whole is not None:
        delta = make_delta(whole, seen.body)
        if _SMALLER * len(delta) < len(data):
            data, base = delta, bytes(found[0][0])
    conn.execute(
        "INSERT INTO memory_body VALUES (?, ?, ?, ?, ?, ?)",
        (seen.site, seen.digest, base, data, len(seen.body), round(seen.at * 1000)),
    )


def read_body(conn: apsw.Connection, site: str, digest: bytes) -> bytes | None:
    """Return the bytes of a version; None when they are not kept any more. Raises ValueError when they are damaged."""
    found = fetch(
        conn, "SELECT base, data, size FROM memory_body WHERE site = ? AND digest = ?", (site, digest)
    )
    if not found:
        return None
    base, data, size = found[0]
    if base is None:
        body = decompress_body(data, size)
    else:
        whole = read_body(conn, site, bytes(base))
        if whole is None:
            return None
        body = apply_delta(whole, data, size)
    if digest_of(body) != digest:
        raise ValueError(f"the version {digest.hex()} is not what was kept")
    return body


def entries_of(
    conn: apsw.Connection,
    site: str,
    subject: str,
    *,
    after: int = 0,
    most: int = VERSIONS_MAX,
    newest: bool = False,
    digest: bytes | None = None,
) -> Iterator[Entry]:
    """Yield a history's entries behind number `after`, `most` of them; `newest`: only the last; `digest`: only those of
    this content."""
    rows = fetch(
        conn,
        "SELECT number, at_ms, path, digest, size, prev FROM memory_version"
        " WHERE site = ?1 AND subject = ?2 AND number > ?3 AND (?4 IS NULL OR digest = ?4)"
        f" ORDER BY number {'DESC' if newest else ''} LIMIT ?5",
        (site, subject, after, digest, 1 if newest else most),
    )
    for number, at_ms, path, name, size, prev in rows:
        yield Entry(
            at=_text(at_ms),
            number=number,
            path=path,
            prev=bytes(prev).hex(),
            sha256=bytes(name).hex(),
            size=size,
        )


def are_kept(conn: apsw.Connection, site: str, entries: Iterable[Entry]) -> set[str]:
    """Return which contents of these entries can still be had."""
    sql = "SELECT 1 FROM memory_body WHERE site = ? AND digest = ?"
    return {entry.sha256 for entry in entries if fetch(conn, sql, (site, bytes.fromhex(entry.sha256)))}


def last_good(conn: apsw.Connection, site: str, race_id: str) -> tuple[bytes, list[bytes]] | None:
    """Return a race's last Result.json that was not empty, and its Race.json as it stood then and each one since; None
    when there was none or something of that is not kept any more. Raises ValueError as `read_body`."""
    entries = list(entries_of(conn, site, race_id))
    results = [entry for entry in entries if entry.path.endswith("/Result.json")]
    for entry in reversed(results):
        body = read_body(conn, site, bytes.fromhex(entry.sha256))
        if body is None:
            return None
        if body.strip() not in _EMPTY:
            return _with_races(conn, site, body, entry.number, entries)
    return None


def _with_races(
    conn: apsw.Connection, site: str, results: bytes, number: int, entries: Iterable[Entry]
) -> tuple[bytes, list[bytes]] | None:
    races = [entry for entry in entries if entry.path.endswith("/Race.json")]
    then = [entry for entry in races if entry.number < number][-1:]
    since = [entry for entry in races if entry.number > number]
    bodies = [read_body(conn, site, bytes.fromhex(entry.sha256)) for entry in (*then, *since)]
    kept = [body for body in bodies if body is not None]
    return (results, kept) if then and len(kept) == len(bodies) else None


def size_of(conn: apsw.Connection) -> Size:
    """Return how much is kept of all sites."""
    versions = fetch(conn, "SELECT count(*) FROM memory_version")[0][0]
    bodies, size = fetch(conn, "SELECT count(*), coalesce(sum(length(data)), 0) FROM memory_body")[0]
    return Size(versions, bodies, size)


def forget(conn: apsw.Connection, *, before: float, bytes_max: int) -> int:
    """Forget histories in which nothing came since `before` (UTC seconds), then the oldest contents past `bytes_max`; return
    how many contents went for that last reason. A history itself is never cut: it would verify no more.
    """
    conn.execute(
        "DELETE FROM memory_version WHERE (site, subject) IN"
        " (SELECT site, subject FROM memory_version GROUP BY site, subject HAVING max(at_ms) < ?)",
        (round(before * 1000),),
    )
    unnamed = (
        "DELETE FROM memory_body WHERE NOT EXISTS (SELECT 1 FROM memory_version AS version"
        " WHERE version.site = memory_body.site AND version.digest = memory_body.digest)"
        " AND NOT EXISTS (SELECT 1 FROM memory_body AS other"
        " WHERE other.site = memory_body.site AND other.base = memory_body.digest)"
    )
    conn.execute(unnamed)
    conn.execute(unnamed)  # what the first left for the sake of others that went with it
    over = size_of(conn).bytes - bytes_max
    gone = 0
    if over > 0:
        wholes = fetch(
            conn,
            "SELECT whole.site, whole.digest, length(whole.data) + coalesce((SELECT sum(length(data)) FROM memory_body"
            " WHERE site = whole.site AND base = whole.digest), 0)"
            " FROM memory_body AS whole WHERE base IS NULL ORDER BY kept_ms",
        )
        for site, digest, size in wholes:
            conn.execute(
                "DELETE FROM memory_body WHERE site = ? AND (digest = ? OR base = ?)", (site, digest, digest)
            )
            gone += conn.changes()
            over -= size
            if over <= 0:
                break
    return gone


def _text(at_ms: int) -> str:
    return utc_text(datetime.fromtimestamp(at_ms / 1000, UTC)) or ""
