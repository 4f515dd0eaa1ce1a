"""A house's history: how quickly days, weeks, months and years are answered beside ten million samples, and what a week costs
that arrives at once.

Makes a house of fourteen zones (and burner, outdoors), a sample a minute, in a temporary file, until there are `--samples`
of them; then asks for curves and figures, each on a new connection, the first time with a cold page cache of SQLite's (the
system's own is warm). `--samples 200000` takes seconds.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from bench.report import parser, percentile, table, write
from daemons.heating.history import tables
from daemons.heating.history.figures import metrics
from daemons.heating.history.read import events, series
from daemons.heating.history.write import add_events, add_samples, house_of
from daemons.store.connect import connect, keep_log
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import HeatSamples, Sample, pack
from protocol.messages import decode_body, encode_body

ZONES = (*(f"zone-{number}" for number in range(14)), "burner", "outdoor")
START = 1_750_000_000 // 86_400 * 86_400
DAY_S = 86_400
MINUTES = 5
EVENTS_A_DAY = 600


def week(chance: random.Random) -> list[tuple[int, tuple[bytes, ...]]]:
    """Return the packed samples of a week, by seconds since its begin: the years are made of it again and again."""
    rooms = dict.fromkeys(ZONES, 2000.0)
    made = []
    for at in range(0, 7 * DAY_S, 60 * MINUTES):
        packed = []
        for zone in ZONES:
            is_on = chance.random() < 0.3
            samples = []
            for minute in range(MINUTES):
                rooms[zone] += chance.choice((-6, 0, 0, 0, 6))
                room = None if chance.random() < 0.002 else round(rooms[zone])
                supply = round(5000 * is_on + 2000 + chance.gauss(0, 15))
                samples.append(Sample(room, supply, 2100, 60 * is_on, int(is_on and minute == 0)))
            packed.append(pack(samples))
        made.append((at, tuple(packed)))
    return made


def messages(made: list[tuple[int, tuple[bytes, ...]]], days: int) -> Iterator[list[HeatSamples]]:
    """Yield the messages of each day."""
    for day in range(days):
        begin = START + day * DAY_S
        first = day % 7 * DAY_S
        yield [
            HeatSamples(begin + at - first, 60, -7 * 3600, MINUTES, ZONES, packed)
            for at, packed in made
            if first <= at < first + DAY_S
        ]


def fill(path: Path, days: int) -> float:
    """Make the file; return for how many seconds a day of it was written."""
    conn = connect(path)
    conn.pragma("page_size", 8192)
    keep_log(conn, path)
    conn.pragma("synchronous", "off")
    for migration in tables.MIGRATIONS:
        conn.execute(migration.sql)
    made, spent = week(random.Random(1)), []
    house = house_of(conn, "home")
    for day, whole in enumerate(messages(made, days)):
        began = time.perf_counter()
        with conn:
            add_samples(conn, house, whole)
            begin = START + day * DAY_S
            add_events(
                conn, house,
                [
                    HeatEvent(
                        at=begin + number * DAY_S / EVENTS_A_DAY, source=ZONES[number % 14],
                        kind=EventKind.ON if number % 2 else EventKind.OFF, cause="20.4 °C, wanted 21.0 °C by the week",
                        celsius=20.4, supply=48.2, outdoor=-3.1, ran_s=1234.0,
                    )
                    for number in range(EVENTS_A_DAY)
                ],
            )  # fmt: skip
        spent.append(time.perf_counter() - began)
    conn.close()
    return statistics.median(spent)


def catch_up(path: Path) -> tuple[float, int]:
    """Return how long a week's samples and events take to be read off the wire and applied, durable, in batches of 20."""
    bodies = [encode_body(one) for day in messages(week(random.Random(2)), 7) for one in day]
    conn = connect(path)
    conn.pragma("synchronous", "full")
    house = house_of(conn, "other")
    began = time.perf_counter()
    for first in range(0, len(bodies), 20):
        with conn:
            for body in bodies[first : first + 20]:
                add_samples(conn, house, [decode_body(*body)])
    took = time.perf_counter() - began
    conn.close()
    return took, sum(len(body) for _, _, body in bodies)


def asked(
    path: Path, work: Callable[[apsw.Connection], object], rounds: int
) -> tuple[float, float, float, float]:
    """Return the milliseconds of the first time, the median and the 95th percentile of the others, the median of the CPU
    time: what it would be on a machine with nothing else to do."""
    conn = connect(path, read_only=True)
    spent, worked = [], []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        work(conn)
        spent.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - cpu) * 1000)
    conn.close()
    return spent[0], statistics.median(spent[1:]), percentile(spent[1:], 0.95), statistics.median(worked)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--samples", type=int, default=10_000_000)
    options.add_argument("--rounds", type=int, default=15)
    given = options.parse_args()
    days = max(1, round(given.samples / (1440 * len(ZONES))))
    end = START + days * DAY_S
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        a_day_s = fill(path, days)
        size = path.stat().st_size
        spans = {"day": 1, "week": 7, "month": 31, "year": 365}
        work: dict[str, Callable[[apsw.Connection], object]] = {
            f"curve of a {name}": lambda conn, span=span: series(
                conn, 1, "zone-3", end - span * DAY_S, end, 300
            )
            for name, span in spans.items()
        }
        work["curve of a year, 1,000 points"] = lambda conn: series(
            conn, 1, "zone-3", end - 365 * DAY_S, end, 1000
        )
        for name, span in spans.items():
            work[f"figures of a {name}"] = lambda conn, span=span: metrics(conn, 1, end - span * DAY_S, end)
        work["100 events"] = lambda conn: events(conn, 1, limit=100)
        work["100 events of a zone, a year ago"] = lambda conn: events(
            conn, 1, source="zone-3", before=(end - 365 * DAY_S, 0), limit=100
        )
        found = {name: asked(path, one, given.rounds) for name, one in work.items()}
        week_s, week_bytes = catch_up(path)
    rows = [[name, *(f"{ms:.1f}" for ms in times)] for name, times in found.items()]
    samples = days * 1440 * len(ZONES)
    table(
        f"{samples:,} samples of {days} days, {size / 1e6:,.0f} MB",
        ["", "first, ms", "median", "p95", "of CPU"],
        rows,
    )
    print(
        f"a day is written in {a_day_s * 1000:.0f} ms; a week that arrives ({week_bytes:,} bytes) applied in {week_s:.2f} s"
    )
    write(given.json, "heathistory", {"samples": samples, "file_bytes": size, "ms": found, "week_s": week_s})


if __name__ == "__main__":
    main()
