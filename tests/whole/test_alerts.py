"""Alert rules and dashboard: clean to promtool, right in a few courses of things, and only about what there is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RULES = DOCS / "alerts.yml"
DASHBOARD = DOCS / "grafana-dashboard.json"

_SUFFIX = re.compile(r"_(bucket|count|sum)$")


def _promtool(*arguments: str) -> str:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    done = subprocess.run(
        [promtool, *arguments], capture_output=True, text=True, check=False, timeout=30, cwd=DOCS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _documented() -> set[str]:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    return set(re.findall(r"`((?:pitlink|process)_[a-z0-9_]+)`", text))


def _named(text: str) -> set[str]:
    """Return the metrics that expressions name."""
    return {_SUFFIX.sub("", name) for name in re.findall(r"\b(?:pitlink|process)_[a-z0-9_]+", text)}


def test_the_rules_are_clean() -> None:
    said = _promtool("check", "rules", str(RULES))
    assert "SUCCESS" in said
    assert "lint" not in said.lower()


def test_the_rules_say_what_they_should(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "alerts_test.yml").read_text(encoding="utf-8")
    file = tmp_path / "tests.yml"
    file.write_text(text.replace("RULES", str(RULES)), encoding="utf-8")
    assert "SUCCESS" in _promtool("test", "rules", str(file))


def test_rules_and_dashboard_are_about_what_is_documented() -> None:
    known = {_SUFFIX.sub("", name) for name in _documented()}
    rules = "\n".join(re.findall(r"expr: '(.*)'", RULES.read_text(encoding="utf-8")))
    assert _named(rules) - known == set()
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    assert len(expressions) > 20
    assert _named("\n".join(expressions)) - known == set()


def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    lines = ["groups:", "  - name: dashboard", "    rules:"]
    for number, expression in enumerate(expressions):
        plain = expression.replace("$__rate_interval", "5m")
        lines += [f"      - record: panel:{number}", f"        expr: {json.dumps(plain)}"]
    file = tmp_path / "dashboard.yml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _promtool("check", "rules", str(file))
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
