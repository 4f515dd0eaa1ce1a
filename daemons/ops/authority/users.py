"""People who sign in with a password. Passwords are kept as argon2id hashes; hashing is work for threads, two at once."""

import re
import unicodedata
from collections.abc import Callable
from functools import partial

import apsw
import argon2
import trio
from attrs import define, field, frozen

from daemons.ops.authority.identity import Role
from daemons.ops.authority.sessions import end_sessions
from daemons.ops.authority.tokens import NameTaken
from daemons.store.migrations import Migration

__all__ = [
    "MIGRATIONS",
    "PasswordQueueFull",
    "Passwords",
    "User",
    "add_user",
    "check_password",
    "check_user_name",
    "disable_user",
    "enable_user",
    "find_user",
    "list_users",
    "remove_user",
    "set_password",
    "set_rights",
]

MIGRATIONS = (
    Migration(
        "users",
        1,
        """
        CREATE TABLE user (
            name TEXT PRIMARY KEY,
            password TEXT NOT NULL,     -- argon2id, with its salt and cost
            role TEXT NOT NULL,
            sites TEXT NOT NULL,        -- names, or "*"
            made_at REAL NOT NULL,      -- instants: UTC seconds
            disabled_at REAL
        ) STRICT;
        """,
    ),
)

PASSWORD_CHARS_MIN = 12
PASSWORD_CHARS_MAX = 256
HASHING_MAX = 2
"""64 MiB each."""

WAITING_MAX = 8

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@frozen
class User:
    """A person. `password` is the hash; it is shown nowhere."""

    name: str
    password: str = field(repr=False)
    role: Role
    sites: tuple[str, ...]
    made_at: float
    disabled_at: float | None


def check_user_name(name: str) -> None:
    """Raise ValueError unless `name` can name a user."""
    if not _NAME.fullmatch(name):
        raise ValueError("a user's name is made of a–z, 0–9 and ._@-, 64 characters at most")


def check_password(password: str, name: str = "") -> None:
    """Raise ValueError when nobody should have this password."""
    if len(password) < PASSWORD_CHARS_MIN:
        raise ValueError(f"a password has {PASSWORD_CHARS_MIN} characters at least")
    if len(password) > PASSWORD_CHARS_MAX:
        raise ValueError(f"a password has {PASSWORD_CHARS_MAX} characters at most")
    if len(set(password)) < 5 or (name and password.lower() == name.lower()):
        raise ValueError("this password is guessed at once")


# --- rows ----------------------------------------------------------------------------------------------------------


def add_user(
    conn: apsw.Connection, name: str, hashed: str, role: Role, sites: tuple[str, ...], now: float
) -> None:
    """Raises NameTaken, also for the name of a user who is disabled."""
    if find_user(conn, name) is not None:
        raise NameTaken
    conn.execute(
        "INSERT INTO user VALUES (?, ?, ?, ?, ?, NULL)", (name, hashed, role.value, " ".join(sites), now)
    )


def find_user(conn: apsw.Connection, name: str) -> User | None:
    """Return the user of this name, disabled or not."""
    return next((user for user in list_users(conn) if user.name == name), None)


def list_users(conn: apsw.Connection) -> list[User]:
    """Return all users by name."""
    rows = conn.execute("SELECT name, password, role, sites, made_at, disabled_at FROM user ORDER BY name")
    return [
        User(name, hashed, Role(role), tuple(sites.split()), *rest)
        for name, hashed, role, sites, *rest in rows
    ]


def disable_user(conn: apsw.Connection, name: str, now: float) -> int | None:
    """Let the user in no more and end what sessions they have; return how many. None: no such user."""
    if find_user(conn, name) is None:
        return None
    conn.execute("UPDATE user SET disabled_at = coalesce(disabled_at, ?) WHERE name = ?", (now, name))
    return end_sessions(conn, name, now, "disabled")


def enable_user(conn: apsw.Connection, name: str) -> bool:
    """Let the user in again. Sessions stay ended. False: no such user."""
    conn.execute("UPDATE user SET disabled_at = NULL WHERE name = ?", (name,))
    return conn.changes() > 0


def remove_user(conn: apsw.Connection, name: str, now: float) -> int | None:
    """Forget the user and end what sessions they have; return how many. None: no such user."""
    conn.execute("DELETE FROM user WHERE name = ?", (name,))
    return end_sessions(conn, name, now, "removed") if conn.changes() else None


def set_rights(conn: apsw.Connection, name: str, role: Role, sites: tuple[str, ...]) -> None:
    """Give the user another role and other sites. Tokens that say what was before are good no more; sessions go on."""
    conn.execute("UPDATE user SET role = ?, sites = ? WHERE name = ?", (role.value, " ".join(sites), name))


def set_password(conn: apsw.Connection, name: str, hashed: str, now: float) -> int | None:
    """Give the user another password and end what sessions they have; return how many. None: no such user."""
    conn.execute("UPDATE user SET password = ? WHERE name = ?", (hashed, name))
    return end_sessions(conn, name, now, "password") if conn.changes() else None


# --- hashing -------------------------------------------------------------------------------------------------------


class PasswordQueueFull(Exception):
    """Too many passwords wait to be checked: try again in a few seconds."""


@define(eq=False)
class Passwords:
    """Makes and checks hashes, two at once in threads, eight waiting; past them PasswordQueueFull.

    `inline`: at once, for the simulation and the command line. A check of a user who does not exist takes as long.
    """

    inline: bool = False
    hasher: argon2.PasswordHasher = field(factory=argon2.PasswordHasher)
    limiter: trio.CapacityLimiter = field(factory=partial(trio.CapacityLimiter, HASHING_MAX), init=False)
    _dummy: str = field(default="", init=False)

    def hash(self, password: str) -> str:
        """Blocks for about 0.1 s."""
        return self.hasher.hash(_normal(password))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Is it this password? None: there is no such user. Cancelling waits for the thread."""
        if self.waiting >= WAITING_MAX:
            raise PasswordQueueFull
        return await self._run(partial(self._matches, hashed, password))

    @property
    def waiting(self) -> int:
        return int(self.limiter.statistics().tasks_waiting)

    async def _run(self, work: Callable[[], bool]) -> bool:
        if self.inline:
            return work()
        return await trio.to_thread.run_sync(work, abandon_on_cancel=False, limiter=self.limiter)

    def _matches(self, hashed: str | None, password: str) -> bool:
        if not self._dummy:
            self._dummy = self.hasher.hash("nobody has this password")
        try:
            self.hasher.verify(hashed or self._dummy, _normal(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return hashed is not None


def _normal(password: str) -> str:
    """Keyboards differ in how they write an accented letter; the bytes must not."""
    return unicodedata.normalize("NFKC", password)
