"""What can break in the house, by name: "sensor room.study" is "lost", "valve study" is "stuck". One fault a thing."""

from collections.abc import Iterator

from attrs import frozen

from .plan import HousePlan

__all__ = ["ALL_SENSORS", "FAULTS", "Fault", "Faults"]

ALL_SENSORS = "sensors"
"""The whole wire: every DS18B20 vanishes until the power was off."""

FAULTS: dict[str, dict[str, str]] = {
    "sensor": {
        "lost": "no answer, as if unplugged",
        "hangs": "no answer and no error: a read of it does not return",
        "crc": "each answer damaged; the driver shows the last good value beside NO",
        "power-on": "85.0 °C: it has power and never converts",
        "range": "-127 °C, as a fake chip or a short on the wire says",
        "open": "thermistor unplugged: the converter's one rail",
        "short": "thermistor shorted: the other rail",
        "frozen": "says the same for ever; with a value: that one",
        "spikes": "one reading in fifty is far off",
        "drift": "goes off by so many K an hour (1)",
        "offset": "is off by so many K (-3.5, as fake chips are)",
        "slow": "a new reading only every so many seconds (900)",
    },
    "valve": {
        "stuck": "stays where it is; with a value (0 shut, 1 open): there",
        "leaks": "lets so much through when it is shut (0.15)",
    },
    "relay": {"welded": "stays closed", "dead": "stays open"},
    "contact": {"flaps": "changes with every look", "stuck": "stays as it is; with a value (0, 1): so"},
    "burner": {"dead": "does not ignite"},
    "pump": {"dead": "does not turn"},
    ALL_SENSORS: {"gone": "every DS18B20 vanished until the power was off"},
}
"""What breaks, how, and what that is like."""


@frozen
class Fault:
    """`of`: what kind of thing ("sensor"), `id`: which ("room.study"; "" for what there is one of)."""

    of: str
    id: str
    kind: str
    value: float | None = None


class Faults:
    """What is broken now. Whoever looks every step asks the sets, which are empty in a whole house."""

    def __init__(self, plan: HousePlan) -> None:
        zones = (*(room.id for room in plan.rooms), plan.tank)
        self._known: dict[str, tuple[str, ...]] = {
            "sensor": plan.sensors,
            "valve": zones,
            "relay": plan.relays,
            "contact": plan.contacts,
            "burner": ("",),
            "pump": ("",),
            ALL_SENSORS: ("",),
        }
        self._now: dict[tuple[str, str], Fault] = {}
        self.sensors: dict[str, Fault] = {}
        self.valves: dict[str, Fault] = {}
        self.relays: dict[str, Fault] = {}
        self.contacts: dict[str, Fault] = {}
        self.is_burner_dead = False
        self.is_pump_dead = False
        self.are_sensors_gone = False

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._now.values()))

    @property
    def any(self) -> bool:
        """Is anything broken?"""
        return bool(self._now)

    def add(self, what: str, kind: str, value: float | None = None) -> Fault:
        """Break "sensor room.study", in place of how it was broken before. Raises ValueError in words."""
        of, _, id_ = what.partition(" ")
        if of not in FAULTS or id_ not in self._known[of]:
            raise ValueError(f"there is no {what!r} here: {', '.join(FAULTS)}, and which")
        if kind not in FAULTS[of]:
            raise ValueError(f"a {of} is not {kind!r}, but: {', '.join(FAULTS[of])}")
        fault = Fault(of, id_, kind, value)
        self._now[of, id_] = fault
        self._sort()
        return fault

    def take(self, what: str) -> None:
        """Mend it; nothing when it is whole."""
        of, _, id_ = what.partition(" ")
        self._now.pop((of, id_), None)
        self._sort()

    def clear(self) -> None:
        """Mend everything."""
        self._now.clear()
        self._sort()

    def _sort(self) -> None:
        def those(of: str) -> dict[str, Fault]:
            return {fault.id: fault for fault in self._now.values() if fault.of == of}

        self.sensors, self.valves = those("sensor"), those("valve")
        self.relays, self.contacts = those("relay"), those("contact")
        self.is_burner_dead = ("burner", "") in self._now
        self.is_pump_dead = ("pump", "") in self._now
        self.are_sensors_gone = (ALL_SENSORS, "") in self._now
