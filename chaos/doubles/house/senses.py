"""What sensors and contacts say of the house, and how they fail."""

import random
from typing import TYPE_CHECKING

from .faults import Fault

if TYPE_CHECKING:
    from .house import House

__all__ = ["Senses"]

_ROOM_S = 150.0
"""How slowly a sensor in its case on a wall takes the room's temperature."""
_NOISE = 4096
_FAR_OFF = (85.0, -10.0, 60.0, 127.94)


class Senses:
    """Of one house. Noise, the steps of a DS18B20 (1/16 K), the lag of a case on a wall, and every fault."""

    def __init__(self, house: "House") -> None:
        self._house = house
        rng = random.Random(f"{house.seed}/senses")
        self._rng = rng
        self._noise = [rng.gauss(0, 0.03) for _ in range(_NOISE + len(house.plan.sensors))]
        self._at = 0
        self._felt = list(house.rooms)
        self._names = house.plan.sensors
        self._calls = [f"call.{zone}" for zone in house.zones]
        self._wired = frozenset(self._names) - house.plan.ntc
        self._said: dict[str, float] = {}
        self._flaps: dict[str, bool] = {}
        self._begun: dict[str, tuple[Fault, float]] = {}
        self._slow: dict[str, float] = {}

    def advance(self, dt_s: float) -> None:
        """Let the cases take the rooms' temperatures."""
        share = dt_s / (dt_s + _ROOM_S)
        self._felt = [
            felt + (warm - felt) * share for felt, warm in zip(self._felt, self._house.rooms, strict=True)
        ]

    def forget(self) -> None:
        """The power went: nobody remembers what a sensor said last."""
        self._said.clear()
        self._begun.clear()

    def readings(self) -> dict[str, float | str]:
        """See `House.readings`."""
        house = self._house
        truth = [*self._felt, *house.pipes, house.flow, house.back, house.outdoor]
        at = self._at = (self._at + 37) % _NOISE
        # To the nearest 1/16 K; `//` is a fraction of what a call of `round` costs.
        said: dict[str, float | str] = {
            name: (16 * (value + noise) + 0.5) // 1 / 16
            for name, value, noise in zip(self._names, truth, self._noise[at : at + len(truth)], strict=True)
        }
        faults = house.faults
        if faults.sensors:
            for name, fault in faults.sensors.items():
                self._fail(said, name, fault)
        if faults.are_sensors_gone:
            for name in self._wired:
                said[name] = "lost"
        return said

    def contacts(self) -> dict[str, bool]:
        """See `House.contacts`."""
        house = self._house
        said = dict(zip(self._calls, house.calls, strict=True))
        said["firing"] = house.is_firing
        for name, fault in house.faults.contacts.items():
            if fault.kind == "flaps":
                said[name] = self._flaps[name] = not self._flaps.get(name, said[name])
            else:
                said[name] = (
                    bool(self._flaps.setdefault(name, said[name]))
                    if fault.value is None
                    else bool(fault.value)
                )
        return said

    def _fail(self, said: dict[str, float | str], name: str, fault: Fault) -> None:
        value, utc = float(said[name]), self._house.utc
        begun = self._begun.get(name)
        if begun is None or begun[0] is not fault:
            begun = self._begun[name] = (fault, utc)
            self._said[name] = value
            self._slow[name] = utc
        match fault.kind:
            case "frozen":
                said[name] = self._said[name] if fault.value is None else fault.value
            case "spikes":
                if self._rng.random() < 0.02:
                    said[name] = self._rng.choice(_FAR_OFF)
            case "drift":
                said[name] = value + (1.0 if fault.value is None else fault.value) * (utc - begun[1]) / 3600
            case "offset":
                said[name] = value + (-3.5 if fault.value is None else fault.value)
            case "slow":
                if utc - self._slow[name] < (900.0 if fault.value is None else fault.value):
                    del said[name]
                else:
                    self._slow[name] = utc
            case kind:
                said[name] = kind
