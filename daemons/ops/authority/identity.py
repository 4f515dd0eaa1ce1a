"""Who somebody is and what they may do: the one answer of every way to prove oneself (token, key, certificate, socket)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from attrs import field, frozen

__all__ = ["ALL_SITES", "Forbidden", "Identity", "Kind", "Refusal", "Role", "Unauthorised"]

ALL_SITES = "*"

Kind = Literal["user", "token", "site", "bearer", "unix", "cert", "link"]


class Role(StrEnum):
    """What one may do. Viewer < operator < admin; a site is apart: it may be itself on the link, and nothing else."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SITE = "site"

    def covers(self, asked: "Role") -> bool:
        """May a holder of this role do what `asked` may?"""
        if Role.SITE in (self, asked):
            return self is asked
        return _RANK[self] >= _RANK[asked]


_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


def _sorted(sites: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(sites)))


@frozen
class Identity:
    """Somebody who has proven who they are. `sites`: those they are let near, ("*",) for all.

    `kind` says how it was proven, `token_id` names the token (or the sign-in) that did: it is safe to show, and
    revoking it ends what it is used for. `only_looks`: they have asked that nothing be changed in their name.
    """

    kind: Kind
    name: str
    role: Role
    sites: tuple[str, ...] = field(converter=_sorted)
    token_id: str = ""
    only_looks: bool = False

    def may(self, role: Role, site: str | None = None) -> bool:
        """May they do at `site` what `role` may? No site: at the hub itself, which needs all sites."""
        return self.role.covers(role) and (
            ALL_SITES in self.sites or (site is not None and site in self.sites)
        )

    def require(self, role: Role, site: str | None = None) -> None:
        """Raise Forbidden when they may not."""
        if not self.role.covers(role):
            raise Forbidden(f"this takes the role {role}, and {self.name} is {self.role}", "role")
        if not self.may(role, site):
            where = "the hub itself" if site is None else f"the site {site!r}"
            raise Forbidden(f"{self.name} is not let near {where}", "site")

    @property
    def who(self) -> str:
        """Return what the audit and the logs call them: the kind and the name, never a secret."""
        return f"{self.kind} {self.name}"


class Refusal(Exception):
    """Somebody is not let in. `words` and `code` are safe to show and to log: they never hold what was sent."""

    status = 400

    def __init__(self, words: str, code: str) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class Unauthorised(Refusal):
    """Nobody has been proven (401).

    `code`: missing, malformed, algorithm, key, signature, issuer, audience, expired, early, revoked, replayed, unknown,
    differs, ended, password.
    """

    status = 401


class Forbidden(Refusal):
    """Somebody is known, and may not (403). `code`: role, site, version, disabled, origin."""

    status = 403
