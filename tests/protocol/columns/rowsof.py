"""Layouts and rows for the tests of columns: made up by Hypothesis, and read from recordings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocol.irsdk import BadLayout, Header, Layout, Type, Variable, read_variables

__all__ = ["BATCHES", "LAYOUTS", "batches_of", "layout_of", "recorded", "rows_of"]

UNITS = ("", "%", "m/s", "rad", "s", "C", "furlong")


def layout_of(*kinds: tuple[str, Type, int, str], gaps: tuple[int, ...] = ()) -> Layout:
    """A layout of these (name, type, count, unit); `gaps`: bytes of nobody in front of each, as far as given."""
    variables = []
    at = 0
    for index, (name, kind, count, unit) in enumerate(kinds):
        at += gaps[index] if index < len(gaps) else 0
        variables.append(Variable(name, kind, at, count, unit, "", name.endswith("_ST")))
        at += variables[-1].size
    return Layout(tuple(variables), at + sum(gaps[len(kinds) :]))


def rows_of(layout: Layout, **columns: Any) -> NDArray[np.uint8]:
    """Rows with these columns, the rest zero."""
    count = len(next(iter(columns.values())))
    values = np.zeros(count, layout.dtype)
    for name, column in columns.items():
        values[name] = column
    return values.view(np.uint8).reshape(count, layout.row_bytes)


@st.composite
def _layouts(draw: st.DrawFn) -> Layout:
    kinds = draw(
        st.lists(st.tuples(st.sampled_from(Type), st.integers(1, 7), st.sampled_from(UNITS)), max_size=12)
    )
    gaps = tuple(draw(st.lists(st.integers(0, 5), min_size=len(kinds) + 1, max_size=len(kinds) + 1)))
    named = [(f"{('Car', 'CarIdx', 'Lat')[n % 3]}{n}", *kind) for n, kind in enumerate(kinds)]
    return layout_of(*named, gaps=gaps if kinds else (3,))


LAYOUTS = _layouts()


@st.composite
def _batches(draw: st.DrawFn) -> tuple[Layout, NDArray[np.uint8], NDArray[np.int64]]:
    """Rows that stand still, walk, jump, copy each other or are noise, with ticks that mostly follow each other."""
    layout = draw(LAYOUTS)
    count = draw(st.integers(1, 40))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = np.zeros((count, layout.row_bytes), np.uint8)
    values = rows.view(layout.dtype)[:, 0]
    for variable in layout.variables:
        column = values[variable.name]
        shape = column.shape
        dtype = variable.type.dtype
        match draw(st.integers(0, 6)):
            case 0:
                column[...] = chance.integers(0, 100)
            case 1:
                column[...] = (
                    (np.cumsum(chance.normal(size=shape), axis=0) * 50 + 100).clip(0, 250).astype(dtype)
                )
            case 2:
                column[...] = np.repeat(chance.integers(0, 200, (1, *shape[1:])), count, axis=0)
                column[count // 2 :] += dtype.type(1)
            case 3:
                noise = chance.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
                column[...] = noise.view(dtype)[..., 0]
            case 4 if dtype.kind == "f":
                column[...] = chance.choice(
                    np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e30, 1.5], dtype), shape
                )
            case 5 if dtype.kind == "f":
                column[...] = (np.sin(np.arange(count) / 9) * 40).reshape(-1, *[1] * (len(shape) - 1))
            case _:
                column[...] = (np.arange(count) % 200).reshape(-1, *[1] * (len(shape) - 1)).astype(dtype)
    gaps = chance.choice(np.array([1, 1, 1, 2, 60]) if draw(st.booleans()) else np.array([1]), count)
    ticks = np.cumsum(gaps, dtype=np.int64) + draw(st.integers(-1000, 2**40))
    return layout, rows, ticks


BATCHES = _batches()


def recorded(folder: Path) -> Iterator[tuple[str, Layout, NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield the rows of each recording in the folder with their ticks: of files all, of memory what its buffers hold."""
    for path in sorted((folder / "iracing").iterdir()):
        data = path.read_bytes()
        try:
            header = Header.read(data)
        except BadLayout:
            continue
        at = header.variables_at
        layout = read_variables(data[at : at + 144 * header.variables], header.row_bytes, header.tick_rate)
        if len(header.buffers) == 1:
            start = header.buffers[0].offset
            count = (len(data) - start) // header.row_bytes
            rows = np.frombuffer(data, np.uint8, count * header.row_bytes, start).reshape(count, -1)
        else:
            held = sorted(header.buffers, key=lambda buffer: buffer.tick_count)
            parts = [np.frombuffer(data, np.uint8, header.row_bytes, buffer.offset) for buffer in held]
            rows = np.stack(parts)
        yield path.name, layout, np.ascontiguousarray(rows), _ticks(layout, rows)


def _ticks(layout: Layout, rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The simulator's own, or numbers where it wrote none or did not count upwards (a row of a session before)."""
    ticks = np.arange(len(rows), dtype=np.int64)
    if "SessionTick" in layout:
        told = np.ascontiguousarray(rows).view(layout.dtype)[:, 0]["SessionTick"].astype(np.int64)
        if (np.diff(told) > 0).all():
            ticks = told
    return ticks


def batches_of(count: int, size: int) -> Iterator[slice]:
    """Yield the batches of `size` rows that `count` rows make, the last one shorter."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
