"""Signing in: name and password against the table of users, held back against guessing, noted in the audit.

Attempts are counted by name and client together, by client, and by name; each is a token bucket that refills slowly.
So guessing one name from many places is slow as well; a client from which the name's owner has signed in before is not
held up by that. A name that nobody has costs as much time as a wrong password.
"""

import functools

import apsw
import structlog
import trio
from attrs import define, field, frozen

from daemons.ops.authority import audit
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Identity, Unauthorised
from daemons.ops.authority.sessions import Signed, end_session, refresh_session, session_of, start_session
from daemons.ops.authority.users import Passwords, User, find_user
from daemons.ops.environment import Environment
from protocol.tokenbucket import Buckets

__all__ = ["SignIn", "TooManyAttempts"]

_log = structlog.stdlib.get_logger("pitlink.ops")


@frozen
class _Rate:
    """At most `burst` at once, then one in `every_s`."""

    burst: float
    every_s: float


NAME_CHARS_MAX = 65
"""Nobody's name is so long."""

KNOWN_MAX = 1024

_BY_BOTH = _Rate(5, 30.0)
_BY_CLIENT = _Rate(20, 5.0)
_BY_NAME = _Rate(50, 10.0)


class TooManyAttempts(Exception):
    """Ask again in `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("too many attempts to sign in: wait a little")
        self.retry_after_s = retry_after_s


@define(eq=False)
class SignIn:
    """Begins, renews and ends sessions. `client`: what counts as one client, an address or a network."""

    file: AuthorityFile
    environment: Environment
    passwords: Passwords
    _known: dict[str, None] = field(
        factory=dict, init=False
    )  # clients and names that went together, oldest first
    _attempts: Buckets = field(factory=functools.partial(Buckets, 8192), init=False)

    async def start(self, name: str, password: str, client: str) -> Signed:
        """Return the tokens of a new session.

        Raises Unauthorised, TooManyAttempts, PasswordQueueFull, NoKeys, StorageError. Cancelling leaves no session.
        """
        both = f"{client} {name}"
        asked = [(f"both {both}", _BY_BOTH), (f"client {client}", _BY_CLIENT)]
        self._attempt(*asked, *([] if both in self._known else [(f"name {name}", _BY_NAME)]))
        user = self.file.read(lambda conn: find_user(conn, name))
        known = user is not None and user.disabled_at is None
        is_right = await self.passwords.matches(user.password if user and known else None, password)
        if user is None or not is_right:
            # Who has no account may have typed the password into the wrong field.
            _log.warning("signin.refused", user=name if user is not None else "", client=client)
            raise Unauthorised("name or password is wrong", "password")
        signed = await self.file.write(functools.partial(self._start, user=user))
        self._known[both] = None
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return signed

    def _start(self, conn: apsw.Connection, user: User) -> Signed:
        if find_user(conn, user.name) != user:  # changed or disabled while the password was looked at
            raise Unauthorised("name or password is wrong", "password")
        now = self.environment.utc_now()
        identity = Identity("user", user.name, user.role, user.sites)
        signed = start_session(conn, identity, now, self.environment.urandom)
        self._note(conn, signed.identity.who, "session.start", signed.identity.token_id)
        return signed

    async def refresh(self, token: str, client: str) -> Signed:
        """Return new tokens for a refresh token. Raises as `start`."""
        self._attempt((f"client {client}", _BY_CLIENT))
        result = await self.file.write(functools.partial(self._refresh, token=token))
        if isinstance(result, Unauthorised):
            _log.warning("refresh.refused", code=result.code, client=client)
            raise result
        return result

    def _refresh(self, conn: apsw.Connection, token: str) -> Signed | Unauthorised:
        result = refresh_session(conn, token, self.environment.utc_now(), self.environment.urandom)
        if isinstance(result, Unauthorised) and result.code == "replayed":
            self._note(conn, "hub", "session.end", session_of(token) or "", after={"why": "replayed"})
        return result

    async def end(self, identity: Identity) -> bool:
        """End the session of somebody who is signed in; False when it is none."""
        if identity.kind != "user":
            return False

        def work(conn: apsw.Connection) -> None:
            if end_session(conn, identity.token_id, self.environment.utc_now(), "logout"):
                self._note(conn, identity.who, "session.end", identity.token_id, after={"why": "logout"})

        await self.file.write(work)
        return True

    def _attempt(self, *asked: tuple[str, _Rate]) -> None:
        now = trio.current_time()
        for key, rate in asked:
            wait_s = self._attempts.take(key, now, 1 / rate.every_s, rate.burst)
            if wait_s:
                _log.warning("signin.held_back", by=key.partition(" ")[0], wait_s=round(wait_s, 1))
                raise TooManyAttempts(wait_s)

    def _note(
        self, conn: apsw.Connection, who: str, action: str, target: str, after: dict[str, str] | None = None
    ) -> None:
        audit.append(conn, audit.AuditEntry(self.environment.utc_now(), who, action, target, None, after))
