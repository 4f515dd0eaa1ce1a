"""The alarms that stand: each named, with its beginning, gone by itself when what it tells of is over."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field

from daemons.heating.state import Alarm, Severity

__all__ = ["AlarmBook"]

_KEPT_S = 120.0
"""After a restart alarms of before stand for so long: what they tell of may take its time to be seen again."""


@define
class _Standing:
    alarm: Alarm
    since: float
    seen: float


@define
class AlarmBook:
    """Every step: `up` what is so, then `settle`. `tell(of, words, is_up)` makes the event."""

    tell: Callable[[str, str, bool], None]
    _standing: dict[tuple[str, str], _Standing] = field(factory=dict)
    _started: float = 0.0
    alarms: tuple[Alarm, ...] = ()
    changed: bool = False

    def up(self, mono: float, offset: float, code: str, of: str, severity: Severity, words: str) -> None:
        """Say that something is so now. The words it began with stay."""
        standing = self._standing.get((code, of))
        if standing is not None:
            standing.seen = mono
            return
        self._standing[code, of] = _Standing(Alarm(code, of, severity, words, mono + offset), mono, mono)
        self.changed = True
        self.tell(of, words, True)

    def has(self, code: str, of: str) -> bool:
        """Does that alarm stand?"""
        return (code, of) in self._standing

    def settle(self, mono: float) -> None:
        """Clear what nobody said in this step."""
        for key, standing in list(self._standing.items()):
            if standing.seen != mono and mono - self._started >= _KEPT_S:
                del self._standing[key]
                self.changed = True
                self.tell(standing.alarm.of, f"over: {standing.alarm.words}", False)
        if self.changed:
            self._sort()

    def date(self, offset: float) -> None:
        """Give each its beginning by the clock as it goes now."""
        for standing in self._standing.values():
            standing.alarm = evolve(standing.alarm, since=standing.since + offset)
        self._sort()

    def _sort(self) -> None:
        ordered = sorted(
            (standing.alarm for standing in self._standing.values()),
            key=lambda alarm: (alarm.severity is not Severity.SAFETY, alarm.since, alarm.of, alarm.code),
        )
        self.alarms = tuple(ordered)

    def told(self) -> list[list[object]]:
        """Return what is to be kept over a restart."""
        return [
            [key[0], key[1], standing.alarm.severity.value, standing.alarm.words, round(standing.since, 2)]
            for key, standing in self._standing.items()
        ]

    def recall(self, kept: Sequence[Sequence[Any]], mono: float, moved: Callable[[float], float]) -> None:
        """Take what was kept; `moved` makes a moment of then one of this clock."""
        self._started = mono
        for code, of, severity, words, since in kept:
            alarm = Alarm(code, of, Severity(severity), words, 0.0)
            self._standing[code, of] = _Standing(alarm, moved(since), mono)

    def put_back(self, kept: Sequence[Sequence[Any]], moved: Callable[[float], float]) -> None:
        """Begin those that still stand when they began, now that it is known how long ago that was."""
        for code, of, _, _, since in kept:
            standing = self._standing.get((code, of))
            if standing is not None:
                standing.since = min(standing.since, moved(since))
