"""All that a backend shows of telemetry, joined as it is there; the race is the simulator's double's, with its own truth."""

from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import trio

from chaos.doubles.iracing.race import Race
from daemons.telemetry.entries import Entry, EntryKind, pack_head
from daemons.telemetry.finding import FoundLap
from daemons.telemetry.livebook import LiveBook
from daemons.telemetry.look import TelemetryLook
from daemons.telemetry.mapping import Mapper
from daemons.telemetry.past import Past
from daemons.telemetry.recording import Recording
from daemons.telemetry.teamlook import TeamLook
from daemons.telemetry.trackmap.keeping import TrackMaps
from protocol.columns import Group, encode, encode_info
from tests.daemons.telemetry.rig import STARTED_US
from tests.daemons.telemetry.test_ingest import ingesting

SECONDS = 48


def sent(race: Race) -> tuple[Recording, list[Entry]]:
    """Return the race of the double as a relay keeps it, a second a batch."""
    recording = Recording(
        id=b"r" * 16, driver="anna", layout=race.disk_layout, started_utc_us=STARTED_US, source="the double"
    )
    entries = [
        Entry(0, EntryKind.HEAD, pack_head(recording)),
        Entry(1, EntryKind.INFO, encode_info(race.session_info(0), None)),
    ]
    for second in range(SECONDS):
        rows = np.ascontiguousarray(race.disk_rows(second * 60, 60))
        ticks = rows.view(race.disk_layout.dtype)[:, 0]["SessionTick"].astype(np.int64)
        entries.append(Entry(2 + second, EntryKind.ROWS, encode(race.disk_layout, rows, ticks, [Group()])))
    return recording, entries


async def test_a_race_of_the_double_is_found_as_it_was_driven(tmp_path: Path) -> None:
    race = Race(seed=7, cars=6, lap_s=12.0)
    recording, entries = sent(race)
    async with ingesting(tmp_path) as ingest:
        past = Past(ingest.store, ingest.log, ingest)
        book = LiveBook(pool=ingest.pool, utc_us=lambda: STARTED_US)
        mapper = Mapper(past, TrackMaps(tmp_path / "tracks"))
        port: TelemetryLook = TeamLook(book, past, mapper)
        laps: list[FoundLap] = []
        ingest.on_laps = lambda driver, found: laps.extend(found)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mapper.run)
            await ingest.take("anna", recording.id, entries)
            assert ingest.statistics().odd_by_name == {} and ingest.statistics().refused == 0
            (session,) = await port.sessions()
            truth = race.truth.laps(race.player_index, float(SECONDS))
            found = {lap.number: lap for lap in await port.laps(session.id) if lap.time_s is not None}
            assert len(found) >= 3
            for lap in truth:
                if lap.number not in found:
                    continue
                assert found[lap.number].invalid == () or lap.pits or lap.points or lap.number == 1
                assert found[lap.number].time_s == pytest.approx(lap.time_s, abs=1 / 60)
                assert found[lap.number].sectors == pytest.approx(lap.sectors, abs=1 / 60)
            told = race.disk_rows(0, SECONDS * 60).view(race.disk_layout.dtype)[:, 0]["LapLastLapTime"]
            timed = [lap.time_s for lap in found.values() if lap.number > 1 and lap.time_s is not None]
            assert all(np.abs(told - time_s).min() <= 1 / 60 for time_s in timed)
            assert [lap.time_s for lap in laps] == [lap.time_s for lap in await port.laps(session.id)][
                : len(laps)
            ]
            mapper.drove("anna", session.track)
            with trio.fail_after(30):
                while (shape := port.track(session.track)) is None:  # noqa: ASYNC110 (learned in a thread)
                    await trio.sleep(0.02)
            assert (
                shape.origin is not None and np.hypot(np.diff(shape.east), np.diff(shape.north)).max() < 20.0
            )
            columns = await port.lap(next(iter(found.values())).id, ["Speed", "CarIdxLapDistPct"])
            assert len(columns.columns["Speed"]) == len(columns.position)
            replay = port.replay(session.id, "", ["Speed"], 60.0, from_us=0, speed=1000.0)
            async with aclosing(replay) as chunks:
                assert (await anext(aiter(chunks))).recording == recording.id
            nursery.cancel_scope.cancel()
