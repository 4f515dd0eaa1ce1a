"""What batches of columns are made of and what comes out of them."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

__all__ = ["Batch", "ColumnsError", "Group", "Head", "Precision"]

Ticks = NDArray[np.int64]
Rows = NDArray[np.uint8]


class ColumnsError(ValueError):
    """These bytes are no batch of this layout, or these rows cannot be one; says what is wrong with them."""


class Precision(IntEnum):
    """How exactly values are kept. LOSSLESS: every bit. FINE: to the steps of `protocol.columns.steps`, 0.1 km/h,
    1 rpm, 0.1 %, 0.1°. COARSE: to steps four to ten times as long. Whole numbers, flags and what is not finite are
    exact in all three."""

    LOSSLESS = 0
    FINE = 1
    COARSE = 2


@frozen
class Group:
    """Channels that are sampled together: in each row whose tick is a multiple of `every`. No `names`: all of the
    layout."""

    names: tuple[str, ...] = ()
    every: int = 1
    precision: Precision = Precision.LOSSLESS


@frozen
class Head:
    """What a batch says of itself in front. `digest`: of its layout. Ticks of the first and the last of `rows` rows."""

    digest: bytes
    first_tick: int
    last_tick: int
    rows: int


@frozen(eq=False)
class Batch:
    """A decoded batch. `ticks`: of its rows, ascending. `changed` and `constant`: how many values it holds of lanes
    that changed within the batch, and of lanes that stood still (a lane is one value of a row; an array has many)."""

    ticks: Ticks
    names: tuple[str, ...]
    groups: tuple[Group, ...]
    changed: int
    constant: int
    _columns: Mapping[str, tuple[Ticks, NDArray[Any]]] = field(repr=False)
    _rows: Rows | None = field(repr=False)

    def column(self, name: str) -> tuple[Ticks, NDArray[Any]]:
        """Return the ticks at which `name` was sampled and its values: (k,), or (k, count) for an array. Raises
        KeyError for a channel that is not in the batch."""
        return self._columns[name]

    def rows(self) -> Rows:
        """Return the rows as the simulator wrote them, (n, row_bytes). Raises ColumnsError unless the batch is one
        lossless group of everything at every tick."""
        if self._rows is None:
            raise ColumnsError("only a batch of one lossless group of everything gives rows back")
        return self._rows


Groups = Sequence[Group]
