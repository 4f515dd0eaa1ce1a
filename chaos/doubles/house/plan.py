"""A house as it stands: thirteen rooms and a tank of hot water on one boiler, after a real one in Colorado.

Ids: a zone's id is also that of the relay of its valve; "burner" and "pump" are the other relays. Contacts: "call.ZONE"
(the wall thermostat's, the tank's stat's) and "firing". Sensors: "room.ZONE", "pipe.ZONE", "flow", "back", "outdoor".
"""

from attrs import field, frozen

__all__ = ["HousePlan", "Room", "colorado"]


@frozen(kw_only=True)
class Room:
    """A heated room. `exposed`: how much of it borders the outdoors (1: as the mean). `window_m2` looks to `facing`:
    the hour of the day at which the sun stands before it. `wall_target`: what its wall thermostat is set to, °C."""

    id: str
    title: str
    m2: float
    exposed: float = 1.0
    window_m2: float = 2.0
    facing: float = 12.0
    people_w: float = 60.0
    wall_target: float = 20.0


@frozen(kw_only=True)
class HousePlan:
    """Heat flows in W/K, heat capacities in J/K, powers in W, °C. Those `_m2` are for each square metre of floor.

    The walls are heavy and the emitters light (fin tubes along the skirting), as in the house this is after: a room
    loses some 0.6 K/h at -20 °C outdoors, and warms by as much with the flow its weather curve asks for.
    """

    rooms: tuple[Room, ...]
    tank: str = "water"
    kitchen: str = "kitchen"
    utc_offset_h: float = -7.0
    """What people and the sun go by; they know no summer time."""
    loss_m2: float = 0.95
    room_heat_m2: float = 220e3
    wall_heat_m2: float = 250e3
    to_wall_m2: float = 8.0
    to_house_m2: float = 1.0
    emitter_share: float = 1.9
    """What an emitter gives a kelvin, as a multiple of what its room loses a kelvin."""
    emitter_heat_m2: float = 600.0
    flow_m2: float = 9.0
    """What the water of an open loop carries a kelvin."""
    valve_s: float = 55.0
    """From shut to open."""
    burner_most: float = 26e3
    burner_least: float = 4e3
    ignition_s: float = 25.0
    boiler_heat: float = 900e3
    own_flow: float = 78.0
    own_band: float = 30.0
    """The boiler's own electronics modulate down towards `own_flow` from so many K under it, pause 5 K over it, and go
    on 8 K under it."""
    own_limit: float | None = 98.0
    """Its overheat stat, which stays open until somebody presses its button; None: it has none."""
    tank_heat: float = 837e3
    tank_coil: float = 900.0
    tank_loss: float = 2.0
    tank_on: float = 50.0
    tank_off: float = 58.0
    ntc: frozenset[str] = field(default=frozenset({"flow", "back"}))
    """Sensors that are thermistors behind a converter; the others are DS18B20 on one wire."""

    @property
    def relays(self) -> tuple[str, ...]:
        return (*(room.id for room in self.rooms), self.tank, "burner", "pump")

    @property
    def sensors(self) -> tuple[str, ...]:
        zones = (*(room.id for room in self.rooms), self.tank)
        return (
            *(f"room.{room.id}" for room in self.rooms),
            *(f"pipe.{zone}" for zone in zones),
            "flow",
            "back",
            "outdoor",
        )

    @property
    def contacts(self) -> tuple[str, ...]:
        return (*(f"call.{room.id}" for room in self.rooms), f"call.{self.tank}", "firing")


def colorado() -> HousePlan:
    """Return the house with fourteen zones."""
    return HousePlan(
        rooms=(
            Room(id="master-br", title="Master BR", m2=28, facing=9, wall_target=18.5),
            Room(id="master-bath", title="Master Bath", m2=12, window_m2=0.8),
            Room(id="master-closet", title="Master Closet", m2=8, exposed=0.7, window_m2=0, people_w=5),
            Room(id="guest-bath", title="Guest Bath", m2=6, window_m2=0.4, people_w=5),
            Room(id="study", title="Study", m2=16, facing=15, people_w=150),
            Room(
                id="mud-room", title="Mud Room", m2=9, exposed=1.25, window_m2=0.5, people_w=0, wall_target=15
            ),
            Room(id="kitchen", title="Kitchen", m2=24, facing=9, people_w=220),
            Room(id="dining", title="Dining", m2=18, window_m2=3),
            Room(id="family", title="Family", m2=40, window_m2=5, people_w=160, wall_target=20.5),
            Room(id="guest-suite", title="Guest Suite", m2=26, facing=15, people_w=10, wall_target=16),
            Room(
                id="east-brs", title="East BRs", m2=30, exposed=1.1, facing=8, window_m2=3, wall_target=18.5
            ),
            Room(id="south-brs", title="South BRs", m2=30, exposed=1.1, window_m2=4, wall_target=18.5),
            Room(id="up-bath", title="Up Bath", m2=9, window_m2=0.6, people_w=15, wall_target=20.5),
        )
    )
