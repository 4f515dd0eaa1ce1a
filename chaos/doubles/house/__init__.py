"""A stand-in for a heated house: weather, rooms, boiler, valves, pumps, and sensors that fail. Seeded, without a clock."""

from .faults import ALL_SENSORS, FAULTS, Fault
from .house import House
from .plan import HousePlan, Room, colorado
from .weather import Weather
from .wires import Wires

__all__ = ["ALL_SENSORS", "FAULTS", "Fault", "House", "HousePlan", "Room", "Weather", "Wires", "colorado"]
