"""Tokens: hashed at rest, verified, for their site and role only."""

import stat
from pathlib import Path

import pytest

from daemons.ops.errors import ConfigError
from daemons.ops.tokens import Role, TokenTable


def test_a_token_is_good_for_its_role_and_site_only(tmp_path: Path) -> None:
    table = TokenTable(tmp_path / "tokens.toml")
    site = f"Bearer {table.add('s', Role.SITE, 'field')}"
    caller = f"Bearer {table.add('c', Role.CALLER, 'field')}"
    operator = f"bearer {table.add('o', Role.OPERATOR, '*')}"
    found = table.verify(site)
    assert found is not None
    assert (found.role, found.site) == (Role.SITE, "field")
    assert not table.may_read(site, "field")
    assert table.may_read(caller, "field")
    assert not table.may_read(caller, "other")
    assert table.may_read(operator, "other")
    assert table.may_command(caller, "field") is None
    assert table.may_command(operator, "field") is not None


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic x", "Bearer pl_wrong", "Bearer \x00"]
)
def test_what_is_no_token_is_refused(tmp_path: Path, header: str | None) -> None:
    table = TokenTable(tmp_path / "tokens.toml")
    table.add("s", Role.SITE, "field")
    assert table.verify(header) is None


def test_the_file_holds_hashes_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    table = TokenTable(tmp_path / "deep" / "tokens.toml")
    made = table.add('quo"ted', Role.SITE, "field")
    assert made not in table.path.read_text()
    assert stat.S_IMODE(table.path.stat().st_mode) == 0o600
    assert [token.name for token in TokenTable(table.path).load()] == ['quo"ted']


def test_a_change_of_the_file_is_noticed_and_a_removed_token_is_dead(tmp_path: Path) -> None:
    table = TokenTable(tmp_path / "tokens.toml")
    made = f"Bearer {table.add('s', Role.SITE, 'field')}"
    other = TokenTable(table.path)
    assert other.verify(made) is not None
    assert table.remove("s")
    assert not table.remove("s")
    assert other.verify(made) is None


def test_a_name_is_taken_once_and_a_site_token_names_its_site(tmp_path: Path) -> None:
    table = TokenTable(tmp_path / "tokens.toml")
    table.add("s", Role.SITE, "field")
    with pytest.raises(ConfigError, match="there is a token 's' already"):
        table.add("s", Role.CALLER, "field")
    with pytest.raises(ConfigError, match="for one site"):
        table.add("t", Role.SITE, "*")


def test_a_torn_table_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text('[[token]]\nname = "x')
    with pytest.raises(ConfigError, match=r"tokens\.toml.*cannot be read"):
        TokenTable(path).load()
