"""Ways to break the control of a house, to see that the oracle of the simulated weeks finds each.

python -m tests.sim.house_mutants                    # all of them: minutes
python -m tests.sim.house_mutants --only restart     # those whose name has this

Each is a patch of the source as it is imported, in a process of its own; nothing is written. It is run through the weeks
of a few seeds until one breaks a rule. Ends with 1 when a mutant survives.
"""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from attrs import define

from tests.mutants.patch import Edit, Mutant, mutant

__all__ = ["MUTANTS", "main"]

ROOT = Path(__file__).parents[2]
_CONTROL = "daemons/heating/control/"
SEEDS = (1, 2, 3)

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "blind-heats", "a zone whose sensor is lost goes on heating", "any frost spring",
        (_CONTROL + "wants.py", 'return False, ("blind-off", fault)', 'return True, ("blind-off", fault)'),
    ),
    mutant(
        "share-double", "frost duty without a reading heats two fifths of each hour", "frost spring",
        (_CONTROL + "wants.py", "policy.cycle_s * (1 - policy.share)", "policy.cycle_s * (1 - 2 * policy.share)"),
    ),
    mutant(
        "frost-never", "frost duty is forgotten", "frost",
        (_CONTROL + "wants.py", "run.frosting = celsius <= plan.frost or", "run.frosting = celsius <= plan.frost - 20 or"),
    ),
    mutant(
        "no-min-off", "the burner's minimum off time is ignored", "any spring",
        (_CONTROL + "burner.py", "elif mono < (end := max(", "elif mono < 0 * (end := max("),
    ),
    mutant(
        "restart-forgets", "when the burner was lit is not kept over a restart", "frost any spring",
        (_CONTROL + "mind.py", 'burner.since = now.mono if old["on"] else past.moved(old["since"], now)', "burner.since = -1e9"),
        (_CONTROL + "mind.py", 'burner.lit_at = past.moved(old.get("lit", now.mono), now)', "burner.lit_at = -1e9"),
    ),
    mutant(
        "max-run-never", "the longest run of a zone is not watched", "frost any spring autumn",
        (_CONTROL + "zonerun.py", "if self.heat and for_s >= self.limit_s:", "if self.heat and for_s >= 1e9:"),
    ),
    mutant(
        "fires-at-shut-valve", "the burner does not wait for the valve", "any",
        (_CONTROL + "zonerun.py", "return self.is_on and mono - self.since >= self.plan.valve_s", "return self.is_on"),
    ),
    mutant(
        "spike-believed", "a reading that jumps is believed at once", "any frost spring",
        (_CONTROL + "senses.py", "if self._doubted < self.plan.agree:", "if self._doubted < 0:"),
    ),
    mutant(
        "stale-believed", "an old reading is a reading", "spring any frost",
        (_CONTROL + "senses.py", "if mono - read_at > plan.stale_s:", "if mono - read_at > 1e9:"),
    ),
    mutant(
        "frozen-believed", "a sensor that never moves is believed", "spring frost",
        (_CONTROL + "senses.py", "elif (\n                plan.frozen_s\n", "elif (\n                False\n"),
    ),
    mutant(
        "weld-unseen", "a valve that does not close is never told", "autumn any spring",
        (_CONTROL + "suspects.py", "run.welded = run.welded_for >= _SURE_S", "run.welded = False"),
    ),
    mutant(
        "hour-twice", "in the hour that comes twice the week goes back to what it was", "autumn",
        (_CONTROL + "calendar.py", "    if not local.fold:\n", "    if True:\n"),
    ),
    mutant(
        "override-for-ever", "an override does not end", "any spring frost",
        (_CONTROL + "targets.py", "override.ends_at is not None and now.utc < override.ends_at else None",
         "override.ends_at is not None else None"),
    ),
    mutant(
        "ran-wrong", "an event says how long it was off instead of on", "any",
        (_CONTROL + "core.py", "ran = mono - run.since if run.is_on else None",
         "ran = mono - run.moved_at + 60 if run.is_on else None"),
    ),
)  # fmt: skip
"""`tests` names the weeks, the likeliest first."""


@define
class _Patched(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules of one mutant with their patches."""

    mutant: Mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._edits(fullname):
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert found is not None
        return importlib.util.spec_from_loader(fullname, self, origin=found.origin)

    def exec_module(self, module: ModuleType) -> None:
        edits = self._edits(module.__name__)
        text = (ROOT / edits[0].file).read_text()
        for edit in edits:
            assert text.count(edit.old) == 1, f"{edit.file} holds {text.count(edit.old)} times {edit.old!r}"
            text = text.replace(edit.old, edit.new)
        exec(compile(text, edits[0].file, "exec"), module.__dict__)

    def _edits(self, name: str) -> list[Edit]:
        file = name.replace(".", "/") + ".py"
        return [edit for edit in self.mutant.edits if edit.file == file]


def _try(one: Mutant) -> int:
    """Run one here until a rule is broken; print which. Return 1 when it survives."""
    sys.meta_path.insert(0, _Patched(one))
    from tests.sim.house import Failed, Job, run_job

    for seed in SEEDS:
        for week in one.tests:
            began = time.process_time()
            run = run_job(Job(seed, week))
            if isinstance(run, Failed):
                first = run.words.splitlines()[0]
                print(
                    f"{one.name}: found after {time.process_time() - began:.0f} s of a core: {first}",
                    flush=True,
                )
                return 0
    print(f"{one.name}: SURVIVED: {one.breaks}", flush=True)
    return 1


def main() -> int:
    """Parse and run. Ends with 1 when a mutant survives."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim.house_mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="those whose name has this")
    parser.add_argument("--here", help="this one, in this process")
    args = parser.parse_args()
    if args.here:
        return _try(next(one for one in MUTANTS if one.name == args.here))
    survived = 0
    for one in MUTANTS:
        if args.only in one.name:
            command = [sys.executable, "-m", "tests.sim.house_mutants", "--here", one.name]
            survived += subprocess.run(command, cwd=ROOT, check=False).returncode != 0
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
