"""`pitlink chaos sim` and `replay` on the command line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from daemons.commands import chaos_sim
from daemons.commands.chaos_replay import replay
from daemons.ops.errors import ConfigError, RefusedToStart
from tests.sim.batch import Job, run_job


def test_every_wrong_option_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        chaos_sim.sim(hours=0, seeds="9..3", jobs=0, shrink=-1)
    assert {problem.path for problem in told.value.problems} == {"--hours", "--seeds", "--jobs", "--shrink"}


@pytest.mark.parametrize(
    "text", ["", "..", "a..b", "1..", "..2", "3..1", "1...2", "-1..2", "0..1000000", "1,2"]
)
def test_seeds_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--seeds"):
        chaos_sim.sim(seeds=text)


def test_an_installed_copy_says_that_the_worlds_are_in_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chaos_sim, "ROOT", tmp_path)
    with pytest.raises(RefusedToStart, match="source tree"):
        chaos_sim.sim(seeds="1")
    assert replay(tmp_path / "record.json") == 2
    assert "source tree" in capsys.readouterr().err


@pytest.mark.process
def test_a_line_with_the_trace_of_each_seed_the_same_as_in_this_process(tmp_path: Path) -> None:
    command = [*["-m", "daemons.cli", "chaos", "sim", "--hours", "0.01", "--seeds", "2..3", "--jobs", "2"]]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    traces = dict(re.findall(r"^seed (\d+): .* h/s, trace ([0-9a-f]{32})", done.stdout, re.MULTILINE))
    assert traces.keys() == {"2", "3"}
    assert traces["2"] == run_job(Job("link", 2, 0.01)).fingerprint != traces["3"]
