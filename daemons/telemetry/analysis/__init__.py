"""What laps say beside each other: time lost by position, corners, braking and throttle points, consistency. Pure."""

from daemons.telemetry.analysis.consistency import Consistency, CornerSpread, consistency
from daemons.telemetry.analysis.corners import Corner, curvature, find_corners, length_m
from daemons.telemetry.analysis.driving import Driven, driven, lost_s, stretch_s
from daemons.telemetry.analysis.positions import Placed, delta, grid, place

__all__ = [
    "Consistency",
    "Corner",
    "CornerSpread",
    "Driven",
    "Placed",
    "consistency",
    "curvature",
    "delta",
    "driven",
    "find_corners",
    "grid",
    "length_m",
    "lost_s",
    "place",
    "stretch_s",
]
