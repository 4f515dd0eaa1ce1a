"""What comes out of a batch: ticks, columns, and rows where everything is in it."""

from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from protocol.columns.plan import Plan
from protocol.columns.section import Lanes
from protocol.columns.values import ColumnsError, Group, Rows, Ticks
from protocol.irsdk import Layout

__all__ = ["Batch", "Part"]


@frozen(eq=False)
class Part:
    """What a group of a batch holds. `exact`: which of the lanes to quantise are kept exactly, floats before fines."""

    group: Group
    plan: Plan
    ticks: Ticks
    words: Lanes
    doubles: Lanes
    exact: NDArray[np.bool_]
    has_exact: bool

    def column(self, name: str) -> NDArray[Any]:
        """Return the values of a channel: (rows,), or (rows, count) for an array."""
        plan, rows = self.plan, len(self.ticks)
        variable = plan.by_name[name]
        dtype, count = variable.type.dtype, variable.count
        if not rows:
            found = np.empty((0, count), dtype)
        elif name in plan.words.place:
            lanes = self.words.values(plan.words.place[name], count, rows)
            found = lanes.view(dtype) if dtype.itemsize == 4 else lanes.astype(dtype)
        elif name in plan.doubles.place:
            found = self.doubles.values(plan.doubles.place[name], count, rows).view(dtype)
        else:
            found = self._quantised(name, count, dtype)
        return found[:, 0] if count == 1 else found

    def _quantised(self, name: str, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        plan, rows = self.plan, len(self.ticks)
        is_float = name in plan.floats.place
        kind, steps = (plan.floats, plan.float_steps) if is_float else (plan.fines, plan.fine_steps)
        place = kind.place[name]
        lane = place if is_float else plan.floats.count + place
        exact = self.exact[lane : lane + count]
        before = exact_floats = 0
        if self.has_exact:
            before = int(np.count_nonzero(self.exact[:lane]))
            exact_floats = int(np.count_nonzero(self.exact[: plan.floats.count]))
        if not (self.has_exact and exact.any()):
            start = plan.words.count + exact_floats + lane - before
            whole = self.words.values(start, count, rows).view(np.int32)
            return (whole * steps[place : place + count]).astype(dtype)
        found = np.empty((rows, count), dtype)
        for index in range(count):
            if not exact[index]:
                start = plan.words.count + exact_floats + lane + index - before
                whole = self.words.values(start, 1, rows).view(np.int32)
                found[:, index] = whole[:, 0] * steps[place + index]
                continue
            if is_float:
                bits = self.words.values(plan.words.count + before, 1, rows)
            else:
                bits = self.doubles.values(plan.doubles.count + before - exact_floats, 1, rows)
            found[:, index] = bits.view(dtype)[:, 0]
            before += 1
        return found


@frozen(eq=False)
class Batch:
    """A decoded batch. `ticks`: of its rows, ascending. `changed` and `constant`: how many values it holds of lanes
    that changed within the batch, and of lanes that stood still (a lane is one value of a row; an array has many)."""

    ticks: Ticks
    names: tuple[str, ...]
    groups: tuple[Group, ...]
    changed: int
    constant: int
    parts: tuple[Part, ...] = field(repr=False)
    """What its groups hold, lane by lane: for who looks at all values at once."""
    _layout: Layout = field(repr=False)

    def column(self, name: str) -> tuple[Ticks, NDArray[Any]]:
        """Return the ticks at which `name` was sampled and its values: (k,), or (k, count) for an array. Raises
        KeyError for a channel that is not in the batch."""
        for part in self.parts:
            if name in part.plan.by_name:
                return part.ticks, part.column(name)
        raise KeyError(name)

    def rows(self) -> Rows:
        """Return the rows as the simulator wrote them, (n, row_bytes). Raises ColumnsError unless the batch is one
        lossless group of everything at every tick."""
        if self.groups != (Group(),):
            raise ColumnsError("only a batch of one lossless group of everything gives rows back")
        part, plan = self.parts[0], self.parts[0].plan
        rows = np.empty((len(self.ticks), self._layout.row_bytes), np.uint8)
        for kind, lanes in ((plan.words, part.words), (plan.doubles, part.doubles)):
            for run in kind.runs:
                found = lanes.values(run.start, run.count, len(rows))
                end = run.offset + run.count * run.size
                rows[:, run.offset : end] = found if run.size == 1 else found.view(np.uint8)
        return rows
