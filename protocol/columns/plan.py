"""Where the lanes of a group come from and what they become: worked out once for a layout, channels and precision."""

from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from protocol.columns.steps import step_of
from protocol.columns.values import Precision
from protocol.irsdk import Layout, Type, Variable

__all__ = ["Plan", "plan_of"]

PLANS_MAX = 256

_plans: dict[tuple[bytes, bytes, int], "Plan"] = {}


@frozen(eq=False)
class Run:
    """Lanes that stand side by side in the row, `size` bytes each, from `offset` on; `start`: the first one's number."""

    start: int
    offset: int
    count: int
    size: int


@frozen(eq=False)
class Kind:
    """Lanes of one sort. `place`: of a channel's first lane, by name."""

    count: int
    runs: tuple[Run, ...]
    place: dict[str, int] = field(repr=False)

    def gather(self, rows: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
        """Return the lanes of `rows` as (rows, lanes) of `dtype`; bytes become numbers from 0 to 255."""
        found = np.empty((len(rows), self.count), dtype)
        for run in self.runs:
            part = rows[:, run.offset : run.offset + run.count * run.size]
            found[:, run.start : run.start + run.count] = part if run.size == 1 else part.view(dtype)
        return found


@frozen(eq=False)
class Plan:
    """The lanes of a group. `words`: exact, of 32 bits or of a byte. `doubles`: exact, of 64 bits. `floats` and `fines`:
    of 32 and of 64 bits, to be quantised by `float_steps` and `fine_steps`. `bare`: bytes of the row that belong to no
    channel, in `words` behind the others."""

    variables: tuple[Variable, ...]
    words: Kind
    doubles: Kind
    floats: Kind
    fines: Kind
    float_steps: NDArray[np.float64] = field(repr=False)
    fine_steps: NDArray[np.float64] = field(repr=False)
    bare: NDArray[np.intp] = field(repr=False)
    by_name: dict[str, Variable] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    mask: int = field(repr=False)
    """Its channels as bits, the layout's first the lowest."""


def plan_of(layout: Layout, chosen: bytes, precision: Precision) -> Plan:
    """Return the plan for the channels whose bits in `chosen` are set (none: for everything, with the bytes of the row
    that belong to no channel when it is lossless)."""
    key = (layout.digest, chosen, int(precision))
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) >= PLANS_MAX:
            _plans.clear()
        plan = _plans[key] = _plan(layout, chosen, precision)
    return plan


def _plan(layout: Layout, chosen: bytes, precision: Precision) -> Plan:
    if chosen:
        bits = np.unpackbits(np.frombuffer(chosen, np.uint8), bitorder="little")
        variables = tuple(layout.variables[index] for index in np.flatnonzero(bits))
    else:
        variables = layout.variables
    words: list[Variable] = []
    doubles: list[Variable] = []
    floats: list[Variable] = []
    fines: list[Variable] = []
    float_steps: list[float] = []
    fine_steps: list[float] = []
    for variable in variables:
        step = step_of(variable, precision)
        if variable.type == Type.DOUBLE:
            (doubles if step is None else fines).append(variable)
            fine_steps += [] if step is None else [step] * variable.count
        else:
            (words if step is None else floats).append(variable)
            float_steps += [] if step is None else [step] * variable.count
    bare = np.zeros(0, np.intp)
    if not chosen and precision == Precision.LOSSLESS:
        free = np.ones(layout.row_bytes, np.bool_)
        for variable in variables:
            free[variable.offset : variable.offset + variable.size] = False
        bare = np.flatnonzero(free)
    by_name = {variable.name: variable for variable in variables}
    return Plan(
        variables, _kind(words, bare), _kind(doubles), _kind(floats), _kind(fines), np.array(float_steps),
        np.array(fine_steps), bare, by_name, tuple(by_name),
        int.from_bytes(chosen, "little") if chosen else (1 << len(layout.variables)) - 1,
    )  # fmt: skip


def _kind(variables: list[Variable], bare: NDArray[np.intp] | None = None) -> Kind:
    place = {}
    runs: list[Run] = []
    count = 0

    def add(offset: int, lanes: int, size: int) -> None:
        nonlocal count
        last = runs[-1] if runs else None
        if last is not None and last.size == size and last.offset + last.count * size == offset:
            runs[-1] = Run(last.start, last.offset, last.count + lanes, size)
        else:
            runs.append(Run(count, offset, lanes, size))
        count += lanes

    for variable in variables:
        place[variable.name] = count
        add(variable.offset, variable.count, variable.type.dtype.itemsize)
    for offset in () if bare is None else bare:
        add(int(offset), 1, 1)
    return Kind(count, tuple(runs), place)
