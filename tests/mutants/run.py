"""Runs the ordinary suite against a copy of the tree with one patch in it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrs import frozen

from tests.mutants.patch import Mutant

ROOT = Path(__file__).parents[2]
_COPIED = (
    "protocol",
    "daemons",
    "chaos",
    "systemd",
    "docs",
    "bench",
    "container",
    "pyproject.toml",
    "README.md",
)

WIDE = ("tests/protocol", "tests/daemons/link", "tests/daemons/store")
_WITHOUT = ("--deselect", "tests/protocol/test_bombs.py", "--deselect", "tests/protocol/test_paths.py")
SIMULATED = (("1", 4.0), ("2", 4.0), ("3", 4.0), ("5", 4.0))
"""Runs of the link's world, as tests/sim/test_hours.py makes them."""
STAGE_S = {"first": 150.0, "wide": 900.0, "simulation": 600.0}
"""A mutant may hang what it breaks: that is noticed too."""


@frozen
class Verdict:
    """What became of a mutant. `by`: the first test that failed, "" when none did. `seconds`: of wall time."""

    mutant: Mutant
    by: str
    stage: str
    seconds: float

    def __str__(self) -> str:
        if not self.by:
            return f"SURVIVED  {self.mutant.name}: {self.mutant.breaks} ({self.seconds:.0f} s)"
        return f"killed    {self.mutant.name}  by {self.by}  ({self.stage}, {self.seconds:.0f} s)"


def judge(mutant: Mutant | None, stages: frozenset[str]) -> Verdict:
    """Run `stages` ("first", "wide", "simulation") on a mutated copy until something fails; None: on the tree as it is."""
    began = time.monotonic()
    shown = mutant or Mutant("(the tree as it is)", "nothing", (), ())
    with tempfile.TemporaryDirectory(prefix="pitlink-mutant-") as folder:
        root = Path(folder)
        _copy(root)
        for edit in shown.edits:
            edit.apply(root)
        for stage, command in _commands(shown):
            if stage.partition(" ")[0] in stages:
                by = _failure(command, root, STAGE_S[stage.partition(" ")[0]])
                if by:
                    return Verdict(shown, by, stage, time.monotonic() - began)
    return Verdict(shown, "", "", time.monotonic() - began)


def _copy(root: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "mutants", "test_mutants.py", "*.db")
    for name in (*_COPIED, "tests"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=skip)
        elif source.exists():
            shutil.copy2(source, root / name)


def _commands(mutant: Mutant) -> list[tuple[str, list[str]]]:
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:randomly"]
    commands = [("first", [*pytest, *mutant.tests])] if mutant.tests else []
    commands.append(("wide", [*pytest, *WIDE, *_WITHOUT]))
    for seed, hours in SIMULATED:
        run = [
            sys.executable,
            "-m",
            "tests.sim",
            "--what",
            "link",
            "--seed",
            seed,
            "--hours",
            str(hours),
            "--one",
        ]
        commands.append((f"simulation seed {seed}", run))
    return commands


def _failure(command: list[str], root: Path, seconds: float) -> str:
    """Run it for `seconds` at most; return what failed, in a few words, or ""."""
    # The copy comes first on the path: the tree itself is installed as well.
    env = dict(os.environ, PYTHONPATH=str(root), PYTHONDONTWRITEBYTECODE="1")
    try:
        done = subprocess.run(
            command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return f"no end within {seconds:.0f} s"
    if done.returncode == 0:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if failed:
        return failed[1]
    simulated = re.search(r"FAILED after \d+ s: (.+)", done.stdout)  # a line of the simulation
    if simulated:
        return simulated[1][:160]
    lines = [
        line
        for line in done.stdout.splitlines()
        if re.match(r"[ |]*\w*(Error|Deadlock|Livelock|NeverHappened)\b", line)
    ]
    return (
        lines[-1].strip(" |") if lines else f"exit {done.returncode}: {(done.stdout + done.stderr)[-300:]}"
    )[:160]
