"""A clean Debian in a folder, with pitlink in it as container/build.sh installs it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SUITE = "bookworm"
PARTS = ("pyproject.toml", "README.md", "protocol", "daemons", "chaos", "systemd", "container")


def run(*command: str, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command; fail the test with its output when it fails."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def make_root(folder: Path, *, with_systemd: bool) -> Path:
    """Make the root folder. Skips the test where that cannot be done."""
    if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
        pytest.skip("a clean root folder takes root and mmdebstrap")
    if sys.version_info[:2] != (3, 11):
        pytest.skip(f"the wheels of this Python are not those of {SUITE}'s")
    root = folder / "root"
    packages = [
        "python3",
        "python3-venv",
        "ca-certificates",
        *(["systemd-sysv", "dbus"] if with_systemd else []),
    ]
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(root)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no clean root folder could be made: {made.stderr[-300:]}")
    _install(root)
    return root


def _install(root: Path) -> None:
    """Run the image's build script in the root folder, with wheels fetched outside of it."""
    wheels, source = root / "wheels", root / "src"
    wheels.mkdir()
    source.mkdir()
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    run(sys.executable, "-m", "pip", "wheel", "-q", "-w", str(wheels), "setuptools>=77", *wanted)
    for part in PARTS:
        path = PROJECT / part
        if path.is_dir():
            shutil.copytree(path, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / part)
    inside = {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/wheels",
        "PIP_CERT": "",
    }
    run("chroot", str(root), "sh", "/src/container/build.sh", "/src", **inside)
    shutil.rmtree(wheels)
    shutil.rmtree(source)
