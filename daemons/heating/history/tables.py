"""The tables of a house's history. The same at the boiler, which has one house, and at the nas, which has many.

Samples are kept as they came: packed, several minutes of all sources to a row. What is asked for weeks and years is read
from sums: of a quarter of an hour, and of a local day of the house, kept for good. docs/heating-storage.md has the
measurements behind both.

Sums are of whole centi-degrees and seconds, so those of parts add up to those of the whole, in any order. `…_n` counts
the samples in which a temperature was known, `samples` all of them: what is unknown is counted, never averaged.
"""

from daemons.store import Migration

__all__ = ["MIGRATIONS", "QUARTER_S", "SUMS"]

QUARTER_S = 900

SUMS = (
    "samples", "celsius_n", "celsius_sum", "celsius_min", "celsius_max", "supply_n", "supply_sum", "supply_min",
    "supply_max", "target_n", "target_sum", "watched_s", "ran_s", "starts",
)  # fmt: skip
"""`watched_s`: of how many seconds it is known whether it was on; `ran_s`: how many of them it was."""

_SUM_COLUMNS = ",\n    ".join(
    f"{name} INTEGER" if name.endswith(("_min", "_max")) else f"{name} INTEGER NOT NULL" for name in SUMS
)

_TABLES = f"""
CREATE TABLE heat_house (
    house INTEGER PRIMARY KEY,
    site TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE heat_source (                     -- a zone, "burner", "outdoor"
    id INTEGER PRIMARY KEY,
    house INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (house, name)
) STRICT;

CREATE TABLE heat_event (
    id INTEGER PRIMARY KEY,
    house INTEGER NOT NULL,
    at REAL NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    celsius REAL,
    supply REAL,
    outdoor REAL,
    ran_s REAL
) STRICT;
CREATE INDEX heat_event_at ON heat_event (house, at);
CREATE INDEX heat_event_source ON heat_event (house, source, at);
CREATE INDEX heat_event_kind ON heat_event (house, kind, at);

CREATE TABLE heat_chunk (                      -- samples as they came: protocol.heatsamples
    house INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,                        -- of the message, CBOR
    PRIMARY KEY (house, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE heat_quarter (
    source INTEGER NOT NULL,
    at INTEGER NOT NULL,                       -- UTC, a multiple of 900 s
    day INTEGER NOT NULL,                      -- the local day of the house: days since 1970-01-01
    {_SUM_COLUMNS},
    PRIMARY KEY (source, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE heat_day (
    source INTEGER NOT NULL,
    day INTEGER NOT NULL,
    at INTEGER NOT NULL,                       -- UTC of its first quarter
    {_SUM_COLUMNS},
    PRIMARY KEY (source, day)
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS = (Migration("heat", 1, _TABLES),)
