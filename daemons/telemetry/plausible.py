"""What values of a channel can be: by its unit. Whatever is outside, or no number, is told; it is kept nevertheless.

The ranges are wide: no car that the simulator has leaves them, wrong bytes nearly always do.
"""

from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from protocol.columns.batch import Batch, Part
from protocol.columns.plan import Plan
from protocol.columns.section import Lanes
from protocol.irsdk import Type, Variable

__all__ = ["implausible", "range_of"]

_BY_UNIT: Final = {
    "m/s": 300.0, "m/s at 360 Hz": 300.0, "m/s^2": 5000.0, "rad": 1e4, "rad/s": 1e4, "revs/min": 1e5, "%": 1e4,
    "C": 1e4, "l": 1e4, "kg": 1e5, "kg/h": 1e5, "kPa": 1e5, "bar": 1e5, "V": 1e4, "N*m": 1e5, "s": 1e9, "deg": 1e3,
    "m": 1e8,
}  # fmt: skip
_BY_NAME: Final = {
    "LapDistPct": (-1.0, 1.01),
    "Lat": (-90.0, 90.0),
    "Lon": (-180.0, 360.0),
    "Speed": (-1.0, 300.0),
}
_ANY: Final = 1e15


def range_of(variable: Variable) -> tuple[float, float]:
    """Return the least and the greatest value that a channel can have."""
    if variable.type == Type.BOOL:
        return 0.0, 1.0
    if variable.type not in (Type.FLOAT, Type.DOUBLE):
        return -_ANY, _ANY
    most = _BY_UNIT.get(variable.unit, _ANY)
    return _BY_NAME.get(variable.name, (-most, most))


@frozen(eq=False)
class _Section:
    """Of the lanes of a section: how their bits are read, least, greatest, and whose they are."""

    is_float: NDArray[np.bool_]
    scale: NDArray[np.float64]
    least: NDArray[np.float64]
    greatest: NDArray[np.float64]
    names: tuple[str, ...]


_sections: WeakKeyDictionary[Plan, dict[bytes, tuple[_Section, _Section]]] = WeakKeyDictionary()
_KINDS_MAX = 64


def implausible(batch: Batch) -> set[str]:
    """Return the channels of a batch with a value that cannot be, or that is no number."""
    found: set[str] = set()
    for part in batch.parts:
        words, doubles = _sections_of(part)
        found |= _outside(part.words, words, np.float32, np.int32)
        found |= _outside(part.doubles, doubles, np.float64, np.int64)
    return found


def _outside(lanes: Lanes, section: _Section, floats: Any, wholes: Any) -> set[str]:
    if not len(lanes.first):
        return set()
    with np.errstate(invalid="ignore", over="ignore"):
        first = np.where(section.is_float, lanes.first.view(floats), lanes.first.view(wholes)) * section.scale
        bad = ~((first >= section.least) & (first <= section.greatest))
        if len(lanes.moving):
            which = np.flatnonzero(lanes.place >= 0)
            is_float = section.is_float[which, None]
            moving = np.where(is_float, lanes.moving.view(floats), lanes.moving.view(wholes))
            scale = section.scale[which]
            least, greatest = moving.min(axis=1) * scale, moving.max(axis=1) * scale
            bad[which] |= ~((least >= section.least[which]) & (greatest <= section.greatest[which]))
    return {section.names[lane] for lane in np.flatnonzero(bad)} if bad.any() else set()


def _sections_of(part: Part) -> tuple[_Section, _Section]:
    """Return what the lanes of the two sections of a part are; see protocol/columns/decode.py for their order."""
    known = _sections.setdefault(part.plan, {})
    key = np.packbits(part.exact).tobytes()
    if key not in known:
        if len(known) >= _KINDS_MAX:
            known.clear()
        plan, floats = part.plan, part.plan.floats.count
        exact_floats, exact_fines = part.exact[:floats], part.exact[floats:]
        bare = [(None, False, 1.0)] * len(plan.bare)
        words = [*_lanes(plan, "words"), *bare]
        scaled = _lanes(plan, "floats"), _lanes(plan, "fines")
        words += [lane for lane, exact in zip(scaled[0], exact_floats, strict=True) if exact]
        words += [
            (variable, False, step)
            for lanes, steps, exact in (
                (scaled[0], plan.float_steps, exact_floats), (scaled[1], plan.fine_steps, exact_fines),
            )
            for (variable, _, _), step, is_exact in zip(lanes, steps, exact, strict=True)
            if not is_exact
        ]  # fmt: skip
        doubles = _lanes(plan, "doubles")
        doubles += [lane for lane, exact in zip(scaled[1], exact_fines, strict=True) if exact]
        known[key] = _section(words), _section(doubles)
    return known[key]


_Lane = tuple[Variable | None, bool, float]


def _lanes(plan: Plan, kind: str) -> list[_Lane]:
    place: dict[str, int] = getattr(plan, kind).place
    variables = [plan.by_name[name] for name in place]
    return [
        (variable, variable.type in (Type.FLOAT, Type.DOUBLE), 1.0)
        for variable in variables
        for _ in range(variable.count)
    ]


def _section(lanes: list[_Lane]) -> _Section:
    ranges = [(-_ANY, _ANY) if variable is None else range_of(variable) for variable, _, _ in lanes]
    return _Section(
        is_float=np.array([is_float for _, is_float, _ in lanes], np.bool_),
        scale=np.array([scale for _, _, scale in lanes], np.float64),
        least=np.array([least for least, _ in ranges], np.float64),
        greatest=np.array([greatest for _, greatest in ranges], np.float64),
        names=tuple("" if variable is None else variable.name for variable, _, _ in lanes),
    )
