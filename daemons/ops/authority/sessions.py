"""Sessions: what a person who has signed in holds. 24 h tokens, and refresh tokens that are good once.

A refresh token carries its session's id, its number and a MAC of both under a secret of the session. Each use makes the
next number the good one. An older number can only come from a copy, so it ends the session; but for the 10 s after a
use the number before it is answered with the same successor, because on a bad uplink the answer may have been lost.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable
from typing import Any

import apsw
from attrs import frozen

from daemons.ops.authority.identity import Identity, Role, Unauthorised
from daemons.ops.authority.tokens import sign
from daemons.store.migrations import Migration

__all__ = [
    "MIGRATIONS",
    "Signed",
    "end_all_sessions",
    "end_session",
    "end_sessions",
    "live_sessions",
    "refresh_session",
    "session_of",
    "start_session",
]

MIGRATIONS = (
    Migration(
        "sessions",
        1,
        """
        CREATE TABLE session (
            id TEXT PRIMARY KEY,
            user TEXT NOT NULL,
            secret BLOB NOT NULL,           -- what its refresh tokens are made with
            number INTEGER NOT NULL,        -- of the refresh token that is good
            started_at REAL NOT NULL,       -- instants: UTC seconds
            refreshed_at REAL NOT NULL,
            ends_at REAL NOT NULL,
            ended_at REAL,
            why TEXT NOT NULL DEFAULT ''
        ) STRICT;
        CREATE INDEX session_user ON session (user);
        """,
    ),
)

TOKEN_S = 24 * 3600.0
IDLE_S = 7 * 86400.0
"""A refresh token that is not used for so long is over."""

SESSION_S = 30 * 86400.0
GRACE_S = 10.0
PER_USER_MAX = 16
"""The oldest ends when another begins."""

_PREFIX = "plr_"
_ID_BYTES = 9
_HEAD = struct.Struct(f">{_ID_BYTES}sI")
_MAC_BYTES = 32


@frozen(repr=False)
class Signed:
    """What a sign-in or a refresh hands out. Instants in UTC seconds."""

    identity: Identity
    token: str
    expires_at: float
    refresh: str
    refresh_expires_at: float


def start_session(
    conn: apsw.Connection, identity: Identity, now: float, urandom: Callable[[int], bytes]
) -> Signed:
    """Begin a session of a user whose password was right. Raises NoKeys."""
    conn.execute("DELETE FROM session WHERE ends_at < ?", (now - SESSION_S,))
    live = live_sessions(conn, identity.name, now)
    for old in live[: max(0, len(live) - PER_USER_MAX + 1)]:
        end_session(conn, old, now, "too many")
    id_ = urandom(_ID_BYTES)
    conn.execute(
        "INSERT INTO session (id, user, secret, number, started_at, refreshed_at, ends_at)"
        " VALUES (?, ?, ?, 1, ?, ?, ?)",
        (id_.hex(), identity.name, urandom(32), now, now, now + SESSION_S),
    )
    return _sign(conn, id_.hex(), identity.role, identity.sites, now, urandom)


def refresh_session(
    conn: apsw.Connection, token: str, now: float, urandom: Callable[[int], bytes]
) -> Signed | Unauthorised:
    """Return new tokens for a refresh token, or why not; the refusal is returned, because what led to it is to be kept.

    A token that was used before ends its session ("replayed"). Raises NoKeys.
    """
    known = _parse(token)
    if known is None:
        return Unauthorised("this is no refresh token", "malformed")
    id_, number, mac = known
    row = conn.execute(
        "SELECT s.secret, s.number, s.refreshed_at, s.ends_at, s.ended_at, u.role, u.sites, u.disabled_at"
        " FROM session s JOIN user u ON u.name = s.user WHERE s.id = ?",
        (id_,),
    ).fetchone()
    if row is None:
        return Unauthorised("this hub does not know this session", "unknown")
    secret, current, refreshed_at, ends_at, ended_at, role, sites, disabled_at = row
    if not hmac.compare_digest(mac, _mac(secret, id_, number)):
        return Unauthorised("this refresh token is not one of this hub's", "signature")
    if ended_at is not None or disabled_at is not None:
        return Unauthorised("this session is over: sign in again", "ended")
    if now >= min(ends_at, refreshed_at + IDLE_S):
        return Unauthorised("this session has expired: sign in again", "expired")
    if number == current:
        conn.execute("UPDATE session SET number = number + 1, refreshed_at = ? WHERE id = ?", (now, id_))
    elif number != current - 1 or now > refreshed_at + GRACE_S:
        end_session(conn, id_, now, "replayed")
        return Unauthorised("this refresh token was used before; the session has been ended", "replayed")
    return _sign(conn, id_, Role(role), tuple(sites.split()), now, urandom)


def session_of(refresh: str) -> str | None:
    """Return the id of the session that a refresh token says it is of. Not proven."""
    known = _parse(refresh)
    return None if known is None else known[0]


def end_session(conn: apsw.Connection, id_: str, now: float, why: str) -> str | None:
    """End a session; return whose it was, None when there is no live one of this id."""
    row = conn.execute("SELECT user FROM session WHERE id = ? AND ended_at IS NULL", (id_,)).fetchone()
    if row is None:
        return None
    conn.execute("UPDATE session SET ended_at = ?, why = ? WHERE id = ?", (now, why, id_))
    return str(row[0])


def end_sessions(conn: apsw.Connection, user: str, now: float, why: str) -> int:
    """End every session of a user; return how many there were."""
    ids = live_sessions(conn, user, now)
    for id_ in ids:
        end_session(conn, id_, now, why)
    return len(ids)


def end_all_sessions(conn: apsw.Connection, now: float, why: str) -> int:
    """End the sessions of everybody; return how many there were."""
    conn.execute(
        "UPDATE session SET ended_at = ?, why = ? WHERE ended_at IS NULL AND ends_at > ?", (now, why, now)
    )
    return conn.changes()


def live_sessions(conn: apsw.Connection, user: str, now: float) -> list[str]:
    """Return the ids of a user's sessions, the oldest first."""
    rows = conn.execute(
        "SELECT id FROM session WHERE user = ? AND ended_at IS NULL AND ends_at > ? ORDER BY started_at, rowid",
        (user, now),
    )
    return [id_ for (id_,) in rows]


# --- tokens --------------------------------------------------------------------------------------------------------


def _sign(
    conn: apsw.Connection,
    id_: str,
    role: Role,
    sites: tuple[str, ...],
    now: float,
    urandom: Callable[[int], bytes],
) -> Signed:
    """Return the session's tokens of now."""
    # To the end of the rows: a statement that is left open keeps an old state of the file in sight.
    rows: list[Any] = conn.execute(
        "SELECT user, secret, number, refreshed_at, ends_at FROM session WHERE id = ?", (id_,)
    ).fetchall()
    user, secret, number, refreshed_at, ends_at = rows[0]
    identity = Identity("user", user, role, sites, id_)
    expires_at = min(now + TOKEN_S, ends_at)
    token = sign(conn, identity, id=urandom(9).hex(), now=now, expires_at=expires_at)
    head = _HEAD.pack(bytes.fromhex(id_), number)
    raw = head + _mac(secret, id_, number)
    refresh = _PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return Signed(identity, token, float(int(expires_at)), refresh, min(refreshed_at + IDLE_S, ends_at))


def _mac(secret: bytes, id_: str, number: int) -> bytes:
    return hmac.digest(secret, _HEAD.pack(bytes.fromhex(id_), number), hashlib.sha256)


def _parse(token: str) -> tuple[str, int, bytes] | None:
    """Return id, number and MAC of a refresh token; None when it is none."""
    if not token.startswith(_PREFIX) or len(token) > 128 or not token.isascii():
        return None
    text = token[len(_PREFIX) :]
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != _HEAD.size + _MAC_BYTES:
        return None
    id_, number = _HEAD.unpack_from(raw)
    return id_.hex(), number, raw[_HEAD.size :]
