"""The daemons that the contract is held against: how each is prepared and configured. A new one is added to KINDS."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

__all__ = ["KINDS", "SECRETS", "Kind", "cli"]

SECRETS = {"storage key": "c0ffee" + 29 * "5d", "token": "pl_contract-0123456789abcdefghijklmnop"}
"""What every daemon is given and must never say: its storage key, and where it takes one a token."""


@frozen
class Kind:
    """A daemon. `name`: its command; `config`: the TOML that is special to it; `prepare`: what is typed before it starts.

    `anonymous_admin`: what its port answers to a stranger who asks for /admin/status. `has_words`: its port says the
    words of warnings, because only the field reaches it.
    """

    name: str
    config: Callable[[], str]
    prepare: Callable[[Path, Mapping[str, str]], None]
    anonymous_admin: int
    has_words: bool


def cli(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of pitlink to its end."""
    command = [sys.executable, "-m", "daemons.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(env))


def _pits() -> str:
    return (
        'site = "field"\norigin_url = "http://localhost:9"\ncloud_url = "ws://127.0.0.1:9"\n'
        f'token = "{SECRETS["token"]}"\n'
    )


def _hub(folder: Path, env: Mapping[str, str]) -> None:
    for arguments in (("keys", "init"), ("site", "add", "field")):
        told = cli(*arguments, "--state-dir", str(folder), env=env)
        assert told.returncode == 0, told.stderr


KINDS = (
    Kind("pits", _pits, lambda folder, env: None, anonymous_admin=404, has_words=True),
    Kind("cloud", lambda: "", _hub, anonymous_admin=401, has_words=False),
)
