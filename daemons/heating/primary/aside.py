"""What a boiler does at its start with a database that is broken: it is put aside, and a new one begun. A house whose card
has lost a block is heated all the same; what people wished is taken from the newest backup that has it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import apsw
import structlog
from attrs import define, field

from daemons.heating.primary.kept import read_settings, write_settings
from daemons.ops.authority.file import AuthorityFile
from daemons.pair.config import SiteConfig
from daemons.pair.site import open_site
from daemons.store import Migration, StorageError, StorageFault, Store
from daemons.store.archive import backups_in
from daemons.store.connect import connect

__all__ = ["Ground", "open_ground"]

_log = structlog.stdlib.get_logger("pitlink.heating")

_PARTS = ("", "-wal", "-shm")


@define
class Ground:
    """What a boiler stands on. `words`: what was put aside, "" for nothing."""

    store: Store
    authority: AuthorityFile
    words: list[str] = field(factory=list)


@asynccontextmanager
async def open_ground(
    config: SiteConfig,
    kind: str,
    migrations: Sequence[Migration],
    utc_now: Callable[[], float],
    *,
    inline: bool,
) -> AsyncIterator[Ground]:
    """Open the state folder of a boiler, as `open_site`; what is corrupt there is renamed, and begun anew.

    Raises StorageError for everything else: a folder that is held by another daemon, a key that does not fit.
    """
    aside: list[Path] = []
    async with AsyncExitStack() as stack:
        while True:
            try:
                store, authority = await stack.enter_async_context(
                    open_site(config, kind, migrations, inline=inline)
                )
            except StorageError as exc:
                if exc.fault is not StorageFault.CORRUPT or exc.path in aside:
                    raise
                _put_aside(exc, utc_now())
                aside.append(exc.path)
            else:
                break
        ground = Ground(store, authority)
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


async def _recall(config: SiteConfig, store: Store, utc: float) -> str:
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
