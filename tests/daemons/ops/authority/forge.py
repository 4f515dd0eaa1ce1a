"""What an attacker can make of a token, and a hub's authority file to try it on."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.identity import Role
from daemons.ops.authority.keys import hub_id, init_keys, signing_key
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.tokens import TYPE, issue_token, list_tokens

__all__ = [
    "NOW",
    "TYPE",
    "counting",
    "forged",
    "hub_file",
    "issued",
    "name_of",
    "part",
    "parts",
    "public_of",
    "signed_again",
]

NOW = 1_800_000_000.0


def counting(start: int = 0) -> Callable[[int], bytes]:
    """Return a urandom that never repeats and is the same in each run."""
    state = [start]

    def urandom(n: int) -> bytes:
        state[0] += 1
        return state[0].to_bytes(4, "big").rjust(n, b"\xa5")[-n:]

    return urandom


@contextmanager
def hub_file(
    folder: Path, *, keys: bool = True, start: int = 0, inline: bool = True
) -> Iterator[AuthorityFile]:
    """A hub's authority file, with a first key."""
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS, inline=inline) as file:
        if keys:
            file.write_now(lambda conn: init_keys(conn, NOW, counting(start)))
        yield file


def issued(
    file: AuthorityFile,
    name: str = "grafana",
    role: Role = Role.VIEWER,
    sites: tuple[str, ...] = ("*",),
    *,
    now: float = NOW,
    days: float = 30,
    urandom: Callable[[int], bytes] | None = None,
) -> str:
    """Issue a token; return it."""
    return file.write_now(
        lambda conn: issue_token(
            conn,
            name=name,
            role=role,
            sites=sites,
            now=now,
            expires_at=now + days * 86400,
            by="unix test",
            urandom=urandom or counting(1000 + len(list_tokens(conn))),
        )
    )[1]


def part(value: object) -> str:
    """Return a part of a JWT."""
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return a JWT's header, claims and signature."""
    head, claims, signature = token.split(".")
    padded = [json.loads(base64.urlsafe_b64decode(text + "==")) for text in (head, claims)]
    return padded[0], padded[1], signature


def signed_again(conn: apsw.Connection, token: str, head: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return the token with other headers and claims, signed by the hub's own key: what a bug at the hub could make."""
    old_head, old_claims, _ = parts(token)
    key = signing_key(conn).private
    merged = {name: value for name, value in {**old_claims, **claims}.items() if value is not None}
    headers = {name: value for name, value in {**old_head, **head}.items() if name != "alg"}
    return jwt.encode(merged, key, algorithm="EdDSA", headers=headers)


def forged(token: str, head: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey) -> str:
    """Return the token with other headers and claims, signed by the attacker's key."""
    old_head, old_claims, _ = parts(token)
    text = f"{part({**old_head, **head})}.{part({**old_claims, **claims})}"
    return f"{text}.{base64.urlsafe_b64encode(key.sign(text.encode())).decode().rstrip('=')}"


def public_of(file: AuthorityFile) -> bytes:
    """Return the public key that verifies."""
    return file.read(lambda conn: signing_key(conn)).private.public_key().public_bytes_raw()


def name_of(file: AuthorityFile) -> str:
    """Return the hub's name."""
    return file.read(hub_id) or ""
