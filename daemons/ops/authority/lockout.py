"""Locking out whoever holds a copy of the authority file: another key, and nothing that was made with what is in it."""

from collections.abc import Callable

import apsw
from attrs import frozen

from daemons.ops.authority.keys import KeyRow, rotate_keys
from daemons.ops.authority.sessions import end_all_sessions
from daemons.ops.authority.tokens import TokenRow, revoke_all_tokens

__all__ = ["LockOut", "lock_out"]


@frozen
class LockOut:
    """What ended: the keys that verified until now, how many sessions, which tokens. And the key that signs."""

    old: list[KeyRow]
    new: KeyRow
    sessions: int
    tokens: list[TokenRow]


def lock_out(conn: apsw.Connection, now: float, urandom: Callable[[int], bytes]) -> LockOut:
    """Sign with a new key, end what the old ones have signed, every session and every issued token.

    The file holds what refresh tokens are made with, so the sessions have to end with the keys. Passwords' hashes, which
    it holds as well, stay. Raises NoKeys.
    """
    old, new = rotate_keys(conn, now, urandom, at_once=True)
    return LockOut(old, new, end_all_sessions(conn, now, "keys"), revoke_all_tokens(conn, now))
