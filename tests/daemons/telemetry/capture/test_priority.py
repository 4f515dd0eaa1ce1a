"""The relay gives way: in a process of its own, for it cannot be taken back."""

import os
import subprocess
import sys

import pytest

from daemons.telemetry.capture.priority import NICE

ASK = "import os; from daemons.telemetry.capture.priority import give_way; print(give_way(), os.nice(0), sep=',')"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has priority classes")
@pytest.mark.parametrize("had", [0, NICE + 3])
def test_the_process_becomes_nice_and_never_less_so(had: int) -> None:
    before = os.nice(0)
    ran = subprocess.run(
        [sys.executable, "-c", f"import os; os.nice({had}); {ASK}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    wanted = min(19, max(NICE, before + had))
    assert ran.stdout.strip() == f"nice {wanted},{wanted}"
