"""The bearer tokens of the first release, known for one release more.

They are hashed at rest: one row a token in a file that only its owner can read. A token is 256 random bits, so a plain
SHA-256 is all its hash needs. The file is read again when it has changed.
"""

import hashlib
import hmac
import json
import secrets
import stat
import tomllib
from enum import StrEnum
from pathlib import Path

from attrs import define, field, frozen

from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.store.owner import owner_words, write_private

__all__ = ["BEARER_PREFIX", "TOKENS_FILE", "Role", "Token", "TokenTable", "hash_token", "make_token"]

BEARER_PREFIX = "pl_"
TOKENS_FILE = "tokens.toml"
"""The table's name in a hub's state folder."""


class Role(StrEnum):
    """What a token's holder may do: be a site, read a site's origin, or command it as well."""

    SITE = "site"
    CALLER = "caller"
    OPERATOR = "operator"


@frozen
class Token:
    """A row of the table. `site`: the one it is for; "*" (callers and operators only) for all."""

    name: str
    role: Role
    site: str
    sha256: str


def make_token() -> str:
    """Return a new token, to be shown once and kept nowhere."""
    return BEARER_PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@define(eq=False)
class TokenTable:
    """The tokens of a hub, in a TOML file of mode 0600. Changes keep its owner and mode."""

    path: Path
    _tokens: dict[str, Token] = field(factory=dict, init=False)
    _read_state: tuple[int, int] | None = field(default=None, init=False)
    changes: int = field(default=0, init=False)
    """How often the file was found changed; by whom it was asked does not matter."""

    def load(self) -> list[Token]:
        """Read the file if it has changed; a missing one is empty. Raises ConfigError, saying where and what."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self.changes += self._read_state is not None
            self._tokens, self._read_state = {}, None
            return []
        except OSError as exc:
            raise self._unreadable(exc) from exc
        state = (status.st_mtime_ns, status.st_size)
        if state != self._read_state:
            self._tokens = {token.sha256: token for token in self._parse()}
            self._read_state = state
            self.changes += 1
        return list(self._tokens.values())

    def _parse(self) -> list[Token]:
        try:
            with self.path.open("rb") as file:
                rows = tomllib.load(file).get("token", [])
            return [Token(row["name"], Role(row["role"]), row["site"], row["sha256"]) for row in rows]
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as exc:
            raise self._unreadable(exc) from exc

    def _unreadable(self, exc: Exception) -> ConfigError:
        """Return the error; what the file holds is in its words only as far as it is no secret: names and hashes."""
        where, hint = str(self.path), "mend it, or put it back from a backup (pitlink backup)"
        if isinstance(exc, PermissionError):
            return ConfigError([Problem(where, "it belongs to another user", owner_words(self.path))])
        words = exc.strerror if isinstance(exc, OSError) else exc
        return ConfigError([Problem(where, f"the token table cannot be read: {words}", hint)])

    def add(self, name: str, role: Role, site: str) -> str:
        """Make a token, keep its hash, return it. Raises ConfigError when the name is taken."""
        tokens = self.load()
        if any(token.name == name for token in tokens):
            raise ConfigError([Problem("name", f"there is a token {name!r} already", "choose another name")])
        if role is Role.SITE and site == "*":
            raise ConfigError([Problem("site", "a site's token is for one site", "name it with --site")])
        made = make_token()
        self._write([*tokens, Token(name, role, site, hash_token(made))])
        return made

    def remove(self, name: str) -> bool:
        """Remove a token; False when there is none of this name."""
        tokens = self.load()
        left = [token for token in tokens if token.name != name]
        if len(left) != len(tokens):
            self._write(left)
        return len(left) != len(tokens)

    def remove_site(self, site: str) -> list[Token]:
        """Remove the tokens that prove a site; return them."""
        tokens = self.load()
        gone = [token for token in tokens if token.role is Role.SITE and token.site == site]
        if gone:
            self._write([token for token in tokens if token not in gone])
        return gone

    def _write(self, tokens: list[Token]) -> None:
        lines = ["# Tokens of this hub, by the SHA-256 of each. Made by: pitlink token make"]
        for token in tokens:
            fields = {
                "name": token.name,
                "role": token.role.value,
                "site": token.site,
                "sha256": token.sha256,
            }
            lines += ["", "[[token]]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            mode = stat.S_IMODE(self.path.stat().st_mode) if self.path.exists() else 0o600
            write_private(self.path, ("\n".join(lines) + "\n").encode(), mode=mode)
        except OSError as exc:
            raise RefusedToStart(f"{self.path} cannot be written: {exc.strerror}") from exc

    def verify(self, authorization: str | None) -> Token | None:
        """Return the token that an Authorization header carries, or None. Takes as long for a wrong one."""
        if authorization is None:
            return None
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        sha256 = hash_token(given.strip())
        self.load()
        for token in self._tokens.values():
            if hmac.compare_digest(token.sha256, sha256):
                return token
        return None
