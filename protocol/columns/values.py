"""What batches of columns are made of and what comes out of them."""

from enum import IntEnum

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["ColumnsError", "Group", "Head", "Precision", "Rows", "Ticks"]

Ticks = NDArray[np.int64]
"""(rows,), ascending."""
Rows = NDArray[np.uint8]
"""(rows, row_bytes), as the simulator wrote them."""


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
