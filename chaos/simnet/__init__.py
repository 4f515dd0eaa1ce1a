"""A seeded virtual network for Trio: the same seed gives the same run, and an hour takes about a second."""

from .faults import EVERYDAY, Kill, Mishap, Strike, outage_s, random_faults, swizzle
from .hosts import Host
from .link import Conditions
from .network import SimNetwork
from .path import Path
from .program import Program
from .timeline import Deadlock, Livelock
from .world import (
    NeverHappened,
    Run,
    ThreadUnderVirtualTime,
    World,
    check_happened,
    run_world,
    seeded_world,
    seeds,
)

__all__ = [
    "EVERYDAY",
    "Conditions",
    "Deadlock",
    "Host",
    "Kill",
    "Livelock",
    "Mishap",
    "NeverHappened",
    "Path",
    "Program",
    "Run",
    "SimNetwork",
    "Strike",
    "ThreadUnderVirtualTime",
    "World",
    "check_happened",
    "outage_s",
    "random_faults",
    "run_world",
    "seeded_world",
    "seeds",
    "swizzle",
]
