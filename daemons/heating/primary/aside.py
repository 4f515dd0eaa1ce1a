"""What a boiler does at its start when its state folder is not as it should be. A house is heated all the same.

A database that is broken is put aside, and a new one begun; what people wished is taken from the newest backup that has it. A
folder that cannot be written (a full card, one that has turned read-only) is copied into memory, and lived in there.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import apsw
import structlog
from attrs import define, evolve, field

from daemons.heating.config import BoilerConfig
from daemons.heating.primary.kept import read_settings, write_settings
from daemons.ops.authority.file import AuthorityFile
from daemons.pair.site import open_site
from daemons.store import Migration, StorageError, StorageFault, Store
from daemons.store.archive import backups_in
from daemons.store.connect import connect

__all__ = ["Ground", "open_ground"]

_log = structlog.stdlib.get_logger("pitlink.heating")

_PARTS = ("", "-wal", "-shm")
_NOT_WRITTEN = (StorageFault.DISK_FULL, StorageFault.UNWRITABLE, StorageFault.FAILED)
_MEMORY = Path("/dev/shm")


@define
class Ground:
    """What a boiler stands on. `config`: with the state folder that is lived in; `words`: what was put aside, [] for nothing."""

    config: BoilerConfig
    store: Store
    authority: AuthorityFile
    words: list[str] = field(factory=list)


@asynccontextmanager
async def open_ground(
    config: BoilerConfig,
    kind: str,
    migrations: Sequence[Migration],
    utc_now: Callable[[], float],
    *,
    inline: bool,
) -> AsyncIterator[Ground]:
    """Open the state folder of a boiler, as `open_site`; what is corrupt there is renamed, and begun anew. One that cannot be
    written is left, for a copy in memory that lasts as long as the block.

    Raises StorageError for everything else: a folder that is held by another daemon, a key that does not fit.
    """
    aside: list[Path] = []
    left = ""
    async with AsyncExitStack() as stack:
        while True:
            try:
                store, authority = await stack.enter_async_context(
                    open_site(config, kind, migrations, inline=inline)
                )
            except StorageError as exc:
                if exc.fault in _NOT_WRITTEN and not left:
                    left = _left(exc)
                    memory = stack.enter_context(_memory_folder(exc))
                    config = evolve(config, state_dir=_copied(config.state_dir, Path(memory)))
                elif exc.fault is StorageFault.CORRUPT and exc.path not in aside:
                    _put_aside(exc, utc_now())
                    aside.append(exc.path)
                else:
                    raise
            else:
                break
        ground = Ground(config, store, authority, [left] if left else [])
        if store.path in aside:
            since = await _recall(config, store, utc_now())
            ground.words.append(
                f"{store.path.name} was broken and begun anew"
                + (
                    f", with the settings of the backup of {since}"
                    if since
                    else ", without settings: frost duty only"
                )
            )
        if any(path != store.path for path in aside):
            ground.words.append("the file of keys and people was broken and begun anew: nobody can sign in")
        yield ground


def _left(exc: StorageError) -> str:
    """Say that a folder is left, and why."""
    _log.error("store.left", path=str(exc.path), why=exc.detail)
    return f"{exc}. Until then the house is heated from memory, and what is changed now is forgotten at the next start"


def _memory_folder(exc: StorageError) -> tempfile.TemporaryDirectory[str]:
    """Return a folder that needs no disk, where there is one. Raises `exc` when there is no folder at all."""
    try:
        return tempfile.TemporaryDirectory(
            prefix="pitlink-boiler-", dir=_MEMORY if _MEMORY.is_dir() else None, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise exc from error


def _copied(state: Path, into: Path) -> Path:
    """Copy what can be read of a state folder, but its backups, as long as half of the room there is left; return `into`."""
    try:
        files = [path for path in sorted(state.iterdir()) if path.is_file()]
        room = shutil.disk_usage(into).free // 2
    except OSError as error:
        _log.warning("store.not_copied", path=str(state), why=str(error))
        return into
    for path in files:
        try:
            room -= path.stat().st_size
            if room < 0:
                raise OSError("too large for memory")
            shutil.copy2(path, into / path.name)
        except OSError as error:
            _log.warning("store.not_copied", path=str(path), why=str(error))
            (into / path.name).unlink(missing_ok=True)
    return into


def _put_aside(exc: StorageError, utc: float) -> None:
    """Rename a broken database and its log. Raises StorageError when even that cannot be done."""
    stamp = datetime.fromtimestamp(utc, UTC).strftime("%Y%m%dT%H%M%SZ")
    _log.error("store.put_aside", path=str(exc.path), why=exc.detail)
    try:
        for part in _PARTS:
            path = exc.path.with_name(exc.path.name + part)
            if path.exists():
                path.replace(path.with_name(f"{path.name}.broken-{stamp}"))
    except OSError as error:
        raise exc from error


async def _recall(config: BoilerConfig, store: Store, utc: float) -> str:
    """Take the settings out of the newest backup that has them; return when that was made, "" for none."""
    for backup in sorted(
        backups_in(config.backup.into(config.state_dir)), key=lambda one: one.at, reverse=True
    ):
        try:
            conn = connect(backup.path / store.path.name, config.storage.database_key)
            try:
                settings = read_settings(conn)
            finally:
                conn.close()
        except (apsw.Error, StorageError, OSError, ValueError) as exc:
            _log.warning("backup.not_read", path=str(backup.path), why=str(exc))
            continue
        await store.transact(partial(write_settings, settings=settings, at=utc))
        return datetime.fromtimestamp(backup.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return ""
