"""The systemd units: what systemd itself says of them, and that they agree with the daemons they start."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemons.ops.config import load_config
from daemons.ops.lifecycle import STOP_S, Exit
from daemons.race.config import PitsConfig

ROOT = Path(__file__).parents[1]
DAEMONS = ("pits", "cloud")


def _settings(daemon: str) -> dict[str, str]:
    lines = (ROOT / "systemd" / f"pitlink-{daemon}.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


@pytest.mark.process
@pytest.mark.parametrize("daemon", DAEMONS)
def test_systemd_finds_nothing_wrong(daemon: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / f"pitlink-{daemon}.service"
    text = (ROOT / "systemd" / unit.name).read_text()
    unit.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text))
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    # Units of the machine itself may be complained about as well; only ours counts.
    assert not [line for line in verified.stderr.splitlines() if unit.name in line]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_the_life_of_a_unit_agrees_with_the_daemon(daemon: str) -> None:
    settings = _settings(daemon)
    assert settings["Type"] == "notify"
    assert float(settings["TimeoutStopSec"].removesuffix("s")) > 2 * STOP_S
    assert int(settings["RestartPreventExitStatus"]) == Exit.USAGE
    program, command, *flags = settings["ExecStart"].split()
    assert (Path(program).name, command) == ("pitlink", daemon)
    told = subprocess.run(
        [sys.executable, "-m", "daemons.cli", daemon, "--help"], capture_output=True, text=True, check=True
    )
    for flag in flags[::2]:
        assert flag in told.stdout


def test_the_credential_is_found_by_the_name_that_the_unit_gives_it(tmp_path: Path) -> None:
    (tmp_path / _settings("pits")["LoadCredential"].partition(":")[0]).write_text("hush")
    assert load_config(PitsConfig, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}).token.text == "hush"
