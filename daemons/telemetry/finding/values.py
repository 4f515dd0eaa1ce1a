"""What is found in a recording, and what of the session info is needed for it."""

from enum import StrEnum
from itertools import pairwise

from attrs import field, frozen

__all__ = ["Facts", "Flaw", "FoundLap", "FoundStint"]


class Flaw(StrEnum):
    """Why a lap does not count, in the words that people see."""

    OFF_TRACK = "off track"
    INCIDENT = "incident"
    PIT_IN = "pit in"
    PIT_OUT = "pit out"
    RESET = "reset"
    TOW = "tow"
    GAP = "gap"
    NOT_FROM_START = "not from its start"
    UNFINISHED = "not finished"


def _ascending(_: object, __: object, starts: tuple[float, ...]) -> None:
    if not starts or starts[0] != 0.0 or not all(a < b for a, b in pairwise((*starts, 1.0))):
        raise ValueError("sectors begin at 0 and ascend below 1")


@frozen(kw_only=True)
class Facts:
    """Of the session info: `sectors`: where each begins, fractions of a lap, the first 0 (SplitTimeInfo); `length_m`: of
    a lap, None: not known; `name`: of who sits in the car."""

    sectors: tuple[float, ...] = field(default=(0.0,), validator=_ascending)
    length_m: float | None = None
    name: str = ""


@frozen(kw_only=True)
class FoundLap:
    """A lap that is over. `index`: in the recording, from 0; `number`: the simulator's; `stint`: FoundStint.index.

    `first_tick`, `last_tick`: of its rows. `started_s`: SessionTime at which it crossed the line, None: it was not seen to.
    `time_s`, `sectors`: seconds, from crossings interpolated between ticks; None: one of the two crossings was not seen.
    `fuel_litres`: what it used, None: not known, or refuelled on the way. No `flaws`: it counts.
    """

    index: int
    number: int
    stint: int
    first_tick: int
    last_tick: int
    started_s: float | None
    time_s: float | None
    sectors: tuple[float | None, ...]
    flaws: tuple[Flaw, ...] = ()
    fuel_litres: float | None = None


@frozen(kw_only=True)
class FoundStint:
    """From getting in to getting out. `is_open`: it goes on; then it is found again, with the same `index`."""

    index: int
    name: str
    first_tick: int
    last_tick: int
    laps: int
    is_open: bool
