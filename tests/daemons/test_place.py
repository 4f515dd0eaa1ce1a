"""Which daemon a command talks to: no token leaves this machine unprotected, none is forgotten."""

from pathlib import Path

import pytest

from daemons.commands import audit
from daemons.commands.place import client_at
from daemons.ops.errors import ConfigError


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("x.y.z")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80@evil.example/",
        "http://127.0.0.1@evil.example",
        "http://localhost:1@evil.example:2",
        "http://[::1]@evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example/127.0.0.1:80",
        "http://evil.example?@127.0.0.1",
        "http://[::1",
        "http://",
    ],
)
def test_a_token_goes_to_nobody_else_without_tls(url: str, token_file: Path) -> None:
    with pytest.raises(ConfigError, match="not sent without TLS"):
        client_at(url, token_file, None)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8443", "http://localhost", "http://[::1]:1/", "https://hub.example"]
)
def test_a_token_is_sent_within_this_machine_and_with_tls(url: str, token_file: Path) -> None:
    assert client_at(url, token_file, None).token == "x.y.z"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8443", "https://hub.example"])
def test_without_a_token_the_command_that_makes_one_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match=r"--token-file FILE.*pitlink token issue"):
        client_at(url, None, None)


def test_heads_are_read_where_the_daemon_is() -> None:
    with pytest.raises(ConfigError, match="state folder"):
        audit.show_heads(at="https://hub.example")
