"""How a house is built: zones, valves, burner, pumps, sensors, as its file describes them. Values only.

Temperatures are °C, differences K, durations seconds. Ids name relays ("output"), inputs and sensors of the same plant;
what each is wired to, `daemons.heating.config` says.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen

__all__ = [
    "BurnerPlan", "Curve", "LossPolicy", "OnLoss", "Plant", "SensorPlan", "ZoneKind", "ZonePlan",
]  # fmt: skip


class ZoneKind(StrEnum):
    ROOM = "room"
    DHW = "dhw"  # domestic hot water: on or off, the tank's own stat calls; no room, no set-point


class OnLoss(StrEnum):
    """What a zone does whose temperature is not known."""

    OFF = "off"
    FROST = (
        "frost"  # a share of each hour, enough that nothing freezes, while it is cold outdoors or not known
    )
    HOLD = "hold"  # what it did, for `hold_s`; then as FROST


@frozen(kw_only=True)
class LossPolicy:
    kind: OnLoss = OnLoss.FROST
    hold_s: float = 1800.0
    share: float = 0.2
    """Of each `cycle_s` that a zone on frost duty without a reading is heated."""
    cycle_s: float = 3600.0
    below_outdoor: float = 5.0
    """Frost duty heats only when it is colder outdoors than this, or that is not known."""


@frozen(kw_only=True)
class SensorPlan:
    """What a sensor can truly say: what lies outside is a fault, never a temperature."""

    id: str
    lowest: float = -40.0
    highest: float = 110.0
    rate_k_per_min: float = 5.0
    """More than this is implausible: held back until it stays so for `agree` readings. What measures water in pipes
    may do 60."""
    agree: int = 3
    grace_s: float = 60.0
    """So long after its last good reading whatever it measures stays as it is; then the policy."""
    stale_s: float = 300.0
    """A reading older than this is stale."""
    frozen_s: float = 6 * 3600.0
    """A value that does not move at all for so long, while the plant beside it does, is frozen; 0: not judged."""


@frozen(kw_only=True)
class ZonePlan:
    """One zone. `output` opens its valve (or starts its pump); `call` is the wall thermostat's contact."""

    id: str
    title: str
    kind: ZoneKind = ZoneKind.ROOM
    output: str
    call: str | None = None
    room: str | None = None
    supply: str | None = None
    below: float = 0.3
    """Hysteresis: heats at target − `below` and under, stops at the target and over."""
    lowest: float = 5.0
    highest: float = 28.0
    """Set-points outside are refused, and the zone is never heated above `highest`."""
    frost: float = 7.0
    """Heated from here on in every mode, and whatever anybody wishes."""
    min_on_s: float = 300.0
    min_off_s: float = 300.0
    max_run_s: float = 6 * 3600.0
    """Without a pause; then off for `rest_s`, with an alarm."""
    rest_s: float = 1800.0
    valve_s: float = 60.0
    """How long the valve takes to open: nothing fires for this zone before."""
    exercise_s: float = 7 * 86_400.0
    """Not moved for so long: opened once for `valve_s` and a minute (or its minimum on time, if that is longer), at
    `exercise_hour` local; 0: never."""
    on_loss: LossPolicy = field(factory=LossPolicy)


@frozen(kw_only=True)
class Curve:
    """Weather compensation: the flow is to be `at_zero` °C at 0 °C outdoors, `slope` K warmer for each K colder, within
    its bounds."""

    at_zero: float = 45.0
    slope: float = 1.0
    lowest: float = 30.0
    highest: float = 70.0
    unknown: float = 55.0
    """With no outdoor temperature."""


@frozen(kw_only=True)
class BurnerPlan:
    """The boiler. Without an `output` it is watched only (`firing`: its contact), and fires by its own electronics."""

    output: str | None = None
    firing: str | None = None
    pump: str | None = None
    flow: str | None = None
    back: str | None = None
    min_on_s: float = 240.0
    min_off_s: float = 360.0
    starts_a_day: int = 48
    max_run_s: float = 8 * 3600.0
    rest_s: float = 900.0
    overrun_s: float = 300.0
    """The pump runs on, and the last valves stay open, for so long after the burner."""
    min_open: int = 1
    """Zones that must be open before it fires: flow for the heat. With fewer calling, others are opened too."""
    overheat: float = 90.0
    """Flow at which everything is off until somebody resets it by hand."""
    hysteresis: float = 5.0
    """Of the flow about its target."""
    blind_run_s: float = 1200.0
    """How long it may burn at a stretch while its flow temperature is not known."""
    exercise_s: float = 7 * 86_400.0
    """Not moved for so long, the pump turns with a valve that is exercised; 0: never."""
    dhw_flow: float = 70.0
    curve: Curve = field(factory=Curve)


@frozen(kw_only=True)
class Plant:
    """A whole house. `zones` in the order they are shown."""

    house: str
    time_zone: str
    zones: tuple[ZonePlan, ...]
    burner: BurnerPlan = field(factory=BurnerPlan)
    outdoor: str | None = None
    sensors: Mapping[str, SensorPlan] = field(factory=dict)
    """By id. One that is not named here has the bounds of `SensorPlan`."""
    dhw_first: bool = True
    dhw_first_s: float = 3600.0
    """Rooms wait for hot water for no longer than this; then both are heated."""
    exercise_hour: int = 11
    unsure_target: float = 18.0
    """What rooms on automatic want while the time of day is not known, and while their week says nothing."""

    def zone(self, id_: str) -> ZonePlan:
        """Return a zone. Raises KeyError."""
        for zone in self.zones:
            if zone.id == id_:
                return zone
        raise KeyError(id_)

    def sensor(self, id_: str) -> SensorPlan:
        """Return what is known of a sensor."""
        return self.sensors.get(id_) or SensorPlan(id=id_)
