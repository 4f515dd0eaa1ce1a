"""What both ends compare of a house's history: a digest a day of events and of samples, and a day's rows to be sent again.

The digest of a day is an order-free sum, modulo 2⁶⁴, over BLAKE2b-64 of each row as it travels: both ends come to the
same number whatever order rows came in. It finds what was lost, changed or doubled, not forgers.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

import apsw
from attrs import frozen

from daemons.store import fetch, iterate
from protocol import cbor
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import HeatSamples
from protocol.messages import decode_body, encode_body
from protocol.zstd import ZstdCompressor, ZstdDecompressor, ZstdError

__all__ = [
    "DAY_S", "VERSION", "Day", "Rows", "days", "merged", "oldest", "pack_days", "pack_rows", "rows_between",
    "unpack_days", "unpack_rows",
]  # fmt: skip

VERSION = 1
"""Of the rows that are compared: ends that count them differently do not compare."""
DAY_S = 86_400
RAW_BYTES_MAX = 16 * 1024 * 1024
"""Of a span's rows, unpacked: a day of a house is a tenth of a megabyte."""

_MODULUS = 1 << 64
_EVENT = "heat.event"
_SAMPLES = "heat.samples"
_EVENTS_SQL = """SELECT at, source, kind, cause, celsius, supply, outdoor, ran_s FROM heat_event
    WHERE house = ? AND at >= ? AND at < ?"""
_CHUNKS_SQL = "SELECT at, body FROM heat_chunk WHERE house = ? AND at >= ? AND at < ?"


@frozen
class Day:
    """One day (UTC, by the house's time) of a house: rows and digests. Empty days are not told."""

    number: int
    events: int
    events_digest: int
    chunks: int
    chunks_digest: int


@frozen
class Rows:
    """The history of a span: each row as it travels, encoded."""

    events: tuple[bytes, ...]
    chunks: tuple[bytes, ...]

    def decoded(self) -> tuple[list[HeatEvent], list[HeatSamples]]:
        """Return their values. Raises UnknownBody."""
        events = [decode_body(_EVENT, 1, body) for body in self.events]
        return events, [decode_body(_SAMPLES, 1, body) for body in self.chunks]


def oldest(conn: apsw.Connection, house: int) -> int | None:
    """Return the instant from which on both events and samples are here, up to a quarter of an hour; None: neither is."""
    firsts = [
        at
        for table in ("heat_event", "heat_chunk")
        for (at,) in fetch(conn, f"SELECT min(at) FROM {table} WHERE house = ?", (house,))
        if at is not None
    ]
    return -int(-max(firsts) // 900) * 900 if firsts else None


def days(conn: apsw.Connection, house: int, start: int, end: int) -> dict[int, Day]:
    """Return the days of start ≤ at < end in which there is anything, by number."""
    counts: dict[int, list[int]] = {}
    for place, rows in ((0, _events(conn, house, start, end)), (2, _chunks(conn, house, start, end))):
        for at, body in rows:
            sums = counts.setdefault(int(at // DAY_S), [0, 0, 0, 0])
            sums[place] += 1
            sums[place + 1] = (sums[place + 1] + _hash(body)) % _MODULUS
    return {number: Day(number, *sums) for number, sums in counts.items()}


def rows_between(conn: apsw.Connection, house: int, start: int, end: int) -> Rows:
    """Return the rows of start ≤ at < end."""
    return Rows(
        tuple(body for _, body in _events(conn, house, start, end)),
        tuple(body for _, body in _chunks(conn, house, start, end)),
    )


def _events(conn: apsw.Connection, house: int, start: int, end: int) -> Iterator[tuple[float, bytes]]:
    for at, source, kind, cause, celsius, supply, outdoor, ran_s in iterate(
        conn, _EVENTS_SQL, (house, start, end)
    ):
        event = HeatEvent(
            at=at, source=source, kind=EventKind(kind), cause=cause, celsius=celsius, supply=supply, outdoor=outdoor,
            ran_s=ran_s,
        )  # fmt: skip
        yield at, encode_body(event)[2]


def _chunks(conn: apsw.Connection, house: int, start: int, end: int) -> Iterator[tuple[float, bytes]]:
    yield from iterate(conn, _CHUNKS_SQL, (house, start, end))


def _hash(body: bytes) -> int:
    return int.from_bytes(blake2b(body, digest_size=8).digest())


# --- on the wire
# -------------------------------------------------------------------------------------------------------


def pack_days(found: Mapping[int, Day]) -> bytes:
    """Return days as a body: a CBOR sequence of arrays, compressed."""
    items = [
        cbor.dumps(
            [day.number, day.events, day.events_digest.to_bytes(8), day.chunks, day.chunks_digest.to_bytes(8)]
        )
        for _, day in sorted(found.items())
    ]
    return _compress(b"".join(items))


def unpack_days(body: bytes) -> dict[int, Day]:
    """Return what `pack_days` packed. Raises ValueError, RemoteProtocolError."""
    found = {}
    for item in cbor.decode_sequence(_decompress(body, 64 * 1024)):
        match item:
            case [int(number), int(events), bytes(events_digest), int(chunks), bytes(chunks_digest)]:
                found[number] = Day(
                    number, events, int.from_bytes(events_digest), chunks, int.from_bytes(chunks_digest)
                )
            case _:
                raise ValueError("a day is five values")
    return found


def pack_rows(rows: Rows) -> bytes:
    """Return rows as a body: each with a letter and its length before it, compressed. Raises ValueError: too many."""
    parts = []
    for letter, bodies in ((b"e", rows.events), (b"s", rows.chunks)):
        for body in bodies:
            parts += [letter, len(body).to_bytes(3), body]
    raw = b"".join(parts)
    if len(raw) > RAW_BYTES_MAX:
        raise ValueError(f"{len(raw)} bytes of history in one span")
    return _compress(raw)


def unpack_rows(body: bytes) -> Rows:
    """Return what `pack_rows` packed. Raises ValueError."""
    raw = _decompress(body, RAW_BYTES_MAX)
    found: dict[bytes, list[bytes]] = {b"e": [], b"s": []}
    at = 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at + 1 : at + 4])
        if end > len(raw) or raw[at : at + 1] not in found:
            raise ValueError("rows that do not read as such")
        found[raw[at : at + 1]].append(raw[at + 4 : end])
        at = end
    return Rows(tuple(found[b"e"]), tuple(found[b"s"]))


def merged(theirs: Rows, ours: Rows) -> Rows:
    """Return all rows of both, each once."""
    return Rows(_union(theirs.events, ours.events), _union(theirs.chunks, ours.chunks))


def _union(first: Iterable[bytes], second: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _compress(raw: bytes) -> bytes:
    compressor = ZstdCompressor(level=9)
    return compressor.compress(raw) + compressor.flush()


def _decompress(body: bytes, bytes_max: int) -> bytes:
    decompressor = ZstdDecompressor()
    try:
        raw = decompressor.decompress(body, bytes_max + 1)
    except (ZstdError, EOFError) as exc:
        raise ValueError("a body that is not compressed as it should be") from exc
    if len(raw) > bytes_max:
        raise ValueError(f"more than {bytes_max} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("a body that ends too early or too late")
    return raw
