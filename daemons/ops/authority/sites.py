"""The sites that a hub knows: how each proves itself, the codes that let one enrol, how old they may be, who is out.

A site's row says what proves it: a public key (made at the site when it enrolled, so the hub never has the private
half), or a client certificate. `generation` grows when the site is revoked, and fences the links that were let in
before. Functions take the connection of a transaction; whoever changes something writes the audit row in it too.
"""

import hashlib
import re
from collections.abc import Callable

import apsw
from attrs import frozen

from daemons.ops.authority.identity import Unauthorised
from daemons.store.migrations import Migration
from protocol.frames import SITE_NAME_MAX
from protocol.software import check_version

__all__ = [
    "CODE_LIFETIME_S",
    "MIGRATIONS",
    "SiteRow",
    "add_site",
    "check_code",
    "check_code_form",
    "check_site_name",
    "enrol",
    "find_site",
    "is_code_open",
    "list_sites",
    "make_code",
    "minimum_of",
    "normal_code",
    "pin_certificate",
    "revoke_site",
    "set_minimum",
]

MIGRATIONS = (
    Migration(
        "sites",
        1,
        """
        CREATE TABLE site (
            name TEXT PRIMARY KEY,
            by_certificate INTEGER NOT NULL DEFAULT 0,
            key BLOB,                              -- Ed25519, the public half; NULL: none has enrolled
            fingerprint BLOB,                      -- SHA-256 of the one certificate that is good; NULL: by name
            min_version TEXT NOT NULL DEFAULT '',
            added_at REAL NOT NULL,                -- instants: UTC seconds
            enrolled_at REAL,
            revoked_at REAL,
            generation INTEGER NOT NULL DEFAULT 1  -- grows with each revocation
        ) STRICT;
        CREATE TABLE site_code (
            sha256 BLOB PRIMARY KEY,
            site TEXT NOT NULL,
            expires_at REAL NOT NULL,
            key BLOB                               -- the key that it let in; NULL: not used yet
        ) STRICT;
        CREATE TABLE site_rule (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            min_version TEXT NOT NULL
        ) STRICT;
        """,
    ),
)

CODE_LIFETIME_S = 24 * 3600.0
KEY_BYTES = 32
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing in it looks like something else
_CODE_CHARS = 12
_CODE = re.compile(rf"[{_ALPHABET}]{{{_CODE_CHARS}}}")
_SITE_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{SITE_NAME_MAX - 1}}}")
_COLUMNS = (
    "name, by_certificate, key, fingerprint, min_version, added_at, enrolled_at, revoked_at, generation"
)


def check_site_name(name: str) -> None:
    """Raise ValueError unless `name` can name a site."""
    if not _SITE_NAME.fullmatch(name):
        raise ValueError("a site's name is made of a–z, 0–9 and '-', 64 characters at most")


@frozen
class SiteRow:
    """A site as the hub knows it. Instants in UTC seconds, `key` 32 bytes, `fingerprint` a SHA-256."""

    name: str
    by_certificate: bool
    key: bytes | None
    fingerprint: bytes | None
    min_version: str
    added_at: float
    enrolled_at: float | None
    revoked_at: float | None
    generation: int

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    @property
    def words(self) -> str:
        """How it stands, for a list."""
        if self.is_revoked:
            return "revoked"
        if self.by_certificate:
            return "certificate" if self.fingerprint is None else "certificate, pinned"
        return "key" if self.key is not None else "not enrolled"


def find_site(conn: apsw.Connection, name: str) -> SiteRow | None:
    """Return the site of this name, or None."""
    row = conn.execute(f"SELECT {_COLUMNS} FROM site WHERE name = ?", (name,)).fetchone()
    return None if row is None else _row(row)


def list_sites(conn: apsw.Connection) -> list[SiteRow]:
    """Return every site, revoked ones too, by name."""
    return [_row(row) for row in conn.execute(f"SELECT {_COLUMNS} FROM site ORDER BY name")]


def _row(row: tuple[object, ...]) -> SiteRow:
    name, by_certificate, *rest = row
    return SiteRow(name, bool(by_certificate), *rest)  # type: ignore[arg-type]


def add_site(conn: apsw.Connection, name: str, now: float) -> SiteRow:
    """Make a site that may enrol, or let one that was revoked do so again; one that is there stays as it is.

    Raises ValueError for what is no name.
    """
    check_site_name(name)
    conn.execute(
        """INSERT INTO site (name, added_at) VALUES (?1, ?2)
            ON CONFLICT DO UPDATE SET revoked_at = NULL, added_at = ?2 WHERE revoked_at IS NOT NULL""",
        (name, now),
    )
    return _known(conn, name)


def pin_certificate(conn: apsw.Connection, name: str, fingerprint: bytes | None, now: float) -> SiteRow:
    """Let a client certificate prove the site, instead of a key: the one of this SHA-256; None: any that names it.

    Raises ValueError for what is no name or no SHA-256.
    """
    if fingerprint is not None and len(fingerprint) != 32:
        raise ValueError("a certificate's fingerprint is its SHA-256: 64 hexadecimal digits")
    add_site(conn, name, now)
    conn.execute("DELETE FROM site_code WHERE site = ?", (name,))
    conn.execute(
        "UPDATE site SET by_certificate = 1, key = NULL, fingerprint = ?, enrolled_at = ? WHERE name = ?",
        (fingerprint, now, name),
    )
    return _known(conn, name)


def make_code(
    conn: apsw.Connection, name: str, now: float, urandom: Callable[[int], bytes], lifetime_s: float
) -> str:
    """Return a new code, good once for the site to enrol; an older one that nobody used is good no more.

    It is shown once and kept as a hash: 60 random bits, which a day and limited attempts are far too short for.
    """
    bits = int.from_bytes(urandom(8), "big")
    plain = "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(_CODE_CHARS))
    conn.execute("DELETE FROM site_code WHERE (site = ? AND key IS NULL) OR expires_at < ?", (name, now))
    conn.execute("INSERT INTO site_code VALUES (?, ?, ?, NULL)", (_code_hash(plain), name, now + lifetime_s))
    return "-".join(plain[place : place + 4] for place in range(0, _CODE_CHARS, 4))


def normal_code(typed: str) -> str:
    """Return a code as it was made, however it was typed: spaces, hyphens, small letters, O for 0, I and L for 1."""
    plain = re.sub(r"[\s-]", "", typed.upper())
    return plain.translate(str.maketrans("OIL", "011"))


def check_code_form(typed: str) -> None:
    """Raise ValueError unless this could be a code."""
    if not _CODE.fullmatch(normal_code(typed)):
        raise ValueError("a code has 12 letters and digits, such as 7KQF-2M9X-T4ZD")


def _code_hash(plain: str) -> bytes:
    return hashlib.sha256(b"pitlink code " + plain.encode()).digest()


def is_code_open(conn: apsw.Connection, name: str, now: float) -> bool:
    """Is there a code with which the site can enrol now?"""
    query = "SELECT 1 FROM site_code WHERE site = ? AND key IS NULL AND expires_at > ?"
    return conn.execute(query, (name, now)).fetchone() is not None


def check_code(conn: apsw.Connection, typed: str, key: bytes, now: float) -> tuple[SiteRow, bool]:
    """Return the site that this code lets `key` (32 bytes) in as, and whether it has done so before. Writes nothing.

    Raises Unauthorised: unknown, replayed (another key has used it), expired, revoked.
    """
    found = conn.execute(
        "SELECT site, expires_at, key FROM site_code WHERE sha256 = ?", (_code_hash(normal_code(typed)),)
    ).fetchone()
    if found is None:
        raise Unauthorised("this code is not known; its hub makes another with: pitlink site add", "unknown")
    name, expires_at, used_by = found
    if used_by is not None and used_by != key:
        raise Unauthorised("this code was used already, by another site's key", "replayed")
    if now >= expires_at:
        raise Unauthorised("this code is too old; its hub makes another with: pitlink site add", "expired")
    row = find_site(conn, name)
    if row is None or row.is_revoked:
        raise Unauthorised(f"the site {name!r} was revoked", "revoked")
    if used_by is not None and row.key != key:
        raise Unauthorised(f"the site {name!r} has enrolled with another key since", "replayed")
    return row, used_by is not None


def enrol(conn: apsw.Connection, typed: str, key: bytes, now: float) -> SiteRow:
    """Make `key` (32 bytes) the key of the site that the code is for, and return it. The code is used up.

    The same code with the same key is good again until it expires: the site may not have heard the answer.
    Raises Unauthorised as `check_code`.
    """
    row, is_known = check_code(conn, typed, key, now)
    if not is_known:
        conn.execute("UPDATE site_code SET key = ? WHERE site = ? AND key IS NULL", (key, row.name))
        conn.execute(
            """UPDATE site SET key = ?, enrolled_at = ?, by_certificate = 0, fingerprint = NULL
                WHERE name = ?""",
            (key, now, row.name),
        )
    return _known(conn, row.name)


def revoke_site(conn: apsw.Connection, name: str, now: float) -> SiteRow | None:
    """Put the site out, whatever it proves itself with, its bearer tokens too; return its row as it was before."""
    before = find_site(conn, name)
    conn.execute("DELETE FROM site_code WHERE site = ?", (name,))
    conn.execute(
        """INSERT INTO site (name, added_at, revoked_at, generation) VALUES (?1, ?2, ?2, 2)
            ON CONFLICT DO UPDATE SET revoked_at = coalesce(revoked_at, ?2), key = NULL, fingerprint = NULL,
                by_certificate = 0, generation = generation + 1""",
        (name, now),
    )
    return before


def set_minimum(conn: apsw.Connection, name: str | None, version: str) -> str:
    """Refuse software older than `version` ("": any), of one site or (None) of all that have no word of their own.

    Return what held before. Raises ValueError for what is no version, KeyError for a site that is not there.
    """
    if version:
        check_version(version)
    if name is None:
        before = _overall(conn)
        conn.execute("INSERT OR REPLACE INTO site_rule VALUES (1, ?)", (version,))
        return before
    before = _known(conn, name).min_version
    conn.execute("UPDATE site SET min_version = ? WHERE name = ?", (version, name))
    return before


def minimum_of(conn: apsw.Connection, name: str) -> str:
    """Return the oldest version that is let in as this site: its own word, else that for all; "": any."""
    row = find_site(conn, name)
    return (row.min_version if row is not None else "") or _overall(conn)


def _overall(conn: apsw.Connection) -> str:
    row = conn.execute("SELECT min_version FROM site_rule").fetchone()
    return "" if row is None else str(row[0])


def _known(conn: apsw.Connection, name: str) -> SiteRow:
    row = find_site(conn, name)
    if row is None:
        raise KeyError(name)
    return row
