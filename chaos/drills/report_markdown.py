"""A drill as a page to read, in Markdown."""

import html
from collections.abc import Iterable, Sequence

from chaos.drills.record import Check, FaultRun, Kind, Record, Recovery
from chaos.drills.words import clock, figure

__all__ = ["markdown_of"]

_ORDER = tuple(Kind)


def markdown_of(record: Record, picture: str = "") -> str:
    """Return the page; `picture`: where its timeline lies, as seen from the page."""
    parts = [
        f"# Drill {_text(record.drill)}: {record.verdict}",
        _text(record.why),
        f"What it proves: {_text(record.proves)}",
    ]
    if picture:
        parts.append(f"![Faults, connection, freshness and queue over time]({picture})")
    parts.append(_table(("", ""), _facts(record)))
    if record.faults:
        parts += ["## Faults", _table(_FAULT_HEAD, map(_fault, record.faults))]
    if record.recoveries:
        parts += ["## Recovery", _RECOVERY_WORDS, _table(_RECOVERY_HEAD, map(_recovery, record.recoveries))]
    if record.checks:
        checks = sorted(record.checks, key=lambda check: (check.ok, _ORDER.index(check.kind)))
        parts += ["## Checks", _table(_CHECK_HEAD, map(_check, checks))]
    if record.notes:
        parts += ["## Notes", "\n".join(f"- {_text(note)}" for note in record.notes)]
    if record.replay:
        parts += ["## Again", f"```\n{record.replay.replace('```', '')}\n```"]
    return "\n\n".join(part for part in parts if part)


def _facts(record: Record) -> list[tuple[str, str]]:
    return [
        ("against", record.against),
        ("began", record.started_utc),
        ("took", clock(record.took_s)),
        ("seed", str(record.seed)),
        *((f"version of {name}", version) for name, version in record.versions.items()),
    ]


_FAULT_HEAD = ("step", "fault", "on", "from", "until", "met", "")


def _fault(fault: FaultRun) -> tuple[str, ...]:
    return (
        *(fault.step, fault.kind, fault.target, clock(fault.from_s), clock(fault.until_s)),
        *(str(fault.touched) if fault.touched else "nothing", fault.words),
    )


_RECOVERY_WORDS = (
    "Detected: from the fault's beginning. The others from its end: connected, nothing promised waits, the screen is "
    "fresh."
)
_RECOVERY_HEAD = ("step", "detected", "connected", "drained", "fresh", "lost", "doubled", "late", "dead")


def _recovery(one: Recovery) -> tuple[str, ...]:
    times = (one.detect_s, one.reconnect_s, one.drained_s, one.fresh_s)
    counts = (one.lost, one.doubled, one.late, one.dead)
    return (
        one.step,
        *("-" if value is None else figure(value, "s") for value in times),
        *("-" if value is None else str(value) for value in counts),
    )


_CHECK_HEAD = ("", "check", "when", "measured", "limit", "")


def _check(check: Check) -> tuple[str, ...]:
    return (
        *("ok" if check.ok else "**not ok**", check.name, check.kind.value),
        *(figure(check.measured, check.unit), check.limit, check.words),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head)]
    lines += [[cell if cell == "**not ok**" else _text(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str) -> str:
    """Return words that a page shows as they are, in one line."""
    plain = html.escape(" ".join(text.split()), quote=False)
    for character in "\\`*_[]|":
        plain = plain.replace(character, f"\\{character}")
    return plain
