"""The one place where an Authorization header becomes somebody: the hub's own tokens first, then the old bearer tokens.

Every question looks into the authority file (a few rows, on the event loop), so what was revoked a moment ago, by
whatever process, is refused now. Who keeps a connection open asks through `held`, which ends it within 0.2 s.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import structlog
import trio
from attrs import define, field

from daemons.ops import tokens as bearer_tokens
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Identity, Refusal, Role, Unauthorised
from daemons.ops.authority.keys import list_keys
from daemons.ops.authority.tokens import Proof, verify
from daemons.ops.errors import ConfigError
from daemons.ops.health import Health, Severity
from daemons.ops.metrics import Reading
from daemons.ops.tokens import BEARER_PREFIX, TokenTable
from daemons.store.errors import StorageError, StorageFault

__all__ = ["Authoriser", "has_keys", "identity_readings", "warn_of_bearers"]

_log = structlog.stdlib.get_logger("pitlink.ops")

_ROLES = {
    bearer_tokens.Role.CALLER: Role.VIEWER,
    bearer_tokens.Role.OPERATOR: Role.OPERATOR,
    bearer_tokens.Role.SITE: Role.SITE,
}

LOOK_S = 60.0
"""A held proof is looked at this often even if nothing has changed: clocks step."""


@define(eq=False)
class Authoriser:
    """Says who sends a request. `changed` must be called when the authority file has changed."""

    file: AuthorityFile
    bearers: TokenTable
    utc_now: Callable[[], float]
    refusals: dict[str, int] = field(factory=dict, init=False)  # by code; the codes are few
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def identify(self, authorization: str | None) -> Identity:
        """Return who an Authorization header proves. Raises Unauthorised; StorageError when nobody can be looked up."""
        return self._counted(authorization, None, None).identity

    def require(self, authorization: str | None, role: Role, site: str | None = None) -> Identity:
        """Return who sends this, if they may do at `site` what `role` may.

        Raises Unauthorised, Forbidden; StorageError when nobody can be looked up.
        """
        return self._counted(authorization, role, site).identity

    @asynccontextmanager
    async def held(
        self, authorization: str | None, role: Role | None, site: str | None = None
    ) -> AsyncIterator[Identity]:
        """Do as `require`, and cancel the block when the proof is revoked or expires. Leaving it then raises nothing.

        Without a role: whoever it is.
        """
        proof = self._counted(authorization, role, site)
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, authorization, role, site, proof, nursery.cancel_scope)
            try:
                yield proof.identity
            except Exception as exc:
                failure = exc  # raised below as it is: the nursery is nobody's business
            nursery.cancel_scope.cancel(reason="the block is over")
        if failure is not None:
            raise failure

    def changed(self) -> None:
        """Have every held proof looked at again."""
        self._changed.set()
        self._changed = trio.Event()

    async def _watch(
        self,
        authorization: str | None,
        role: Role | None,
        site: str | None,
        proof: Proof,
        scope: trio.CancelScope,
    ) -> None:
        while True:
            with trio.move_on_after(max(0.0, min(proof.expires_at - self.utc_now(), LOOK_S))):
                await self._changed.wait()
            try:
                proof = self._prove(authorization, role, site)
            except (Refusal, StorageError) as exc:  # who cannot be looked up is not held either
                code = exc.code if isinstance(exc, Refusal) else exc.fault.value
                _log.info("identity.ended", who=proof.identity.who, code=code)
                scope.cancel(reason=f"the proof is over: {code}")
                return

    def _counted(self, authorization: str | None, role: Role | None, site: str | None) -> Proof:
        try:
            return self._prove(authorization, role, site)
        except Refusal as refusal:
            self.refusals[refusal.code] = self.refusals.get(refusal.code, 0) + 1
            raise

    def _prove(self, authorization: str | None, role: Role | None, site: str | None) -> Proof:
        if authorization is None:
            raise Unauthorised("send a token: Authorization: Bearer …", "missing")
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorised("send a token: Authorization: Bearer …", "malformed")
        if token.startswith(BEARER_PREFIX):
            proof = self._old(authorization)
        else:
            now = self.utc_now()
            proof = self.file.read(lambda conn: verify(conn, token, now))
        if role is not None:
            proof.identity.require(role, site)
        return proof

    def _old(self, authorization: str) -> Proof:
        try:
            known = self.bearers.verify(authorization)
        except ConfigError as exc:
            # Damaged: nobody is let in by it, and nobody is told that their token is wrong.
            raise StorageError(StorageFault.CORRUPT, self.bearers.path, "cannot be read") from exc
        if known is None:
            raise Unauthorised("this hub does not know this token", "unknown")
        return Proof(Identity("bearer", known.name, _ROLES[known.role], (known.site,)), float("inf"))


def identity_readings(authoriser: Authoriser) -> Iterator[Reading]:
    """Yield how many have not been let in, by the refusal's code."""
    for code, count in authoriser.refusals.items():
        why = (("code", code),)
        yield Reading(
            "identity_refusals", "Requests whose sender was not let in.", count, why, is_counter=True
        )


def has_keys(file: AuthorityFile) -> bool:
    """Has the hub a key that signs?"""
    return file.read(lambda conn: any(key.retired_at is None for key in list_keys(conn)))


def warn_of_bearers(bearers: TokenTable, health: Health) -> None:
    """Say in the log and in the health registry that old bearer tokens are still let in; clear it when there are none."""
    known = bearers.load()
    if not known:
        health.clear("bearer-tokens")
        return
    names = ", ".join(token.name for token in known[:5]) + (", …" if len(known) > 5 else "")
    health.set(
        "bearer-tokens",
        Severity.NOTICE,
        f"{len(known)} old bearer tokens are let in ({names}); the next release will not know them: "
        "enrol sites (pitlink site add), issue tokens (pitlink token issue), then pitlink token revoke",
    )
