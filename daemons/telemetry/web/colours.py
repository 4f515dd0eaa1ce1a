"""Sectors and laps in purple, green and yellow, of a session as it stands. Pure.

Purple (P): the best of all in the session. Green (G): the best of this driver. Yellow (Y): slower than that. A lap that
does not count colours nothing and has no colour; its sectors neither. Of one that is only not finished, the sectors
that were driven count.
"""

from collections.abc import Sequence

from attrs import frozen

from daemons.telemetry.finding import Flaw
from daemons.telemetry.look import Lap

__all__ = ["Coloured", "coloured"]


@frozen
class Coloured:
    """A lap with the letter of its time and of each sector: "P", "G", "Y", "" for none."""

    lap: Lap
    letter: str
    sectors: tuple[str, ...]


def coloured(laps: Sequence[Lap]) -> list[Coloured]:
    """Return the laps in their order with their letters."""
    clean = [lap for lap in laps if _counts(lap)]
    whole = _Bests([(lap.driver, lap.time_s) for lap in clean])
    count = max((len(lap.sectors) for lap in laps), default=0)
    parts = [
        _Bests([(lap.driver, lap.sectors[n]) for lap in clean if n < len(lap.sectors)]) for n in range(count)
    ]
    return [
        Coloured(lap, "", ("",) * len(lap.sectors))
        if not _counts(lap)
        else Coloured(
            lap,
            whole.letter(lap.driver, lap.time_s),
            tuple(parts[n].letter(lap.driver, time_s) for n, time_s in enumerate(lap.sectors)),
        )
        for lap in laps
    ]


def _counts(lap: Lap) -> bool:
    return set(lap.invalid) <= {Flaw.UNFINISHED}


class _Bests:
    """The best time of all, and of each driver."""

    def __init__(self, times: Sequence[tuple[str, float | None]]) -> None:
        self._own: dict[str, float] = {}
        for driver, time_s in times:
            if time_s is not None:
                self._own[driver] = min(time_s, self._own.get(driver, time_s))

    def letter(self, driver: str, time_s: float | None) -> str:
        if time_s is None:
            return ""
        if time_s <= min(self._own.values()):
            return "P"
        return "G" if time_s <= self._own[driver] else "Y"
