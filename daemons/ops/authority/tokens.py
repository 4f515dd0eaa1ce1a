"""Tokens of people and API clients: JWTs signed by the hub (EdDSA), each with a row here, so that it can be taken back.

A token is good when its signature, issuer, audience and times are, and its row still stands and says the same: of an
issued token its own, of a person's their session's and their own. So a token that a restored backup does not know is not
good either, and a key that was stolen signs nothing that the table does not say. No header but `alg`, `typ` and `kid` is
believed, and `kid` only as a name in our own key set.
"""

from collections.abc import Callable
from typing import Any

import apsw
import jwt
from attrs import frozen

from daemons.ops.authority.identity import Identity, Role, Unauthorised
from daemons.ops.authority.keys import NoKeys, hub_id, note_signed, signing_key, verifying_keys
from daemons.store.migrations import Migration

__all__ = [
    "MIGRATIONS",
    "NameTaken",
    "Proof",
    "TokenRow",
    "issue_token",
    "list_tokens",
    "revoke_all_tokens",
    "revoke_token",
    "sign",
    "verify",
]

MIGRATIONS = (
    Migration(
        "tokens",
        1,
        """
        CREATE TABLE api_token (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            sites TEXT NOT NULL,        -- names, or "*", each ended by a space
            kid TEXT NOT NULL,
            issued_at REAL NOT NULL,    -- instants: UTC seconds
            issued_by TEXT NOT NULL,
            expires_at REAL NOT NULL,
            revoked_at REAL
        ) STRICT;
        CREATE INDEX api_token_name ON api_token (name);
        """,
    ),
)

TYPE = "pitlink+jwt"
ALGORITHM = "EdDSA"
CHARS_MAX = 4096
"""A longer token is not looked at: fifty sites' names fit."""

EARLY_S = 60.0
"""The hub's clock may have been put back this far since a token was made."""

KEPT_S = 30 * 86400.0
"""How long the list shows a token that is over."""

_CLAIMS = ["iss", "aud", "sub", "role", "sites", "iat", "exp", "jti"]
_WORDS = {
    "malformed": "this is no token of this hub",
    "algorithm": "this token is not signed with EdDSA",
    "key": "this token's key is not one of this hub's, or is over",
    "signature": "this token's signature is wrong",
    "issuer": "this token is another hub's",
    "audience": "this token is not meant for this API",
    "early": "this token is from the future: check the clocks",
    "expired": "this token has expired",
    "revoked": "this token was taken back",
    "ended": "this session is over: sign in again",
    "unknown": "this hub does not know this token",
    "differs": "this token says something else than this hub's table; refresh it, or sign in again",
}


def _refused(code: str) -> Unauthorised:
    return Unauthorised(_WORDS[code], code)


class NameTaken(Exception):
    """A live token, or a user, has this name already."""


@frozen
class Proof:
    """Who a token proved, and until when (UTC seconds)."""

    identity: Identity
    expires_at: float


@frozen
class TokenRow:
    """What may be shown of an issued token. Instants in UTC seconds."""

    id: str
    name: str
    role: Role
    sites: tuple[str, ...]
    issued_at: float
    issued_by: str
    expires_at: float
    revoked_at: float | None

    def state(self, now: float) -> str:
        """Return "good", "expired" or "revoked"."""
        return "revoked" if self.revoked_at is not None else "expired" if now >= self.expires_at else "good"


# --- making --------------------------------------------------------------------------------------------------------


def sign(
    conn: apsw.Connection,
    identity: Identity,
    *,
    id: str,  # noqa: A002
    now: float,
    expires_at: float,
) -> str:
    """Return a token for this identity, signed by the key of the hub. For a user, `token_id` names the session.

    Writes: the key is to verify until then. Raises NoKeys.
    """
    hub, key = hub_id(conn), signing_key(conn)
    if hub is None:
        raise NoKeys
    note_signed(conn, key.kid, expires_at)
    claims: dict[str, Any] = {
        "iss": hub,
        "aud": audience(hub),
        "sub": identity.name,
        "role": identity.role.value,
        "sites": list(identity.sites),
        "iat": int(now),
        "exp": int(expires_at),
        "jti": id,
    }
    if identity.kind == "user":
        claims["sid"] = identity.token_id
    return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid, "typ": TYPE})


def audience(hub: str) -> str:
    """Return what a token for a hub's API names as its audience; a site's proof names the hub itself."""
    return f"{hub}/api"


def issue_token(
    conn: apsw.Connection,
    *,
    name: str,
    role: Role,
    sites: tuple[str, ...],
    now: float,
    expires_at: float,
    by: str,
    urandom: Callable[[int], bytes],
) -> tuple[TokenRow, str]:
    """Make a token for an API client; return its row, and the token itself, which is kept nowhere.

    Raises NameTaken when a good token has the name, NoKeys.
    """
    if any(row.name == name and row.state(now) == "good" for row in list_tokens(conn)):
        raise NameTaken
    conn.execute(
        "DELETE FROM api_token WHERE coalesce(revoked_at, expires_at) < :then AND expires_at < :then",
        {"then": now - KEPT_S},
    )
    id_ = urandom(9).hex()
    identity = Identity("token", name, role, sites, id_)
    token = sign(conn, identity, id=id_, now=now, expires_at=expires_at)
    row = TokenRow(id_, name, role, identity.sites, now, by, float(int(expires_at)), None)
    conn.execute(
        "INSERT INTO api_token VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            id_,
            name,
            role.value,
            " ".join(row.sites),
            str(jwt.get_unverified_header(token)["kid"]),
            now,
            by,
            row.expires_at,
        ),
    )
    return row, token


def list_tokens(conn: apsw.Connection) -> list[TokenRow]:
    """Return the issued tokens' rows, the newest first."""
    rows = conn.execute(
        "SELECT id, name, role, sites, issued_at, issued_by, expires_at, revoked_at FROM api_token"
        " ORDER BY issued_at DESC, id"
    )
    return [
        TokenRow(id_, name, Role(role), tuple(sites.split()), *rest) for id_, name, role, sites, *rest in rows
    ]


def revoke_token(conn: apsw.Connection, name_or_id: str, now: float) -> list[TokenRow]:
    """Take back the good tokens of this name or id; return them as they were."""
    found = [
        row for row in list_tokens(conn) if name_or_id in (row.name, row.id) and row.state(now) == "good"
    ]
    for row in found:
        conn.execute("UPDATE api_token SET revoked_at = ? WHERE id = ?", (now, row.id))
    return found


def revoke_all_tokens(conn: apsw.Connection, now: float) -> list[TokenRow]:
    """Take back every good token; return them as they were."""
    found = [row for row in list_tokens(conn) if row.state(now) == "good"]
    for row in found:
        conn.execute("UPDATE api_token SET revoked_at = ? WHERE id = ?", (now, row.id))
    return found


# --- checking ------------------------------------------------------------------------------------------------------


def verify(conn: apsw.Connection, token: str, now: float) -> Proof:
    """Return who this token proves. About 0.2 ms. Raises Unauthorised, saying why in words without the token."""
    claims = _signed_claims(conn, token, now)
    if claims["iat"] > now + EARLY_S:
        raise _refused("early")
    if now >= claims["exp"]:
        raise _refused("expired")
    identity = _known_token(conn, claims) if "sid" not in claims else _known_person(conn, claims, now)
    return Proof(identity, float(claims["exp"]))


def _signed_claims(conn: apsw.Connection, token: str, now: float) -> dict[str, Any]:
    """Return the claims of a token that this hub has signed for its API; their times are not looked at."""
    kid = _kid(token)
    hub = hub_id(conn)
    key = verifying_keys(conn, now).get(kid)
    if key is None or hub is None:
        raise _refused("key")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=hub,
            audience=audience(hub),
            options={
                "require": _CLAIMS,
                "strict_aud": True,
                # By PyJWT's own clock, which a simulation cannot set: done by the caller.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidSignatureError:
        raise _refused("signature") from None
    except jwt.InvalidIssuerError:
        raise _refused("issuer") from None
    except jwt.InvalidAudienceError:
        raise _refused("audience") from None
    except (jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
        raise _refused("algorithm") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _refused("malformed") from None
    return _checked(claims)


def _kid(token: str) -> str:
    """Return the name of the key that a token says it is signed with. Nothing of it is believed yet."""
    if len(token) > CHARS_MAX or not token.isascii() or token.count(".") != 2:
        raise _refused("malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise _refused("malformed") from None
    if header.get("alg") != ALGORITHM:
        raise _refused("algorithm")
    kid = header.get("kid")
    if header.get("typ") != TYPE or not isinstance(kid, str) or "crit" in header:
        raise _refused("malformed")
    return kid


def _checked(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims when they have the form that `sign` gives them."""
    roles = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
    names = [claims["sub"], claims["jti"], claims.get("sid", "")]
    sites, times = claims["sites"], [claims["iat"], claims["exp"]]
    if (
        not all(isinstance(name, str) for name in names)
        or claims["role"] not in roles
        or not isinstance(sites, list)
        or not all(isinstance(site, str) for site in sites)
        or not all(type(at) is int for at in times)
    ):
        raise _refused("malformed")
    return claims


def _known_token(conn: apsw.Connection, claims: dict[str, Any]) -> Identity:
    """Return who an issued token's row says it is. Raises Unauthorised: no row, revoked, or the claims say otherwise."""
    row = conn.execute(
        "SELECT name, role, sites, expires_at, revoked_at FROM api_token WHERE id = ?", (claims["jti"],)
    ).fetchone()
    if row is None:
        raise _refused("unknown")
    name, role, sites, expires_at, revoked_at = row
    if revoked_at is not None:
        raise _refused("revoked")
    identity = Identity("token", name, Role(role), tuple(sites.split()), claims["jti"])
    if claims["exp"] != expires_at:
        raise _refused("differs")
    return _same(identity, claims)


def _known_person(conn: apsw.Connection, claims: dict[str, Any], now: float) -> Identity:
    """Return who a session's user is by now. Raises Unauthorised: no session, over, disabled, or the claims say otherwise."""
    row = conn.execute(
        "SELECT s.user, s.ended_at, s.ends_at, u.role, u.sites, u.disabled_at"
        " FROM session s LEFT JOIN user u ON u.name = s.user WHERE s.id = ?",
        (claims["sid"],),
    ).fetchone()
    if row is None:
        raise _refused("unknown")
    user, ended_at, ends_at, role, sites, disabled_at = row
    if ended_at is not None or now >= ends_at or role is None or disabled_at is not None:
        raise _refused("ended")
    identity = Identity("user", user, Role(role), tuple(sites.split()), claims["sid"])
    return _same(identity, claims)


def _same(identity: Identity, claims: dict[str, Any]) -> Identity:
    """Return the identity when a token claims nothing else."""
    if (claims["sub"], claims["role"], tuple(claims["sites"])) != (
        identity.name,
        identity.role.value,
        identity.sites,
    ):
        raise _refused("differs")
    return identity
