"""What an operator can set about storage: the key of databases at rest, and when backups are made."""

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from daemons.ops.errors import ConfigError, Problem
from daemons.ops.options import Secret, option, shown
from daemons.ops.secretfile import read_secret
from daemons.store.connect import DatabaseKey

__all__ = ["BackupConfig", "StorageConfig", "environment_key"]

_OPTION = "storage.key"
_VARIABLE = "PITLINK_STORAGE_KEY"


def _check_key(secret: Secret) -> None:
    DatabaseKey(secret.text)


@frozen
class StorageConfig:
    """How databases are kept."""

    key: Secret = option(
        Secret(),
        check=_check_key,
        help="Encrypts databases and backups: 64 hexadecimal digits (openssl rand -hex 32). Empty: they are plain.",
    )

    @property
    def database_key(self) -> DatabaseKey:
        return DatabaseKey(self.key.text)


@frozen
class BackupConfig:
    """When backups are made, and how many are kept."""

    every_h: float = option(
        24.0, minimum=0.0, maximum=8760.0, help="Hours from a backup to the next; 0: none are made."
    )
    keep: int = option(7, minimum=1, maximum=1000, help="Backups kept; the oldest go first.")
    folder: Path | None = option(
        None, help='Where they go, best another disk; without it "backups" in the state folder.'
    )

    def into(self, state_dir: Path) -> Path:
        """Return the folder of a daemon's backups."""
        return self.folder or state_dir / "backups"


def environment_key(environ: Mapping[str, str] | None = None) -> DatabaseKey:
    """Return the key for commands that read no configuration file: from the environment or systemd's credentials.

    Raises ConfigError for what is no key, and for a file that others can read.
    """
    environ = os.environ if environ is None else environ
    where, text = _VARIABLE, environ.get(_VARIABLE, "")
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    path = environ.get(f"{_VARIABLE}_FILE") or (credentials and os.path.join(credentials, _OPTION))
    if not text and path and (os.path.exists(path) or f"{_VARIABLE}_FILE" in environ):
        where, text = shown(Path(path)), read_secret(Path(path), environ)
    try:
        return DatabaseKey(text.strip())
    except ValueError as exc:
        raise ConfigError([Problem(where, str(exc))]) from exc
