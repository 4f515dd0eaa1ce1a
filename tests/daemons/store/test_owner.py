"""Files that root makes in a daemon's folder: the daemon can use them, and root is led nowhere else."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemons.ops.authority.file import FILE_NAME, open_authority
from daemons.ops.authority.sitekey import KEY_FILE, SiteKey, load_site_key, save_site_key
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.errors import ConfigError
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.store.archive import take_backup
from daemons.store.connect import PLAIN, DatabaseKey
from daemons.store.lock import hold_folder
from daemons.store.owner import give_folder, write_private
from daemons.store.restore import change_key, restore_backup

pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give files to others"
)

DAEMON = 65534
pwd = pytest.importorskip("pwd")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder of another user, where that user gets to."""
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    state = top / "state"
    state.mkdir(mode=0o700)
    os.chown(state, DAEMON, DAEMON)
    yield state
    shutil.rmtree(top)


@contextmanager
def as_daemon() -> Iterator[None]:
    """Be the folder's owner, who may not be able to import anything any more."""
    with tempfile.TemporaryDirectory() as used:
        save_site_key(Path(used) / KEY_FILE, SiteKey(Ed25519PrivateKey.generate()))
        load_site_key(Path(used) / KEY_FILE)
        TokenTable(Path(used) / TOKENS_FILE).add("old", Role.SITE, "field")
        with hold_folder(Path(used)), open_authority(Path(used), migrations=AUTHORITY_MIGRATIONS):
            pass
    assert pwd.getpwuid(DAEMON).pw_name == "nobody"
    os.seteuid(DAEMON)
    try:
        yield
    finally:
        os.seteuid(0)


def owners(folder: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_uid for path in folder.iterdir()}


def fill(folder: Path) -> None:
    """Do as root's commands do at a new daemon."""
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS) as file:
        file.write_now(lambda conn: None)
        assert set(owners(folder).values()) == {DAEMON}, owners(folder)  # the log and its index too
    TokenTable(folder / TOKENS_FILE).add("old", Role.SITE, "field")
    save_site_key(folder / KEY_FILE, SiteKey(Ed25519PrivateKey.generate(), "field", "hub"))
    with hold_folder(folder):
        pass


def test_what_root_makes_is_the_folders_owners(folder: Path) -> None:
    fill(folder)
    assert owners(folder) == dict.fromkeys((FILE_NAME, TOKENS_FILE, KEY_FILE, "lock"), DAEMON)
    with as_daemon():
        with hold_folder(folder), open_authority(folder, migrations=AUTHORITY_MIGRATIONS) as file:
            file.write_now(lambda conn: None)
        assert TokenTable(folder / TOKENS_FILE).remove("old")
        assert load_site_key(folder / KEY_FILE) is not None


def test_what_root_restores_and_encrypts_is_the_folders_owners(folder: Path) -> None:
    fill(folder)
    backup = take_backup(folder, folder.parent / "backups", at=1.0, reserve=0)
    give_folder(backup.path, folder)
    assert set(owners(backup.path).values()) == {DAEMON}
    restore_backup(backup.path, folder, replace=True, at=2.0)
    change_key(folder, PLAIN, DatabaseKey("a1" * 32))
    known = owners(folder)
    assert set(known.values()) == {DAEMON}, known
    assert any(name.startswith("replaced-") for name in known)


def test_a_file_keeps_its_owner_and_mode(folder: Path) -> None:
    table = TokenTable(folder / TOKENS_FILE)
    table.add("one", Role.SITE, "field")
    os.chown(table.path, 1234, 4321)
    table.path.chmod(0o640)
    table.add("two", Role.SITE, "field")
    status = table.path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o640)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_root_is_not_led_out_of_the_folder(folder: Path, link: object) -> None:
    """The folder's owner lays links where root's commands write: nothing else is written to or given away."""
    victim = folder.parent / "victim"
    victim.write_text("root's")
    for name in ("x.part", "x"):
        link(victim, folder / name)  # type: ignore[operator]
    write_private(folder / "x", b"new")
    assert (folder / "x").read_text() == "new"
    assert victim.read_text() == "root's" and victim.stat().st_uid == 0


def test_root_does_not_take_a_link_for_the_lock(folder: Path) -> None:
    victim = folder.parent / "victim"
    victim.write_text("root's")
    (folder / "lock").symlink_to(victim)
    with pytest.raises(Exception, match="lock"), hold_folder(folder):
        pass
    assert victim.read_text() == "root's"


def test_who_may_not_read_is_told_whose_the_file_should_be(folder: Path) -> None:
    save_site_key(folder / KEY_FILE, SiteKey(Ed25519PrivateKey.generate(), "field", "hub"))
    TokenTable(folder / TOKENS_FILE).add("old", Role.SITE, "field")
    for name in (KEY_FILE, TOKENS_FILE):  # as a command of an earlier release left them
        os.chown(folder / name, 0, 0)
    with as_daemon():
        with pytest.raises(ConfigError, match=f"chown nobody: {folder / KEY_FILE}"):
            load_site_key(folder / KEY_FILE)
        with pytest.raises(ConfigError, match=f"chown nobody: {folder / TOKENS_FILE}"):
            TokenTable(folder / TOKENS_FILE).load()
