"""File, then environment, then flags; and everything that is wrong, at once, where it is and what to do."""

from pathlib import Path

import pytest

from daemons.ops.config import describe, load_config, secret_files
from daemons.ops.errors import ConfigError
from daemons.ops.logs import LogLevel
from daemons.ops.options import Address, Leaf, Secret, leaves
from daemons.ops.storage import environment_key
from daemons.race.config import CloudConfig, PitsConfig
from daemons.store.connect import DatabaseKey


def _file(folder: Path, text: str, mode: int = 0o644) -> Path:
    path = folder / "pitlink.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_defaults_hold_with_no_configuration_at_all() -> None:
    assert load_config(PitsConfig, environ={}) == PitsConfig()
    assert load_config(CloudConfig, environ={}) == CloudConfig()


def test_flags_go_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, 'site = "a"\nlog_level = "debug"\n[fetch]\ntimeout_s = 3\nmax_in_flight = 4\n')
    config = load_config(
        PitsConfig,
        file,
        environ={"PITLINK_SITE": "b", "PITLINK_FETCH_MAX_IN_FLIGHT": "5", "PITLINK_SHARE_PRIVATE": "true"},
        flags={"site": "c", "fetch.timeout_s": None, "listen": "127.0.0.1:0"},
    )
    assert (config.site, config.fetch.timeout_s, config.fetch.max_in_flight) == ("c", 3.0, 5)
    assert config.log_level is LogLevel.DEBUG
    assert config.share_private
    assert config.listen == Address("127.0.0.1", 0)


def test_every_problem_is_told_at_once_with_its_place_and_a_hint(tmp_path: Path) -> None:
    file = _file(
        tmp_path,
        'sight = "x"\norigin_url = "ftp://x"\n[fetch]\ntimeout_s = "soon"\nmax_in_flight = 900\nallow = ["/events"]\n',
    )
    with pytest.raises(ConfigError) as caught:
        load_config(
            PitsConfig, file, environ={"PITLINK_FETCH_TIMOUT_S": "3", "PITLINK_CLOUD_URL": "wss://a/b?c"}
        )
    told = {
        problem.path.rpartition(": ")[2]: f"{problem.words} {problem.hint}"
        for problem in caught.value.problems
    }
    assert "did you mean site?" in told["sight"]
    assert "http://localhost:8080" in told["origin_url"]
    assert "expected a number, got 'soon'" in told["fetch.timeout_s"]
    assert "at most 64" in told["fetch.max_in_flight"]
    assert "FETCH_TIMEOUT_S" in told["$PITLINK_FETCH_TIMOUT_S"]
    assert "wss://cloud.example.org" in told["cloud_url"]
    assert "fetch.allow" in told
    assert len(caught.value.problems) == 7


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "none.toml", _file(tmp_path, "site = ")):
        with pytest.raises(ConfigError, match=file.name):
            load_config(PitsConfig, file, environ={})


def test_secrets_come_from_files_environment_and_credentials_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n")
    (tmp_path / "token").chmod(0o600)
    by_file = load_config(PitsConfig, _file(tmp_path, f'token_file = "{tmp_path}/token"'), environ={})
    by_variable = load_config(PitsConfig, environ={"PITLINK_TOKEN": "hush"})
    by_variable_file = load_config(PitsConfig, environ={"PITLINK_TOKEN_FILE": f"{tmp_path}/token"})
    by_credential = load_config(PitsConfig, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    for config in (by_file, by_variable, by_variable_file, by_credential):
        assert config.token == Secret("hush")
        assert "hush" not in repr(config)
        assert not [line for line in describe(config) if "hush" in line]
    with pytest.raises(ConfigError, match="chmod 600"):
        load_config(PitsConfig, _file(tmp_path, 'token = "hush"'), environ={})
    assert load_config(PitsConfig, _file(tmp_path, 'token = "hush"', 0o600), environ={}).token


HUSH = "hush-4815162342"
SECRETS = [
    (cls, leaf) for cls in (PitsConfig, CloudConfig) for leaf in leaves(cls) if leaf.type is Secret
]  # fmt: skip
secrets = pytest.mark.parametrize(("cls", "leaf"), SECRETS, ids=lambda part: getattr(part, "path", ""))


def _refused(cls: type[PitsConfig | CloudConfig], file: Path | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(cls, file, environ=environ)
    return f"{caught.value} {caught.value.problems!r}"


@secrets
@pytest.mark.parametrize(
    "given",
    [
        "4815162342",
        "4815162342.5",
        f'["{HUSH}"]',
        f'{{a = "{HUSH}"}}',
        "[4815162342]",
        "2048-15-16",
        "2011-04-08",
    ],
)
def test_a_secret_of_the_wrong_type_is_not_shown(
    tmp_path: Path, cls: type[PitsConfig | CloudConfig], leaf: Leaf, given: str
) -> None:
    table, _, name = leaf.path.rpartition(".")
    words = _refused(cls, _file(tmp_path, f"{f'[{table}]' if table else ''}\n{name} = {given}\n", 0o600))
    if given != "2048-15-16":  # no TOML
        assert f"{leaf.path}: expected a text" in words
    for part in ("4815162342", "hush", "15, 16", "2048", "2011"):
        assert part not in words
    words = _refused(cls, _file(tmp_path, f"{f'[{table}]' if table else ''}\n{name}_file = {given}\n", 0o600))
    assert "4815162342" not in words and "hush" not in words


@secrets
def test_a_secret_that_is_written_where_its_file_is_to_be_named_is_not_shown(
    tmp_path: Path, cls: type[PitsConfig | CloudConfig], leaf: Leaf
) -> None:
    for secret in ("a1" * 32, "pl_" + "x" * 43):
        assert secret not in _refused(cls, **{f"{leaf.variable}_FILE": secret})
    assert "a1a1" not in _refused(CloudConfig, PITLINK_STORAGE_KEY="a1" * 31)
    with pytest.raises(ConfigError) as caught:
        environment_key({"PITLINK_STORAGE_KEY_FILE": "a1" * 32})
    assert "a1a1" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "wss://ann:hush-1@cloud.example.org",
        "wss://hush-1@cloud.example.org",
        "wss://:hush-1@cloud.example.org",
        "wss://ann:hush-1@cloud.example.org:nine",
        "ftp://ann:hush-1@cloud.example.org",
        "wss://ann:hush-1@[cloud",
        "wss://ann:hu/sh-1@cloud.example.org/x",
        "wss://ann:hush-1\u2100@cloud.example.org",
        "ann:hush-1@cloud.example.org",
    ],
)
def test_users_and_passwords_in_addresses_are_not_shown(tmp_path: Path, url: str) -> None:
    for variable in ("PITLINK_CLOUD_URL", "PITLINK_ORIGIN_URL", "PITLINK_LISTEN", "PITLINK_LOG_LEVEL"):
        words = _refused(PitsConfig, **{variable: url})
        assert "sh-1" not in words, words
    words = _refused(PitsConfig, _file(tmp_path, f'share_private = "{url}"\nsite = ["{url}"]'))
    assert "sh-1" not in words, words


@secrets
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o601])
def test_a_secret_in_a_file_that_others_can_read_is_refused(
    tmp_path: Path, cls: type[PitsConfig | CloudConfig], leaf: Leaf, mode: int
) -> None:
    path = tmp_path / leaf.path
    path.write_text("a1" * 32)
    path.chmod(mode)
    table, _, name = leaf.path.rpartition(".")
    toml = _file(tmp_path, f"{f'[{table}]' if table else ''}\n{name}_file = '{path}'\n")
    for words in (_refused(cls, toml), _refused(cls, **{f"{leaf.variable}_FILE": str(path)})):
        assert "is a secret that others can read" in words and f"chmod 600 {path}" in words
        assert "a1a1" not in words
    opened = load_config(cls, toml, environ={}, closed=False)  # as the doctor does, who tells of it himself
    assert list(secret_files(opened)) == [(leaf.path, path)]
    systemd = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    by_credential = load_config(cls, environ=systemd)
    assert list(secret_files(by_credential)) == []
    assert load_config(cls, environ={**systemd, f"{leaf.variable}_FILE": str(path)}) == by_credential
    path.chmod(0o600)
    assert list(secret_files(load_config(cls, toml, environ={}))) == [(leaf.path, path)]


def test_commands_without_a_configuration_refuse_an_open_key_file_too(tmp_path: Path) -> None:
    path = tmp_path / "storage.key"
    path.write_text("a1" * 32)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        environment_key({"PITLINK_STORAGE_KEY_FILE": str(path)})
    assert environment_key({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == DatabaseKey("a1" * 32)
    path.chmod(0o600)
    assert environment_key({"PITLINK_STORAGE_KEY_FILE": str(path)}) == DatabaseKey("a1" * 32)


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    assert "it is no text" in _refused(PitsConfig, PITLINK_TOKEN_FILE=str(path))
    path.chmod(0o644)
    assert "it is no UTF-8 (at byte 0)" in _refused(PitsConfig, path)


@pytest.mark.parametrize("config", [PitsConfig(ttl={"/httpfiles/**": 60.0}), PitsConfig(), CloudConfig()])
def test_what_show_prints_can_be_read_back(config: PitsConfig | CloudConfig, tmp_path: Path) -> None:
    file = _file(tmp_path, "\n".join(describe(config)), 0o600)
    assert load_config(type(config), file, environ={}) == config


def test_options_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tls_cert, tls_key: .*TLS needs both"):
        load_config(CloudConfig, environ={"PITLINK_TLS_CERT": "cert.pem"})
    with pytest.raises(ConfigError, match=r"cloud_url: .* nothing yet that proves it .* pitlink enroll wss"):
        load_config(PitsConfig, environ={"PITLINK_CLOUD_URL": "wss://cloud.example.org"})
    assert load_config(
        PitsConfig, environ={"PITLINK_CLOUD_URL": "wss://a.example", "PITLINK_TOKEN": "t"}
    ).token


@pytest.mark.parametrize("cls", [PitsConfig, CloudConfig])
def test_what_is_for_a_race_is_not_to_be_broken(cls: type[PitsConfig | CloudConfig]) -> None:
    race = {"PITLINK_PRODUCTION": "true"}
    assert load_config(cls, environ=race).production
    with pytest.raises(ConfigError, match=r"production, chaos.allow: .* for real"):
        load_config(cls, environ={**race, "PITLINK_CHAOS_ALLOW": "true"})
