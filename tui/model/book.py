"""The latest log lines of all daemons, in the order in which they came: bounded, the oldest dropped and counted."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from tui.model.reading import read_log
from tui.model.values import LogRow

__all__ = ["LogBook"]


@define(eq=False)
class LogBook:
    """Keeps at most `rows_max` lines."""

    rows_max: int = 4000
    dropped: int = field(default=0, init=False)
    _rows: deque[LogRow] = field(factory=deque, init=False)
    _count: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def last_key(self) -> int:
        """The key of the newest line; 0 before the first."""
        return self._count

    def add(self, daemon: str, told: Mapping[str, Any]) -> LogRow:
        """Keep a line as the admin API tells it. Raises ValueError, KeyError and TypeError for what is none."""
        row = read_log(daemon, self._count + 1, told)
        self._count += 1
        self._rows.append(row)
        if len(self._rows) > self.rows_max:
            self._rows.popleft()
            self.dropped += 1
        return row

    def row(self, key: int) -> LogRow | None:
        """Return the line with this key; None when it is no longer here."""
        at = key - 1 - (self._count - len(self._rows))
        return self._rows[at] if 0 <= at < len(self._rows) else None

    def after(self, key: int) -> list[LogRow]:
        """Return the lines past this key that are still here, oldest first."""
        count = min(self._count - key, len(self._rows))
        return [] if count <= 0 else [self._rows[index] for index in range(-count, 0)]

    def tail(self, count: int, wanted: Callable[[LogRow], bool] = lambda row: True) -> list[LogRow]:
        """Return the newest `count` lines that are wanted, oldest first."""
        found: list[LogRow] = []
        for row in reversed(self._rows):
            if len(found) >= count:
                break
            if wanted(row):
                found.append(row)
        return found[::-1]
