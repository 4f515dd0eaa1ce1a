"""Laps beside each other by where on the track they are: every channel on one grid of positions, as the pages show it, and
time lost. Pure; `daemons.telemetry.analysis.positions` says how.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from attrs import frozen

from daemons.telemetry.analysis import grid, place
from daemons.telemetry.look import LapColumns
from daemons.telemetry.web.channels import CHANNELS

__all__ = ["OnGrid", "deltas", "grid", "on_grid"]


@frozen(eq=False)
class OnGrid:
    """A lap on a grid: seconds since its start (n,), and its channels by their shown names, in shown units (n,)."""

    time_s: npt.NDArray[np.float64]
    columns: Mapping[str, npt.NDArray[np.float64]]


def on_grid(lap: LapColumns, positions: npt.NDArray[np.float64], names: Sequence[str]) -> OnGrid:
    """Return a lap's channels at these positions; those that it has not are left out."""
    sources = {name: lap.columns.get(CHANNELS[name].source) for name in names}
    shown = {
        name: CHANNELS[name].shown(values)
        for name, values in sources.items()
        if values is not None and values.ndim == 1
    }
    steps = {name for name in shown if CHANNELS[name].is_step}
    placed = place(lap.position, lap.time_s, shown, positions, lap_s=lap.lap.time_s, steps=steps)
    return OnGrid(placed.time_s, placed.columns)


def deltas(laps: Sequence[OnGrid]) -> list[npt.NDArray[np.float64]]:
    """Return what each lap has lost against the first of them, in seconds (n,)."""
    return [lap.time_s - laps[0].time_s for lap in laps]
