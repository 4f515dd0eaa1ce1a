"""A seeded virtual network for Trio: the same seed gives the same run, and an hour takes about a second."""

from .link import Conditions
from .network import Host, Path, SimNetwork
from .timeline import Deadlock, ThreadUnderVirtualTime
from .world import NeverHappened, Run, World, check_happened, run_world, seeds

__all__ = [
    "Conditions",
    "Deadlock",
    "Host",
    "NeverHappened",
    "Path",
    "Run",
    "SimNetwork",
    "ThreadUnderVirtualTime",
    "World",
    "check_happened",
    "run_world",
    "seeds",
]
