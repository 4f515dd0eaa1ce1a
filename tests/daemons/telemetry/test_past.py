"""What was kept, read again and replayed: over a real store, real files and real threads."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trio
from attrs import evolve

from daemons.telemetry.entries import Entry, EntryKind, pack_head
from daemons.telemetry.look import NotKept
from daemons.telemetry.past import Past
from daemons.telemetry.replay import Replay
from tests.daemons.telemetry.finding.test_laps import Drive, find
from tests.daemons.telemetry.rig import LAYOUT, STARTED_US, entries_of, recording_of, rows_of
from tests.daemons.telemetry.test_ingest import DRIVEN, ingesting, whole

SESSION = "77-42-1"
FIRST = int(DRIVEN.ticks[0])


@asynccontextmanager
async def kept(folder: Path, count: int = 999, driven: Drive = DRIVEN) -> AsyncIterator[Past]:
    recording = recording_of()
    async with ingesting(folder) as ingest:
        entries = whole() if driven is DRIVEN else entries_of(driven, recording)
        await ingest.take("anna", recording.id, entries[:count])
        yield Past(ingest.store, ingest.log, ingest)


async def test_sessions_stints_and_laps_are_told(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        (session,) = await past.sessions()
        expected = find(DRIVEN)[0]
        assert (session.id, session.drivers, session.kind, session.track) == (
            SESSION,
            ("anna",),
            "Race",
            "The Ring Short",
        )
        assert session.sector_starts == (0.0, 0.25, 0.7) and session.started_us == STARTED_US
        assert session.ended_us == STARTED_US + (len(DRIVEN.ticks) - 1) * 1_000_000 // 60
        assert session.best_s == min(lap.time_s for lap in expected if lap.time_s is not None)
        assert [(stint.name, stint.laps, stint.ended_us == session.ended_us) for stint in session.stints] == [
            ("Anna", 4, True)
        ]
        whole = await past.session(SESSION)
        assert [car.driver for car in whole.cars] == ["Pace Car", "Anna"]
        assert (whole.car_index, whole.lap_estimate_s, session.cars) == (
            1,
            16.0,
            (),
        )  # a list of sessions is told without
        laps = await past.laps(SESSION)
        assert [lap.time_s for lap in laps] == [lap.time_s for lap in expected]
        assert laps[0].invalid == ("not from its start",) and laps[1].invalid == ()
        assert laps[1].stint == session.stints[0].id
        assert laps[1].started_us == STARTED_US + (laps[1].first_tick - FIRST) * 1_000_000 // 60
        assert await past.sessions(driver="bert") == [] == await past.sessions(before_us=STARTED_US)
        for words in ("", "nothing", "00.1", f"{'72' * 16}.99", "zz.1"):
            with pytest.raises(NotKept):
                await past.find_lap(words)
        with pytest.raises(NotKept):
            await past.session("nothing")


async def test_a_lap_has_its_columns_by_position(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        lap = (await past.laps(SESSION))[2]
        found = await past.lap(lap.id, ["Speed", "CarIdxLapDistPct", "NotThere"])
        count = lap.last_tick - lap.first_tick + 1
        assert len(found.position) == len(found.time_s) == len(found.columns["Speed"]) == count
        assert 0 <= found.position[0] < 0.01 and 0.99 < found.position[-1] <= 1.0
        assert (np.diff(found.position) > 0).all()
        assert found.time_s[-1] == pytest.approx((count - 1) / 60)
        exact = rows_of(DRIVEN).view(LAYOUT.dtype)[:, 0]["Speed"]
        assert np.array_equal(
            found.columns["Speed"], exact[lap.first_tick - FIRST : lap.last_tick - FIRST + 1]
        )
        assert found.columns["CarIdxLapDistPct"].shape == (count, 4) and "NotThere" not in found.columns


async def test_the_lap_that_is_being_driven_is_told_too_and_gaps_are(tmp_path: Path) -> None:
    gappy = DRIVEN.without(300, 360)
    async with kept(tmp_path, count=15, driven=gappy) as past:
        laps = await past.laps(SESSION)
        assert laps[-1].time_s is None and laps[-1].invalid == ("not finished",)
        assert laps[-1].last_tick == gappy.ticks[13 * 60 - 1]
        session = await past.session(SESSION)
        assert session.ended_us is None and session.stints[-1].ended_us is None
        (gap,) = session.gaps
        assert (gap.first_tick, gap.last_tick) == (FIRST + 300, FIRST + 359) and gap.is_final


async def test_rows_that_made_room_are_a_gap_and_their_laps_are_still_told(tmp_path: Path) -> None:
    recording = recording_of()
    async with ingesting(tmp_path, segment_bytes=2000) as ingest:
        for entry in whole():
            await ingest.take("anna", recording.id, [entry])
        past = Past(ingest.store, ingest.log, ingest)
        before = await past.laps(SESSION)
        assert await ingest.log.trim(4000) > 0
        (gap,) = (await past.session(SESSION)).gaps
        assert (gap.first_tick, gap.is_final) == (FIRST, True) and "room" in gap.words
        assert await past.laps(SESSION) == before
        with pytest.raises(NotKept, match="not here any more"):
            await past.lap(before[1].id, ["Speed"])
        assert len((await past.lap(before[-1].id, ["Speed"])).position) > 0


async def test_two_drivers_of_one_car_are_one_session(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        other = evolve(recording_of("bert", b"b" * 16), started_utc_us=STARTED_US + 60_000_000)
        await past.ingest.take("bert", other.id, [Entry(0, EntryKind.HEAD, pack_head(other)), *whole()[1:]])
        (session,) = await past.sessions()
        assert session.drivers == ("anna", "bert") and len(session.recordings) == 2
        assert session.ended_us is not None and session.ended_us > STARTED_US + 60_000_000
        assert len(await past.laps(SESSION)) == 10
        assert [one.id for one in await past.sessions(driver="bert")] == [SESSION]


async def test_a_replay_shows_every_tick_once(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        replay = Replay(past, SESSION, "", ["Speed", "CarIdxLapDistPct"], 60.0, from_us=0, speed=1000.0)
        with trio.fail_after(30):
            async with aclosing(replay.chunks()) as chunks:
                found = [chunk async for chunk in chunks]
        ticks = np.concatenate([chunk.columns["Speed"].ticks for chunk in found])
        assert np.array_equal(ticks, DRIVEN.ticks) and all(chunk.lost == 0 for chunk in found)
        assert found[-1].taken_us == (await past.session(SESSION)).ended_us == replay.at_us
        with trio.fail_after(30):
            late = Replay(
                past, SESSION, "anna", ["Speed"], 10.0, from_us=STARTED_US + 20_000_000, speed=1000.0
            )
            async with aclosing(late.chunks()) as chunks:
                found = [chunk async for chunk in chunks]
        assert found[0].first_tick == FIRST + 1200
        ticks = np.concatenate([chunk.columns["Speed"].ticks for chunk in found])
        assert ticks.tolist() == [
            tick for tick in range(FIRST + 1200, int(DRIVEN.ticks[-1]) + 1) if tick % 6 == 0
        ]
        nobody = Replay(past, "nothing", "", ["Speed"], 60.0, from_us=0)
        with pytest.raises(NotKept):
            async with aclosing(nobody.chunks()) as chunks:
                await anext(chunks)


async def test_a_replay_is_paced_stopped_and_wound(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        replay = Replay(past, SESSION, "", ["Speed"], 60.0, from_us=STARTED_US, speed=2.0)
        with trio.fail_after(30):
            async with aclosing(replay.chunks()) as chunks:
                begun = trio.current_time()
                for _ in range(5):
                    chunk = await anext(chunks)
                assert trio.current_time() - begun >= (chunk.last_tick - FIRST) / 60 / 2 * 0.9
                replay.pause()
                replay.seek(STARTED_US + 10_000_000)
                replay.set_speed(1000.0)
                replay.resume()
                chunk = await anext(chunks)
                assert chunk.first_tick == FIRST + 600
                replay.seek(STARTED_US)
                assert (await anext(chunks)).first_tick == FIRST
        with pytest.raises(ValueError, match="speed"):
            replay.set_speed(0.0)


async def test_a_stopped_replay_shows_nothing_until_it_goes_on(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        replay = Replay(past, SESSION, "", ["Speed"], 60.0, from_us=STARTED_US, speed=1000.0)
        replay.pause()
        shown: list[int] = []

        async def watch() -> None:
            async with aclosing(replay.chunks()) as chunks:
                async for chunk in chunks:
                    shown.append(chunk.last_tick)  # noqa: PERF401

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                await past.sessions()  # what waits for the disk as well comes back, and nothing was shown
                await past.sessions()
                assert shown == []
                replay.resume()
        assert shown[-1] == DRIVEN.ticks[-1]
