"""All values of a batch at once, lane by lane, without making columns of them: what is looked at in each batch of each driver.

A lane is one value of a row; see protocol/columns/decoding.py for the order in which a part's two sections have them.
"""

from collections.abc import Collection
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from protocol.columns.batch import Batch, Part
from protocol.columns.plan import Plan
from protocol.columns.section import Lanes
from protocol.irsdk import Type, Variable

__all__ = ["Extremes", "Section", "columns_of", "extremes", "newest"]

_KINDS_MAX = 64

Floats = NDArray[np.float64]


@frozen(eq=False)
class Section:
    """Of the lanes of a section: whose they are (None: bytes between channels), which are floats, which are signed, and
    what a whole number of theirs stands for. `single`: lanes of channels with one value, by name."""

    variables: tuple[Variable | None, ...]
    is_float: NDArray[np.bool_]
    is_signed: NDArray[np.bool_]
    scale: Floats
    single: tuple[tuple[str, int], ...]
    places: dict[str, int] = field(init=False)
    """As `single`."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "places", dict(self.single))

    def values(self, words: NDArray[Any], lanes: NDArray[Any] | slice) -> Floats:
        """Return words of some lanes, (lanes,) or (lanes, rows), as what they mean."""
        is_float, is_signed, scale = self.is_float[lanes], self.is_signed[lanes], self.scale[lanes]
        if words.ndim == 2:
            is_float, is_signed, scale = is_float[:, None], is_signed[:, None], scale[:, None]
        size = words.dtype.itemsize
        whole = np.where(is_signed, words.view(f"i{size}"), words)
        found: Floats = np.where(is_float, words.view(f"f{size}"), whole) * scale
        return found


@frozen(eq=False)
class Extremes:
    """Of each lane of a section the least and the greatest value in a batch; NaN where one is no number."""

    section: Section
    least: Floats
    greatest: Floats


def extremes(batch: Batch) -> list[Extremes]:
    """Return the extremes of all values."""
    found = []
    with np.errstate(invalid="ignore", over="ignore"):
        for lanes, section in _sections(batch):
            least = section.values(lanes.first, slice(None))
            greatest = least.copy()
            if len(lanes.moving):
                which = np.flatnonzero(lanes.place >= 0)
                moving = section.values(lanes.moving, which)
                least[which], greatest[which] = moving.min(axis=1), moving.max(axis=1)
            found.append(Extremes(section, least, greatest))
    return found


def newest(batch: Batch) -> dict[str, float]:
    """Return the newest value of each channel that has one value a row, and is a finite number."""
    found: dict[str, float] = {}
    with np.errstate(invalid="ignore", over="ignore"):
        for lanes, section in _sections(batch):
            words = lanes.first
            if len(lanes.moving):
                words = words.copy()
                words[lanes.place >= 0] = lanes.moving[:, -1]
            values = section.values(words, slice(None))
            known = np.isfinite(values).tolist()
            listed = values.tolist()
            found.update((name, listed[lane]) for name, lane in section.single if known[lane])
    return found


def columns_of(batch: Batch, names: Collection[str]) -> dict[str, Floats]:
    """Return those of the channels that have one value, in each row of the batch, as float64 (rows,)."""
    found: dict[str, Floats] = {}
    rows = len(batch.ticks)
    for part in batch.parts:
        if len(part.ticks) != rows:
            continue
        for lanes, section in zip((part.words, part.doubles), _sections_of(part), strict=True):
            wanted = [(name, section.places[name]) for name in names if name in section.places]
            if not wanted:
                continue
            which = np.array([lane for _, lane in wanted])
            words = np.repeat(lanes.first[which, None], rows, axis=1)
            place = lanes.place[which]
            moves = place >= 0
            if moves.any():
                words[moves] = lanes.moving[place[moves]]
            with np.errstate(invalid="ignore", over="ignore"):
                values = section.values(words, which)
            found.update((name, values[at]) for at, (name, _) in enumerate(wanted))
    return found


def _sections(batch: Batch) -> list[tuple[Lanes, Section]]:
    found = []
    for part in batch.parts:
        words, doubles = _sections_of(part)
        found += [
            (lanes, section)
            for lanes, section in ((part.words, words), (part.doubles, doubles))
            if len(lanes.first)
        ]
    return found


_known: WeakKeyDictionary[Plan, dict[bytes, tuple[Section, Section]]] = WeakKeyDictionary()

_Lane = tuple[Variable | None, bool, float]


def _sections_of(part: Part) -> tuple[Section, Section]:
    known = _known.setdefault(part.plan, {})
    key = np.packbits(part.exact).tobytes()
    if key not in known:
        if len(known) >= _KINDS_MAX:
            known.clear()
        known[key] = _worked_out(part)
    return known[key]


def _worked_out(part: Part) -> tuple[Section, Section]:
    plan, floats = part.plan, part.plan.floats.count
    exact_floats, exact_fines = part.exact[:floats], part.exact[floats:]
    scaled = _lanes(plan, "floats"), _lanes(plan, "fines")
    nobody: _Lane = (None, False, 1.0)
    words = [*_lanes(plan, "words"), *[nobody] * len(plan.bare)]
    words += [lane for lane, exact in zip(scaled[0], exact_floats, strict=True) if exact]
    for lanes, steps, exact in (
        (scaled[0], plan.float_steps, exact_floats),
        (scaled[1], plan.fine_steps, exact_fines),
    ):
        words += [
            (variable, False, step)
            for (variable, _, _), step, is_exact in zip(lanes, steps, exact, strict=True)
            if not is_exact
        ]
    doubles = _lanes(plan, "doubles")
    doubles += [lane for lane, exact in zip(scaled[1], exact_fines, strict=True) if exact]
    return _section(words), _section(doubles)


def _lanes(plan: Plan, kind: str) -> list[_Lane]:
    place: dict[str, int] = getattr(plan, kind).place
    variables = [plan.by_name[name] for name in place]
    return [
        (variable, variable.type in (Type.FLOAT, Type.DOUBLE), 1.0)
        for variable in variables
        for _ in range(variable.count)
    ]


def _section(lanes: list[_Lane]) -> Section:
    return Section(
        variables=tuple(variable for variable, _, _ in lanes),
        is_float=np.array([is_float for _, is_float, _ in lanes], np.bool_),
        is_signed=np.array(
            [variable is not None and variable.type not in (Type.CHAR, Type.BOOL, Type.BITFIELD) for variable, _, _ in lanes],
            np.bool_,
        ),
        scale=np.array([scale for _, _, scale in lanes], np.float64),
        single=tuple(
            (variable.name, lane)
            for lane, (variable, _, _) in enumerate(lanes)
            if variable is not None and variable.count == 1
        ),
    )  # fmt: skip
