"""What to ask of a driver's relay, from what everybody who looks at him wants. Pure."""

from collections.abc import Collection
from math import floor
from typing import Final

from attrs import frozen

from protocol.columns import Wish
from protocol.columns.tiers import BATCH_TICKS_MAX, EVERY_MAX

__all__ = ["BASE", "Watcher", "merged"]

BASE: Final = frozenset(
    {
        "SessionTime", "SessionNum", "SessionState", "SessionFlags", "SessionTimeRemain", "IsOnTrack", "OnPitRoad", "Lap",
        "LapDistPct", "LapLastLapTime", "LapBestLapTime", "PlayerCarPosition", "PlayerCarClassPosition", "PlayerTrackSurface",
        "PlayerCarMyIncidentCount", "Speed", "FuelLevel", "FuelLevelPct", "LFwearL", "LFwearM", "LFwearR", "RFwearL",
        "RFwearM", "RFwearR", "LRwearL", "LRwearM", "LRwearR", "RRwearL", "RRwearM", "RRwearR", "CarIdxLapDistPct",
        "CarIdxPosition", "CarIdxLap", "CarIdxOnPitRoad",
    }
)  # fmt: skip
"""What the list of drivers needs though nobody looks closer."""


@frozen
class Watcher:
    """Somebody who looks: at these channels, scalars at most `hz` times a second."""

    names: frozenset[str]
    hz: float


def merged(
    watchers: Collection[Watcher], *, tick_rate: int = 60, batch_s: float = 0.1, keeps_ready: bool = True
) -> Wish:
    """Return one wish that serves them all.

    `keeps_ready`: everything useful comes all the time, in batches of a second while nobody looks, so that who begins to
    look has the last minutes at once; else only what somebody looks at, and BASE at 5 Hz.
    """
    names = frozenset[str]().union(*(watcher.names for watcher in watchers))
    fastest = max((watcher.hz for watcher in watchers), default=0.0)
    batch_ticks = min(max(1, round(batch_s * tick_rate)), BATCH_TICKS_MAX) if watchers else tick_rate
    sub_samples = any(name.endswith("_ST") for name in names)
    if keeps_ready:
        return Wish(sub_samples=sub_samples, batch_ticks=batch_ticks)
    every = max(1, min(floor(tick_rate / fastest), EVERY_MAX)) if fastest > 0 else tick_rate // 5
    return Wish(names | BASE, scalars_every=every, batch_ticks=batch_ticks)
