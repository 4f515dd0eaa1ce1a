"""Recorded links: what a line let through, moment by moment, from a file.

Two forms. mahimahi's: a text of one number a line, the millisecond of a chance to send 1,500 bytes, in order; the last
one is the length. Or rates in bins, as JSON: `unit` says what a number is, a list has the numbers, and the name behind
a `#` chooses among several lists (`drive.json#up`).

    {"unit": "kbit/s per second", "up": [12348, 13205, …], "down": […]}
    {"unit": "1500-byte delivery opportunities per 100 ms", "traces": {"ATT-LTE-driving.up": [0, 3, 1, …]}}

A recording begins anew when it is over.
"""

import functools
import json
import math
import re
import stat
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["Recording", "RecordingError", "load_recording", "read_bins", "read_mahimahi"]

OPPORTUNITY_BYTES: Final = 1500
FILE_MAX_BYTES: Final = 32 * 1024 * 1024
OUTAGE_S: Final = 0.5
"""Shorter than this is how a radio works, not an outage."""

_UNIT = re.compile(
    r"(?P<what>bytes|kbit/s|1500-byte delivery opportunities) per (?P<number>\d*) ?(?P<time>ms|s|second|seconds)"
)


class RecordingError(ValueError):
    """A file that is no recording; `args[0]` says why in words, and nothing of what stands in it."""


class Recording:
    """The bytes that a line has let through by a time, and the time by which it has let bytes through.

    `times` (seconds) and `sums` (bytes since the beginning) are corners of a line that rises or is level; it begins at
    0, 0, and with the last corner begins anew.
    """

    def __init__(self, name: str, corners: Iterable[tuple[float, float]]) -> None:
        self.name = name
        self.times = array("d", [0.0])
        self.sums = array("d", [0.0])
        for at, total in corners:
            self.times.append(at)
            self.sums.append(total)
        self.length_s = self.times[-1]
        self.whole_bytes = self.sums[-1]
        if self.length_s <= 0 or self.whole_bytes <= 0:
            raise RecordingError(f"{name} lets nothing through")

    def __repr__(self) -> str:
        return f"<Recording {self.name} {self.length_s:.0f} s, {self.mean_bytes_s * 8 / 1e6:.2f} Mbit/s>"

    @property
    def mean_bytes_s(self) -> float:
        return self.whole_bytes / self.length_s

    def passed(self, at: float) -> float:
        """Return how many bytes an always busy line has let through `at` seconds after it began."""
        rounds, rest = divmod(max(0.0, at), self.length_s)
        right = min(bisect_right(self.times, rest), len(self.times) - 1)
        since, until = self.times[right - 1], self.times[right]
        before, after = self.sums[right - 1], self.sums[right]
        share = (rest - since) / (until - since) if until > since else 1.0
        return rounds * self.whole_bytes + before + (after - before) * share

    def when(self, total: float) -> float:
        """Return the first moment at which `total` bytes have been let through."""
        if total <= 0:
            return 0.0
        rounds = math.ceil(total / self.whole_bytes) - 1
        rest = min(total - rounds * self.whole_bytes, self.whole_bytes)
        right = max(1, bisect_left(self.sums, rest))
        before, after = self.sums[right - 1], self.sums[right]
        since, until = self.times[right - 1], self.times[right]
        share = (rest - before) / (after - before) if after > before else 1.0
        return rounds * self.length_s + since + (until - since) * share

    def done_at(self, size: float, begins: float) -> float:
        """Return when `size` bytes that begin to leave at `begins` have left. Times count from the recording's start."""
        return max(begins, self.when(self.passed(begins) + size))

    def outages(self, least_s: float = OUTAGE_S) -> Iterator[tuple[float, float]]:
        """Yield (from, until) of every stretch of one round in which nothing passes for `least_s` or more."""
        since: float | None = None
        for i in range(1, len(self.times)):
            if self.sums[i] == self.sums[i - 1]:
                since = self.times[i - 1] if since is None else since
            else:
                if since is not None and self.times[i - 1] - since >= least_s:
                    yield since, self.times[i - 1]
                since = None
        if since is not None and self.length_s - since >= least_s:
            yield since, self.length_s


def read_mahimahi(name: str, text: str) -> Recording:
    """Read mahimahi's form. Raises RecordingError."""
    found: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line:
            continue
        if not (line.isascii() and line.isdigit() and len(line) <= 12):
            raise RecordingError(f"{name}, line {number}: a whole number of milliseconds is wanted")
        found.append(int(line))
        if len(found) > 1 and found[-1] < found[-2]:
            raise RecordingError(f"{name}, line {number}: an earlier time than the line before")
    if not found or not found[-1]:
        raise RecordingError(f"{name} holds no times")
    return Recording(name, _steps(found))


def _steps(milliseconds: Sequence[int]) -> Iterator[tuple[float, float]]:
    """A chance to send at millisecond n is had in the millisecond before it (at 0: in the first)."""
    total, last, at = 0.0, 0, 0
    while at < len(milliseconds):
        ms, end = max(1, milliseconds[at]), at
        while end < len(milliseconds) and max(1, milliseconds[end]) == ms:
            end += 1
        if ms - 1 > last:
            yield (ms - 1) / 1000, total
        total += (end - at) * OPPORTUNITY_BYTES
        yield ms / 1000, total
        last, at = ms, end


def read_bins(name: str, values: Any, unit: Any) -> Recording:
    """Read rates in bins of one length; `unit` as above. Raises RecordingError."""
    found = _UNIT.fullmatch(unit) if isinstance(unit, str) else None
    if found is None:
        raise RecordingError(
            f'{name}: the unit must be like "kbit/s per second" or "bytes per 100 ms", with bytes, kbit/s or '
            "1500-byte delivery opportunities"
        )
    bin_s = float(found["number"] or 1) / (1000 if found["time"] == "ms" else 1)
    each = {"bytes": 1.0, "kbit/s": 125.0 * bin_s}.get(found["what"], float(OPPORTUNITY_BYTES))
    if not isinstance(values, list) or not bin_s or not all(_is_rate(value) for value in values):
        raise RecordingError(f"{name}: a list of numbers of 0 or more is wanted")
    return Recording(name, _bins([value * each for value in values], bin_s))


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e12


def _bins(values: Sequence[float], bin_s: float) -> Iterator[tuple[float, float]]:
    total = 0.0
    for number, value in enumerate(values, 1):
        total += value
        yield number * bin_s, total


def load_recording(place: str) -> Recording:
    """Read a file once for as long as it stays the same; `place` is its path, and `#` with a list's name.

    Reads the disk. Raises RecordingError.
    """
    path, _, choice = place.partition("#")
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as exc:
        raise RecordingError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if not stat.S_ISREG(found.st_mode) or found.st_size > FILE_MAX_BYTES:
        raise RecordingError(f"{path} is no file of {FILE_MAX_BYTES // 2**20} MiB or less")
    return _load(path, choice, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=16)
def _load(path: str, choice: str, changed_ns: int, size: int) -> Recording:
    try:
        text = Path(path).read_text(encoding="ascii")
    except OSError as exc:
        raise RecordingError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise RecordingError(f"{path} is no text of numbers") from exc
    name = Path(path).name
    if not text.lstrip().startswith("{"):
        if choice:
            raise RecordingError(f"{name} holds one recording only: leave #{choice} out")
        return read_mahimahi(name, text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise RecordingError(f"{name} is no JSON") from exc
    lists = found.get("traces", found)
    names = (
        [key for key, value in lists.items() if isinstance(value, list)] if isinstance(lists, dict) else []
    )
    if choice not in names:
        raise RecordingError(f"{name}: choose one with #NAME: {', '.join(names) or 'it holds none'}")
    return read_bins(f"{name}#{choice}", lists[choice], found.get("unit"))
