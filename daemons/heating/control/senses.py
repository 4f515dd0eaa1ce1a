"""What a sensor truly says: a temperature, or by name why there is none.

The hardware tells what it can see of a single reading (no answer, a bad sum, the rails). Here is judged what only shows
over time: stale, too quick to be true, frozen, outside of what the thing that it measures can be.
"""

from attrs import define

from daemons.heating.plant import SensorPlan
from daemons.heating.state import Fault, Reading, Sense

__all__ = ["PIPE_RATE", "Sensor"]

PIPE_RATE = 60.0
"""K a minute that water in a pipe may change by: a valve opens and hot water stands where cold was."""

_JITTER = 0.5
"""K between two readings that are never implausible: the steps and the noise of a sensor."""

_SENSES = {Fault.STALE: Sense.STALE, Fault.LOST: Sense.LOST}

_WORDS = {
    Fault.LOST: "does not answer", Fault.CRC: "answers garbled", Fault.POWER_ON: "has just been switched on",
    Fault.RANGE: "says what cannot be", Fault.OPEN: "has a broken wire", Fault.SHORT: "has a short circuit",
    Fault.STALE: "says nothing new", Fault.IMPLAUSIBLE: "jumps", Fault.FROZEN: "does not move at all",
}  # fmt: skip


@define
class Sensor:
    """One sensor over time. `celsius` is None whenever it is not known now; `good_at`: when it was last (or the start).

    A first reading is taken as it is: nothing that it could switch on is switched on within the minimum off time after
    a start, and by then it is judged.
    """

    plan: SensorPlan
    is_pipe: bool
    celsius: float | None = None
    fault: Fault | None = Fault.LOST
    good_at: float = 0.0
    read_at: float | None = None
    _seen: Reading | None = None
    _accepted: float | None = None
    _accepted_at: float = 0.0
    _doubted: int = 0
    _doubted_up: bool = False
    _still_since: float = 0.0
    _still_worked: float = 0.0
    _read_fault: Fault | None = Fault.LOST
    path: float = 0.0
    """K it has moved by in all, up and down."""
    is_troubled: bool = False
    well_since: float | None = None

    @property
    def sense(self) -> Sense:
        """How it is, in a word."""
        return Sense.GOOD if self.fault is None else _SENSES.get(self.fault, Sense.FAULTY)

    @property
    def words(self) -> str:
        """Why there is no temperature: "does not answer"."""
        return "" if self.fault is None else _WORDS[self.fault]

    def step(self, mono: float, reading: Reading | None, worked: float) -> None:
        """Take the newest reading, or that there is none. `worked` grows while what it measures must move it."""
        if reading is None:
            self.fault = self._read_fault = Fault.LOST
            self.celsius = self._seen = None
            return
        if reading is not self._seen:
            if reading.celsius is not None and reading.celsius == self._accepted:  # as mostly
                self._read_fault, self._doubted, self._accepted_at = None, 0, reading.mono
            elif reading != self._seen:
                self._read_fault = self._take(reading, worked)
            self._seen = reading
        fault, plan = self._read_fault, self.plan
        if fault is None:
            read_at = reading.mono
            if mono - read_at > plan.stale_s:
                fault = Fault.STALE
            elif (
                plan.frozen_s
                and read_at - self._still_since >= plan.frozen_s
                and worked - self._still_worked >= 1.0
            ):
                fault = Fault.FROZEN
            else:
                self.fault, self.celsius = None, self._accepted
                self.good_at = self.read_at = read_at
                return
        self.fault, self.celsius = fault, None

    def _take(self, reading: Reading, worked: float) -> Fault | None:
        value = reading.celsius
        if value is None:
            return reading.fault
        if not self.plan.lowest <= value <= self.plan.highest:  # a NaN is outside, too
            return Fault.RANGE
        old = self._accepted
        if old is not None and abs(value - old) > _JITTER and self._is_jump(old, value, reading.mono):
            up = value > old
            self._doubted = self._doubted + 1 if up == self._doubted_up else 1
            self._doubted_up = up
            if self._doubted < self.plan.agree:
                return Fault.IMPLAUSIBLE
        self._doubted = 0
        if value != old:
            self.path += abs(value - old) if old is not None else 0.0
            self._still_since = reading.mono
            self._still_worked = worked
        self._accepted = value
        self._accepted_at = reading.mono
        return None

    def _is_jump(self, old: float, value: float, mono: float) -> bool:
        rate = max(self.plan.rate_k_per_min, PIPE_RATE) if self.is_pipe else self.plan.rate_k_per_min
        return abs(value - old) > rate * max(0.0, mono - self._accepted_at) / 60 + _JITTER
