"""Sums of samples, of quarters of an hour and of days: pure. A sum is a list in the order of `tables.SUMS`."""

from collections.abc import Iterable, Iterator

from daemons.heating.history.tables import QUARTER_S
from protocol.heatsamples import HeatSamples, columns

__all__ = ["DAY_S", "Quarters", "Sum", "days_of", "merge", "quarters_of", "sum_of"]

DAY_S = 86_400

Sum = list[int | None]
"""In the order of `tables.SUMS`. Only the least and the greatest can be None."""

_LEAST, _GREATEST = (3, 7), (4, 8)
_ADDED = (0, 1, 2, 5, 6, 9, 10, 11, 12, 13)


Quarters = dict[tuple[str, int], tuple[int, Sum]]
"""By source and UTC of its begin: the local day of the house that it belongs to, and its sums."""


def quarters_of(messages: Iterable[HeatSamples]) -> Quarters:
    """Return the sums of samples by source and quarter of an hour. Raises ValueError for bytes that are no samples."""
    gathered: dict[tuple[str, int, int, int], list[list[int | None]]] = {}
    for message in messages:
        pieces = list(_pieces(message))
        for source, packed in zip(message.sources, message.packed, strict=True):
            parts = columns(packed, message.count)
            for at, day, first, last in pieces:
                key = source, at, day, message.step_s
                whole = gathered.get(key)
                if whole is None:
                    gathered[key] = [part[first:last] for part in parts]
                else:
                    for longer, part in zip(whole, parts, strict=True):
                        longer += part[first:last]
    found: Quarters = {}
    for (source, at, day, step_s), parts in gathered.items():
        piece = sum_of(parts, step_s)
        known = found.get((source, at))
        if known is None:
            found[source, at] = day, piece
        else:
            merge(known[1], piece)
    return found


def days_of(quarters: Quarters) -> dict[tuple[str, int], tuple[int, Sum]]:
    """Return the sums of days that these quarters add up to, by source and day; with the begin of its first quarter."""
    found: dict[tuple[str, int], tuple[int, Sum]] = {}
    for (source, at), (day, piece) in quarters.items():
        known = found.get((source, day))
        if known is None:
            found[source, day] = at, list(piece)
        else:
            found[source, day] = min(at, known[0]), known[1]
            merge(known[1], piece)
    return found


def merge(into: Sum, other: Sum) -> None:
    """Add `other` to `into`."""
    for i in _ADDED:
        into[i] += other[i]  # type: ignore[operator]
    for i in _LEAST:
        into[i] = min((one for one in (into[i], other[i]) if one is not None), default=None)
    for i in _GREATEST:
        into[i] = max((one for one in (into[i], other[i]) if one is not None), default=None)


def _pieces(message: HeatSamples) -> Iterator[tuple[int, int, int, int]]:
    """Yield the quarters that a message touches: begin, local day, first sample, last (excluded)."""
    index = 0
    while index < message.count:
        at = message.at + index * message.step_s
        quarter = at // QUARTER_S * QUARTER_S
        upto = min(message.count, index + -(-(quarter + QUARTER_S - at) // message.step_s))
        yield quarter, (quarter + message.offset_s) // DAY_S, index, upto
        index = upto


def sum_of(parts: list[list[int | None]], step_s: int) -> Sum:
    """Return the sums of columns of samples."""
    (c_n, c_sum, c_min, c_max), (s_n, s_sum, s_min, s_max), target, ran, starts = map(_of_column, parts)
    return [
        len(parts[0]), c_n, c_sum, c_min, c_max, s_n, s_sum, s_min, s_max, target[0], target[1],
        ran[0] * step_s, ran[1], starts[1],
    ]  # fmt: skip


def _of_column(column: list[int | None]) -> tuple[int, int, int | None, int | None]:
    """Return how many are known, their sum, the least and the greatest."""
    known = column if None not in column else [one for one in column if one is not None]
    if not known:
        return 0, 0, None, None
    return len(known), sum(known), min(known), max(known)  # type: ignore[arg-type, type-var]
