"""Which daemon a command talks to, and what every such command shares: finding it, asking it, saying what went wrong."""

import os
import ssl
import unicodedata
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import urlsplit

from cyclopts import Parameter

from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.secretfile import read_secret

if TYPE_CHECKING:  # what asks is imported when something is asked: the screen comes first
    from daemons.ops.client import AdminClient

__all__ = ["At", "CaFile", "TokenFile", "ask_daemon", "client_at", "folder_at", "printable", "running"]

T = TypeVar("T")

At = Annotated[
    str | None,
    Parameter(
        name=["--at", "--state-dir", "-a"],
        help="The daemon: its state folder, its admin socket, or a hub's https://host; without it the one "
        "that runs here.",
    ),
]
TokenFile = Annotated[
    Path | None, Parameter(help="For a hub's https://host: a file with an operator's token.")
]
CaFile = Annotated[Path | None, Parameter(help="Certificates (PEM) to trust for it, of a private CA.")]

_USUAL = ("pits-state", "cloud-state", "boiler-state", "nas-state", "relay-state", "backend-state")
_SYSTEM = Path("/var/lib")


def running() -> list[Path]:
    """Return the admin sockets in the usual places."""
    from daemons.ops.client import ADMIN_SOCKET

    folders = [Path(name) for name in _USUAL]
    try:
        folders += sorted(_SYSTEM.glob("pitlink*"))
    except OSError:
        pass
    return [folder / ADMIN_SOCKET for folder in folders if _is_socket(folder / ADMIN_SOCKET)]


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # a folder of somebody else's
        return False


def folder_at(at: str | None) -> Path | None:
    """Return the state folder that `at` names; None for a hub somewhere else. Raises RefusedToStart."""
    from daemons.ops.client import ADMIN_SOCKET

    if at is None:
        found = running()
        if len(found) == 1:
            return found[0].parent
        if not found:
            known = [Path(name) for name in _USUAL if Path(name).is_dir()]
            if len(known) == 1:
                return known[0]
            raise RefusedToStart(
                "no daemon runs in the usual places; name its state folder: --at FOLDER (and be its user, or root)"
            )
        which = ", ".join(str(path.parent) for path in found)
        raise RefusedToStart(f"several daemons run here: choose one with --at ({which})")
    if at.startswith(("https://", "http://")):
        return None
    path = Path(at)
    return path.parent if path.name == ADMIN_SOCKET else path


def client_at(at: str | None, token_file: Path | None, ca_file: Path | None) -> "AdminClient":
    """Return the client of the daemon that was named. Raises RefusedToStart and ConfigError."""
    from daemons.ops.client import ADMIN_SOCKET, AdminClient

    folder = folder_at(at)
    if folder is not None:
        return AdminClient(folder / ADMIN_SOCKET)
    assert at is not None
    if token_file is None:
        hint = "--token-file FILE; on the hub's machine: pitlink token issue NAME --role operator --site '*'"
        raise ConfigError([Problem("--token-file", "a hub's port lets nobody in without a token", hint)])
    if at.startswith("http://") and not _is_here(at):
        raise ConfigError([Problem("--at", "a token is not sent without TLS", "use https://")])
    try:
        token = read_secret(token_file, os.environ)
        trust = None if ca_file is None else ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem("--ca-file", f"cannot be read: {exc}")]) from exc
    return AdminClient(at.rstrip("/"), token, trust)


def _is_here(url: str) -> bool:
    try:
        return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False


def ask_daemon(work: Callable[[], Awaitable[T]]) -> T:
    """Run what asks a daemon; say in words what stood in the way (RefusedToStart)."""

    import trio

    from daemons.ops.client import AdminError, Unreachable

    async def main() -> T:
        return await work()

    try:
        return trio.run(main)
    except (Unreachable, AdminError) as exc:
        raise RefusedToStart(printable(str(exc))) from exc


def printable(text: str) -> str:
    """Return a text that cannot move a terminal's cursor: lines of a log hold what strangers wrote."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char == "\t" or unicodedata.category(char)[0] not in "CZ" or char == " "
        else f"\\u{ord(char):04x}"
        for char in text
    )
