"""What a drill says while it runs, on a terminal or into a log: events as lines, and one line that counts."""

import sys
from collections.abc import Callable
from typing import TextIO

from attrs import define, field

from chaos.drills.drill import Drill
from chaos.drills.record import Recovery
from chaos.drills.watch import Reading
from chaos.faults import show_fault
from chaos.scenario import Deed, Scenario, Step

__all__ = ["Show", "clock_words", "describe", "timeline_lines"]

LOG_EVERY_S = 10.0
"""Where nobody watches, how things stand is said so often."""


@define(eq=False)
class Show:
    """Writes to `out`; `now`: seconds since the drill began. On a terminal the last line is rewritten.

    Nobody may read it any more, as when the terminal was closed: that is no reason not to heal.
    """

    out: TextIO = field(factory=lambda: sys.stderr)
    now: Callable[[], float] = field(default=lambda: 0.0)
    _logged_at: float = field(default=float("-inf"), init=False)
    _is_open: bool = field(default=False, init=False)
    _is_unread: bool = field(default=False, init=False)

    def line(self, words: str) -> None:
        """Say something that happened."""
        self.close()
        self._write(f"{self.now():7.1f} s  {words}\n")

    def standing(self, reading: Reading, clock: str) -> None:
        """Show how things stand. `clock`: of the recovery that is waited for, or the faults that are on."""
        words = _standing(reading) + (f" · {clock}" if clock else "")
        if self._is_terminal():
            self._write(f"\r\x1b[K{reading.t_s:7.1f} s  {words}")
            self._is_open = True
        elif reading.t_s >= self._logged_at + LOG_EVERY_S:
            self._logged_at = reading.t_s
            self.line(words)

    def close(self) -> None:
        """End the line that counts."""
        if self._is_open:
            self._write("\r\x1b[K")
            self._is_open = False

    def _is_terminal(self) -> bool:
        return not self._is_unread and self.out.isatty()

    def _write(self, text: str) -> None:
        if self._is_unread:
            return
        try:
            self.out.write(text)
            self.out.flush()
        except OSError:
            self._is_unread = True


def _standing(reading: Reading) -> str:
    link = "connected" if reading.is_connected else f"link {reading.site_link or '?'}"
    silent = [
        name
        for name, ledger in (("site", reading.site_ledger), ("hub", reading.hub_ledger))
        if ledger is None
    ]
    parts = [f"{' and '.join(silent)} silent" if silent else link]
    if reading.rtt_s is not None and reading.is_connected:
        parts.append(f"{reading.rtt_s * 1000:.0f} ms")
    parts.append("nothing shown" if reading.age_s is None else f"shown {reading.age_s:.1f} s old")
    if reading.queue is not None:
        parts.append(f"{reading.queue} waiting")
    return " · ".join(parts)


def clock_words(since_s: float, recovery: Recovery) -> str:
    """Return the recovery clock: what is well again after how long, and what is still waited for."""
    parts = [
        f"{what} {value:.1f} s" if value is not None else f"{what} …"
        for what, value in (
            ("connected", recovery.reconnect_s),
            ("drained", recovery.drained_s),
            ("fresh", recovery.fresh_s),
        )
    ]
    return f"recovering for {since_s:.1f} s: {', '.join(parts)}"


def describe(step: Step) -> str:
    """Return what a step does, in words."""
    if isinstance(step.fault, Deed):
        shown: dict[str, object] = dict(step.fault.attributes)
        way = ""
    else:
        shown = show_fault(step.fault.fault)
        way = "" if step.fault.stream == "both" else f" {step.fault.stream.value}"
        way += "" if step.fault.toxicity == 1 else f" for {step.fault.toxicity:.0%} of the connections"
    figures = ", ".join(f"{key} {value}" for key, value in shown.items() if value not in (0, ""))
    return f"{step.kind} on {step.target}{way}" + (f" ({figures})" if figures else "")


def timeline_lines(drill: Drill) -> list[str]:
    """Return the timeline as lines, for who wants to know before anything is done."""
    scenario: Scenario = drill.scenario
    lines = [f"{drill.name}: {drill.proves}", f"{'at':>8} {'until':>8}  fault"]
    for step in scenario.timeline:
        name = f"  [{step.name}]"
        lines.append(f"{step.at_s:7.1f}s {scenario.ends_at_s(step):7.1f}s  {describe(step)}{name}")
    lines.append(f"{scenario.length_s:7.1f}s           end; recoveries are waited for {drill.settle_s:g} s")
    lines += [f"steady before and after: {bound.probe} {bound.words}" for bound in drill.steady]
    lines += [
        f"ends early unless: {bound.probe} {bound.words}"
        + (f" (broken for {bound.for_s:g} s)" if bound.for_s else "")
        for bound in drill.guards
    ]
    lines += [
        f"after {'each fault' if bound.step == '*' else bound.step}: {bound.what} at most {bound.at_most:g}"
        for bound in drill.recovery
    ]
    lines += [f"in the end: {bound.probe} {bound.words}" for bound in drill.converge]
    return lines
