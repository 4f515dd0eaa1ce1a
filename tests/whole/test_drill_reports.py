"""A drill as a person runs it, on a ground of its own: its reports tell of what really happened, each the same."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from chaos.drills.record import Kind, Verdict, read_record

pytestmark = pytest.mark.process

DRILL = """
proves = "That reports tell of what happened."
steady_for = 0.5

[[steady]]
probe = "connected"
at_least = 1

[[step]]
name = "cut"
at = 0.5
for = 0.3
fault = "reset_peer"

[[step]]
name = "hub killed"
at = 3.0
target = "hub"
fault = "kill"
with = { down_s = 1.0 }

[[recovery]]
what = "lost"
at_most = 0

[[recovery]]
what = "fresh"
at_most = 0.0
step = "cut"

[[converge]]
probe = "connected"
at_least = 1
"""


def test_the_reports_of_a_real_drill(tmp_path: Path) -> None:
    file, folder = tmp_path / "short.toml", tmp_path / "reports"
    file.write_text(DRILL)
    command = [sys.executable, "-m", "daemons.cli", "chaos", "drill", str(file), "--seed", "4"]
    told = subprocess.run(
        [*command, "--report", str(folder)], capture_output=True, text=True, timeout=150, check=False
    )
    # Nothing is fresh at the very moment a fault ends: a drill that finds fault is not green.
    assert told.returncode == Verdict.FAIL.exit_code, told.stderr
    paths = {path.suffix: path for path in folder.iterdir()}
    assert set(paths) == {".json", ".xml", ".md", ".svg"}
    assert all(str(path) in told.stdout for path in paths.values())

    record = read_record(paths[".json"].read_bytes())
    assert (record.drill, record.seed, record.verdict) == ("short", 4, Verdict.FAIL)
    assert [(run.step, run.touched > 0) for run in record.faults] == [("cut", True), ("hub killed", True)]
    cut, killed = record.recoveries
    assert (cut.lost, killed.lost) == (0, 0)
    assert cut.fresh_s is not None and cut.fresh_s > 0
    assert record.replay == f"pitlink chaos drill {file} --seed 4"

    suite = Xml.fromstring(paths[".xml"].read_bytes()).find("testsuite")
    assert suite is not None
    assert len(suite.findall("testcase")) == len(record.checks)
    (failed,) = suite.findall("testcase/failure/..")
    assert failed.get("classname") == f"short.{Kind.RECOVERY}"

    page = paths[".md"].read_text()
    assert page.startswith("# Drill short: FAIL")
    assert f"({paths['.svg'].name})" in page

    bars = {
        one.get("class")
        for one in Xml.fromstring(paths[".svg"].read_bytes()).iter("{http://www.w3.org/2000/svg}rect")
    }
    assert {"fault", "deed", "up", "down"} <= bars  # both faults, and a link that was up and down
    assert json.loads(paths[".json"].read_text())["samples"]
