"""The session info of a race, as the simulator writes it: YAML by hand, sections apart by an empty line, cp1252.

It changes when a driver does, and every ten seconds with the results. With builds since mid-2026 its first key says its
encoding. 60 drivers make about 80 kB.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from . import names
from .schedule import Route
from .sessionpeople import driver_info
from .sessionplace import NOTHING, cameras, radio, sectors, setup, weekend

if TYPE_CHECKING:
    from .race import Race

__all__ = ["SessionInfo"]

RESULTS_S: Final = 10


class SessionInfo:
    """The text by tick. `utf8`: as an app.ini switch has it since mid-2026."""

    def __init__(self, race: "Race", *, since_2026: bool, utf8: bool) -> None:
        self._race = race
        self._encoding = "utf-8" if utf8 and since_2026 else "cp1252"
        self._names = names.drivers(race.seed, race.cars + race.drivers)
        self._drivers = lru_cache(4)(lambda driver: driver_info(race, self._names, driver))
        encoding = {"cp1252": "ISO_8859_1", "utf-8": "UTF8"}[self._encoding] if since_2026 else ""
        self._before = weekend(race, encoding)
        self._between = cameras(), radio(race.player_index)
        self._after = sectors(race.track.sectors), setup(race)

    def update(self, tick: int) -> int:
        """Return how often the text has changed until a tick, counted from 1."""
        return 1 + tick // (60 * RESULTS_S) + len(self._race.stints.swapped(tick / 60))

    def text(self, tick: int) -> bytes:
        """Return the text at a tick."""
        driver = self._race.stints.driver_at(tick / 60)
        results = self._sessions(tick // (60 * RESULTS_S) * 60 * RESULTS_S)
        parts = [self._before, results, *self._between, self._drivers(driver), *self._after]
        whole = "---\n" + "\n".join(part.rstrip("\n") + "\n" for part in parts) + "\n...\n"
        return whole.encode(self._encoding, "replace")

    def driver_name(self, driver: int) -> str:
        """Return the name of one of the team's drivers."""
        return self._names[self._race.cars + driver]

    def _sessions(self, tick: int) -> str:
        race = self._race
        text = [f"SessionInfo:\n CurrentSessionNum: {race.session}\n Sessions:\n"]
        for number, (kind, seconds) in enumerate(
            (("Practice", 3600.0), ("Lone Qualify", 600.0), ("Race", race.session_s))
        ):
            text.append(
                f""" - SessionNum: {number}
   SessionLaps: unlimited
   SessionTime: {seconds:.4f} sec
   SessionNumLapsToAvg: 0
   SessionType: {kind}
   SessionTrackRubberState: {"moderate usage" if number == 0 else "carry over"}
   SessionName: {kind.upper().split()[-1]}
   SessionSubType: {NOTHING}
   SessionSkipped: 0
   SessionRunGroupsUsed: 0
   SessionEnforceTireCompoundChange: 0
"""
            )
            text.append(self._results(tick) if number == race.session else "   ResultsPositions:\n")
            text.append(
                """   ResultsAverageLapTime: -1.0000
   ResultsNumCautionFlags: 0
   ResultsNumCautionLaps: 0
   ResultsNumLeadChanges: 0
   ResultsLapsComplete: -1
   ResultsOfficial: 0
"""
            )
        return "".join(text)

    def _results(self, tick: int) -> str:
        """Return the order as it stood at the last line of each car: nobody is listed before its first lap."""
        now_s = tick / 60
        found = []
        for number, (laps, route) in enumerate(zip(self._race.field.laps, self._race.routes, strict=True)):
            laps.reach(route, now_s)
            last, best, best_lap = laps.shown(now_s)
            done = laps.count(now_s)
            if done:
                found.append((-done, laps.ends[done - 1], number, last, best, best_lap))
        found.sort()
        text, in_class = ["   ResultsPositions:\n"], dict.fromkeys(self._race.field.classes.tolist(), 0)
        for position, (done, ended, number, last, best, best_lap) in enumerate(found, 1):
            each = int(self._race.field.classes[number])
            text.append(
                f"""   - Position: {position}
     ClassPosition: {in_class[each]}
     CarIdx: {number}
     Lap: {-done}
     Time: {ended - found[0][1]:.4f}
     FastestLap: {best_lap}
     FastestTime: {best:.4f}
     LastTime: {last:.4f}
     LapsLed: 0
     LapsComplete: {-done}
     JokerLapsComplete: 0
     LapsDriven: {-done:.3f}
     Incidents: {_points(self._race.routes[number], -done)}
     ReasonOutId: 0
     ReasonOutStr: Running
"""
            )
            in_class[each] += 1
        if found:
            *_, number, _, best, best_lap = min(found, key=lambda row: row[4])
            text.append(
                f"   ResultsFastestLap:\n   - CarIdx: {number}\n     FastestLap: {best_lap}\n     FastestTime: {best:.4f}\n"
            )
        return "".join(text)


def _points(route: Route, laps: int) -> int:
    return sum(each.points for number, each in route.excursions.items() if number < laps)
