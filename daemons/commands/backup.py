"""`pitlink backup` and `pitlink storage`: copies of a state folder, putting one back, and what encrypts it."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from daemons.commands.daemonconfig import Daemon, config_class
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.store.archive import Backup
from daemons.store.connect import DatabaseKey
from daemons.store.errors import StorageError, StorageFault

if TYPE_CHECKING:
    from daemons.ops.authority.audit import AuditEntry

__all__ = ["app", "storage_app"]

app = App(name="backup", help="Copies of a daemon's state, and how one is put back.")
storage_app = App(name="storage", help="What encrypts a daemon's databases.")

Config = Annotated[Path | None, Parameter(name=["--config", "-c"], help="The daemon's TOML file.")]
StateDir = Annotated[Path | None, Parameter(help="The daemon's state folder, if not the configuration's.")]
Folder = Annotated[Path | None, Parameter(help="Where backups lie, if not as the configuration says.")]


class _Place:
    """What the daemon's configuration says about its storage; whether a hub could be reached with it does not matter."""

    def __init__(self, daemon: Daemon, config: Path | None, state_dir: Path | None) -> None:
        from daemons.ops.config import load_config
        from daemons.pair.config import SiteConfig

        loaded = load_config(config_class(daemon), config, flags={"state_dir": state_dir}, agree=False)
        self.name = f"{daemon}-{loaded.site}" if isinstance(loaded, SiteConfig) else daemon
        self.state: Path = loaded.state_dir
        self.key: DatabaseKey = loaded.storage.database_key
        self.into: Path = loaded.backup.into(self.state)
        self.keep: int = loaded.backup.keep


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (StorageError, OSError) as exc:
        raise RefusedToStart(str(exc)) from exc


@contextmanager
def _noted(place: _Place, action: str, target: Path, *, new_key: DatabaseKey | None = None) -> Iterator[None]:
    """Leave a row before the work, and one more when it fails. The audit may have the new key at either moment.

    A full or broken disk does not stop a backup, which may be the last: that is said.
    """
    from daemons.commands.hubfile import entry

    keys = (place.key,) if new_key is None else (place.key, new_key)
    try:
        _append(place.state, keys, entry(action, str(target)))
    except StorageError as exc:
        if new_key is not None:
            raise
        print(f"pitlink: this leaves no row of the audit: {exc}", file=sys.stderr)
    try:
        yield
    except (StorageError, OSError) as exc:
        with suppress(StorageError):  # what went wrong is what is to be said
            _append(
                place.state, keys, entry(action, str(target), after={"words": str(exc)}, outcome="failed")
            )
        raise


def _append(state: Path, keys: tuple[DatabaseKey, ...], row: "AuditEntry") -> None:
    """Add a row to the audit in a state folder, if there is one, by the first of the keys that opens it."""
    from daemons.ops.authority import audit
    from daemons.ops.authority.file import FILE_NAME, open_authority
    from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS

    if not (state / FILE_NAME).exists():
        return
    for key in keys:
        try:
            with open_authority(state, migrations=AUTHORITY_MIGRATIONS, key=key) as file:
                file.write_now(lambda conn: audit.append(conn, row))
            return
        except StorageError as exc:
            if exc.fault is not StorageFault.KEY or key == keys[-1]:
                raise


@app.command
def take(
    daemon: Daemon,
    /,
    *,
    config: Config = None,
    state_dir: StateDir = None,
    folder: Folder = None,
    prune: Annotated[bool, Parameter(help="Let backups past `backup.keep` go, the oldest first.")] = False,
) -> int:
    """Make a backup now and read it back, whether the daemon runs or not."""
    from daemons.store import archive
    from daemons.store.owner import give_folder, give_like

    place = _Place(daemon, config, state_dir)
    into = folder or place.into
    with _in_words():
        with _noted(place, "backup.take", into):
            is_new = not into.exists()
            backup = archive.take_backup(place.state, into, at=time.time(), name=place.name, key=place.key)
            if is_new:
                give_like(into, place.state)
            give_folder(backup.path, into)  # of root's making: the daemon is to prune it one day
        print(f"{backup.path}  {_size(backup.bytes)}, read back and good")
        for gone in archive.prune(into, place.name, place.keep, backup.path) if prune else ():
            print(f"removed {gone}")
    return 0


@app.command(name="list")
def list_backups(
    daemon: Daemon, /, *, config: Config = None, state_dir: StateDir = None, folder: Folder = None
) -> int:
    """List the backups of a daemon, oldest first."""
    from daemons.store import archive

    place = _Place(daemon, config, state_dir)
    into = folder or place.into
    found = list(archive.backups_in(into))
    for backup in found:
        print(_line(backup))
    if not found:
        print(f"There are none in {into}.")
    return 0


@app.command
def verify(
    backup: Annotated[Path, Parameter(help="The folder of one backup.")],
    /,
    *,
    daemon: Annotated[Daemon, Parameter(help="Whose configuration has the key.")] = "cloud",
    config: Config = None,
) -> int:
    """Read every byte of a backup; say whether all of it is what was written."""
    from daemons.ops.storage import environment_key
    from daemons.store import archive

    key = environment_key() if config is None else _Place(daemon, config, None).key
    with _in_words():
        good = archive.verify_backup(backup, key)
    print(f"{_line(good)}  good")
    return 0


@app.command
def restore(
    daemon: Daemon,
    backup: Annotated[Path, Parameter(help="The folder of one backup.")],
    /,
    *,
    config: Config = None,
    state_dir: StateDir = None,
    replace: Annotated[bool, Parameter(help="Move what is in the state folder aside.", negative="")] = False,
) -> int:
    """Put a backup back, here or on another machine. The daemon must not run; start it afterwards."""
    from daemons.store.restore import restore_backup

    place = _Place(daemon, config, state_dir)
    with _in_words():
        found, aside = restore_backup(backup, place.state, key=place.key, replace=replace, at=time.time())
        _note(place, found)
    print(f"{_line(found)}  is in {place.state}")
    if aside is not None:
        print(f"What was there is in {aside}; remove it when you no longer want it.")
    if (place.state / "authority.db").exists():
        print(
            f"Who may do what is as it was then: what was revoked or disabled since {_moment(found.at)} counts again. "
            "Revoke it again before the daemon starts."
        )
    return 0


def _note(place: _Place, backup: Backup) -> None:
    """Leave a row in the restored audit: what follows is another history than the one that was cut off."""
    from daemons.commands.hubfile import entry

    _append(place.state, (place.key,), entry("backup.restore", backup.path.name, after={"as_of": backup.at}))


# --- storage -------------------------------------------------------------------------------------------------------

KeyFile = Annotated[Path, Parameter(help="A file with 64 hexadecimal digits: openssl rand -hex 32.")]


@storage_app.command
def encrypt(
    daemon: Daemon,
    /,
    *,
    new_key_file: KeyFile,
    config: Config = None,
    state_dir: StateDir = None,
) -> int:
    """Encrypt a daemon's databases by a key, or by another key. The daemon must not run."""
    return _change(_Place(daemon, config, state_dir), _read_key(new_key_file))


@storage_app.command
def decrypt(daemon: Daemon, /, *, config: Config = None, state_dir: StateDir = None) -> int:
    """Store a daemon's databases plainly again. The daemon must not run."""
    return _change(_Place(daemon, config, state_dir), DatabaseKey())


def _change(place: _Place, new: DatabaseKey) -> int:
    from daemons.store.restore import change_key

    action = "storage.encrypt" if new else "storage.decrypt"
    with _in_words(), _noted(place, action, place.state, new_key=new):
        changed = change_key(place.state, place.key, new)
    for path in changed:
        print(f"{path} is {'encrypted by the new key' if new else 'plain'}")
    if not changed:
        print("Nothing was left to do.")
    if new:
        print(
            "Set this key as storage.key before the daemon starts. Older backups keep their own; blocks that the disk "
            "has freed may still hold what was plain."
        )
    elif place.key:
        print("Take storage.key out of the configuration before the daemon starts.")
    return 0


def _read_key(path: Path) -> DatabaseKey:
    from daemons.ops.secretfile import read_secret

    text = read_secret(path, os.environ)
    try:
        return DatabaseKey(text)
    except ValueError as exc:
        raise ConfigError([Problem(str(path), str(exc), "openssl rand -hex 32")]) from exc


def _line(backup: Backup) -> str:
    kind = "encrypted" if backup.encrypted else "plain"
    return f"{_moment(backup.at)}  {_size(backup.bytes):>9}  {kind:9}  {backup.path}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _moment(utc_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(utc_s))
