"""Samples of a house: what every zone was at each minute, several minutes to a message, packed by column.

Temperatures are centi-degrees of °C, instants whole UTC seconds, durations whole seconds. Unknown (None) has a code of
its own in every column, which no value has.

A source's samples are packed one column after the other: room, supply, target, seconds run, starts. A column is a form
and what it needs: NONE all are unknown, SAME one value for all, LIST one for each. A value is a varint: 0 is unknown,
else 1 + the zigzag of the difference to the value known before it in the column (at first to 0).
"""

from collections.abc import Sequence

from attrs import frozen

__all__ = ["COUNT_MAX", "SOURCES_MAX", "HeatSamples", "Sample", "columns", "pack", "unpack"]

COUNT_MAX = 1440
"""Samples of a source in one message: a day of minutes."""
SOURCES_MAX = 256
NAME_MAX = 100
AT_MAX = 2**40
STEP_MAX_S = 86_400
OFFSET_MAX_S = 24 * 3600
VALUE_MAX = 2**31
"""Of any value, either sign; far beyond any temperature."""
PACKED_MAX = 5 * (1 + 6 * COUNT_MAX)
_VARINT_BYTES_MAX = 6

_NONE, _SAME, _LIST = range(3)
_COLUMNS = 5


@frozen
class Sample:
    """One source at one instant. A room: `celsius` of the room, `supply` of its pipe, `target`; the burner: its flow,
    what comes back, what the flow is to be; the outdoors: `celsius`. `ran_s`: of the seconds since the sample before, how
    many it was on (None: not known); `starts`: how often it went on in them."""

    celsius: int | None = None
    supply: int | None = None
    target: int | None = None
    ran_s: int | None = 0
    starts: int | None = 0


@frozen
class HeatSamples:
    """`count` samples of each source, the first at `at`, the others `step_s` after one another. `packed`: one for each of
    `sources`. `offset_s`: of the house's own time from UTC, by which its local days are counted."""

    at: int
    step_s: int
    offset_s: int
    count: int
    sources: tuple[str, ...]
    packed: tuple[bytes, ...]

    def __attrs_post_init__(self) -> None:
        if not (
            0 <= self.at <= AT_MAX and 1 <= self.step_s <= STEP_MAX_S and abs(self.offset_s) <= OFFSET_MAX_S
        ):
            raise ValueError("samples of an impossible time")
        if not 1 <= self.count <= COUNT_MAX:
            raise ValueError(f"samples: 1 to {COUNT_MAX} of a source")
        if not len(set(self.sources)) == len(self.sources) == len(self.packed) <= SOURCES_MAX:
            raise ValueError(f"samples of up to {SOURCES_MAX} sources, each once")
        if any(len(name) > NAME_MAX for name in self.sources) or any(
            len(one) > PACKED_MAX for one in self.packed
        ):
            raise ValueError("samples that are too long")

    def of(self, source: str) -> list[Sample]:
        """Return the samples of a source; none for one that is not there. Raises ValueError for bytes that are none."""
        try:
            return unpack(self.packed[self.sources.index(source)], self.count)
        except ValueError:
            if source in self.sources:
                raise
            return []


def pack(samples: Sequence[Sample]) -> bytes:
    """Return the samples of one source as bytes."""
    out = bytearray()
    for column in (
        [sample.celsius for sample in samples],
        [sample.supply for sample in samples],
        [sample.target for sample in samples],
        [sample.ran_s for sample in samples],
        [sample.starts for sample in samples],
    ):
        _pack_column(out, column)
    return bytes(out)


def unpack(data: bytes, count: int) -> list[Sample]:
    """Return the samples that `pack` was given. Raises ValueError."""
    return [Sample(*values) for values in zip(*columns(data, count), strict=True)]


def columns(data: bytes, count: int) -> list[list[int | None]]:
    """Return the columns of packed samples, in the order of Sample's fields. Raises ValueError."""
    codes = _varints(data)
    found: list[list[int | None]] = []
    index = 0
    try:
        for _ in range(_COLUMNS):
            form = codes[index]
            upto = index + 1 + (0, 1, count)[form]
            some = codes[index + 1 : upto]
            index = upto
            if form == _NONE:
                found.append([None] * count)
            elif form == _SAME:
                found.append(_values(some) * count)
            else:
                found.append(_values(some))
    except IndexError:
        raise ValueError("samples that end too early, or of no known form") from None
    if index != len(codes):
        raise ValueError("samples that are not as long as they should be")
    return found


def _values(codes: list[int]) -> list[int | None]:
    values: list[int | None] = []
    known = least = most = 0
    for code in codes:
        if code:
            half = code - 1
            known += half >> 1 ^ -(half & 1)
            if known < least:
                least = known
            elif known > most:
                most = known
            values.append(known)
        else:
            values.append(None)
    if least <= -VALUE_MAX or most >= VALUE_MAX:
        raise ValueError("samples with a value that is too great")
    return values


def _pack_column(out: bytearray, column: Sequence[int | None]) -> None:
    first = column[0] if column else None
    if all(value == first for value in column):
        if first is None:
            out.append(_NONE)
        else:
            out.append(_SAME)
            _append(out, 1 + _zigzag(first))
        return
    out.append(_LIST)
    known = 0
    for value in column:
        if value is None:
            out.append(0)
        else:
            _append(out, 1 + _zigzag(value - known))
            known = value


def _zigzag(value: int) -> int:
    if not -VALUE_MAX < value < VALUE_MAX:
        raise ValueError("a value that no sample has")
    return value << 1 if value >= 0 else (-value << 1) - 1


def _append(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _varints(data: bytes) -> list[int]:
    values: list[int] = []
    value = shift = 0
    for byte in data:
        if byte < 0x80:
            values.append(value | byte << shift)
            value = shift = 0
        else:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift >= 7 * _VARINT_BYTES_MAX:
                raise ValueError("samples with a number that is too long")
    if shift:
        raise ValueError("samples end inside a number")
    return values
