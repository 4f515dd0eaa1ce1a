"""Drivers, sessions and laps as JSON. Instants are UTC milliseconds of the server's clock; null is what is not known."""

import math
from typing import Any

import numpy as np

from daemons.telemetry.look import (
    STALE_AFTER_S,
    CarEntry,
    DriverState,
    Gap,
    Lap,
    Session,
    Stint,
    TelemetryLook,
    TrackShape,
)
from daemons.telemetry.web.channels import listed
from daemons.telemetry.web.colours import Coloured

__all__ = ["entries_json", "lap_json", "ms", "session_json", "shape_json", "state_json"]

METRES_A_DEGREE = 111_320.0
"""Of latitude, and of longitude at the equator: a sphere of the Earth's mean radius, good to 0.5 % over a track."""


def ms(instant_us: int | None) -> float | None:
    return None if instant_us is None else instant_us / 1000


def state_json(state: DriverState, look: TelemetryLook, utc_now: float) -> dict[str, Any]:
    """Return how it stands with a driver. `live`: connected, and the newest tick is not old; only then is it now.

    While the driver's clock is not known, no age is told, and what was heard a moment ago is live.
    """
    age_s = None if state.taken_us is None else max(0.0, utc_now - state.taken_us / 1e6)
    newest_us = state.heard_us if state.taken_us is None else state.taken_us
    is_live = state.is_connected and newest_us is not None and utc_now - newest_us / 1e6 <= STALE_AFTER_S
    known = state.ticks + state.lost
    fuel, tyres = state.fuel, state.tyres
    return {
        "driver": state.driver,
        "name": state.name or state.driver,
        "connected": state.is_connected,
        "live": is_live,
        "why": state.why,
        "driving": state.is_driving and is_live,
        "recording": None if state.recording is None else state.recording.hex(),
        "session": state.session,
        "track": state.track,
        "car": state.car,
        "number": state.car_number,
        "team": state.team,
        "car_index": state.car_index,
        "taken": ms(state.taken_us),
        "heard": ms(state.heard_us),
        "age_s": None if age_s is None else round(age_s, 3),
        "clock_error_s": state.clock_error_s,
        "ticks": state.ticks,
        "lost": state.lost,
        "loss": round(state.lost / known, 5) if known else None,
        "waiting": state.waiting,
        "degree": state.degree,
        "degree_words": state.degree_words,
        "fuel": None
        if fuel is None
        else {
            "litres": round(fuel.litres, 2),
            "tank": fuel.tank_litres,
            "percent": round(100 * fuel.litres / fuel.tank_litres, 1) if fuel.tank_litres else None,
            "per_lap": None if fuel.per_lap is None else round(fuel.per_lap, 3),
            "laps_left": None if fuel.laps_left is None else round(fuel.laps_left, 2),
            "at": ms(fuel.at_us),
        },
        "tyres": None
        if tyres is None
        else {
            "left_front": _percent(tyres.left_front),
            "right_front": _percent(tyres.right_front),
            "left_rear": _percent(tyres.left_rear),
            "right_rear": _percent(tyres.right_rear),
            "as_of": ms(tyres.as_of_us),
        },
        "place": _place(state, look.track(state.track)) if is_live and state.track else None,
    }


def _percent(part: float) -> float | None:
    return round(100 * part, 1) if math.isfinite(part) else None


def _place(state: DriverState, shape: TrackShape | None) -> dict[str, Any] | None:
    """Return latitude and longitude, looked up in the learned track: the simulator does not tell them live."""
    position = state.values.get("LapDistPct", math.nan)
    if shape is None or shape.origin is None or not 0.0 <= position <= 1.0:
        return None
    latitude, longitude = shape.origin
    north = float(np.interp(position, shape.position, shape.north))
    east = float(np.interp(position, shape.position, shape.east))
    return {
        "latitude": round(latitude + north / METRES_A_DEGREE, 6),
        "longitude": round(longitude + east / (METRES_A_DEGREE * math.cos(math.radians(latitude))), 6),
        "estimated": True,
    }


def entries_json(cars: tuple[CarEntry, ...]) -> list[dict[str, Any]]:
    return [
        {
            "index": car.index, "number": car.number, "driver": car.driver, "team": car.team, "class": car.car_class,
            "colour": car.colour, "pace": car.is_pace,
        }
        for car in cars
    ]  # fmt: skip


def shape_json(track: str, shape: TrackShape) -> dict[str, Any]:
    return {
        "track": track,
        "source": shape.source,
        "position": listed(shape.position, 5),
        "east": listed(shape.east, 1),
        "north": listed(shape.north, 1),
        "estimated": True,
    }


def session_json(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "drivers": list(session.drivers),
        "kind": session.kind,
        "track": session.track,
        "car": session.car,
        "started": ms(session.started_us),
        "ended": ms(session.ended_us),
        "laps": session.laps,
        "best_s": session.best_s,
        "sector_starts": list(session.sector_starts),
        "car_index": session.car_index,
        "lap_estimate_s": session.lap_estimate_s,
        "stints": [_stint(stint) for stint in session.stints],
        "gaps": [_gap(gap) for gap in session.gaps],
    }


def _stint(stint: Stint) -> dict[str, Any]:
    return {
        "id": stint.id, "driver": stint.driver, "name": stint.name, "started": ms(stint.started_us),
        "ended": ms(stint.ended_us), "laps": stint.laps,
    }  # fmt: skip


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "ticks": gap.last_tick - gap.first_tick + 1, "started": ms(gap.started_us), "ended": ms(gap.ended_us),
        "final": gap.is_final, "words": gap.words,
    }  # fmt: skip


def lap_json(one: Lap | Coloured) -> dict[str, Any]:
    """Return a lap; with its letters where it has been coloured."""
    lap = one if isinstance(one, Lap) else one.lap
    told = {
        "id": lap.id, "session": lap.session, "stint": lap.stint, "driver": lap.driver, "number": lap.number,
        "started": ms(lap.started_us), "time_s": lap.time_s, "sectors": list(lap.sectors), "invalid": list(lap.invalid),
        "fuel_litres": lap.fuel_litres,
    }  # fmt: skip
    return told if isinstance(one, Lap) else {**told, "letter": one.letter, "letters": list(one.sectors)}
