"""A stream as a driver's memory has it, of what real files hold: the player's channels of a recording of a race, the others
as they stand in a dump of live memory, the sub-samples between the recording's ticks, and cars that drive on their own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocol.irsdk import Layout

__all__ = ["stream"]

CARS = 40
LAP_S = 120.0


def stream(
    layout: Layout, still: NDArray[np.uint8], race: Layout, driven: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return rows of the live `layout`, as many as were `driven`: (rows, row_bytes)."""
    chance = np.random.default_rng(7)
    rows = np.repeat(still[None, :], len(driven), axis=0)
    values, truth = rows.view(layout.dtype)[:, 0], driven.view(race.dtype)[:, 0]
    for variable in layout.variables:
        name = variable.name
        if variable.count_as_time:
            plain = name.removesuffix("_ST")
            if plain in race:
                values[name] = _between(truth[plain].astype(np.float64), variable.count, chance)
        elif name in race and race[name].count == variable.count:
            values[name] = truth[name]
    _drive(values, layout, chance)
    return rows


def _between(plain: NDArray[np.float64], count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Moments within the tick: on the way from the one before, with noise in the way, and the last as it is."""
    before = np.concatenate([plain[:1], plain[:-1]])
    way = np.arange(1, count + 1) / count
    found = before[:, None] + (plain - before)[:, None] * way
    noise = np.abs(plain - before)[:, None] * chance.normal(0, 0.2, found.shape)
    noise[:, -1] = 0
    return found + noise


def _drive(values: NDArray[Any], layout: Layout, chance: np.random.Generator) -> None:
    """Cars at paces of their own, who gain and lose a little; the places that no car has stay as they are."""
    ticks = np.arange(len(values))[:, None] / 60
    cars = np.arange(CARS)
    pace = (1 + chance.normal(0, 0.02, CARS)) / LAP_S
    sway = 0.2 * np.sin(ticks * chance.uniform(0.2, 0.6, CARS) + cars)
    at = 0.9 - cars * 0.01 + ticks * pace + sway * pace
    rate = 0.5 + 0.4 * np.sin(ticks * chance.uniform(0.5, 1.5, CARS) + 2 * cars)
    order = np.argsort(np.argsort(-at, axis=1), axis=1) + 1
    columns = {
        "CarIdxLapDistPct": at % 1,
        "CarIdxLap": np.floor(at) + 1,
        "CarIdxLapCompleted": np.floor(at),
        "CarIdxEstTime": at % 1 * LAP_S,
        "CarIdxF2Time": (order[::60] * 1.37).repeat(60, axis=0)[: len(values)],
        "CarIdxRPM": 4000 + 4000 * rate + chance.normal(0, 8, rate.shape),
        "CarIdxSteer": 0.6 * np.sin(ticks * chance.uniform(0.3, 1.2, CARS) + cars)
        + chance.normal(0, 2e-3, rate.shape),
        "CarIdxGear": 1 + np.floor(5 * rate),
        "CarIdxPosition": order,
        "CarIdxClassPosition": order,
        "CarIdxTrackSurface": 3 - (rate > 0.895),
        "CarIdxTrackSurfaceMaterial": 2 + 5 * (rate > 0.895),
    }
    for name, column in columns.items():
        if name in layout:
            values[name][:, :CARS] = column
