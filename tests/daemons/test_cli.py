"""The command line as a process: help, configuration, tokens, exit codes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "daemons.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_daemons_and_tools() -> None:
    told = _run("--help")
    assert told.returncode == 0
    for word in ("Daemons", "pits", "cloud", "Tools", "demo", "config", "token"):
        assert word in told.stdout
    assert "Make this site's key" in told.stdout


def test_flags_of_fetches_reach_the_configuration() -> None:
    told = _run("pits", "--max-in-flight", "0", "--max-body-bytes", "1", "--fetch-timeout-s", "400")
    assert told.returncode == 2
    for option in ("fetch.max_in_flight", "fetch.max_body_bytes", "fetch.timeout_s"):
        assert option in told.stderr


def test_a_state_folder_is_named_alike_everywhere(tmp_path: Path) -> None:
    for flag in ("--state-dir", "--at", "-a"):
        told = _run("status", flag, str(tmp_path))
        assert told.returncode == 3
        assert str(tmp_path) in told.stderr


def test_config_is_checked_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "pits.toml"
    file.write_text('site = "club-night"\n[fetch]\ntimeout_s = 4\n')
    assert _run("config", "check", "pits", "--config", str(file)).returncode == 0
    shown = _run("config", "show", "pits", "-c", str(file))
    assert 'site = "club-night"' in shown.stdout
    assert "timeout_s = 4.0" in shown.stdout
    file.write_text('sight = "club-night"\n[fetch]\ntimeout_s = 400\n')
    wrong = _run("config", "check", "pits", "-c", str(file))
    assert wrong.returncode == 2
    assert "did you mean site?" in wrong.stderr
    assert "at most 30" in wrong.stderr


def test_tokens_are_made_once_and_listed_without_themselves(tmp_path: Path) -> None:
    made = _run("token", "make", "--role", "site", "--site", "field", "--state-dir", str(tmp_path))
    token = made.stdout.strip()
    assert made.returncode == 0
    assert token.startswith("pl_")
    listed = _run("token", "list", "--state-dir", str(tmp_path)).stdout
    assert "field" in listed
    assert token not in listed
    assert (
        _run("token", "make", "--role", "site", "--site", "Field!", "--state-dir", str(tmp_path)).returncode
        == 2
    )


def test_pits_with_a_cloud_and_no_token_says_what_to_do(tmp_path: Path) -> None:
    told = _run("pits", "--cloud-url", "wss://cloud.example.org", "--state-dir", str(tmp_path))
    assert told.returncode == 2
    assert "pitlink enroll" in told.stderr


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("pits", "--nonsense"), ("demo", "--bad-uplink", "wet-string")]
)
def test_wrong_use_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).returncode == 2


def test_the_uplinks_of_the_demo_are_listed_with_their_sources() -> None:
    told = _run("demo", "--bad-uplink", "list")
    assert told.returncode == 0
    assert "lte-driving" in told.stdout


def test_a_hub_without_keys_or_sites_names_the_command_that_makes_them(tmp_path: Path) -> None:
    told = _run("cloud", "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path))
    assert told.returncode == 3
    assert f"pitlink keys init --state-dir {tmp_path}" in told.stderr
    assert _run("keys", "init", "--state-dir", str(tmp_path)).returncode == 0
    told = _run("cloud", "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path))
    assert told.returncode == 3
    assert f"pitlink site add NAME --state-dir {tmp_path}" in told.stderr


@pytest.mark.parametrize("arguments", [("config", "show", "pits"), ("chaos", "drills")])
def test_what_nobody_reads_any_more_ends_without_a_word(arguments: tuple[str, ...]) -> None:
    """As in: pitlink … | head. The exit code is what a shell says of a program that a broken pipe has ended."""
    ours, its = os.pipe()
    os.close(ours)
    try:
        command = [sys.executable, "-m", "daemons.cli", *arguments]
        told = subprocess.run(command, stdout=its, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(its)
    assert (told.returncode, told.stderr) == (141, "")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = _run("pits", "--listen", f"127.0.0.1:{port}", "--state-dir", str(tmp_path))
    assert told.returncode == 3
    assert f"port {port} is taken by another program" in told.stderr
    assert "Traceback" not in told.stderr
