"""Laps corner by corner: the corners are those of the first lap; how each lap was driven there, and what it lost. Pure."""

import math
from collections.abc import Sequence
from typing import Any, Final

from daemons.telemetry.analysis import (
    Corner,
    Driven,
    Placed,
    driven,
    find_corners,
    grid,
    length_m,
    lost_s,
    place,
)
from daemons.telemetry.look import LapColumns

__all__ = ["SOURCES", "corners_json"]

SOURCES: Final = ("Speed", "Throttle", "Brake", "YawRate")
"""What it is made of, by the simulator's names; without YawRate corners are where the car slows down."""

POINTS: Final = 2400
"""Of the grid: two to three metres a point on a long track."""


def corners_json(laps: Sequence[LapColumns]) -> dict[str, Any] | None:
    """Return {"length_m", "corners": [{number, start, apex, end, turn, laps: [{…} or null]}]}; None where no corners can be
    found: a first lap with a hole, or one that was not finished.

    Of a lap in a corner: entry, slowest, exit (km/h), time_s, lost_s (against the first lap), brake_at, throttle_at, full_at
    (m from the line), brake_peak (%).
    """
    placed = [_placed(lap) for lap in laps]
    if not all({"Speed", "Throttle", "Brake"} <= set(lap.columns) for lap in placed):
        return None
    corners = find_corners(placed[0])
    if not corners:
        return None
    length = length_m(placed[0])
    ways = [driven(lap, corners) for lap in placed]
    lost = [lost_s(lap, placed[0], corners) for lap in placed]
    return {
        "length_m": round(length, 1),
        "corners": [
            {
                "number": corner.number,
                "start": round(corner.start, 5),
                "apex": round(corner.apex, 5),
                "end": round(corner.end, 5),
                "turn": _turn(corner),
                "laps": [_way(way[n], float(by[n]), length) for way, by in zip(ways, lost, strict=True)],
            }
            for n, corner in enumerate(corners)
        ],
    }


def _placed(lap: LapColumns) -> Placed:
    columns = {name: lap.columns[name] for name in SOURCES if name in lap.columns}
    return place(lap.position, lap.time_s, columns, grid(POINTS), lap_s=lap.lap.time_s)


def _turn(corner: Corner) -> str:
    if corner.turn_rad is None:
        return ""
    return "left" if corner.turn_rad > 0 else "right"


def _way(way: Driven | None, lost: float, length: float) -> dict[str, Any] | None:
    if way is None:
        return None

    def metres(position: float | None) -> float | None:
        return None if position is None else round(position * length, 1)

    return {
        "entry": round(3.6 * way.entry_speed, 1),
        "slowest": round(3.6 * way.apex_speed, 1),
        "exit": round(3.6 * way.exit_speed, 1),
        "time_s": _known(way.time_s),
        "lost_s": _known(lost),
        "brake_at": metres(way.brake_at),
        "brake_peak": None if way.brake_peak is None else round(100 * way.brake_peak),
        "throttle_at": metres(way.throttle_at),
        "full_at": metres(way.full_at),
    }


def _known(seconds: float) -> float | None:
    return round(seconds, 3) + 0.0 if math.isfinite(seconds) else None
