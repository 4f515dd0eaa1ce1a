"""What the commands about a hub's people, keys and sites share: its authority file, and who is at the keyboard."""

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from daemons.ops.authority import audit
from daemons.ops.authority.file import FILE_NAME, AuthorityFile, open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.store.errors import StorageError

__all__ = ["DEFAULT_STATE", "HubState", "entry", "failing_into", "hub_authority", "moment", "operator"]

HubState = Annotated[Path, Parameter(name="--state-dir", help="The hub's state folder.")]
DEFAULT_STATE = Path("cloud-state")


@contextmanager
def hub_authority(folder: Path, *, make: bool = False) -> Iterator[AuthorityFile]:
    """Open the authority file of a hub that runs or does not. Raises RefusedToStart, also when there is none.

    `make`: for the commands that a new hub begins with.
    """
    if not make and not (folder / FILE_NAME).exists():
        raise RefusedToStart(
            f"there is no hub in {folder}; name its folder with --state-dir, or make a new one's keys: "
            f"pitlink keys init --state-dir {folder}"
        )
    try:
        with open_authority(folder, migrations=AUTHORITY_MIGRATIONS) as file:
            yield file
    except StorageError as exc:
        raise RefusedToStart(str(exc)) from exc


def operator() -> str:
    """Return what the audit calls whoever types: the user of this machine, also behind sudo."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"unix {name} (sudo of {behind})" if behind else f"unix {name}"


def entry(
    action: str, target: str, *, before: Any = None, after: Any = None, outcome: audit.Outcome = "done"
) -> audit.AuditEntry:
    """Return the audit row of what this command does now."""
    return audit.AuditEntry(time.time(), operator(), action, target, before, after, outcome)


@contextmanager
def failing_into(file: AuthorityFile, action: str, target: str) -> Iterator[None]:
    """Leave a "failed" row when what has its row already does not come about after all."""
    try:
        yield
    except (RefusedToStart, ConfigError, StorageError) as exc:
        row = entry(action, target, after={"words": str(exc)}, outcome="failed")
        file.write_now(lambda conn: audit.append(conn, row))
        raise


def moment(utc_s: float | None) -> str:
    """Return an instant for people, in UTC."""
    return "-" if utc_s is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(utc_s))
