"""`pitlink keys`, `token`, `user` as processes: what they print, what they refuse, that the audit has it and no secret."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from daemons.commands import token
from daemons.ops.authority import audit
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.errors import RefusedToStart
from daemons.ops.tokens import TOKENS_FILE, TokenTable

pytestmark = pytest.mark.process

PASSWORD = "correct horse battery"


@pytest.fixture
def hub(tmp_path: Path) -> "Hub":
    return Hub(tmp_path / "hub")


class Hub:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "daemons.cli", *arguments, "--state-dir", str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, input=typed)

    def said(self, *arguments: str, typed: str = "") -> str:
        told = self.run(*arguments, typed=typed)
        assert told.returncode == 0, told.stderr
        return told.stdout

    def refused(self, *arguments: str, typed: str = "") -> tuple[int, str]:
        told = self.run(*arguments, typed=typed)
        assert told.returncode in (2, 3), told.stdout
        return told.returncode, told.stderr


def test_keys_tokens_and_their_audit(hub: Hub) -> None:
    code, words = hub.refused("token", "issue", "grafana", "--site", "*")
    assert code == 3 and f"pitlink keys init --state-dir {hub.folder}" in words
    assert "signs with k-" in hub.said("keys", "init")
    assert "pitlink keys rotate" in hub.refused("keys", "init")[1]
    made = hub.said("token", "issue", "grafana", "--site", "*", "--role", "viewer").strip()
    assert made.count(".") == 2
    assert "pitlink token revoke 'grafana'" in hub.refused("token", "issue", "grafana", "--site", "*")[1]
    assert "verifies until" in hub.said("keys", "rotate")
    listed = hub.said("token", "list")
    assert "grafana" in listed and "good, until" in listed and made not in listed
    assert "Revoked: grafana" in hub.said("token", "revoke", "grafana")
    assert hub.refused("token", "revoke", "grafana")[0] == 2
    hub.said("token", "issue", "grafana", "--site", "*")
    told = hub.said("keys", "rotate", "--at-once")
    assert (
        "verifies no more" in told
        and "pitlink token issue 'grafana'" in told
        and "pitlink user password" in told
    )
    hub.said("token", "issue", "grafana", "--site", "*")
    with open_authority(hub.folder, migrations=AUTHORITY_MIGRATIONS) as file:
        rows = file.read(audit.rows)
        assert file.read(audit.verify) == []
    actions = [row.entry.action for row in rows]
    assert actions == [
        *("keys.init", "token.issue", "keys.rotate", "token.revoke"),
        *("token.issue", "keys.rotate", "token.issue"),
    ]
    assert rows[5].entry.after["sessions_ended"] == 0 and len(rows[5].entry.after["tokens_revoked"]) == 1
    assert all(row.entry.who.startswith("unix ") for row in rows)
    assert made.rpartition(".")[2] not in repr(rows)


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "issue", "x"),
        ("token", "issue", "x", "--site", "Field!"),
        ("token", "issue", "x", "--site", "*", "--days", "0"),
        ("token", "issue", "x", "--site", "*", "--days", "nan"),
        ("token", "issue", "", "--site", "*"),
        ("token", "issue", "x", "--site", "*", "--role", "site"),
        ("user", "add", "Anna", "--site", "*", "--password-file", "-"),
        ("user", "add", "anna", "--site", "*", "--password-file", "/nowhere/at/all"),
        ("user", "disable", "nobody"),
    ],
)
def test_wrong_use_is_said(hub: Hub, arguments: tuple[str, ...]) -> None:
    hub.said("keys", "init")
    assert hub.refused(*arguments, typed=PASSWORD)[0] == 2


def test_people(hub: Hub) -> None:
    hub.said("keys", "init")
    add = ("user", "add", "anna", "--site", "field", "--role", "operator", "--password-file", "-")
    assert "at least" in hub.refused(*add, typed="short")[1]
    assert "anna may sign in as operator of field" in hub.said(*add, typed=f"{PASSWORD}\n")
    assert "already" in hub.refused(*add, typed=PASSWORD)[1]
    assert "0 sessions" in hub.said("user", "list")
    assert "anna is let in no more" in hub.said("user", "disable", "anna")
    assert "disabled" in hub.said("user", "list")
    hub.said("user", "enable", "anna")
    hub.said("user", "password", "anna", "--password-file", "-", typed="another long password")
    told = hub.said("user", "set", "anna", "--role", "viewer")
    assert "anna is viewer of field" in told
    assert "viewer of a, b" in hub.said("user", "set", "anna", "--site", "a", "--site", "b")
    assert "say what is to change" in hub.refused("user", "set", "anna")[1]
    assert "no user 'bob'" in hub.refused("user", "set", "bob", "--role", "admin")[1]
    assert "anna is removed" in hub.said("user", "remove", "anna")
    assert "no user 'anna'" in hub.refused("user", "remove", "anna")[1]
    with open_authority(hub.folder, migrations=AUTHORITY_MIGRATIONS) as file:
        rows = repr(file.read(audit.rows))
        last = file.read(audit.rows)[-2].entry
    assert (last.before, last.after) == (
        {"role": "viewer", "sites": ["field"]},
        {"role": "viewer", "sites": ["a", "b"]},
    )
    for action in ("user.add", "user.disable", "user.enable", "user.password", "user.set", "user.remove"):
        assert action in rows
    assert PASSWORD not in rows and "argon2" not in rows


def test_old_bearer_tokens_are_made_with_a_warning_and_removed(hub: Hub) -> None:
    told = hub.run("token", "make", "--role", "caller", "--site", "*", "--name", "old")
    assert told.stdout.startswith("pl_")
    assert "pitlink token issue" in told.stderr
    assert "old bearer token" in hub.said("token", "list")
    assert "Removed: the old bearer token" in hub.said("token", "revoke", "old")
    assert "There are none" in hub.said("token", "list")
    with open_authority(hub.folder, migrations=AUTHORITY_MIGRATIONS) as file:
        rows = [row.entry for row in file.read(audit.rows)]
    assert [row.action for row in rows] == ["token.make", "token.revoke"]
    assert rows[0].after == {"role": "caller", "sites": ["*"], "kind": "bearer"} == rows[1].before
    assert told.stdout.strip() not in repr(rows)


def test_without_a_row_no_old_token_is_made_or_removed(hub: Hub) -> None:
    hub.said("token", "make", "--role", "caller", "--site", "*", "--name", "old")
    hub.refused("token", "make", "--role", "caller", "--site", "*", "--name", "old")
    conn = apsw.Connection(str(hub.folder / "authority.db"))
    conn.execute("CREATE TRIGGER broken BEFORE INSERT ON audit_row BEGIN SELECT RAISE(ABORT, 'no'); END")
    hub.run("token", "make", "--role", "caller", "--site", "*", "--name", "other")
    hub.run("token", "revoke", "old")
    assert [token.name for token in TokenTable(hub.folder / TOKENS_FILE).load()] == ["old"]
    conn.execute("DROP TRIGGER broken")
    conn.close()
    with open_authority(hub.folder, migrations=AUTHORITY_MIGRATIONS) as file:
        assert [row.entry.action for row in file.read(audit.rows)] == ["token.make"]


def test_a_token_whose_row_is_there_and_whose_file_cannot_be_changed_has_a_row_that_says_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.said("token", "make", "--role", "caller", "--site", "*", "--name", "old")

    def refuse(table: TokenTable, name: str) -> bool:
        raise RefusedToStart("the disk is full")

    monkeypatch.setattr(TokenTable, "remove", refuse)
    with pytest.raises(RefusedToStart):
        token.revoke("old", state_dir=hub.folder)
    with open_authority(hub.folder, migrations=AUTHORITY_MIGRATIONS) as file:
        outcomes = [(row.entry.action, row.entry.outcome) for row in file.read(audit.rows)]
    assert outcomes == [("token.make", "done"), ("token.revoke", "done"), ("token.revoke", "failed")]
