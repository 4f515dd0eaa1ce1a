"""`pitlink backup` and `pitlink storage` as processes: beside a running hub, and on another machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemons.ops.authority import audit
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.store.connect import DatabaseKey, is_encrypted
from daemons.store.lock import hold_folder

pytestmark = pytest.mark.process

KEY = "a1" * 32


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("PITLINK_")}

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "daemons.cli", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=self.environ
        )

    def said(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.returncode in (2, 3), done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.said("keys", "init", "--state-dir", tmp_path / "hub")
    return machine


def test_a_hub_is_backed_up_listed_verified_and_put_back_elsewhere(machine: Machine, tmp_path: Path) -> None:
    hub, elsewhere = tmp_path / "hub", tmp_path / "elsewhere"
    assert "There are none" in machine.said("backup", "list", "cloud", "--state-dir", hub)
    taken = machine.said("backup", "take", "cloud", "--state-dir", hub)
    assert "read back and good" in taken
    backup = taken.split("  ")[0]
    assert backup in machine.said("backup", "list", "cloud", "--state-dir", hub)
    assert "good" in machine.said("backup", "verify", backup)
    told = machine.said("backup", "restore", "cloud", backup, "--state-dir", elsewhere)
    assert "what was revoked or disabled since" in told
    with open_authority(elsewhere, migrations=AUTHORITY_MIGRATIONS) as file:
        assert file.read(audit.verify) == []
        assert actions(file) == ["keys.init", "backup.take", "backup.restore"]
    with open_authority(hub, migrations=AUTHORITY_MIGRATIONS) as file:
        assert actions(file) == ["keys.init", "backup.take"]
    again = ("backup", "restore", "cloud", backup, "--state-dir", elsewhere)
    assert "--replace moves what is there aside" in machine.refused(*again)
    assert "replaced-" in machine.said(*again, "--replace")
    file_ = Path(backup) / "authority.db"
    file_.write_bytes(file_.read_bytes()[:-1] + b"x")
    assert "it is not what was written" in machine.refused("backup", "verify", backup)
    assert "it is no backup" in machine.refused("backup", "verify", tmp_path)
    assert "no database" in machine.refused("backup", "take", "cloud", "--state-dir", tmp_path)


def test_a_hub_is_encrypted_and_its_commands_want_the_key(machine: Machine, tmp_path: Path) -> None:
    hub, key = tmp_path / "hub", tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    told = machine.said("storage", "encrypt", "cloud", "--new-key-file", key, "--state-dir", hub)
    assert "is encrypted by the new key" in told and KEY not in told
    assert is_encrypted(hub / "authority.db")
    for command in (("keys", "rotate"), ("user", "list"), ("site", "list"), ("backup", "take", "cloud")):
        words = machine.refused(*command, "--state-dir", hub)
        assert "it is encrypted, and no key is set" in words, command
        assert "PITLINK_STORAGE_KEY_FILE" in words, command
    machine.environ["PITLINK_STORAGE_KEY"] = "not a key"
    assert "64 hexadecimal digits" in machine.refused("user", "list", "--state-dir", hub)
    machine.environ["PITLINK_STORAGE_KEY"] = "b2" * 32
    assert "does not open it" in machine.refused("user", "list", "--state-dir", hub)
    del machine.environ["PITLINK_STORAGE_KEY"]
    machine.environ["PITLINK_STORAGE_KEY_FILE"] = str(key)
    machine.said("keys", "rotate", "--state-dir", hub)
    taken = machine.said("backup", "take", "cloud", "--state-dir", hub).split("  ")[0]
    assert is_encrypted(Path(taken) / "authority.db") and is_encrypted(Path(taken) / "files.db")
    assert "encrypted" in machine.said("backup", "verify", taken)
    assert KEY not in machine.said("config", "show", "cloud")
    machine.said("storage", "decrypt", "cloud", "--state-dir", hub)
    del machine.environ["PITLINK_STORAGE_KEY_FILE"]
    machine.said("user", "list", "--state-dir", hub)
    with open_authority(hub, migrations=AUTHORITY_MIGRATIONS, key=DatabaseKey()) as file:
        assert file.read(audit.verify) == []
        rows = [row.entry for row in file.read(audit.rows)]
    assert [row.action for row in rows] == [
        *("keys.init", "storage.encrypt", "keys.rotate", "backup.take", "storage.decrypt"),
    ]
    assert KEY not in repr(rows)


def test_what_fails_is_in_the_audit_as_well(machine: Machine, tmp_path: Path) -> None:
    hub, key = tmp_path / "hub", tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    with hold_folder(hub):  # as by a hub that runs
        encrypt = ("storage", "encrypt", "cloud", "--new-key-file", key, "--state-dir", hub)
        assert "works in this folder" in machine.refused(*encrypt)
    blocked = tmp_path / "no-folder"
    blocked.write_text("a file")
    machine.refused("backup", "take", "cloud", "--state-dir", hub, "--folder", blocked / "x")
    with open_authority(hub, migrations=AUTHORITY_MIGRATIONS) as file:
        rows = [(row.entry.action, row.entry.outcome) for row in file.read(audit.rows)][1:]
    tried = ["storage.encrypt", "storage.encrypt", "backup.take", "backup.take"]
    assert rows == list(zip(tried, ["done", "failed"] * 2, strict=True))


def actions(file: AuthorityFile) -> list[str]:
    return [row.entry.action for row in file.read(audit.rows)]
