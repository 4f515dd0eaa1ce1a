"""Batches as CSV lines and as Parquet row groups. The columns of all parts are those of the first one's layout."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from daemons.telemetry.export.parts import Part
from protocol.columns import Batch
from protocol.irsdk import Layout, Type

__all__ = ["CsvLines", "ParquetRows"]

_ROWS_TOGETHER: Final = 1200


class CsvLines:
    """The first line has names, with the unit in brackets: `Speed [m/s]`; arrays are `CarIdxLap.0`, `CarIdxLap.1` and so on.
    What is not known, or no number, is an empty cell."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def head(self) -> bytes:
        names = ["utc", "driver"]
        for variable in self._layout.variables:
            unit = f" [{variable.unit}]" if variable.unit else ""
            if variable.count == 1 or variable.type == Type.CHAR:
                names.append(variable.name + unit)
            else:
                names += [f"{variable.name}.{index}{unit}" for index in range(variable.count)]
        return _line([names])

    def lines(self, part: Part, batch: Batch, low: int, high: int) -> bytes:
        """Return the lines of rows low ≤ i < high."""
        ticks = batch.ticks[low:high]
        utc = [_utc(part.kept.at_us(int(tick))) for tick in ticks]
        cells: list[Sequence[str]] = [utc, [part.kept.driver] * len(ticks)]
        for variable in self._layout.variables:
            values = _column(batch, variable.name, ticks)
            if values is None:
                cells += [[""] * len(ticks)] * (1 if variable.type == Type.CHAR else variable.count)
            elif variable.type == Type.CHAR:
                cells.append(_texts(values))
            else:
                cells += [_cells(lane) for lane in np.atleast_2d(values.T)]
        return _line(zip(*cells, strict=True))


class ParquetRows:
    """A column a channel, arrays as lists of fixed length; `utc` and `driver` in front; the unit is in the field's metadata.
    Row groups of 20 s. Needs pyarrow: ImportError without it."""

    def __init__(self, layout: Layout) -> None:
        import pyarrow
        import pyarrow.parquet

        self._arrow: Any = pyarrow
        self._layout = layout
        self._pieces: list[bytes] = []
        self._waiting: list[Any] = []
        fields = [
            pyarrow.field("utc", pyarrow.timestamp("us", "UTC")),
            pyarrow.field("driver", pyarrow.string()),
        ]
        for variable in layout.variables:
            kind = pyarrow.from_numpy_dtype(variable.type.dtype)
            if variable.count > 1:
                kind = pyarrow.list_(kind, variable.count)
            fields.append(pyarrow.field(variable.name, kind, metadata={"unit": variable.unit}))
        self._schema = pyarrow.schema(fields)
        self._writer: Any = pyarrow.parquet.ParquetWriter(
            pyarrow.PythonFile(_Pieces(self._pieces), "w"), self._schema, compression="zstd"
        )

    def take(self, part: Part, batch: Batch, low: int, high: int) -> bytes:
        """Add rows; return what there is of the file besides what was returned before."""
        ticks = batch.ticks[low:high]
        arrow = self._arrow
        utc = np.array([part.kept.at_us(int(tick)) for tick in ticks], "datetime64[us]")
        arrays = [
            arrow.array(utc).cast(self._schema.field("utc").type),
            arrow.array([part.kept.driver] * len(ticks)),
        ]
        for variable in self._layout.variables:
            values = _column(batch, variable.name, ticks)
            kind = self._schema.field(variable.name).type
            if values is None:
                arrays.append(arrow.nulls(len(ticks), kind))
            elif variable.count > 1:
                flat = arrow.array(np.ascontiguousarray(values).ravel())
                arrays.append(arrow.FixedSizeListArray.from_arrays(flat, variable.count))
            else:
                arrays.append(arrow.array(np.ascontiguousarray(values)))
        self._waiting.append(arrow.Table.from_arrays(arrays, schema=self._schema))
        if sum(len(table) for table in self._waiting) >= _ROWS_TOGETHER:
            self._write()
        return self._said()

    def end(self) -> bytes:
        """Return the rest of the file."""
        self._write()
        self._writer.close()
        return self._said()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(self._arrow.concat_tables(self._waiting))
            self._waiting.clear()

    def _said(self) -> bytes:
        said = b"".join(self._pieces)
        self._pieces.clear()
        return said


class _Pieces(io.RawIOBase):
    """Where pyarrow writes to."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._at += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._at


def _column(batch: Batch, name: str, ticks: NDArray[np.int64]) -> NDArray[Any] | None:
    """Return the values at these ticks; None: the batch does not have the channel at each of them."""
    if name not in batch.names:
        return None
    sampled, values = batch.column(name)
    low, high = sampled.searchsorted((ticks[0], ticks[-1] + 1)).tolist()
    return values[low:high] if high - low == len(ticks) else None


def _cells(values: NDArray[Any]) -> list[str]:
    found: list[str] = values.astype("U32").tolist()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return ["" if cell in ("nan", "inf", "-inf") else cell for cell in found]
    return found


def _texts(values: NDArray[Any]) -> list[str]:
    rows = values.reshape(len(values), -1)
    return [bytes(row).split(b"\0", 1)[0].decode("cp1252", "replace") for row in rows]


def _utc(at_us: int) -> str:
    return f"{np.datetime64(at_us, 'us')}Z"


def _line(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
