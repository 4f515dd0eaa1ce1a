"""Who did what, and when: an append-only table whose rows each hash the one before.

Row n's hash is SHA-256 over row n-1's hash (32 zero bytes before the first) and every field of row n, each with its
length. So a changed byte, a missing row or another order is found by reading the table; a tail that was cut is found
by a head (count and hash) that somebody else keeps: the peer's daemon, or a paper. Triggers refuse UPDATE and DELETE:
they stop accidents, the hashes show intent.
"""

import hashlib
import json
import math
import struct
from typing import Any, Literal

import apsw
from attrs import asdict, define, field, frozen

from daemons.store.migrations import Migration

__all__ = [
    "EMPTY",
    "MIGRATIONS",
    "AuditCheck",
    "AuditEntry",
    "AuditFault",
    "AuditRow",
    "Head",
    "append",
    "hash_at",
    "head",
    "rows",
    "verify",
]

Outcome = Literal["begun", "done", "refused", "failed"]
"""`begun`: it is on its way, and what becomes of it has a row of its own."""

_TABLE = """
CREATE TABLE audit_row (
    number INTEGER PRIMARY KEY,    -- 1, 2, 3 ... without a gap
    at REAL NOT NULL,              -- UTC seconds
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT NOT NULL,          -- JSON
    after TEXT NOT NULL,           -- JSON
    outcome TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_row_is_next BEFORE INSERT ON audit_row
WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM audit_row)
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;

CREATE TRIGGER audit_row_is_kept BEFORE DELETE ON audit_row
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;

CREATE TRIGGER audit_row_is_final BEFORE UPDATE ON audit_row
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
"""

MIGRATIONS = (Migration("audit", 1, _TABLE),)

HASH_BYTES = 32
TEXT_CHARS_MAX = 16384
"""A `before` or `after` longer than this is kept by its hash only."""

FAULTS_MAX = 100
_LEAST = -(2**62)

_RAW = (
    "number, at, CAST(who AS BLOB), CAST(action AS BLOB), CAST(target AS BLOB), CAST(before AS BLOB),"
    " CAST(after AS BLOB), CAST(outcome AS BLOB), hash"
)


@frozen
class AuditEntry:
    """What is to be noted. `before`, `after`: anything JSON can say, never a secret. `at_utc_s`: UTC seconds."""

    at_utc_s: float
    who: str
    action: str
    target: str = ""
    before: Any = None
    after: Any = None
    outcome: Outcome = "done"


@frozen
class AuditRow:
    """An entry as it was noted; `before` and `after` as JSON says them."""

    number: int
    entry: AuditEntry
    hash: bytes

    def as_data(self) -> dict[str, Any]:
        """Return it as the admin API and the commands show it."""
        return {"number": self.number, **asdict(self.entry), "hash": self.hash.hex()}


@frozen
class Head:
    """How many rows there are, and the hash of the last."""

    count: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.count}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Return the head that `str` of one says. Raises ValueError."""
        count, _, digest = text.strip().partition(":")
        if not count.isascii() or not count.isdigit() or len(digest) != 2 * HASH_BYTES:
            raise ValueError("a head is a count, a colon and 64 hexadecimal digits")
        return cls(int(count), bytes.fromhex(digest))


EMPTY = Head(0, bytes(HASH_BYTES))
"""The head of a table without rows."""


@frozen
class AuditFault:
    """What `verify` found: at which row (0: of the whole table), in plain words."""

    number: int
    words: str


def append(conn: apsw.Connection, entry: AuditEntry) -> Head:
    """Add a row in the transaction that is under way, and return the new head. Raises TypeError for what JSON cannot say."""
    last = head(conn)
    number, at = last.count + 1, float(entry.at_utc_s)
    texts = [entry.who, entry.action, entry.target, _json(entry.before), _json(entry.after), entry.outcome]
    digest = _hash(last.hash, number, at, [text.encode() for text in texts])
    conn.execute("INSERT INTO audit_row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, at, *texts, digest))
    return Head(number, digest)


def head(conn: apsw.Connection) -> Head:
    """Return the last row's number and hash."""
    for number, digest in conn.execute("SELECT number, hash FROM audit_row ORDER BY number DESC LIMIT 1"):
        return Head(number, digest)
    return EMPTY


def hash_at(conn: apsw.Connection, count: int) -> bytes | None:
    """Return the hash that the head had at `count` rows; None when there are not so many."""
    if count == 0:
        return EMPTY.hash
    return next(
        (digest for (digest,) in conn.execute("SELECT hash FROM audit_row WHERE number = ?", (count,))), None
    )


def rows(conn: apsw.Connection, *, after: int = 0, last: int | None = None) -> list[AuditRow]:
    """Return the rows past number `after` in order; `last`: only the newest so many of them.

    One that somebody tampered with is returned as far as it can be read: `verify` says what is wrong with it.
    """
    query = f"SELECT {_RAW} FROM audit_row WHERE number > ? ORDER BY number DESC LIMIT ?"
    found = list(conn.execute(query, (after, -1 if last is None else last)))
    return [_read(*row) for row in reversed(found)]


def _read(number: int, at: Any, *rest: Any) -> AuditRow:
    *parts, digest = rest
    who, action, target, old, new, outcome = (_text(part) for part in parts)
    when = at if isinstance(at, float) and math.isfinite(at) else 0.0
    entry = AuditEntry(when, who, action, target, _value(old), _value(new), outcome)  # type: ignore[arg-type]
    return AuditRow(number, entry, digest if isinstance(digest, bytes) else b"")


def _text(raw: Any) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


def _value(text: str) -> Any:
    """Return what JSON says, and of what is none the text itself."""
    try:
        value = json.loads(text)
        _json(value)
    except (ValueError, RecursionError):
        return text
    return value


def verify(conn: apsw.Connection, known: Head | None = None) -> list[AuditFault]:
    """Read the whole table and return what is wrong with it; nothing for a good one.

    `known`: a head that somebody else kept. Only with one is a cut tail found. Blocks for about 10 µs a row.
    """
    check = AuditCheck(known)
    while check.read(conn):
        pass
    return check.finish()


@define
class AuditCheck:
    """A `verify` in pieces, for who has other things to do in between. Rows added meanwhile are read as well."""

    known: Head | None = None
    faults: list[AuditFault] = field(factory=list, init=False)
    rows: int = field(default=0, init=False)  # number of the last one read
    _before: bytes = field(default=EMPTY.hash, init=False)
    _known_hash: bytes | None = field(default=None, init=False)
    _unreadable: bool = field(default=False, init=False)

    def read(self, conn: apsw.Connection, count: int = 1000) -> bool:
        """Check the next rows, about 10 µs each; return whether there may be more."""
        query = f"SELECT {_RAW} FROM audit_row WHERE number > ? ORDER BY number LIMIT ?"
        found = 0
        try:
            for number, at, *raw, digest in conn.execute(query, (self.rows or _LEAST, count)):
                found += 1
                self._check(number, at, raw, digest)
        except (apsw.Error, UnicodeDecodeError) as exc:
            self._fault(self.rows + 1, f"the file cannot be read past row {self.rows}: {exc}")
            self._unreadable = True
        return found == count and not self._unreadable

    def _check(self, number: int, at: Any, raw: list[Any], digest: Any) -> None:
        expected = self.rows + 1
        if number != expected:
            self._fault(expected, f"row {expected} is missing; the next one is {number}")
        elif not _is_row(at, raw, digest) or _hash(self._before, number, at, raw) != digest:
            self._fault(number, f"row {number}, or the hash of the one before, was changed")
        self.rows, self._before = number, digest if isinstance(digest, bytes) else b""
        if self.known is not None and number == self.known.count:
            self._known_hash = self._before

    def finish(self) -> list[AuditFault]:
        """Return what was found, with what the known head says of the table."""
        known = self.known
        if known is None or known.count == 0 or self._unreadable:
            return self.faults
        if self.rows < known.count:
            words = f"the tail was cut: {known.count} rows are known of, {self.rows} are here"
            self._fault(self.rows + 1, words)
        elif self._known_hash != known.hash:
            words = f"row {known.count} is not the one that is known of: history was rewritten"
            self._fault(known.count, words)
        return self.faults

    def _fault(self, number: int, words: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(AuditFault(number, words))


def _is_row(at: Any, raw: list[Any], digest: Any) -> bool:
    return isinstance(at, float) and all(isinstance(part, bytes) for part in (*raw, digest))


def _hash(before: bytes, number: int, at: float, parts: list[bytes]) -> bytes:
    digest = hashlib.sha256(before)
    digest.update(struct.pack(">qd", number, at))
    for part in parts:
        digest.update(struct.pack(">I", len(part)))
        digest.update(part)
    return digest.digest()


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    text.encode()  # a lone surrogate is no text
    if len(text) > TEXT_CHARS_MAX:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps({"too_long_chars": len(text), "sha256": digest}, separators=(",", ":"))
    return text
