"""Race days with every quirk on, played into the model and into a second computation, compared at every step:
`python -m tests.daemons.race.days --seeds 1-50`.

Nothing is served: each file goes straight to both as it is written, torn halves too; on most days some of them late,
so that a race is known before its round, results before the end of their race, lists before and behind what they name.
"""

import argparse
import hashlib
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
import trio
from attrs import frozen
from trio.testing import MockClock

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks, QuirkyDay
from chaos.doubles.fpvtrackside.pages import HOME, render_home
from daemons.race.bests import Best, bests
from daemons.race.board import paused_s
from daemons.race.dayfiles import DayFiles
from daemons.race.fetched import Fetched
from daemons.race.files import BadFile
from daemons.race.model import Day, Race
from daemons.race.rules import best_consecutive, current_race, ordered_races, race_name, rows_of
from daemons.race.schedule import channel_changes, expected, next_flights, rhythm, upcoming
from daemons.race.standings import stage_tables

from .recomputed import Recomputed

__all__ = ["Pair", "Played", "play"]

ROUNDS, HEATS, PILOTS, LAPS = 8, 2, 6, 3


class Pair:
    """The model and the second computation, fed with the same files. `bad`: how many did not parse."""

    def __init__(self) -> None:
        self.files = DayFiles()
        self.second = Recomputed()
        self.steps = self.bad = 0

    def read(self, path: str, body: bytes) -> None:
        """Let both read a file."""
        digest = hashlib.sha256(body).digest()
        if self.files.concerns(path):
            try:
                self.files.take(path, Fetched(path, body, None, digest, digest, 0.0))
            except BadFile:
                self.bad += 1
        self.second.read(path, body)

    def compare(self) -> None:
        """Raise AssertionError, naming what differs, unless both say the same."""
        self.steps += 1
        ours, theirs = seen(self.files.day, self.files.selected), self.second.everything()
        if ours != theirs and (ours := rounded(ours)) != (theirs := rounded(theirs)):
            raise AssertionError(f"step {self.steps}: {differing(ours, theirs)}")


def seen(day: Day, selected: str | None) -> dict[str, Any]:
    """What the model says, in the shape of `Recomputed.everything`."""
    races, current, beat, best = ordered_races(day), current_race(day, selected), rhythm(day), bests(day)
    changes = channel_changes(day)
    return {
        "order": [race.id for race in races],
        "states": {race.id: race.state.value for race in day.races.values()},
        "names": {race.id: race_name(day, race) for race in races},
        "paused": {race.id: paused_s(race) for race in races},
        "current": current.id if current is not None else None,
        "rows": {race.id: seen_rows(day, race) for race in races},
        "bests": [seen_bests(best.laps), seen_bests(best.runs), seen_bests(best.pbs)],
        "stages": [
            {
                "id": table.id,
                "ready": table.is_ready,
                "headings": list(table.headings),
                "rows": [(row.pilot_id, list(row.values)) for row in table.rows],
            }
            for table in stage_tables(day)
        ],
        "upcoming": [race.id for race in upcoming(day, selected)],
        "rhythm": (beat.gap_s, beat.turnaround_s, beat.spread_s, beat.gaps) if beat is not None else None,
        "expected": {key: (at.at.isoformat(" "), at.spread_s) for key, at in expected(day, selected).items()},
        "next": {
            pilot: (flight.race_id, flight.races_until, flight.channel_id, flight.channel_changed)
            for pilot, flight in next_flights(day, selected).items()
        },
        "changed": {race.id: sorted(changes.get(race.id, ())) for race in races},
    }


def seen_rows(day: Day, race: Race) -> list[dict[str, Any]]:
    run_of = day.event.laps if day.event is not None else 0
    return [
        {
            "pilot": row.pilot_id,
            "name": row.pilot,
            "channel_name": row.channel,
            "channel_mhz": row.frequency_mhz,
            "channel_colour": row.colour,
            "position": row.position,
            "dnf": row.dnf,
            "points": row.points,
            "handicap": row.handicap_s,
            "holeshot": row.flight.holeshot_s,
            "laps": list(row.flight.laps_s),
            "over": row.flight.over_target,
            "best": row.flight.best_s,
            "best_run": best_consecutive(row.flight.laps_s, run_of),
        }
        for row in rows_of(day, race)
    ]


def seen_bests(found: tuple[Best, ...]) -> list[tuple[str, str, float]]:
    return [(best.pilot_id, best.race_id, best.seconds) for best in found]


def differing(ours: Any, theirs: Any, where: str = "") -> str:
    """Say where two values differ first, and how."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        for key in ours:
            if ours[key] != theirs[key]:
                return differing(ours[key], theirs[key], f"{where}/{key}")
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if one != other:
                return differing(one, other, f"{where}/{place}")
    return f"{where}: the model says {ours!r}, computed again it is {theirs!r}"


def rounded(value: Any) -> Any:
    """Return a value with its seconds to the microsecond: sums may be added up in another order."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


class ReadTree(EventTree):
    """The files of a day; whoever changes one has both computations read it, at once or somewhat later."""

    def __init__(self, pair: Pair, chance: random.Random, *, lag: float, has_current: bool) -> None:
        super().__init__()
        self.pair = pair
        self.double: FPVTrackside | None = None
        self._chance, self._lag, self._has_current = chance, lag, has_current
        self._late: dict[str, None] = {}

    def _changed(self, key: str) -> None:
        self._late[key] = None
        if self.double is None or self.double.event_id is None:
            return
        self.read_on(self._lag)

    def read_on(self, lag: float) -> None:
        """Read what changed, all but a share of it, and something else again; compare."""
        assert self.double is not None
        home = render_home(self.read(HOME) or b"", self.double.event_id)
        self.pair.read("/", home)
        selected = f'"{self.double.current_race}"' if self.double.current_race else "null"
        current = b'{"CurrentRace": %s}' % selected.encode() if self._has_current else home
        self.pair.read("/current", current)
        again = self._chance.choice(self.paths())
        before = self.pair.files.day, self.pair.files.selected
        for key in [*self._late, again]:
            if self._chance.random() >= lag:
                self._late.pop(key, None)
                if key.endswith(".json"):
                    self.pair.read(f"/{key}", self.read(key) or b"")
        if (self.pair.files.day, self.pair.files.selected) != before or self._chance.random() < 0.02:
            self.pair.compare()


@frozen
class Played:
    """A day that was played through: what was compared, and what happened on it."""

    pair: Pair
    day: QuirkyDay


async def _play(seed: int) -> Played:
    chance = random.Random(f"reading {seed}")
    pair = Pair()
    lag = chance.choice([0.0, 0.3, 0.6])
    tree = ReadTree(pair, chance, lag=lag, has_current=chance.random() < 0.7)
    tree.double = FPVTrackside(tree, Quirks())
    day = QuirkyDay(tree.double, seed, rounds=ROUNDS, heats=HEATS, pilots=PILOTS, target_laps=LAPS)
    await day.run()
    tree.read_on(0.0)
    pair.compare()
    assert pair.files.field_news == ()
    return Played(pair, day)


def play(seed: int) -> Played:
    """Play the day of a seed, comparing at every step.

    Raises AssertionError at the first difference, and when a file has other fields than it is known to have.
    """
    return trio.run(_play, seed, clock=MockClock(autojump_threshold=0))


def main(say: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(description="Race days, computed twice.")
    parser.add_argument("--seeds", default="1-50", help="as 1-50 or 7")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    first, _, last = parser.parse_args().seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1):
        began = time.monotonic()
        try:
            pair = play(seed).pair
        except AssertionError as exc:
            say(f"seed {seed}: differs: {exc}")
            return 1
        say(f"seed {seed}: {pair.steps} steps, {pair.bad} torn files, {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
