"""File, then environment, then flags; and everything that is wrong, at once, where it is and what to do."""

from pathlib import Path

import pytest

from daemons.ops.config import describe, load_config
from daemons.ops.errors import ConfigError
from daemons.ops.logs import LogLevel
from daemons.ops.options import Address, Secret
from daemons.race.config import CloudConfig, PitsConfig


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
