"""Reports of a drill: each says the same as the record, and nothing in a record breaks one."""

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.drills.chart import Scale, columns_of, line_path, nice_ceiling, steps_of
from chaos.drills.record import Check, FaultRun, Kind, Sample, Verdict, read_record
from chaos.drills.report import REPORTS, report_name, write_reports
from chaos.drills.report_junit import junit_of
from chaos.drills.report_markdown import markdown_of
from chaos.drills.report_svg import LEFT, RIGHT, WIDTH, svg_of
from chaos.drills.words import clock, figure
from tests.chaos.drills.records import record

SVG = "{http://www.w3.org/2000/svg}"


# --- JUnit -------------------------------------------------------------------------------------------------------------


def test_junit_has_a_case_for_each_check_with_what_was_measured_and_the_limit() -> None:
    suite = Xml.fromstring(junit_of(record()).encode()).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("time")) == ("two <faults> & more", "60.000")
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["5", "1", "0", "0"]
    (failed,) = suite.findall("testcase/failure/..")
    assert (failed.get("classname"), failed.get("name")) == ("two <faults> & more.recovery", "reboot: fresh")
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == "measured 9.50 s, the limit is at most 5"
    assert failure.text == "slow | start"
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["seed"] == "7"
    assert properties["replay"] == "pitlink chaos drill two --seed 7"
    assert properties["version.pitlink"] == "0.1.0"


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.ABORTED, Verdict.NOT_RESTORED])
def test_junit_of_a_drill_that_showed_nothing_has_an_error_though_all_checks_hold(verdict: Verdict) -> None:
    checks = tuple(check for check in record().checks if check.ok)
    suite = Xml.fromstring(junit_of(record(verdict, checks=checks)).encode()).find("testsuite")
    assert suite is not None
    (error,) = suite.findall("testcase/error")
    assert error.get("type") == verdict
    assert error.get("message", "").startswith("reboot: fresh took")
    assert (suite.get("errors"), suite.get("failures")) == ("1", "0")


def test_junit_of_a_broken_steady_state_is_an_error_and_that_of_a_pass_is_green() -> None:
    before = Check("connected", Kind.BEFORE, "at least 1", None, "", ok=False)
    suite = Xml.fromstring(junit_of(record(Verdict.INVALID, checks=(before,))).encode()).find("testsuite")
    assert suite is not None
    assert [suite.get(key) for key in ("failures", "errors")] == ["0", "2"]
    assert "unknown" in suite.findall("testcase/error")[0].get("message", "")
    checks = tuple(check for check in record().checks if check.ok)
    green = Xml.fromstring(junit_of(record(Verdict.PASS, checks=checks)).encode())
    assert [green.get(key) for key in ("tests", "failures", "errors")] == ["4", "0", "0"]


# --- Markdown ----------------------------------------------------------------------------------------------------------


def test_markdown_has_every_fault_recovery_and_check_and_words_break_no_table() -> None:
    page = markdown_of(record(), picture="two.svg")
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert page.startswith("# Drill two &lt;faults&gt; &amp; more: FAIL")
    assert "](two.svg)" in page
    assert "3 \\| 4 faults" in page
    unescaped = [re.sub(r"\\\|", "", line).count("|") - 1 for line in tables]
    assert unescaped == [2] * 7 + [7] * 4 + [9] * 4 + [6] * 7
    assert "| out | silence | uplink | 12 s | 24 s | 1 |  |" in page
    assert "| reboot | kill | hub | 42 s | never | nothing | it was down already |" in page
    assert "| out | 5.10 s | 0.25 s | 0.30 s | 0.004 s | 0 | 0 | 2 | 0 |" in page
    assert "| reboot | - | 2 s | - | 9.50 s | - | - | - | - |" in page
    assert page.index("**not ok**") < page.index("| ok |")  # what is wrong comes first
    assert "```\npitlink chaos drill two --seed 7\n```" in page


# --- the picture -------------------------------------------------------------------------------------------------------


def test_the_picture_has_each_fault_and_outage_where_it_was() -> None:
    root = Xml.fromstring(svg_of(record()).encode())
    bars = {one.get("class"): one for one in root.iter(f"{SVG}rect") if one.get("class") in ("fault", "deed")}
    width = WIDTH - LEFT - RIGHT
    assert float(bars["fault"].get("x", 0)) == pytest.approx(LEFT + width * 12 / 60, abs=0.1)
    assert float(bars["fault"].get("width", 0)) == pytest.approx(width * 12 / 60, abs=0.1)
    assert float(bars["deed"].get("width", 0)) == pytest.approx(width * 18 / 60, abs=0.1)  # until the end
    assert float(bars["deed"].get("opacity", 1)) < float(bars["fault"].get("opacity", 0))  # it met nothing
    downs = [one for one in root.iter(f"{SVG}rect") if one.get("class") == "down"]
    assert [float(one.get("x", 0)) for one in downs] == pytest.approx(
        [LEFT + width * at / 60 for at in (17, 42)], abs=0.1
    )
    words = " ".join(one.text or "" for one in root.iter(f"{SVG}text"))
    for label in (
        "silence · uplink",
        "kill · hub",
        "link",
        "age on screen",
        "messages waiting",
        "round trip",
    ):
        assert label in words
    assert "at most 12.5 s" in words


def test_faults_that_strike_together_are_one_mark() -> None:
    both = [FaultRun(name, "latency", "uplink", 10, 5, 12.001, 17.002, 1) for name in ("up", "down")]
    root = Xml.fromstring(svg_of(record(faults=(*both, *record().faults))).encode())
    marks = [one for one in root.iter(f"{SVG}rect") if one.get("class") == "shade"]
    assert len(marks) == 3


def test_the_picture_runs_no_script_loads_nothing_and_has_both_colour_schemes() -> None:
    picture = svg_of(record(why="</svg><script>alert(1)</script>"))
    root = Xml.fromstring(picture.encode())
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "path", "text", "tspan")
    }
    assert not re.search(r"href|url\(|@import|\son\w+=", picture)
    style = root.find(f"{SVG}style")
    assert style is not None
    assert style.text is not None
    light, _, dark = style.text.partition("@media(prefers-color-scheme:dark)")
    names = set(re.findall(r"--\w+(?=:)", light))
    assert names == set(re.findall(r"--\w+(?=:)", dark))
    assert set(re.findall(r"var\((--\w+)\)", style.text)) <= names


def test_a_day_of_samples_and_two_thousand_faults_make_no_large_picture() -> None:
    samples = tuple(Sample(t / 2, t % 900 > 20, float(t % 97), t % 31, 0.02) for t in range(2 * 28800))
    faults = tuple(
        FaultRun(f"s{n}", f"kind{n % 20}", "uplink", n * 14, 5, n * 14.0, n * 14.0 + 5, 1)
        for n in range(2000)
    )
    picture = svg_of(record(samples=samples, faults=faults, took_s=28800.0))
    assert len(picture) < 1_000_000
    assert "9 other kinds" in picture
    assert "96 s" in picture  # the peak is not smoothed away


@given(
    st.text(max_size=40),
    st.lists(
        st.builds(
            Sample,
            st.floats(0, 1e6),
            st.none() | st.booleans(),
            st.none() | st.floats(0, 1e9),
            st.none() | st.integers(0, 10**9),
            st.none() | st.floats(0, 1e3),
        ),
        max_size=20,
    ),
    st.sampled_from(Verdict),
    st.floats(0, 1e6),
)
def test_no_record_breaks_a_report(
    words: str, samples: list[Sample], verdict: Verdict, took_s: float
) -> None:
    made = record(
        verdict,
        drill=words,
        why=words,
        proves=words,
        against=words,
        took_s=took_s,
        faults=(FaultRun(words, words, words, 0, None, None, None, 0, words),),
        checks=(Check(words, Kind.GUARD, words, None, "s", ok=False, words=words),),
        samples=tuple(samples),
    )
    assert read_record(REPORTS["json"](made)) == made
    for ending in ("xml", "svg"):
        Xml.fromstring(REPORTS[ending](made).encode())
    assert REPORTS["md"](made)
    assert re.fullmatch(r"[\w.-]+", report_name(made))


def test_all_reports_are_written_beside_each_other(tmp_path: Path) -> None:
    written = write_reports(record(), tmp_path / "new" / "folder")
    assert [path.name for path in written] == [
        f"two--faults----more-20261121T100000.{ending}" for ending in ("json", "xml", "md", "svg")
    ]
    assert f"]({written[3].name})" in written[2].read_text()
    assert read_record(written[0].read_bytes()) == record()


# --- arithmetic --------------------------------------------------------------------------------------------------------


def test_columns_keep_peaks_and_gaps() -> None:
    scale = Scale(100.0, 0.0, 10.0)
    points: list[tuple[float, float | None]] = [(0, 1), (1, 9), (2, 3), (50, None), (51, 4), (100, 5)]
    columns = columns_of(points, scale)
    assert columns == [(0, (1, 9)), (5, None), (5, (4, 4)), (10, (5, 5))]
    assert line_path(columns, 10, 0, 10) == "M0 1.0L0 9.0M5 6.0L10 5.0"


def test_stretches_of_a_state() -> None:
    assert steps_of([(0, None), (1, True), (2, True), (3, False), (4, None), (5, True)], 9) == [
        (1, 3, True),
        (3, 4, False),
        (5, 9, True),
    ]


@given(st.floats(0, 1e12), st.sampled_from([0.05, 1.0]))
def test_a_ceiling_is_above_and_near(most: float, least: float) -> None:
    assert most * (1 - 1e-9) <= nice_ceiling(most, least) <= max(least, 2.5 * most)


@given(st.floats(0.01, 1e6))
def test_ticks_are_few_and_inside(length_s: float) -> None:
    ticks = Scale(length_s, 0, 1).ticks()
    assert 1 <= len(ticks) <= 13
    assert ticks[-1] <= length_s * (1 + 1e-9)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "s", "unknown"),
        (3.0, "", "3"),
        (0.0042, "s", "0.0042 s"),
        (9.55, "s", "9.55 s"),
        (12.34, "", "12.3"),
    ],
)
def test_figures(value: float | None, unit: str, words: str) -> None:
    assert figure(value, unit) == words


@pytest.mark.parametrize(
    ("at_s", "words"),
    [(None, "never"), (12.34, "12.3 s"), (119.99, "120 s"), (425, "7:05"), (4025, "1:07:05")],
)
def test_moments(at_s: float | None, words: str) -> None:
    assert clock(at_s) == words
