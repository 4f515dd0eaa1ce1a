"""What was kept, read again: sessions with their stints, laps and gaps, and any columns of any ticks.

A session is what the simulator calls one, of one car, of all who drove it; a recording that has no such name is one of its
own. Ids: a session's is "SUBSESSION-TEAM-NUMBER" or the recording's, a lap's "RECORDING.N", a stint's "RECORDING.sN".
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final

import apsw
import numpy as np
import structlog
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from daemons.store import Store, fetch
from daemons.telemetry.about import INFO_BYTES_MAX, About, about_of
from daemons.telemetry.archive.port import TelemetryLog
from daemons.telemetry.catalogue import rec_of, told
from daemons.telemetry.entries import BadEntry, Entry, EntryKind, unpack_head
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.ingest import Ingest
from daemons.telemetry.ingestpool import WorkPool
from daemons.telemetry.look import Column, Gap, Lap, LapColumns, NotKept, Session, Stint
from daemons.telemetry.reading import open_batch
from daemons.telemetry.recording import Recording
from protocol.columns import Batch, ColumnsError

__all__ = ["GAPS_MAX", "SESSIONS_MAX", "Kept", "Past"]

_log = structlog.get_logger()

SESSIONS_MAX: Final = 200
GAPS_MAX: Final = 500
ABOUTS_MAX: Final = 16
_READ_BYTES: Final = 1024 * 1024

_SESSIONS = """SELECT session, max(started_utc_us) AS newest FROM tele_about WHERE started_utc_us < ?1
    AND (?2 = '' OR driver = ?2) GROUP BY session ORDER BY newest DESC LIMIT ?3"""
_RECORDINGS = """SELECT a.rec, a.id, a.driver, a.started_utc_us, a.tick_rate, a.kind, a.track, a.car, a.sectors,
    r.first_tick, r.last_tick, r.ended FROM tele_about a JOIN tele_recording r USING (rec) WHERE a.session = ?
    ORDER BY a.started_utc_us, a.rec"""
_LAPS = """SELECT lap, number, stint, first_tick, last_tick, time_s, sectors, flaws, fuel_litres FROM tele_lap
    WHERE rec = ? ORDER BY lap"""
_STINTS = (
    "SELECT stint, name, first_tick, last_tick, laps, is_open FROM tele_stint WHERE rec = ? ORDER BY stint"
)
_HOLES = """SELECT last_tick + 1, next - 1 FROM (
    SELECT last_tick, lead(first_tick) OVER (ORDER BY number) AS next FROM tele_rows WHERE rec = ?
    ) WHERE next > last_tick + 1 LIMIT ?"""


@frozen
class Kept:
    """A recording of a session. `first_tick`, `last_tick`: of what ever was here of it, -1: nothing."""

    rec: int
    id: bytes
    driver: str
    started_us: int
    tick_rate: int
    kind: str
    track: str
    car: str
    sectors: str
    first_tick: int
    last_tick: int
    is_over: bool

    def at_us(self, tick: int) -> int:
        """Return when a tick was, UTC: the recording began with its first."""
        return self.started_us + (tick - self.first_tick) * 1_000_000 // self.tick_rate

    def tick_at(self, at_us: int) -> int:
        """Return the tick of an instant."""
        return self.first_tick + (at_us - self.started_us) * self.tick_rate // 1_000_000


@define(eq=False)
class Past:
    """`ingest`: for what is being driven now; its pool opens batches."""

    store: Store
    log: TelemetryLog
    ingest: Ingest
    _abouts: dict[bytes, tuple[bytes, About]] = field(factory=dict, init=False)

    @property
    def pool(self) -> WorkPool:
        return self.ingest.pool

    async def sessions(
        self, *, driver: str = "", before_us: int | None = None, limit: int = 50
    ) -> Sequence[Session]:
        """As `TelemetryLook.sessions`; without gaps, which take longer to find."""
        before = 2**62 if before_us is None else before_us

        def work(conn: apsw.Connection) -> list[Session]:
            keys = fetch(conn, _SESSIONS, (before, driver, min(max(limit, 0), SESSIONS_MAX)))
            return [_session(conn, key, gaps=False) for key, _ in keys]

        return await self.store.read(work)

    async def session(self, id_: str) -> Session:
        """As `TelemetryLook.session`."""
        session = await self.store.read(lambda conn: _session(conn, id_, gaps=True))
        about = await self._about(session.recordings[-1])
        own = about.session.own
        return evolve(session, cars=about.cars, car_index=own.car_index, lap_estimate_s=own.lap_estimate_s)

    async def _about(self, recording: bytes) -> About:
        """Return what the newest session info of a recording says; read again only when it is another."""

        def work(conn: apsw.Connection) -> bytes:
            rec = rec_of(conn, recording)
            return b"" if rec is None else told(conn, rec, INFO_BYTES_MAX).info

        info = await self.store.read(work)
        known = self._abouts.get(recording)
        if known is None or known[0] != info:
            known = info, await self.pool.do(partial(about_of, info))
            self._abouts[recording] = known
            while len(self._abouts) > ABOUTS_MAX:
                del self._abouts[next(iter(self._abouts))]
        return known[1]

    async def laps(self, session: str) -> Sequence[Lap]:
        """As `TelemetryLook.laps`."""
        found, recordings = await self.store.read(lambda conn: _laps(conn, session))
        for kept in recordings:
            driving = self.ingest.driving(kept.id)
            if driving is not None:
                found.append(_lap(kept, session, driving))
        return sorted(found, key=lambda lap: lap.started_us)

    async def recordings(self, session: str) -> Sequence[Kept]:
        """Return the recordings of a session, in order of time. Raises NotKept."""
        return await self.store.read(lambda conn: _recordings(conn, session))

    async def find_lap(self, id_: str) -> tuple[Lap, Kept]:
        """Return a lap and its recording. Raises NotKept."""
        name, dot, number = id_.partition(".")
        if not dot or not number.isdigit() or len(number) > 9:
            raise NotKept("there is no such lap")
        session = await self.store.read(lambda conn: _session_of(conn, name))
        lap = next((lap for lap in await self.laps(session) if lap.id == id_), None)
        if lap is None:
            raise NotKept("there is no such lap")
        kept = next(kept for kept in await self.recordings(session) if kept.id == lap.recording)
        return lap, kept

    async def lap(self, id_: str, names: Sequence[str]) -> LapColumns:
        """As `TelemetryLook.lap`."""
        lap, kept = await self.find_lap(id_)
        wanted = {*names, "LapDistPct", "SessionTime"}
        parts: dict[str, list[NDArray[Any]]] = {}
        async with aclosing(self.batches(kept, lap.first_tick, lap.last_tick)) as batches:
            async for batch in batches:
                found = await self.pool.do(partial(_cut, batch, wanted, lap.first_tick, lap.last_tick))
                for name, column in found.items():
                    parts.setdefault(name, []).append(column.values)
        whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        if "LapDistPct" not in whole or "SessionTime" not in whole:
            raise NotKept("the ticks of this lap are not here any more")
        position = whole["LapDistPct"].astype(np.float64)
        steps = np.diff(position, prepend=position[:1])
        position = position[0] + np.cumsum(steps - np.rint(steps))
        time_s = whole["SessionTime"].astype(np.float64)
        length = len(position)
        columns = {name: whole[name] for name in names if name in whole and len(whole[name]) == length}
        return LapColumns(lap, position - np.floor(position[0]), time_s - time_s[0], columns)

    async def open(self, kept: Kept) -> Recording:
        """Return a recording, with the newest session info that was told. Raises NotKept."""
        entries = await self.log.read(kept.id, 0, 0)
        try:
            return unpack_head(entries[0].data, kept.driver)
        except (IndexError, BadEntry):
            raise NotKept("the head of this recording is not here") from None

    async def entries(self, kept: Kept, first_tick: int, last_tick: int) -> AsyncGenerator[Entry, None]:
        """Yield the ROWS entries with ticks of that range, in order."""
        numbers = await self.log.numbers_at(kept.id, first_tick, last_tick)
        if numbers is None:
            return
        at, last = numbers
        while at <= last:
            entries = await self.log.read(kept.id, at, last, bytes_max=_READ_BYTES)
            if not entries:
                return
            for entry in entries:
                if entry.kind is EntryKind.ROWS:
                    yield entry
            at = entries[-1].number + 1

    async def batches(self, kept: Kept, first_tick: int, last_tick: int) -> AsyncGenerator[Batch, None]:
        """Yield the batches with ticks of that range, in order; one that cannot be read is left out. Raises NotKept."""
        recording = await self.open(kept)
        async with aclosing(self.entries(kept, first_tick, last_tick)) as entries:
            async for entry in entries:
                try:
                    yield await self.pool.do(partial(open_batch, recording, entry.data))
                except ColumnsError as error:
                    _log.warning(
                        "past.unreadable", recording=kept.id.hex(), number=entry.number, words=str(error)
                    )


def _cut(batch: Batch, names: set[str], first_tick: int, last_tick: int) -> Mapping[str, Column]:
    found = {}
    for name in names.intersection(batch.names):
        ticks, values = batch.column(name)
        where = slice(*np.searchsorted(ticks, (first_tick, last_tick + 1)).tolist())
        found[name] = Column(ticks[where], values[where])
    return found


def _recordings(conn: apsw.Connection, session: str) -> list[Kept]:
    rows = fetch(conn, _RECORDINGS, (session,))
    if not rows:
        raise NotKept("there is no such session")
    return [
        Kept(
            rec, id_, driver, started_us, tick_rate, kind, track, car, sectors, -1 if first is None else first,
            -1 if last is None else last, ended is not None,
        )
        for rec, id_, driver, started_us, tick_rate, kind, track, car, sectors, first, last, ended in rows
    ]  # fmt: skip


def _session_of(conn: apsw.Connection, recording: str) -> str:
    try:
        rows = fetch(conn, "SELECT session FROM tele_about WHERE id = ?", (bytes.fromhex(recording),))
    except ValueError:
        rows = []
    if not rows:
        raise NotKept("there is no such lap")
    return str(rows[0][0])


def _session(conn: apsw.Connection, id_: str, *, gaps: bool) -> Session:
    recordings = _recordings(conn, id_)
    laps, _ = _laps(conn, id_)
    first, last = recordings[0], recordings[-1]
    ends = [kept.at_us(kept.last_tick) for kept in recordings if kept.last_tick >= 0]
    counted = [lap.time_s for lap in laps if lap.time_s is not None and not lap.invalid]
    return Session(
        id=id_, drivers=tuple(dict.fromkeys(kept.driver for kept in recordings)), kind=last.kind, track=last.track,
        car=last.car, started_us=first.started_us,
        ended_us=max(ends) if ends and all(kept.is_over for kept in recordings) else None,
        recordings=tuple(kept.id for kept in recordings), laps=sum(1 for lap in laps if lap.time_s is not None),
        best_s=min(counted, default=None), sector_starts=tuple(json.loads(last.sectors)),
        stints=tuple(stint for kept in recordings for stint in _stints(conn, kept)),
        gaps=tuple(gap for kept in recordings for gap in _gaps(conn, kept))[:GAPS_MAX] if gaps else (),
    )  # fmt: skip


def _stints(conn: apsw.Connection, kept: Kept) -> list[Stint]:
    return [
        Stint(
            id=f"{kept.id.hex()}.s{number}", driver=kept.driver, name=name, started_us=kept.at_us(first),
            ended_us=None if is_open and not kept.is_over else kept.at_us(last), laps=laps,
        )
        for number, name, first, last, laps, is_open in fetch(conn, _STINTS, (kept.rec,))
    ]  # fmt: skip


def _gaps(conn: apsw.Connection, kept: Kept) -> list[Gap]:
    holes = [
        (first, last, "these ticks did not come, or could not be read")
        for first, last in fetch(conn, _HOLES, (kept.rec, GAPS_MAX))
    ]
    ((oldest,),) = fetch(conn, "SELECT min(first_tick) FROM tele_rows WHERE rec = ?", (kept.rec,))
    end = kept.last_tick + 1 if oldest is None else oldest
    if 0 <= kept.first_tick < end:
        holes.insert(0, (kept.first_tick, end - 1, "these ticks made room for newer ones"))
    return [
        Gap(
            recording=kept.id, first_tick=first, last_tick=last, started_us=kept.at_us(first), ended_us=kept.at_us(last),
            is_final=True, words=words,
        )
        for first, last, words in holes
    ]  # fmt: skip


def _laps(conn: apsw.Connection, session: str) -> tuple[list[Lap], list[Kept]]:
    recordings = _recordings(conn, session)
    found = []
    for kept in recordings:
        for lap, number, stint, first, last, time_s, sectors, flaws, fuel in fetch(conn, _LAPS, (kept.rec,)):
            known = FoundLap(
                index=lap, number=number, stint=stint, first_tick=first, last_tick=last, started_s=None, time_s=time_s,
                sectors=tuple(json.loads(sectors)), flaws=tuple(json.loads(flaws)), fuel_litres=fuel,
            )  # fmt: skip
            found.append(_lap(kept, session, known))
    return found, recordings


def _lap(kept: Kept, session: str, lap: FoundLap) -> Lap:
    name = kept.id.hex()
    return Lap(
        id=f"{name}.{lap.index}", session=session, stint=f"{name}.s{lap.stint}", driver=kept.driver, recording=kept.id,
        number=lap.number, started_us=kept.at_us(lap.first_tick), first_tick=lap.first_tick, last_tick=lap.last_tick,
        time_s=lap.time_s, sectors=lap.sectors, invalid=tuple(str(flaw) for flaw in lap.flaws),
        fuel_litres=lap.fuel_litres,
    )  # fmt: skip
