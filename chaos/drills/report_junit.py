"""A drill as JUnit's XML: what a build server reads. The suite is the drill, each check is a case.

What a drill found wrong is a failure. What kept it from showing anything (INVALID), ended it early (ABORTED) or may
have left faults behind (NOT RESTORED) is an error: never "skipped", which nobody looks at.
"""

import re
from typing import Final
from xml.etree import ElementTree as Xml

from chaos.drills.record import Check, Kind, Record, Verdict
from chaos.drills.words import figure

__all__ = ["junit_of"]

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_of(record: Record) -> str:
    """Return the XML, as text."""
    suite = Xml.Element("testsuite")
    properties = Xml.SubElement(suite, "properties")
    for name, value in _properties(record).items():
        Xml.SubElement(properties, "property", name=name, value=_clean(value))
    for check in record.checks:
        _add_check(suite, record, check)
    if _is_verdict_a_case(record):
        case = _case(suite, record, "drill", "verdict")
        _add(case, "failure" if record.verdict is Verdict.FAIL else "error", record.verdict, record.why)
    cases = suite.findall("testcase")
    suite.attrib |= {
        "name": _clean(record.drill),
        "tests": str(len(cases)),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": "0",
        "time": f"{record.took_s:.3f}",
        "timestamp": _clean(record.started_utc),
    }
    root = Xml.Element(
        "testsuites", {key: suite.attrib[key] for key in ("tests", "failures", "errors", "time")}
    )
    root.append(suite)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode")


def _properties(record: Record) -> dict[str, str]:
    return {
        "verdict": record.verdict,
        "why": record.why,
        "proves": record.proves,
        "seed": str(record.seed),
        "against": record.against,
        "replay": record.replay,
        **{f"version.{name}": version for name, version in record.versions.items()},
    }


def _add_check(suite: Xml.Element, record: Record, check: Check) -> None:
    case = _case(suite, record, check.kind, check.name)
    if check.ok:
        return
    is_error = check.kind is Kind.HEAL or (check.kind is Kind.BEFORE and record.verdict is Verdict.INVALID)
    message = f"measured {figure(check.measured, check.unit)}, the limit is {check.limit}"
    _add(case, "error" if is_error else "failure", check.kind, message, check.words)


def _is_verdict_a_case(record: Record) -> bool:
    """Say whether the verdict says more than the checks do; a suite that is not PASS must not look green."""
    if record.verdict is Verdict.PASS:
        return False
    return record.verdict is not Verdict.FAIL or all(check.ok for check in record.checks)


def _case(suite: Xml.Element, record: Record, kind: str, name: str) -> Xml.Element:
    return Xml.SubElement(
        suite, "testcase", classname=_clean(f"{record.drill}.{kind}"), name=_clean(name), time="0"
    )


def _add(case: Xml.Element, tag: str, kind: str, message: str, words: str = "") -> None:
    found = Xml.SubElement(case, tag, type=_clean(kind), message=_clean(message))
    found.text = _clean(words) or None


def _clean(text: str) -> str:
    """Leave out what XML cannot hold."""
    return _NOT_XML.sub("", text)
