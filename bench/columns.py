"""Bytes and time that telemetry takes as batches of columns, beside what others send for the same samples, in one run.

The seventeen values of a dashboard and all channels of a real recording of a race; all channels of live memory, as
`bench.livestream` makes them of real files and as the double of the simulator races them. Everything of a batch is
counted, its head too. JSON is the seed's telemetry_update; with a context it is one deflate stream over all messages, as
permessage-deflate has it. Exits with 1 when a bound is missed.

    .venv/bin/python -m bench.columns
"""

import json
import math
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from bench.livestream import stream
from bench.report import parser, table, write
from chaos.doubles.iracing.race import Race
from daemons.telemetry.snapshot import Context, Snapshots
from protocol.columns import SNAPSHOT, Group, Precision, Wish, decode, encode, groups_of
from protocol.columns.steps import step_of
from protocol.irsdk import Header, Layout, read_variables

try:
    import msgpack
except ImportError:
    msgpack = None

HZ = 60
RACE = "race_sebring_2025.ibt"
DUMPS = "live_*.bin"
BOUNDS = {
    "17 values, quantised, 1 s": 5.0, "17 values, quantised, 0.1 s": 16.0,
    "17 values, lossless, 1 s": 19.0, "17 values, lossless, 0.1 s": 45.0,
    "285 channels, lossless, 1 s": 205.0,
    "live, tiers, 0.25 s": 12_000 / HZ, "live, complete, 1 s": 52_000 / HZ,
    "double, tiers, 0.25 s": 12_000 / HZ, "double, complete, 1 s": 52_000 / HZ,
}  # fmt: skip
"""Bytes a sample at most."""

Rows = NDArray[np.uint8]


@frozen
class Case:
    """Samples that are measured: `rows` of `layout`, and the objects that others send for them."""

    name: str
    layout: Layout
    rows: Rows
    ticks: NDArray[np.int64]


@frozen
class Row:
    """A line of the table. `bytes_`: of a sample; `send_us` and `take_us`: processor time of a sample at both ends."""

    case: str
    what: str
    bytes_: float
    send_us: float
    take_us: float | None


def _load(path: Path) -> tuple[Layout, Rows]:
    data = path.read_bytes()
    header = Header.read(data)
    at = header.variables_at
    layout = read_variables(data[at : at + 144 * header.variables], header.row_bytes, header.tick_rate)
    held = sorted(header.buffers, key=lambda buffer: buffer.tick_count)
    if len(held) == 1:
        start = held[0].offset
        count = (len(data) - start) // header.row_bytes
        return layout, np.frombuffer(data, np.uint8, count * header.row_bytes, start).reshape(count, -1)
    return layout, np.stack([np.frombuffer(data, np.uint8, header.row_bytes, each.offset) for each in held])


def dashboard(layout: Layout, rows: Rows) -> Rows:
    """The seed's seventeen values of a recording, in its units and signs; a track of three sectors."""
    return Snapshots(layout, Context(sectors=(0.0, 1 / 3, 2 / 3))).rows(rows)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def _ours(case: Case, what: str, groups: Sequence[Group], batch: int) -> Row:
    count = len(case.rows) // batch * batch
    pieces = [slice(start, start + batch) for start in range(0, count, batch)]
    sent, send_s = _timed(
        lambda: [encode(case.layout, case.rows[each], case.ticks[each], groups) for each in pieces]
    )
    taken, take_s = _timed(
        lambda: [decode(case.layout, data, rows_max=batch, bytes_max=1 << 24) for data in sent]
    )
    if groups == [Group()]:
        for each, found in zip(pieces, taken, strict=True):
            if not np.array_equal(found.rows(), case.rows[each]):
                raise AssertionError(f"{case.name}: {what}: came back otherwise")
    return Row(case.name, what, sum(map(len, sent)) / count, send_s / count * 1e6, take_s / count * 1e6)


def _objects(case: Case, count: int) -> list[dict[str, Any]]:
    values = case.rows[:count].view(case.layout.dtype)[:, 0]
    columns = {name: values[name].tolist() for name in values.dtype.names or ()}
    return [
        {"type": "telemetry_update", "data": dict(zip(columns, each, strict=True))}
        for each in zip(*columns.values(), strict=True)
    ]


def _rounded(layout: Layout, objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with as many digits as our steps have, seven significant ones where there is no step."""
    digits = {}
    for variable in layout.variables:
        step = step_of(variable, Precision.FINE)
        if step is not None:
            digits[variable.name] = max(0, math.ceil(-math.log10(step) - 1e-9))

    def short(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [short(name, each) for each in value]
        if not isinstance(value, float) or not math.isfinite(value):
            return value
        return round(value, digits[name]) if name in digits else float(f"{value:.7g}")

    return [
        {**each, "data": {name: short(name, value) for name, value in each["data"].items()}}
        for each in objects
    ]


def _others(case: Case, count: int) -> Iterator[Row]:
    objects = _objects(case, count)

    def to_json(value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    packers: list[tuple[str, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
        ("JSON", to_json, json.loads)
    ]
    packers.append(("JSON, rounded", to_json, json.loads))
    if msgpack is not None:
        packers.append(
            ("MessagePack", msgpack.packb, lambda data: msgpack.unpackb(data, strict_map_key=False))
        )
    packers.append(("raw rows", bytes, bytes))
    for name, pack, unpack in packers:
        source: list[Any] = objects
        if name == "raw rows":
            source = [bytes(row) for row in case.rows[:count]]
        elif name == "JSON, rounded":
            source = _rounded(case.layout, objects)
        messages, pack_s = _timed(lambda pack=pack, source=source: [pack(each) for each in source])  # type: ignore[misc]
        _, unpack_s = _timed(lambda unpack=unpack, messages=messages: [unpack(each) for each in messages])  # type: ignore[misc]
        yield _row(case, name, messages, pack_s, unpack_s)
        packed, zip_s = _timed(lambda messages=messages: [zlib.compress(each) for each in messages])  # type: ignore[misc]
        _, unzip_s = _timed(lambda packed=packed: [zlib.decompress(each) for each in packed])  # type: ignore[misc]
        yield _row(case, f"{name} + zlib, each alone", packed, pack_s + zip_s, unpack_s + unzip_s)
        packed, zip_s = _timed(lambda messages=messages: list(_with_context(messages)))  # type: ignore[misc]
        _, unzip_s = _timed(lambda packed=packed: list(_opened(packed)))  # type: ignore[misc]
        yield _row(case, f"{name} + deflate with a context", packed, pack_s + zip_s, unpack_s + unzip_s)


def _row(case: Case, what: str, sent: Sequence[bytes], send_s: float, take_s: float) -> Row:
    count = len(sent)
    return Row(case.name, what, sum(map(len, sent)) / count, send_s / count * 1e6, take_s / count * 1e6)


def _with_context(messages: Sequence[bytes]) -> Iterator[bytes]:
    deflate = zlib.compressobj(wbits=-15)
    for message in messages:
        yield (deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _opened(packed: Sequence[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-15)
    for each in packed:
        yield inflate.decompress(each + b"\0\0\xff\xff")


def _errors(case: Case) -> list[tuple[str, float, float]]:
    """For each quantised channel its step and the largest error seen, in its unit."""
    largest: dict[str, float] = {}
    for start in range(0, len(case.rows) - HZ + 1, HZ):
        piece = slice(start, start + HZ)
        data = encode(case.layout, case.rows[piece], case.ticks[piece], [Group(precision=Precision.FINE)])
        batch = decode(case.layout, data, rows_max=HZ, bytes_max=1 << 24)
        truth = case.rows[piece].view(case.layout.dtype)[:, 0]
        for name in batch.names:
            error = np.abs(batch.column(name)[1].astype(float) - truth[name].astype(float)).max()
            largest[name] = max(largest.get(name, 0.0), float(error))
    found = []
    for variable in case.layout.variables:
        step = step_of(variable, Precision.FINE)
        if step is not None:
            found.append((f"{variable.name} ({variable.unit})", step, largest[variable.name]))
    return found


def _dumps(folder: Path) -> list[tuple[str, int, float]]:
    """What a tick more takes of the few that the dumps of live memory hold: (file, rows, bytes)."""
    found = []
    for path in sorted(folder.glob(DUMPS)):
        layout, rows = _load(path)
        ticks = np.arange(len(rows))
        one, all_ = (len(encode(layout, rows[:n], ticks[:n], [Group()])) for n in (1, len(rows)))
        found.append((path.name, len(rows), (all_ - one) / (len(rows) - 1)))
    return found


def _live(name: str, layout: Layout, rows: Rows, first: int) -> Iterator[Row]:
    case = Case(name, layout, rows, np.arange(first, first + len(rows)))
    for batch in (15, HZ):
        length = f"{batch / HZ:g} s"
        yield _ours(case, f"tiers, {length}", groups_of(layout, Wish()), batch)
        exact = groups_of(layout, Wish(precision=Precision.LOSSLESS))
        yield _ours(case, f"tiers, lossless, {length}", exact, batch)
        yield _ours(case, f"complete, {length}", [Group()], batch)
    yield from _others(case, 120)


def measure(folder: Path, seconds: int) -> tuple[list[Row], list[tuple[str, float, float]]]:
    """Return the table's lines, and the dashboard's errors."""
    layout, rows = _load(folder / RACE)
    ticks = rows.view(layout.dtype)[:, 0]["SessionTick"].astype(np.int64)
    seventeen = Case("17 values", SNAPSHOT, dashboard(layout, rows), ticks)
    whole = Case(f"{len(layout.variables)} channels", layout, rows, ticks)
    found: list[Row] = []
    for batch in (6, 15, HZ, 5 * HZ):
        length = f"{batch / HZ:g} s"
        found.append(_ours(seventeen, f"quantised, {length}", [Group(precision=Precision.FINE)], batch))
        found.append(_ours(seventeen, f"lossless, {length}", [Group()], batch))
        found.append(_ours(whole, f"quantised, {length}", [Group(precision=Precision.FINE)], batch))
        found.append(_ours(whole, f"lossless, {length}", [Group()], batch))
    found += _others(seventeen, len(rows))
    found += _others(whole, 600)
    live, held = _load(next(iter(sorted(folder.glob(DUMPS)))))
    found += _live("live", live, stream(live, held[-1], layout, rows[: seconds * HZ]), 6000)
    race = Race(seed=7, cars=40)
    found += _live("double", race.layout, race.rows(6000, seconds * HZ), 6000)
    return found, _errors(seventeen)


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--seconds", type=int, default=20, help="of the live streams")
    samples = Path(os.environ.get("PITLINK_SAMPLES", Path(__file__).parents[2] / "shared" / "data"))
    options.add_argument("--samples", type=Path, default=samples, help="the folder of recordings")
    args = options.parse_args()
    folder = args.samples / "iracing"
    found, errors = measure(folder, args.seconds)
    missed = []
    for case in dict.fromkeys(row.case for row in found):
        rows = [row for row in found if row.case == case]
        best = min(row.bytes_ for row in rows)
        lines = []
        for row in sorted(rows, key=lambda row: row.bytes_):
            bound = BOUNDS.get(f"{case}, {row.what}")
            if bound is not None and row.bytes_ > bound:
                missed.append(f"{case}, {row.what}: {row.bytes_:.1f} B, {bound:.1f} are allowed")
            lines.append(
                (
                    row.what, f"{row.bytes_:.1f}", f"{row.bytes_ * HZ / 1000:.2f}", f"{row.bytes_ / best:.1f}",
                    f"{row.send_us:.1f}", "" if row.take_us is None else f"{row.take_us:.1f}",
                    "" if bound is None else f"{bound:.0f}",
                )
            )  # fmt: skip
        table(
            f"{case}: what a sample takes",
            ("encoding", "bytes", "kB/s at 60 Hz", "times", "send µs", "take µs", "bytes allowed"),
            lines,
        )
    table(
        "17 values, quantised: the largest error",
        ("channel", "step", "error", "in steps"),
        [(name, f"{step:g}", f"{error:.3g}", f"{error / step:.2f}") for name, step, error in errors],
    )
    dumps = _dumps(folder)
    table(
        "dumps of live memory: what a tick more takes, complete",
        ("file", "rows", "bytes", "kB/s"),
        [(name, rows, f"{bytes_:.0f}", f"{bytes_ * HZ / 1000:.1f}") for name, rows, bytes_ in dumps],
    )
    if msgpack is None:
        print("\nMessagePack is left out: msgpack is not installed")
    for words in missed:
        print(f"MISSED: {words}")
    figures = {f"{row.case}: {row.what}": [row.bytes_, row.send_us, row.take_us] for row in found}
    write(args.json, "columns", {"samples": figures, "errors": errors, "dumps": dumps, "missed": missed})
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
