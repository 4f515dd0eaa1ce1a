"""How much of what is wished can be sent: thinner at once when something does not keep up, fuller again only after a calm.

First go the sub-samples and the frequency of car arrays, then precision, then the rate: 30, 15, 10 Hz; at last nothing is
sent, and only the spool goes on. Pure: the caller looks once a second and tells what it saw.
"""

from enum import IntEnum
from typing import Final

from attrs import define, evolve, field, frozen

from protocol.columns import Precision, Wish

__all__ = ["Bounds", "Degree", "Load", "Pressure", "thinned"]


class Degree(IntEnum):
    """How thin it is."""

    FULL = 0
    FEWER_CARS = 1
    COARSE = 2
    HZ_30 = 3
    HZ_15 = 4
    HZ_10 = 5
    NOTHING = 6


_WORDS: Final = {
    Degree.FULL: "",
    Degree.FEWER_CARS: "cars half as often, no 360 Hz channels",
    Degree.COARSE: "values in coarser steps, cars once a second",
    Degree.HZ_30: "30 values a second, in coarser steps, cars once a second",
    Degree.HZ_15: "15 values a second, in coarser steps, cars every two seconds",
    Degree.HZ_10: "10 values a second, in coarser steps, cars every two seconds",
    Degree.NOTHING: "nothing is sent live",
}

_RATE: Final = {Degree.HZ_30: 2, Degree.HZ_15: 4, Degree.HZ_10: 6}
_TICKS_A_BATCH: Final = {Degree.HZ_30: 15, Degree.HZ_15: 30, Degree.HZ_10: 30}

WORSE_S: Final = 2.0
"""A step thinner is given so long to show what it does."""
CALM_S: Final = 10.0
CALM_MAX_S: Final = 160.0
"""A step fuller follows a calm of so long; each time that it was too much, the next calm is twice as long."""
RELAPSE_S: Final = 30.0


@frozen
class Bounds:
    """What this relay may take of its PC. `core_share`: of one core."""

    core_share: float = 0.25
    memory_mb: float = 256.0


@frozen(kw_only=True)
class Load:
    """What was seen in the last second. `waited_s`: for how long the oldest live entry has waited for the line; `dropped`:
    live entries that were dropped for that; `unencoded`: batches dropped because the one before was still being packed;
    `missed`: ticks that the capture missed; `core_share`: processor time of this process; `memory_mb`: what it holds."""

    waited_s: float = 0.0
    dropped: int = 0
    unencoded: int = 0
    missed: int = 0
    core_share: float = 0.0
    memory_mb: float = 0.0


@define(eq=False)
class Pressure:
    """`degree` is how thin it is to be now, `words` why, for the screens; "" when nothing is thinned."""

    bounds: Bounds = field(factory=Bounds)
    degree: Degree = field(default=Degree.FULL, init=False)
    cause: str = field(default="", init=False)
    _calm_since: float | None = field(default=None, init=False)
    _calm_s: float = field(default=CALM_S, init=False)
    _worse_at: float = field(default=float("-inf"), init=False)
    _better_at: float = field(default=float("-inf"), init=False)

    @property
    def words(self) -> str:
        return f"{self.cause}: {_WORDS[self.degree]}" if self.degree else ""

    def look(self, now: float, load: Load) -> Degree:
        """Take what was seen, and return how thin it is to be. To be called about once a second."""
        cause = self._cause(load)
        if cause:
            self._calm_since = None
            self._worse(now, cause, load)
        elif not self._is_calm(load):
            self._calm_since = None
        else:
            self._better(now)
        return self.degree

    def _cause(self, load: Load) -> str:
        if load.memory_mb > self.bounds.memory_mb:
            return f"the relay holds {load.memory_mb:.0f} MB, {self.bounds.memory_mb:.0f} are allowed"
        if load.missed or load.unencoded:
            return "this PC does not keep up"
        if load.core_share > self.bounds.core_share:
            return (
                f"the relay takes {load.core_share:.0%} of a core, {self.bounds.core_share:.0%} are allowed"
            )
        if load.dropped or load.waited_s > 0.5:
            return "the link does not carry everything"
        return ""

    def _is_calm(self, load: Load) -> bool:
        """Below what would press by so much that a step fuller has room."""
        return (
            load.waited_s < 0.15
            and load.core_share < 0.7 * self.bounds.core_share
            and load.memory_mb < 0.9 * self.bounds.memory_mb
        )

    def _worse(self, now: float, cause: str, load: Load) -> None:
        self.cause = cause
        # Only memory can ask for silence: less than 10 Hz is of no use to anybody, and costs next to nothing.
        most = Degree.NOTHING if load.memory_mb > self.bounds.memory_mb else Degree.HZ_10
        if self.degree >= most or now - self._worse_at < WORSE_S:
            return
        if now - self._better_at < RELAPSE_S:
            self._calm_s = min(CALM_MAX_S, 2 * self._calm_s)
        self.degree = Degree(self.degree + 1)
        self._worse_at = now

    def _better(self, now: float) -> None:
        if self._calm_since is None:
            self._calm_since = now
        if self.degree and now - self._calm_since >= self._calm_s:
            self.degree = Degree(self.degree - 1)
            self._calm_since = self._better_at = now
        if not self.degree and now - self._better_at >= 2 * CALM_MAX_S:
            self._calm_s = CALM_S


def thinned(wish: Wish, degree: Degree) -> Wish | None:
    """Return what is sent of a wish; None: nothing. Never more than was wished."""
    if degree is Degree.NOTHING:
        return None
    if degree is Degree.FULL:
        return wish
    cars = {Degree.FEWER_CARS: 24, Degree.COARSE: 60, Degree.HZ_30: 60}.get(degree, 120)
    return evolve(
        wish,
        sub_samples=False,
        cars_every=max(wish.cars_every, cars),
        precision=max(wish.precision, Precision.COARSE if degree >= Degree.COARSE else wish.precision),
        scalars_every=max(wish.scalars_every, _RATE.get(degree, 1)),
        batch_ticks=max(wish.batch_ticks, _TICKS_A_BATCH.get(degree, 1)),
    )
