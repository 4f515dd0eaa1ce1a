"""The token that lets programs of the driver in: made once, in a file that only the driver can read."""

import hmac
import secrets
from pathlib import Path

from daemons.ops.authority.identity import Identity, Role, Unauthorised
from daemons.store.owner import write_private

__all__ = ["FILE", "identify_local", "open_token"]

FILE = "local-token"
"""In the state folder."""
CHARS_MIN = 16


def open_token(state_dir: Path) -> str:
    """Return the token, made now when there is none, or none that can be one: a file that was torn lets nobody in for ever
    otherwise. Raises OSError."""
    file = state_dir / FILE
    try:
        token = file.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        token = ""
    if len(token) < CHARS_MIN:
        token = secrets.token_urlsafe(24)
        write_private(file, f"{token}\n".encode())
    return token


def identify_local(token: str, given: str, site: str) -> Identity:
    """Return who has given this token: the driver's own program, which looks. Raises Unauthorised."""
    if not token or not hmac.compare_digest(token.encode(), given.encode("utf-8", "replace")):
        raise Unauthorised(
            f"this is not the relay's token: it stands in its state folder, in {FILE}", "unknown"
        )
    return Identity("bearer", "local", Role.VIEWER, (site,))
