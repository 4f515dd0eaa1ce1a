"""The text that Prometheus reads: right to promtool, right to a parser, bounded."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.ops.health import Health, Severity
from daemons.ops.metrics import Histogram, Reading, SiteLabels, metrics_text
from daemons.ops.process import folder_readings, health_readings, process_readings


def lint(text: str) -> None:
    """Fail unless promtool finds nothing to say about the text; skips where there is none."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_histogram_is_cumulative() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3.0, -1.0):
        histogram.observe(value)
    text = metrics_text([Reading("wait_seconds", "A wait.", histogram, (("site", "a"),))])
    assert text.splitlines() == [
        "# HELP pitlink_wait_seconds A wait.",
        "# TYPE pitlink_wait_seconds histogram",
        'pitlink_wait_seconds_bucket{site="a",le="0.1"} 3',
        'pitlink_wait_seconds_bucket{site="a",le="1.0"} 4',
        'pitlink_wait_seconds_bucket{site="a",le="+Inf"} 5',
        f'pitlink_wait_seconds_sum{{site="a"}} {0.05 + 0.1 + 0.5 + 3.0}',
        'pitlink_wait_seconds_count{site="a"} 5',
    ]
    lint(text)


def test_readings_of_one_name_stand_together() -> None:
    text = metrics_text(
        [
            Reading("fetches", "Fetches.", 1, (("site", "a"),), is_counter=True),
            Reading("cache_bytes", "Held.", 7.5),
            Reading("fetches", "Fetches.", 2, (("site", "b"),), is_counter=True),
        ]
    )
    assert text.splitlines()[:4] == [
        "# HELP pitlink_fetches_total Fetches.",
        "# TYPE pitlink_fetches_total counter",
        'pitlink_fetches_total{site="a"} 1',
        'pitlink_fetches_total{site="b"} 2',
    ]
    lint(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_may_be_a_label(text: str) -> None:
    line = metrics_text([Reading("a", "A.", 1, (("site", text),))]).split("\n", 2)[2]
    written = line.removeprefix('pitlink_a{site="').removesuffix('"} 1\n')
    assert "\n" not in written
    assert (
        written.replace("\\\\", "\0").replace('\\"', '"').replace("\\n", "\n").replace("\0", "\\") == text
    ) or "\0" in text


def test_sites_with_series_of_their_own_are_bounded_and_stay() -> None:
    labels = SiteLabels(most=3)
    assert labels.choose(["a", "b"]) == ["a", "b"]
    assert labels.choose(["d", "c", "b", "a"]) == ["d", "b", "a"]
    assert labels.left_out == 1
    assert labels.choose(["c", "b", "a"]) == ["c", "b", "a"]
    assert labels.left_out == 0


async def test_the_figures_of_the_process(tmp_path: Path) -> None:
    health = Health(lambda: 0.0)
    health.set("link", Severity.DEGRADED, "no internet")
    folder = tmp_path
    readings = [*process_readings("cloud"), *health_readings(health), *folder_readings(folder)]
    assert list(folder_readings(folder / "none")) == []
    text = metrics_text(readings)
    assert 'pitlink_health_warnings{severity="degraded"} 1' in text
    assert "process_resident_memory_bytes" in text
    lint(text)
