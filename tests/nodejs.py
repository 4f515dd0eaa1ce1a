"""Node.js for tests: the interpreter from its wheel, and the packages of tests/js, installed on first use.

A machine that cannot reach npm's registry skips these tests, with the reason; where CI is set in the environment they
fail instead, since nobody would read it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["JS", "node_program"]

JS = Path(__file__).parent / "js"
INSTALL_S = 180


def node_program() -> Path:
    """Return the path of node, with the packages of tests/js in place. Skips the test where that cannot be."""
    node, npm = _program("node"), _program("npm")
    if node is None or npm is None:
        _give_up("there is no node here: pip install -e .[dev]")
    _install(node, npm)
    return node


def _program(name: str) -> Path | None:
    beside = Path(sys.executable).parent / name  # the wheel's, in this environment
    found = str(beside) if beside.exists() else shutil.which(name)
    return Path(found) if found else None


def _install(node: Path, npm: Path) -> None:
    """Install what the lock file names, unless it is there. Several processes may come at once: the last wins."""
    wanted = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()
    mark = JS / "node_modules" / ".installed"
    if mark.exists() and mark.read_text() == wanted:
        return
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    command = [
        str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--omit-lockfile-registry-resolved",
        "--fetch-retries=1", "--fetch-retry-mintimeout=1000",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            cwd=JS,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        _give_up("npm did not end in time")
    if done.returncode:
        _give_up(f"npm cannot install tests/js: {done.stderr[:500]}")
    mark.write_text(wanted)


def _give_up(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
