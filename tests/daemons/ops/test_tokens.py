"""Tokens: hashed at rest, verified, for their site and role only."""

import stat
from pathlib import Path

import pytest

from daemons.ops.errors import ConfigError
from daemons.ops.tokens import Role, TokenTable


def test_a_token_is_found_by_what_was_shown_once(tmp_path: Path) -> None:
    """What its holder may do is the authoriser's to say (tests/daemons/ops/authority/test_attackers.py)."""
    table = TokenTable(tmp_path / "tokens.toml")
    site = f"Bearer {table.add('s', Role.SITE, 'field')}"
    operator = f"bearer {table.add('o', Role.OPERATOR, '*')}"
    for header, role, name in ((site, Role.SITE, "field"), (operator, Role.OPERATOR, "*")):
        found = table.verify(header)
        assert found is not None
        assert (found.role, found.site) == (role, name)


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
