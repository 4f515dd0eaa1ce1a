"""Files in pieces, made while they are sent: no more than some seconds of rows are in memory at a time."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from importlib.util import find_spec
from typing import Final

from daemons.telemetry.about import INFO_BYTES_MAX
from daemons.telemetry.catalogue import told
from daemons.telemetry.export.ibt import head_of
from daemons.telemetry.export.parts import Part, parts_of, read
from daemons.telemetry.export.table import CsvLines, ParquetRows
from daemons.telemetry.look import NotKept
from daemons.telemetry.past import Past
from protocol.columns import Batch, ColumnsError

__all__ = ["exported", "formats"]

_PIECE_BYTES: Final = 256 * 1024


def formats() -> Sequence[str]:
    """Return what can be made here: Parquet wants the extra `parquet`."""
    return ("csv", "parquet", "ibt") if find_spec("pyarrow") is not None else ("csv", "ibt")


def exported(past: Past, lap_or_session: str, format_: str) -> AsyncGenerator[bytes, None]:
    """Return a file in pieces. Raises NotKept at the first piece, ValueError for a format that is none of `formats`."""
    makers = {"csv": _csv, "parquet": _parquet, "ibt": _ibt}
    if format_ not in formats():
        raise ValueError(f"{format_!r} cannot be made here: {', '.join(formats())} can")
    return makers[format_](past, lap_or_session)


async def _csv(past: Past, lap_or_session: str) -> AsyncGenerator[bytes, None]:
    parts = await parts_of(past, lap_or_session)
    lines = CsvLines(parts[0].recording.layout)
    yield lines.head()
    for part in parts:
        async with aclosing(read(past, part)) as batches:
            async for batch, low, high in batches:
                yield await past.pool.do(partial(lines.lines, part, batch, low, high))


async def _parquet(past: Past, lap_or_session: str) -> AsyncGenerator[bytes, None]:
    parts = await parts_of(past, lap_or_session)
    rows = await past.pool.do(lambda: ParquetRows(parts[0].recording.layout))
    for part in parts:
        async with aclosing(read(past, part)) as batches:
            async for batch, low, high in batches:
                if piece := await past.pool.do(partial(rows.take, part, batch, low, high)):
                    yield piece
    yield await past.pool.do(rows.end)


async def _ibt(past: Past, lap_or_session: str) -> AsyncGenerator[bytes, None]:
    parts = await parts_of(past, lap_or_session)
    layout = parts[0].recording.layout
    if any(part.recording.layout.digest != layout.digest for part in parts):
        raise NotKept("its recordings have different channels, an .ibt file has one set: export a lap of it")
    ends, count = await _ends(past, parts)
    kept = parts[-1].kept
    known = await past.store.read(lambda conn: told(conn, kept.rec, INFO_BYTES_MAX))
    started_utc_s = parts[0].kept.at_us(parts[0].first) // 1_000_000
    yield head_of(layout, known.info, started_utc_s=started_utc_s, first=ends[0], last=ends[1], rows=count)
    waiting: list[bytes] = []
    for part in parts:
        async with aclosing(read(past, part)) as batches:
            async for batch, low, high in batches:
                waiting.append(_rows(batch, low, high))
                if sum(map(len, waiting)) >= _PIECE_BYTES:
                    yield b"".join(waiting)
                    waiting.clear()
    yield b"".join(waiting)


async def _ends(past: Past, parts: Sequence[Part]) -> tuple[tuple[bytes, bytes], int]:
    """Return the first and the last row, and how many there are: a file says it in front of them."""
    first = last = b""
    count = 0
    for part in parts:
        async with aclosing(read(past, part)) as batches:
            async for batch, low, high in batches:
                count += high - low
                first = first or _rows(batch, low, low + 1)
                last = _rows(batch, high - 1, high)
    if not count:
        raise NotKept("none of these ticks are here any more")
    return (first, last), count


def _rows(batch: Batch, low: int, high: int) -> bytes:
    try:
        return batch.rows()[low:high].tobytes()
    except ColumnsError:
        raise NotKept("these ticks were not kept in full, an .ibt file has all of each") from None
