"""The systemd units: what systemd itself says of them, and that they agree with the daemons they start."""

import re
import shutil
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from daemons.commands.daemonconfig import config_class
from daemons.ops.config import load_config
from daemons.ops.lifecycle import STOP_S, Exit
from daemons.ops.options import Secret, leaves
from daemons.race.config import CloudConfig

ROOT = Path(__file__).parents[1]
BOILER = "pitlink-boiler.service"
UNITS = (
    "pitlink-pits.service",
    "pitlink-pits@.service",
    "pitlink-cloud.service",
    "pitlink-nas.service",
    "pitlink-backend.service",
    BOILER,
)
SCORE_MAX = 2.0
"""What `systemd-analyze security` may say at most: of hardware only boiler needs some, its pins."""


def _settings(unit: str) -> dict[str, str]:
    lines = (ROOT / "systemd" / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    return subprocess.run([analyze, *arguments], capture_output=True, text=True, timeout=60, check=False)


def _placed(unit: str, folder: Path, *, tls: bool = False) -> Path:
    """Put a unit where systemd can judge it: with a program that is there, and a template with a name."""
    name = unit.replace("@.", "@north.")
    text = re.sub(
        r"(ExecStart|ExecStopPost)=\S+", rf"\1={sys.executable}", (ROOT / "systemd" / unit).read_text()
    )
    (folder / name).write_text(text)
    if tls:
        (folder / f"{name}.d").mkdir()
        shutil.copy(ROOT / "systemd" / "pitlink-cloud-tls.conf", folder / f"{name}.d" / "tls.conf")
    return folder / name


@pytest.mark.process
@pytest.mark.parametrize(
    ("unit", "tls"), [*((unit, False) for unit in UNITS), ("pitlink-cloud.service", True)]
)
def test_systemd_finds_nothing_wrong_and_little_exposed(unit: str, tls: bool, tmp_path: Path) -> None:
    placed = _placed(unit, tmp_path, tls=tls)
    verified = _analyze("verify", "--man=no", str(placed))
    # Units of the machine itself may be complained about as well; only ours counts.
    assert not [line for line in verified.stderr.splitlines() if "pitlink" in line]
    if tls:  # the offline judgement does not read drop-ins
        placed.write_text(placed.read_text() + (tmp_path / f"{placed.name}.d" / "tls.conf").read_text())
    judged = _analyze("security", "--offline=true", "--threshold=100", str(placed))
    found = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
    assert found is not None, judged.stderr
    assert float(found[1]) <= SCORE_MAX


@pytest.mark.parametrize("unit", UNITS)
def test_the_life_of_a_unit_agrees_with_the_daemon(unit: str) -> None:
    settings = _settings(unit)
    assert settings["Type"] == "notify"
    assert settings["StartLimitIntervalSec"] == "0"
    assert float(settings["TimeoutStopSec"].removesuffix("s")) > 2 * STOP_S
    assert int(settings["RestartPreventExitStatus"]) == Exit.USAGE
    assert settings["StateDirectoryMode"] == settings["RuntimeDirectoryMode"] == "0700"
    assert settings["UMask"] == "0077"  # so that sockets, keys and databases are their owner's
    program, command, *flags = settings["ExecStart"].split()
    assert (Path(program).name, f"pitlink-{command}") == ("pitlink", re.split(r"[@.]", unit)[0])
    told = subprocess.run(
        [sys.executable, "-m", "daemons.cli", command, "--help"], capture_output=True, text=True, check=True
    )
    for flag in flags[::2]:
        assert flag in told.stdout


def test_whatever_ends_the_boiler_its_relays_are_driven_off() -> None:
    settings = _settings(BOILER)
    python, *helper = settings["ExecStopPost"].split()
    assert Path(python).parent == Path(settings["ExecStart"].split()[0]).parent
    said = subprocess.run(
        [sys.executable, *helper[:2], "--help"], capture_output=True, text=True, check=False
    )
    assert " ".join(helper[:3]) in said.stderr  # its usage
    assert helper[3] == f"%S/{settings['StateDirectory']}/relays.json"
    assert (
        settings["StartLimitIntervalSec"] == "0"
    )  # a start limit would leave the house cold, the helper apart
    assert int(settings["WatchdogSec"]) == 30


def test_the_boiler_may_ask_whether_its_clock_was_set() -> None:
    """`daemons.heating.clock.was_clock_set`: where it may not, a Pi's house waits for the time of day for ever."""
    text = (ROOT / "systemd" / BOILER).read_text()
    assert "ProtectClock=" not in text
    assert text.index("SystemCallFilter=~@privileged") < text.index("\nSystemCallFilter=adjtimex\n")
    assert "\nCapabilityBoundingSet=\n" in text  # so that asking is all


@pytest.mark.parametrize("unit", UNITS)
def test_every_user_and_state_folder_of_a_unit_is_made_before_its_first_start(unit: str) -> None:
    settings = _settings(unit)
    made = (ROOT / "systemd" / "pitlink.sysusers").read_text()
    assert re.search(rf"^u {settings['User']} ", made, re.MULTILINE)
    if "@" not in unit:  # an instance's line is written with it
        folders = (ROOT / "systemd" / "pitlink.tmpfiles").read_text()
        wanted = rf"^d /var/lib/{settings['StateDirectory']} +0700 {settings['User']} "
        assert re.search(wanted, folders, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS)
def test_credentials_are_found_by_the_names_that_the_units_give_them(unit: str, tmp_path: Path) -> None:
    loaded = re.findall(r"^LoadCredential=([^:]+):(.*)$", (ROOT / "systemd" / unit).read_text(), re.MULTILINE)
    for name, source in loaded:
        assert not source.startswith("/")  # from the credential store, where it may be missing
        (tmp_path / name).write_text("5e" * 32)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    daemon = re.split(r"[-@.]", unit)[1]
    config = load_config(config_class(daemon), environ=environ)  # type: ignore[arg-type]
    found = {leaf.path for leaf in leaves(type(config)) if leaf.type is Secret}
    assert {name for name, _ in loaded} == found  # each secret, and nothing else
    assert all(attrgetter(name)(config).text for name, _ in loaded)


def test_the_drop_in_for_tls_sets_options_that_there_are() -> None:
    text = (ROOT / "systemd" / "pitlink-cloud-tls.conf").read_text().replace("%d", "/run/credentials")
    found = re.search(r"^Environment=(.*)", text, re.MULTILINE)
    assert found is not None
    config = load_config(CloudConfig, environ=dict(pair.split("=", 1) for pair in found[1].split()))
    loaded = re.findall(r"^LoadCredential=([^:]+):", text, re.MULTILINE)
    assert config.tls_cert is not None and config.tls_key is not None
    assert [config.tls_cert.name, config.tls_key.name] == loaded
    assert config.listen.port == 443
