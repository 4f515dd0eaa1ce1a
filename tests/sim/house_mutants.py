"""Ways to break the control of a house, to see that the oracle of the simulated weeks finds each.

python -m tests.sim.house_mutants                    # all of them: half a minute
python -m tests.sim.house_mutants --only restart     # those whose name has this

Each is a patch of the source as it is imported, in a process of its own; nothing is written. It is run through a scene
(`house_scenes.py`) in which what it breaks is bound to matter. Ends with 1 when a mutant survives.
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

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "blind-heats", "a zone whose sensor is lost goes on heating", "lost",
        (_CONTROL + "wants.py", 'return False, ("blind-off", fault)', 'return True, ("blind-off", fault)'),
    ),
    mutant(
        "share-double", "frost duty without a reading heats two fifths of each hour", "blind",
        (_CONTROL + "wants.py", "policy.cycle_s * (1 - policy.share)", "policy.cycle_s * (1 - 2 * policy.share)"),
    ),
    mutant(
        "frost-never", "frost duty is forgotten", "empty",
        (_CONTROL + "wants.py", "run.frosting = celsius <= plan.frost or", "run.frosting = celsius <= plan.frost - 20 or"),
    ),
    mutant(
        "no-min-off", "the burner's minimum off time is ignored", "turns",
        (_CONTROL + "burner.py", "elif mono < (end := max(", "elif mono < 0 * (end := max("),
    ),
    mutant(
        "restart-forgets", "when the burner was lit is not kept over a restart", "restarts",
        (_CONTROL + "mind.py", 'burner.since = now.mono if old["on"] else past.moved(old["since"], now)', "burner.since = -1e9"),
        (_CONTROL + "mind.py", 'burner.lit_at = past.moved(old.get("lit", now.mono), now)', "burner.lit_at = -1e9"),
    ),
    mutant(
        "max-run-never", "the longest run of a zone is not watched", "insatiable",
        (_CONTROL + "zonerun.py", "if self.heat and for_s >= self.limit_s:", "if self.heat and for_s >= 1e9:"),
    ),
    mutant(
        "fires-at-shut-valve", "the burner does not wait for the valve", "empty",
        (_CONTROL + "zonerun.py", "return self.is_on and mono - self.since >= self.plan.valve_s", "return self.is_on"),
    ),
    mutant(
        "spike-believed", "a reading that jumps is believed at once", "spikes",
        (_CONTROL + "senses.py", "if self._doubted < self.plan.agree:", "if self._doubted < 0:"),
    ),
    mutant(
        "stale-believed", "an old reading is a reading", "slow",
        (_CONTROL + "senses.py", "if mono - read_at > plan.stale_s:", "if mono - read_at > 1e9:"),
    ),
    mutant(
        "frozen-believed", "a sensor that never moves is believed", "frozen",
        (_CONTROL + "senses.py", "elif (\n                plan.frozen_s\n", "elif (\n                False\n"),
    ),
    mutant(
        "weld-unseen", "a valve that does not close is never told", "welded",
        (_CONTROL + "suspects.py", "run.welded = run.welded_for >= _SURE_S", "run.welded = False"),
    ),
    mutant(
        "stuck-for-ever", "a valve that seemed stuck is never tried again", "pump",
        (_CONTROL + "suspects.py", "mono - run.gave_up_at >= _AGAIN_S:", "mono - run.gave_up_at >= 1e9:"),
    ),
    mutant(
        "hour-twice", "in the hour that comes twice the week goes back to what it was", "clocks",
        (_CONTROL + "calendar.py", "    if not local.fold:\n", "    if True:\n"),
    ),
    mutant(
        "override-for-ever", "an override does not end", "overrides",
        (_CONTROL + "targets.py", "override.ends_at is not None and now.utc < override.ends_at else None",
         "override.ends_at is not None else None"),
    ),
    mutant(
        "ran-wrong", "an event says how long it was off instead of on", "turns",
        (_CONTROL + "core.py", "ran = mono - run.since if run.is_on else None",
         "ran = mono - run.moved_at + 60 if run.is_on else None"),
    ),
)  # fmt: skip
"""`tests` names the scenes."""


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
    from tests.sim.house_scenes import run_scene

    for scene in one.tests:
        began = time.process_time()
        try:
            run_scene(scene)
        except AssertionError as error:
            took_s = time.process_time() - began
            print(f"{one.name}: found in “{scene}” after {took_s:.1f} s of a core: {error}", flush=True)
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
