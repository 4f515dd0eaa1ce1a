"""The catalogue of what is kept, in the daemon's database: recordings, what is small of them, and where their rows lie.

HEAD, INFO and END are in the catalogue itself: they are small, must outlive the rows, and hold people's names, which a
database that is encrypted keeps to itself. ROWS are in segment files.
"""

from daemons.store import Migration

__all__ = ["MIGRATIONS"]

MIGRATIONS = (
    Migration(
        "telemetry",
        1,
        """
        CREATE TABLE tele_recording (
            rec INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, driver TEXT NOT NULL, next INTEGER NOT NULL,
            rows_bytes INTEGER NOT NULL, first_tick INTEGER, last_tick INTEGER, ended TEXT, trimmed INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX tele_recording_driver ON tele_recording (driver);
        CREATE TABLE tele_text (
            rec INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (rec, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE tele_segment (segment INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
        CREATE TABLE tele_rows (
            rec INTEGER NOT NULL, number INTEGER NOT NULL, segment INTEGER NOT NULL, at INTEGER NOT NULL,
            bytes INTEGER NOT NULL, first_tick INTEGER NOT NULL, last_tick INTEGER NOT NULL,
            PRIMARY KEY (rec, number)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tele_rows_tick ON tele_rows (rec, first_tick);
        CREATE INDEX tele_rows_segment ON tele_rows (segment);
        """,
    ),
    Migration(
        "telemetry",
        2,
        """
        CREATE TABLE tele_about (
            rec INTEGER PRIMARY KEY, driver TEXT NOT NULL, id BLOB NOT NULL, session TEXT NOT NULL,
            started_utc_us INTEGER NOT NULL, tick_rate INTEGER NOT NULL, kind TEXT NOT NULL, track TEXT NOT NULL,
            car TEXT NOT NULL, sectors TEXT NOT NULL, session_num INTEGER, info BLOB NOT NULL
        ) STRICT;
        CREATE INDEX tele_about_session ON tele_about (session);
        CREATE INDEX tele_about_started ON tele_about (started_utc_us);
        CREATE TABLE tele_finder (rec INTEGER PRIMARY KEY, fed INTEGER NOT NULL, state BLOB NOT NULL) STRICT;
        CREATE TABLE tele_stint (
            rec INTEGER NOT NULL, stint INTEGER NOT NULL, name TEXT NOT NULL, first_tick INTEGER NOT NULL,
            last_tick INTEGER NOT NULL, laps INTEGER NOT NULL, is_open INTEGER NOT NULL, PRIMARY KEY (rec, stint)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE tele_lap (
            rec INTEGER NOT NULL, lap INTEGER NOT NULL, number INTEGER NOT NULL, stint INTEGER NOT NULL,
            first_tick INTEGER NOT NULL, last_tick INTEGER NOT NULL, started_s REAL, time_s REAL,
            sectors TEXT NOT NULL, flaws TEXT NOT NULL, fuel_litres REAL, PRIMARY KEY (rec, lap)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE tele_refused (
            rec INTEGER NOT NULL, number INTEGER NOT NULL, words TEXT NOT NULL, file TEXT NOT NULL,
            PRIMARY KEY (rec, number)
        ) STRICT, WITHOUT ROWID;
        """,
    ),
)
