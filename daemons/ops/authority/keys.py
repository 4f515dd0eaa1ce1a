"""The hub's name and its signing keys: Ed25519, a key id each, one that signs and the older ones that still verify.

A rotation makes a new key and destroys the private half of the one before; its public half verifies until the last
token that it has signed is over. The private half of the key that signs is in the authority file (0600), which is
encrypted at rest where the daemon's databases are.
"""

from collections.abc import Callable

import apsw
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daemons.store.migrations import Migration

__all__ = [
    "MIGRATIONS",
    "KeyRow",
    "NoKeys",
    "SigningKey",
    "hub_id",
    "init_keys",
    "list_keys",
    "make_hub_id",
    "note_signed",
    "rotate_keys",
    "signing_key",
    "verifying_keys",
]

MIGRATIONS = (
    Migration(
        "keys",
        1,
        """
        CREATE TABLE hub (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT;
        CREATE TABLE signing_key (
            kid TEXT PRIMARY KEY,
            public BLOB NOT NULL,
            private BLOB,                          -- only of the key that signs
            made_at REAL NOT NULL,                 -- instants: UTC seconds
            retired_at REAL,
            signed_until REAL NOT NULL DEFAULT 0   -- when the last token that it has signed is over
        ) STRICT;
        CREATE UNIQUE INDEX signing_key_signs ON signing_key (retired_at IS NULL) WHERE retired_at IS NULL;
        """,
    ),
)


class NoKeys(Exception):
    """The hub has no key that signs: `pitlink keys init` makes one."""


@frozen
class SigningKey:
    """The key that signs now."""

    kid: str
    private: Ed25519PrivateKey


@frozen
class KeyRow:
    """What may be shown of a key. Instants in UTC seconds; `retired_at` None: it signs."""

    kid: str
    made_at: float
    retired_at: float | None
    signed_until: float

    def verifies(self, now: float) -> bool:
        """Is what it has signed still worth anything?"""
        return self.retired_at is None or now < self.signed_until


def hub_id(conn: apsw.Connection) -> str | None:
    """Return the hub's name: issuer of its tokens, audience of its sites' proofs."""
    row = conn.execute("SELECT id FROM hub").fetchone()
    return None if row is None else str(row[0])


def make_hub_id(conn: apsw.Connection, urandom: Callable[[int], bytes]) -> str:
    """Return the hub's name; one that has none gets it for ever."""
    conn.execute("INSERT OR IGNORE INTO hub VALUES (1, ?)", (f"hub-{urandom(8).hex()}",))
    return hub_id(conn) or ""


def init_keys(conn: apsw.Connection, now: float, urandom: Callable[[int], bytes]) -> KeyRow | None:
    """Make the hub's first key, and its name; None when there is a key already."""
    make_hub_id(conn, urandom)
    if any(key.retired_at is None for key in list_keys(conn)):
        return None
    return _make(conn, now, urandom)


def rotate_keys(
    conn: apsw.Connection, now: float, urandom: Callable[[int], bytes], *, at_once: bool = False
) -> tuple[list[KeyRow], KeyRow]:
    """Make another key sign; return the keys that sign no more, and the new one.

    `at_once`: what the old keys have signed is good no more, whatever the clock is put back to. It does not end sessions:
    for when a key may be in wrong hands, see `lockout`. Raises NoKeys when there was none.
    """
    before = [key for key in list_keys(conn) if key.verifies(now)]
    if not any(key.retired_at is None for key in before):
        raise NoKeys
    # Old keys are kept as long as they verify, then a year, for the list.
    conn.execute("DELETE FROM signing_key WHERE retired_at < ? AND signed_until < ?", (now - _YEAR_S, now))
    conn.execute("UPDATE signing_key SET retired_at = ?, private = NULL WHERE retired_at IS NULL", (now,))
    if at_once:
        conn.execute("UPDATE signing_key SET signed_until = 0")
    return before, _make(conn, now, urandom)


_YEAR_S = 365 * 86400.0


def _make(conn: apsw.Connection, now: float, urandom: Callable[[int], bytes]) -> KeyRow:
    key = Ed25519PrivateKey.from_private_bytes(urandom(32))
    kid = f"k-{urandom(6).hex()}"
    conn.execute(
        "INSERT INTO signing_key (kid, public, private, made_at) VALUES (?, ?, ?, ?)",
        (kid, key.public_key().public_bytes_raw(), key.private_bytes_raw(), now),
    )
    return KeyRow(kid, now, None, 0.0)


def list_keys(conn: apsw.Connection) -> list[KeyRow]:
    """Return the keys, the newest first."""
    rows = conn.execute(
        "SELECT kid, made_at, retired_at, signed_until FROM signing_key ORDER BY made_at DESC, retired_at IS NOT NULL"
    )
    return [KeyRow(*row) for row in rows]


def signing_key(conn: apsw.Connection) -> SigningKey:
    """Return the key that signs. Raises NoKeys."""
    row = conn.execute("SELECT kid, private FROM signing_key WHERE retired_at IS NULL").fetchone()
    if row is None:
        raise NoKeys
    return SigningKey(row[0], Ed25519PrivateKey.from_private_bytes(row[1]))


def note_signed(conn: apsw.Connection, kid: str, expires_at: float) -> None:
    """Remember that `kid` has signed what ends then: it is to verify at least so long."""
    conn.execute(
        "UPDATE signing_key SET signed_until = max(signed_until, ?) WHERE kid = ?", (expires_at, kid)
    )


def verifying_keys(conn: apsw.Connection, now: float) -> dict[str, Ed25519PublicKey]:
    """Return the public keys that verify now, by key id."""
    rows = conn.execute(
        "SELECT kid, public FROM signing_key WHERE retired_at IS NULL OR signed_until > ?", (now,)
    )
    return {kid: Ed25519PublicKey.from_public_bytes(public) for kid, public in rows}
