"""One driver, live: what came, how it stands, who looks."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import trio
from attrs import define, field

from daemons.telemetry.about import INFO_BYTES_MAX, About, about_of
from daemons.telemetry.entries import BadEntry, Entry, EntryKind, unpack_head
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.lanes import newest as newest_values
from daemons.telemetry.livebook.ring import Piece, Ring
from daemons.telemetry.livebook.wishes import Watcher
from daemons.telemetry.look import DriverState, Fuel, Tyres
from daemons.telemetry.recording import Recording
from protocol.columns import ColumnsError, decode_info, peek

__all__ = ["DriverLive"]

_LAPS: Final = 5
_WEAR: Final = tuple(tuple(f"{corner}wear{part}" for part in "LMR") for corner in ("LF", "RF", "LR", "RR"))


@define(eq=False)
class DriverLive:
    """`base`: how the link to the driver stands; whoever runs the link replaces it (`attrs.evolve`) when that changes:
    is_connected, why, clock_error_s, waiting, degree, degree_words."""

    name: str
    ring: Ring
    base: DriverState = field(init=False)
    recording: Recording | None = field(default=None, init=False)
    about: About = field(factory=About, init=False)
    watchers: list[Watcher] = field(factory=list, init=False)
    lot: trio.lowlevel.ParkingLot = field(factory=trio.lowlevel.ParkingLot, init=False)
    refused: int = field(default=0, init=False)
    late: int = field(default=0, init=False)
    """Batches whose ticks were here already, or older."""
    _info: bytes = field(default=b"", init=False)
    _burnt: deque[float] = field(factory=lambda: deque(maxlen=_LAPS), init=False)
    _wear: tuple[float, ...] | None = field(default=None, init=False)
    _worn_us: int | None = field(default=None, init=False)
    _state: tuple[int, DriverState, DriverState] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.base = DriverState(driver=self.name)

    def take(self, entry: Entry, taken_us: int | None, heard_us: int) -> None:
        """Take a live entry. Raises BadEntry and ColumnsError for what is none."""
        if entry.kind is EntryKind.HEAD:
            recording = unpack_head(entry.data, self.name)
            if self.recording is None or self.recording.id != recording.id:
                self.recording, self._info, self._wear, self._worn_us = recording, b"", None, None
        elif self.recording is None:
            raise BadEntry("an entry before its head")
        elif entry.kind is EntryKind.INFO:
            self._info = decode_info(entry.data, self._info or None, bytes_max=INFO_BYTES_MAX)
            before, self.about = self.about, about_of(self._info, self.about)
            if (before.track, before.car) != (self.about.track, self.about.car):
                self._burnt.clear()  # what a lap burns elsewhere, or another car, says nothing here
        elif entry.kind is EntryKind.ROWS:
            self._rows(entry, self.recording, taken_us, heard_us)

    def laps(self, laps: Sequence[FoundLap]) -> None:
        """Hear of laps that were driven: what clean ones burn."""
        self._burnt.extend(lap.fuel_litres for lap in laps if not lap.flaws and lap.fuel_litres is not None)
        self._state = None

    def _rows(self, entry: Entry, recording: Recording, taken_us: int | None, heard_us: int) -> None:
        head = peek(entry.data)
        if head.digest != recording.layout.digest:
            raise BadEntry("a batch of another layout than its recording's")
        before = self.ring.newest
        lost = 0
        if before is not None and before.recording.id == recording.id:
            if head.first_tick <= before.last_tick:
                self.late += 1
                return
            lost = head.first_tick - before.last_tick - 1
        self.ring.put(
            Piece(
                self.ring.next_index, recording, head.first_tick, head.last_tick, entry.data, taken_us, heard_us, lost
            )
        )  # fmt: skip
        self.lot.unpark_all()

    # --- how it stands ---------------------------------------------------------------------------------------------

    def state(self, now_us: int) -> DriverState:
        """Return how the driver stands; the same object as long as nothing changed. Opens the newest batch."""
        newest = self.ring.newest
        index = -1 if newest is None else newest.index
        if self._state is not None and self._state[:2] == (index, self.base):
            return self._state[2]
        state = self.base if newest is None else self._of(newest, now_us)
        self._state = index, self.base, state
        return state

    def _of(self, newest: Piece, now_us: int) -> DriverState:
        about, base = self.about, self.base
        try:
            values = newest_values(newest.batch())
        except ColumnsError:  # its head was well, the rest is not
            self.refused += 1
            values = {}
        ticks, lost = self.ring.minute()
        at_us = newest.taken_us if newest.taken_us is not None else newest.heard_us
        is_driving = bool(values.get("IsOnTrack", 0.0))
        litres = values.get("FuelLevel")
        return DriverState(
            driver=self.name, name=about.facts.name, is_connected=base.is_connected, why=base.why, is_driving=is_driving,
            recording=newest.recording.id, session=about.kind(int(values.get("SessionNum", 0.0))), track=about.track,
            car=about.car, car_number=about.car_number, team=about.team, car_index=about.session.own.car_index,
            sectors=about.session.sectors, lap_estimate_s=about.session.own.lap_estimate_s, cars=about.cars,
            heard_us=newest.heard_us, taken_us=newest.taken_us, clock_error_s=base.clock_error_s,
            ticks=ticks, lost=lost, waiting=base.waiting,
            degree=base.degree, degree_words=base.degree_words, tyres=self._tyres(values, at_us) if is_driving else None,
            fuel=self._fuel(litres, at_us) if is_driving and litres is not None else None, values=values,
        )  # fmt: skip

    def _fuel(self, litres: float, at_us: int) -> Fuel:
        own = self.about.session.own
        tank = None if own.tank_l is None else own.tank_l * (own.fuel_max_part or 1.0)
        per_lap = sum(self._burnt) / len(self._burnt) if self._burnt else None
        return Fuel(litres=litres, at_us=at_us, tank_litres=tank, per_lap=per_lap)

    def _tyres(self, values: dict[str, float], at_us: int) -> Tyres | None:
        """Tread that is left; the simulator changes it at stops only, so that a change says when the last one was."""
        wheels = [[values[name] for name in names if name in values] for names in _WEAR]
        if not all(wheels):
            return None
        wear = tuple(sum(wheel) / len(wheel) for wheel in wheels)
        if self._wear is not None and wear != self._wear:
            self._worn_us = at_us
        self._wear = wear
        return Tyres(
            left_front=wear[0],
            right_front=wear[1],
            left_rear=wear[2],
            right_rear=wear[3],
            as_of_us=self._worn_us,
        )
