"""Rows of one layout put into another one, by name."""

import numpy as np
import numpy.typing as npt

from protocol.irsdk import Layout

__all__ = ["empty", "fit"]

_NOT_MINUS_ONE = (
    "OnPitRoad",
    "EstTime",
    "SessionFlags",
    "PaceFlags",
    "Steer",
    "Locked",
    "RepairsUsed",
    "P2P_Status",
)


def empty(layout: Layout) -> npt.NDArray[np.void]:
    """Return one row in which nothing happens: zeros, and car arrays as they are where there is no car."""
    row = np.zeros(1, layout.dtype)
    for variable in layout.variables:
        if variable.name.startswith("CarIdx") and not variable.name.endswith(_NOT_MINUS_ONE):
            row[variable.name] = -1
    return row


def fit(
    rows: npt.NDArray[np.uint8], layout: Layout, into: Layout, template: npt.NDArray[np.void] | None = None
) -> npt.NDArray[np.uint8]:
    """Return rows of `into` with the values of all channels that both have with the same type and count; the others are
    the template's, or zero."""
    found = np.zeros(len(rows), into.dtype) if template is None else np.repeat(template, len(rows))
    given = np.ascontiguousarray(rows).view(layout.dtype)[:, 0]
    for variable in into.variables:
        other = layout.get(variable.name)
        if other is not None and (other.type, other.count) == (variable.type, variable.count):
            found[variable.name] = given[variable.name]
    return found.view(np.uint8).reshape(len(rows), into.row_bytes)
