"""The stand-in for FPVTrackside: its web server with its quirks, a race day from a seed, recorded events."""

from .clock import EventClock
from .manners import Manners, Visit
from .quirks import HeadHabit, Quirks
from .recorded import load_event_dir
from .server import FPVTrackside
from .tree import EventTree, Write

__all__ = [
    "EventClock",
    "EventTree",
    "FPVTrackside",
    "HeadHabit",
    "Manners",
    "Quirks",
    "Visit",
    "Write",
    "load_event_dir",
]
