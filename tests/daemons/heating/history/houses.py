"""Made-up history of a house: a database in memory, and samples of days."""

import random
from collections.abc import Iterator, Sequence

import apsw

from daemons.heating.history.tables import MIGRATIONS
from protocol.heatsamples import HeatSamples, Sample, pack

START = 1_790_000_100 // 900 * 900
STEP_S, BATCH_S = 60, 300


def open_history() -> apsw.Connection:
    """Return an empty history."""
    conn = apsw.Connection(":memory:")
    for migration in MIGRATIONS:
        conn.execute(migration.sql)
    return conn


def message(
    samples: dict[str, Sequence[Sample]], at: int = START, offset_s: int = 0, step_s: int = STEP_S
) -> HeatSamples:
    """Return a message of these samples."""
    count = len(next(iter(samples.values())))
    return HeatSamples(at, step_s, offset_s, count, tuple(samples), tuple(map(pack, samples.values())))


def days(
    number: float,
    zones: Sequence[str] = ("living", "bath", "outdoor"),
    *,
    start: int = START,
    offset_s: int = 0,
    seed: int = 1,
) -> Iterator[HeatSamples]:
    """Yield messages of five minutes, with all that can be unknown unknown now and then."""
    chance = random.Random(seed)
    rooms = dict.fromkeys(zones, 2000)
    for at in range(start, start + int(number * 86_400), BATCH_S):
        found: dict[str, list[Sample]] = {}
        for zone in zones:
            is_on = chance.random() < 0.4
            rooms[zone] += chance.choice((-6, 0, 0, 6))
            found[zone] = [
                Sample(
                    None if chance.random() < 0.05 else rooms[zone] + minute,
                    None if chance.random() < 0.3 else 4000 + chance.randint(-50, 50),
                    None if zone == "outdoor" else 2100,
                    STEP_S if is_on else 0,
                    1 if is_on and minute == 0 else 0,
                )
                for minute in range(BATCH_S // STEP_S)
            ]
        yield message(found, at, offset_s)
