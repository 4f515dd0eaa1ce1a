"""The systemd units: what systemd itself says of them, and that they name options and commands which there are."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemons.ops.config import load_config
from daemons.ops.lifecycle import STOP_S, Exit
from daemons.race.config import CloudConfig, PitsConfig

FOLDER = Path(__file__).parents[1] / "systemd"
UNITS: dict[str, type[PitsConfig | CloudConfig]] = {"pits": PitsConfig, "cloud": CloudConfig}


def _settings(daemon: str) -> list[tuple[str, str]]:
    lines = (FOLDER / f"pitlink-{daemon}.service").read_text().splitlines()
    return [(line.partition("=")[0], line.partition("=")[2]) for line in lines if re.match(r"\w+=", line)]


@pytest.mark.process
@pytest.mark.parametrize("daemon", UNITS)
def test_systemd_finds_nothing_wrong(daemon: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / f"pitlink-{daemon}.service"
    text = (FOLDER / unit.name).read_text()
    unit.write_text(
        re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text).replace("User=pitlink\n", "")
    )
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    # Units of the machine itself may be complained about as well; only ours counts.
    assert not [line for line in verified.stderr.splitlines() if unit.name in line]


@pytest.mark.parametrize("daemon", UNITS)
def test_what_a_unit_sets_is_an_option(daemon: str, tmp_path: Path) -> None:
    settings = _settings(daemon)
    environ = dict(value.split("=", 1) for name, value in settings if name == "Environment")
    for name, value in settings:
        if name == "LoadCredential":
            (tmp_path / value.partition(":")[0]).write_text("hush")
            environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    config = load_config(UNITS[daemon], environ=environ)
    assert isinstance(config, PitsConfig | CloudConfig)
    assert str(config.state_dir) == f"/var/lib/{dict(settings)['StateDirectory']}"
    assert not isinstance(config, PitsConfig) or config.token


@pytest.mark.parametrize("daemon", UNITS)
def test_the_life_of_a_unit_agrees_with_the_daemons(daemon: str) -> None:
    settings = dict(_settings(daemon))
    assert settings["Type"] == "notify"
    assert re.fullmatch(rf"\S+/pitlink {daemon} --config \S+", settings["ExecStart"])
    assert float(settings["TimeoutStopSec"]) > 2 * STOP_S
    assert int(settings["RestartPreventExitStatus"]) == Exit.USAGE
