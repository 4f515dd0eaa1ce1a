"""A stand-in for iRacing: its shared memory and its files, byte for byte, with a race that was never driven.

`SimMemory` writes the memory, `Race` makes rows from a seed, `python -m chaos.doubles.iracing --help` is both as a program.
"""

from .layouts import CARS, Car, disk_layout, live_layout
from .memory import MEMORY_BYTES, SimMemory, coming_mask
from .race import Race
from .truth import Lap, PitStop, Truth

__all__ = [
    "CARS",
    "MEMORY_BYTES",
    "Car",
    "Lap",
    "PitStop",
    "Race",
    "SimMemory",
    "Truth",
    "coming_mask",
    "disk_layout",
    "live_layout",
]
