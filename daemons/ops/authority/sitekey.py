"""A site's own key: made at the site, in a file that only its owner can read; the private half never leaves it.

The file is a PEM of PKCS 8 behind two lines that name the site and the hub the key enrolled at. A proof is only ever
signed for that hub: another one that passes on its challenge gets nothing.
"""

import os
import re
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daemons.ops.authority.sites import normal_code
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.store.owner import owner_words, write_private

__all__ = [
    "KEY_FILE",
    "PENDING_FILE",
    "SiteKey",
    "check_possession",
    "load_site_key",
    "prove_possession",
    "save_site_key",
]

KEY_FILE = "site.key"
PENDING_FILE = "site.key.new"
"""The key whose enrolment was begun: the hub may have taken it although its answer did not get here."""

_HEAD = re.compile(r"^(site|hub): (\S+)$", re.MULTILINE)
_PEM_BEGIN = "-----BEGIN PRIVATE KEY-----"


@frozen(repr=False)
class SiteKey:
    """A key, the site it is of and the hub it enrolled at (both "" while it has not)."""

    private: Ed25519PrivateKey
    site: str = ""
    hub: str = ""

    def __repr__(self) -> str:
        return f"<SiteKey of {self.site!r} at {self.hub!r}>"

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self.private.public_key().public_bytes_raw()


def save_site_key(path: Path, key: SiteKey) -> None:
    """Write a key durably, mode 0600, over what was there; root's is the folder's owner's. Raises RefusedToStart."""
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    head = (
        f"This is the secret of a site: it must not leave this machine.\nsite: {key.site}\nhub: {key.hub}\n"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, head.encode() + pem)
    except OSError as exc:
        raise RefusedToStart(f"{path} cannot be written: {exc.strerror}") from exc


def load_site_key(path: Path) -> SiteKey | None:
    """Read a key; None when there is none. Raises ConfigError: damaged, readable by others, or not by this user."""
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError([Problem(str(path), "is a secret that others can read", f"chmod 600 {path}")])
        text = path.read_text(encoding="ascii")
        head, begin, rest = text.partition(_PEM_BEGIN)
        private = serialization.load_pem_private_key((begin + rest).encode(), password=None)
    except FileNotFoundError:
        return None
    except PermissionError:
        problem = Problem(
            str(path), "the site's key belongs to another user than the one who reads it", owner_words(path)
        )
        raise ConfigError([problem]) from None
    except (OSError, ValueError, TypeError) as exc:
        why = (
            exc.strerror if isinstance(exc, OSError) else "it is damaged"
        )  # never the parser's words: it saw the key
        raise ConfigError(
            [Problem(str(path), f"the site's key cannot be read: {why}", "pitlink enroll makes another")]
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError([Problem(str(path), "is no Ed25519 key", "pitlink enroll makes one")])
    known = dict(_HEAD.findall(head))
    return SiteKey(private, known.get("site", ""), known.get("hub", ""))


def _possession(code: str) -> bytes:
    return b"pitlink enrolment " + normal_code(code).encode()


def prove_possession(key: SiteKey, code: str) -> str:
    """Sign what shows, in an enrolment, that the private half is here."""
    return urlsafe_b64encode(key.private.sign(_possession(code))).decode("ascii")


def check_possession(public: bytes, code: str, proof: str) -> bool:
    """Was the proof made with the private half of this key (32 bytes), for this code?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(urlsafe_b64decode(proof), _possession(code))
    except (InvalidSignature, ValueError):
        return False
    return True
