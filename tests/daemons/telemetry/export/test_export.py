"""Exported files, opened by who they are for: pyirsdk, pyarrow, csv."""

import csv
import io
from contextlib import aclosing
from pathlib import Path

import irsdk
import numpy as np
import pyarrow.parquet
import pytest

from daemons.telemetry.capture.ibtfile import IbtFile
from daemons.telemetry.entries import Entry, EntryKind, pack_head
from daemons.telemetry.export import exported, formats
from daemons.telemetry.look import NotKept
from daemons.telemetry.past import Past
from daemons.telemetry.recording import Recording
from protocol.columns import Group, encode, encode_info
from tests.daemons.telemetry.rig import INFO, LAYOUT, STARTED_US, recording_of, rows_of
from tests.daemons.telemetry.test_ingest import ingesting
from tests.daemons.telemetry.test_past import DRIVEN, FIRST, SESSION, kept

LAP = f"{recording_of().id.hex()}.2"


async def file_of(past: Past, what: str, format_: str) -> bytes:
    async with aclosing(exported(past, what, format_)) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_an_ibt_file_opens_with_pyirsdk_and_has_every_byte(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        (tmp_path / "session.ibt").write_bytes(await file_of(past, SESSION, "ibt"))
        lap = (await past.laps(SESSION))[2]
        (tmp_path / "lap.ibt").write_bytes(await file_of(past, LAP, "ibt"))
    rows = rows_of(DRIVEN)
    opened = irsdk.IBT()
    opened.open(str(tmp_path / "session.ibt"))
    try:
        assert opened.var_headers_names == [variable.name for variable in LAYOUT.variables]
        assert np.array_equal(opened.get_all("SessionTick"), DRIVEN.ticks)
        assert opened.get(7, "Speed") == rows.view(LAYOUT.dtype)[7, 0]["Speed"]
    finally:
        opened.close()
    with IbtFile.open(tmp_path / "session.ibt") as file:
        assert (file.rows, file.half_bytes, file.info) == (len(rows), 0, INFO)
        assert file.disk.records == len(rows) and file.disk.started_utc_s == STARTED_US // 1_000_000
    assert (tmp_path / "session.ibt").read_bytes().endswith(rows.tobytes())
    cut = rows[lap.first_tick - FIRST : lap.last_tick - FIRST + 1]
    assert (tmp_path / "lap.ibt").read_bytes().endswith(cut.tobytes())
    with IbtFile.open(tmp_path / "lap.ibt") as file:
        assert file.rows == len(cut)


async def test_a_real_recording_comes_back_as_the_simulator_wrote_it(samples: Path, tmp_path: Path) -> None:
    source = samples / "iracing" / "race_sebring_2025.ibt"
    whole = source.read_bytes()
    with IbtFile.open(source) as file:
        layout, info, count = file.layout, file.info, 600
    rows = np.frombuffer(whole, np.uint8)[len(whole) - file.rows * layout.row_bytes :].reshape(
        -1, layout.row_bytes
    )[1:][:count]
    ticks = rows.copy().view(layout.dtype)[:, 0]["SessionTick"].astype(np.int64)
    recording = Recording(
        id=b"s" * 16, driver="anna", layout=layout, started_utc_us=STARTED_US, source="a file"
    )
    entries = [
        Entry(0, EntryKind.HEAD, pack_head(recording)),
        Entry(1, EntryKind.INFO, encode_info(info, None)),
    ]
    entries += [
        Entry(2 + at // 60, EntryKind.ROWS, encode(layout, rows[at : at + 60].copy(), ticks[at : at + 60], [Group()]))
        for at in range(0, count, 60)
    ]  # fmt: skip
    async with ingesting(tmp_path) as ingest:
        await ingest.take("anna", recording.id, entries)
        assert ingest.statistics().odd == ingest.statistics().refused == 0
        past = Past(ingest.store, ingest.log, ingest)
        (session,) = await past.sessions()
        assert (
            session.track == "Sebring International Raceway International" and len(session.sector_starts) == 7
        )
        (tmp_path / "out.ibt").write_bytes(await file_of(past, session.id, "ibt"))
    written = (tmp_path / "out.ibt").read_bytes()
    assert written.endswith(rows.tobytes()) and info in written
    opened = irsdk.IBT()
    opened.open(str(tmp_path / "out.ibt"))
    try:
        assert len(opened.var_headers_names) == 285
        assert np.array_equal(opened.get_all("SessionTick"), ticks)
        assert np.array_equal(
            np.float32(opened.get_all("FuelLevel")), rows.copy().view(layout.dtype)[:, 0]["FuelLevel"]
        )
    finally:
        opened.close()


async def test_a_csv_has_every_value_and_its_unit(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        lines = list(csv.reader(io.StringIO((await file_of(past, LAP, "csv")).decode(), newline="")))
        lap = (await past.laps(SESSION))[2]
    head, *body = lines
    assert head[:2] == ["utc", "driver"] and "Speed [m/s]" in head and "CarIdxLapDistPct.3 [%]" in head
    assert len(body) == lap.last_tick - lap.first_tick + 1
    assert body[0][:2] == [f"{np.datetime64(lap.started_us, 'us')}Z", "anna"]
    exact = rows_of(DRIVEN).view(LAYOUT.dtype)[:, 0]["Speed"][
        lap.first_tick - FIRST : lap.last_tick - FIRST + 1
    ]
    found = np.array([line[head.index("Speed [m/s]")] for line in body], np.float32)
    assert np.array_equal(found, exact)


async def test_a_parquet_file_has_every_value_with_its_type(tmp_path: Path) -> None:
    async with kept(tmp_path) as past:
        table = pyarrow.parquet.read_table(io.BytesIO(await file_of(past, SESSION, "parquet")))
    rows = rows_of(DRIVEN).view(LAYOUT.dtype)[:, 0]
    assert table.num_rows == len(rows)
    for name in ("Speed", "SessionTime", "IsOnTrack", "SessionTick"):
        assert np.array_equal(table[name].to_numpy(), rows[name])
    cars = np.array(table["CarIdxLapDistPct"].to_pylist(), np.float32)
    assert np.array_equal(cars, rows["CarIdxLapDistPct"])
    assert table.schema.field("Speed").metadata[b"unit"] == b"m/s"
    assert table["utc"][0].as_py().timestamp() * 1e6 == STARTED_US


async def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    async with kept(tmp_path, count=2) as past:
        with pytest.raises(NotKept, match="no ticks"):
            await file_of(past, (await past.sessions())[0].id, "csv")
        with pytest.raises(NotKept):
            await file_of(past, "nothing", "ibt")
        with pytest.raises(ValueError, match="xls"):
            exported(past, SESSION, "xls")
    assert set(formats()) == {"csv", "parquet", "ibt"}
