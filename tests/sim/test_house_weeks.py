"""Four weeks of the simulated house, twice: no heat without a reason, no frost, no short cycle, every fault named.

Both changes of clocks, a frost week and one more, in which every fault of the deck comes about; of seed 1 and of a fresh
one, which is printed.
"""

import random
import sys
from collections import Counter

import pytest

from tests.sim.house import Failed, four_weeks, run_jobs, summary
from tests.sim.house_storm import DECK

pytestmark = pytest.mark.sim


def test_four_weeks_of_a_house_with_everything_that_goes_wrong() -> None:
    fresh = random.SystemRandom().getrandbits(32)
    print(f"fresh seed: {fresh}", file=sys.stderr)
    befell: Counter[str] = Counter()
    judged, failures = 0, []
    for run in run_jobs([*four_weeks(1), *four_weeks(fresh)], 2):
        if isinstance(run, Failed):
            failures.append(run.words)
            continue
        print(summary(run), file=sys.stderr)
        befell += run.happened
        judged += run.judged
        assert run.worst_k <= 0.5
        assert run.starts
    assert not failures, "\n\n".join(failures)
    assert judged > 200_000  # rooms must have been where somebody wanted them, most of the time
    missing = {f"{what.split('.')[0].split(' ')[0]} {kind}" for what, kind, _, _ in DECK} - set(befell)
    assert not missing
    for how in ("stop", "kill", "hang", "power"):
        assert befell[f"down {how}"], how
    assert befell["people"] > 30
