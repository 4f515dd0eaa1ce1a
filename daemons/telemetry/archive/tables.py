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
)
