"""What pages, command line and terminal see of the team's drivers: the port, and the values it speaks in.

Live data and what was kept come as the same `Chunk`s; who shows them needs not know which they are. Channels have the
simulator's own names, units and signs (Speed in m/s, Throttle 0 to 1, SteeringWheelAngle in radians, left positive): who
shows them converts. NaN is a float that is not known; an integer that is not known is not in the chunk. Instants are UTC
microseconds by the clock of this machine.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

__all__ = [
    "STALE_AFTER_S", "CarEntry", "Chunk", "Chunks", "Column", "DriverState", "Fuel", "Gap", "Lap", "LapColumns",
    "NotKept", "Session", "Stint", "TelemetryLook", "TrackShape", "Tyres",
]  # fmt: skip

STALE_AFTER_S = 2.0
"""A driver's newest tick older than this is not shown as live."""


class NotKept(LookupError):
    """There is no such driver, session or lap here; the words are safe to show."""


@frozen(eq=False)
class Column:
    """One channel of a chunk. `ticks`: int64 (k,), strictly ascending; `values`: (k,), or (k, count) of an array channel.

    Channels may be thinned differently: each has its own ticks.
    """

    ticks: npt.NDArray[np.int64]
    values: npt.NDArray[Any]


@frozen(eq=False, kw_only=True)
class Chunk:
    """Some ticks of one recording, in order. A reader gets each tick at most once.

    `first_tick`, `last_tick`: what it is about, all included, whatever the columns are thinned to. `taken_us`: when the last
    tick was taken from the simulator; None: not known yet. `lost`: ticks that are known to be missing between the chunk
    before and this one. `skipped`: ticks that this reader was too slow for.
    """

    driver: str
    recording: bytes
    first_tick: int
    last_tick: int
    columns: Mapping[str, Column]
    tick_rate: int = 60
    taken_us: int | None = None
    lost: int = 0
    skipped: int = 0


class Chunks(Protocol):
    """Chunks as they come. Whoever breaks off closes it (`aclosing`); an async generator is one."""

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    async def __anext__(self) -> Chunk: ...

    async def aclose(self) -> None: ...


@frozen
class CarEntry:
    """A car of the session, by its place in the car arrays. `colour`: "#rrggbb", of its class; "": none."""

    index: int
    number: str
    driver: str
    team: str = ""
    car_class: str = ""
    colour: str = ""
    is_pace: bool = False


@frozen(kw_only=True)
class Fuel:
    """Litres in the tank at `at_us`. `per_lap`: of the last clean laps; None before there is one."""

    litres: float
    at_us: int
    tank_litres: float | None = None
    per_lap: float | None = None

    @property
    def laps_left(self) -> float | None:
        return self.litres / self.per_lap if self.per_lap else None


@frozen(kw_only=True)
class Tyres:
    """Tread that is left, 1 = new: the simulator tells it at stops only. `as_of_us`: of the last one, None: as at the start."""

    left_front: float
    right_front: float
    left_rear: float
    right_rear: float
    as_of_us: int | None = None


@frozen(kw_only=True)
class DriverState:
    """How it stands with a driver. `driver`: the site's name of the relay; `name`: as the simulator calls who sits there.

    `is_connected`: the link; `why`: in words, when it is not, or when the simulator does not run. `is_driving`: this PC
    drives the car now (IsOnTrack): only then its fuel and tyres are true. `heard_us`: when the newest live tick arrived,
    `taken_us`: when it was taken there. `clock_error_s`: the most that the two clocks may differ by beside what is known.
    `ticks`, `lost`: of the last minute's live ticks, those that came and those known missing. `waiting`: ticks on the
    driver's disk that have not been back-filled yet. `degree`: 0: everything that is wished; `degree_words`: what is thinned
    and why, "" at 0. `values`: the newest of each single-valued channel of the live tiers. `sectors`: track positions at which
    sectors begin, the first 0; () when not known.
    """

    driver: str
    name: str = ""
    is_connected: bool = False
    why: str = ""
    is_driving: bool = False
    recording: bytes | None = None
    session: str = ""
    track: str = ""
    car: str = ""
    car_number: str = ""
    team: str = ""
    car_index: int | None = None
    sectors: tuple[float, ...] = ()
    lap_estimate_s: float | None = None
    cars: tuple[CarEntry, ...] = ()
    heard_us: int | None = None
    taken_us: int | None = None
    clock_error_s: float | None = None
    ticks: int = 0
    lost: int = 0
    waiting: int | None = None
    degree: int = 0
    degree_words: str = ""
    fuel: Fuel | None = None
    tyres: Tyres | None = None
    values: Mapping[str, float] = field(factory=dict, repr=False)


@frozen(eq=False)
class TrackShape:
    """A track from above: `east`, `north` in metres (n,) by `position` 0 to 1 (n,), ascending. `origin`: (latitude,
    longitude) of its zero, None where it was learned from speed and yaw. `source`: in words. Cars on it are estimated."""

    position: npt.NDArray[np.float64]
    east: npt.NDArray[np.float64]
    north: npt.NDArray[np.float64]
    origin: tuple[float, float] | None = None
    source: str = ""


@frozen(kw_only=True)
class Stint:
    """One driver's time in the car, from getting in to getting out. `ended_us` None: it goes on."""

    id: str
    driver: str
    name: str
    started_us: int
    ended_us: int | None
    laps: int


@frozen(kw_only=True)
class Gap:
    """Ticks of a recording that are not here. `is_final`: they are lost; else they may still be back-filled."""

    recording: bytes
    first_tick: int
    last_tick: int
    started_us: int
    ended_us: int
    is_final: bool = False
    words: str = ""


@frozen(kw_only=True)
class Session:
    """A session that was kept: of one car, of whoever drove it. `recordings`: those it is made of, in order.
    `sector_starts`: where the track's sectors begin, 0 to 1, the first at 0; () where that is not known. `cars`,
    `car_index`, `lap_estimate_s`: as in a DriverState, for a replay's map and gaps."""

    id: str
    drivers: tuple[str, ...]
    kind: str
    track: str
    car: str
    started_us: int
    ended_us: int | None
    recordings: tuple[bytes, ...]
    laps: int
    best_s: float | None = None
    sector_starts: tuple[float, ...] = ()
    cars: tuple[CarEntry, ...] = ()
    car_index: int | None = None
    lap_estimate_s: float | None = None
    stints: tuple[Stint, ...] = ()
    gaps: tuple[Gap, ...] = ()


@frozen(kw_only=True)
class Lap:
    """One lap. `time_s` None: it was not finished. `sectors`: seconds, as many as the track has; None: not known.

    `invalid`: why it does not count, in words, () when it does: off track, incident, pit in, pit out, reset, tow, gap.
    """

    id: str
    session: str
    stint: str
    driver: str
    recording: bytes
    number: int
    started_us: int
    first_tick: int
    last_tick: int
    time_s: float | None
    sectors: tuple[float | None, ...] = ()
    invalid: tuple[str, ...] = ()
    fuel_litres: float | None = None


@frozen(eq=False)
class LapColumns:
    """A lap's samples in order of time. `position` (k,): LapDistPct, unwrapped, ascending from about 0 to about 1; `time_s`
    (k,): from the lap's start; `columns`: the channels asked for that there are, each (k,) or (k, count)."""

    lap: Lap
    position: npt.NDArray[np.float64]
    time_s: npt.NDArray[np.float64]
    columns: Mapping[str, npt.NDArray[Any]]


class TelemetryLook(Protocol):
    """The team's drivers and what was kept of them. What does not wait is from memory, and quick.

    A state is a frozen value: another one is another object. Everything that waits may raise StorageError.
    """

    def drivers(self) -> Sequence[str]:
        """Return who may send, sorted: the sites' names, there or not."""

    def state(self, driver: str) -> DriverState:
        """Return how it stands with a driver now. Raises NotKept."""

    def track(self, track: str) -> TrackShape | None:
        """Return the shape of a track as states and sessions name it; None: not learned yet."""

    def subscribe(self, driver: str, names: Sequence[str], hz: float, *, back_s: float = 0.0) -> Chunks:
        """Return what comes of these channels, first the last `back_s` seconds, without a gap or a double between.

        Channels that there are not are not in the chunks; scalars come at `hz` at most, car arrays as they are sent. It goes
        on over the ends of recordings until closed; a reader who is slow skips, and is told. Raises NotKept at once.
        """

    def replay(
        self, session: str, driver: str, names: Sequence[str], hz: float, *, from_us: int, speed: float
    ) -> Chunks:
        """Return what was kept, paced as it was, `speed` times as quick, from an instant on to the session's end.

        `driver` "": whoever drove. Raises NotKept at the first chunk.
        """

    async def sessions(
        self, *, driver: str = "", before_us: int | None = None, limit: int = 50
    ) -> Sequence[Session]:
        """Return sessions, the newest first, that began before an instant."""

    async def session(self, id_: str) -> Session:
        """Return one session. Raises NotKept."""

    async def laps(self, session: str) -> Sequence[Lap]:
        """Return the laps of a session in order, the one that is being driven too. Raises NotKept."""

    async def lap(self, id_: str, names: Sequence[str]) -> LapColumns:
        """Return a lap with these of its channels. Raises NotKept."""

    @property
    def export_formats(self) -> Sequence[str]:
        """Which of "csv", "parquet", "ibt" can be made here."""

    def export(self, lap_or_session: str, format_: str) -> AsyncIterator[bytes]:
        """Return a file in pieces; whoever breaks off closes it. Raises NotKept at the first piece."""
