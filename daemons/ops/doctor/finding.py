"""A finding: what was looked at, how it stands, and what to do. The report of many, and its exit code."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from attrs import frozen

__all__ = ["Finding", "Verdict", "as_data", "bad", "good", "lines", "skipped", "warning", "worst"]


class Verdict(StrEnum):
    """How a thing stands. Only BAD makes the doctor's exit code 1."""

    GOOD = "ok"
    WARNING = "warning"  # works, but not as well as it could, or not for long
    BAD = "BAD"  # pitlink cannot do its work
    SKIPPED = "-"  # could not be looked at; the words say why


@frozen
class Finding:
    """`remedy` says what to do, "" when nothing is to be done."""

    check: str
    verdict: Verdict
    words: str
    remedy: str = ""


def good(check: str, words: str) -> Finding:
    return Finding(check, Verdict.GOOD, words)


def warning(check: str, words: str, remedy: str) -> Finding:
    return Finding(check, Verdict.WARNING, words, remedy)


def bad(check: str, words: str, remedy: str) -> Finding:
    return Finding(check, Verdict.BAD, words, remedy)


def skipped(check: str, words: str) -> Finding:
    return Finding(check, Verdict.SKIPPED, words)


def lines(finding: Finding) -> Iterator[str]:
    """Yield a finding as the lines a person reads."""
    yield f"{finding.verdict:8} {finding.check:18} {finding.words}"
    if finding.remedy:
        yield f"{'':27} → {finding.remedy}"


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return how all stands together: BAD, else WARNING, else GOOD."""
    found = {finding.verdict for finding in findings}
    return next((v for v in (Verdict.BAD, Verdict.WARNING) if v in found), Verdict.GOOD)


def as_data(finding: Finding) -> dict[str, str]:
    """Return a finding for programs."""
    names = {Verdict.BAD: "bad", Verdict.SKIPPED: "skipped"}
    return {
        "check": finding.check,
        "verdict": names.get(finding.verdict, str(finding.verdict)),
        "words": finding.words,
        "remedy": finding.remedy,
    }
