"""Files as a source: real ones, cut ones, and those of somebody else."""

import math
import os
from pathlib import Path

import irsdk
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.telemetry.capture.folder import Progress, import_folder
from daemons.telemetry.capture.ibt import IbtSource
from daemons.telemetry.capture.ibtfile import IbtFile
from protocol.irsdk import BadLayout, Header
from tests.daemons.telemetry.capture.ibtfiles import ibt, written
from tests.daemons.telemetry.capture.sim import INFO, LAYOUT, Told, row


async def read(path: Path, speed: float = math.inf) -> tuple[IbtSource, Told]:
    source, told = IbtSource(path, "anna", speed), Told()
    await source.run(told)
    return source, told


async def test_every_row_of_a_file_comes_in_order(tmp_path: Path) -> None:
    ticks = [5, 6, 7, 9, 10]
    source, told = await read(written(tmp_path / "a.ibt", ibt(ticks)))
    assert told.ticks == [ticks]
    assert told.rows == [row(tick) for tick in ticks]
    [recording] = told.recordings
    assert (recording.driver, recording.info, recording.source) == ("anna", INFO, "a.ibt")
    assert recording.started_utc_us == 1_700_000_000_000_000
    assert told.ends == ["the file ends"]
    figures = source.statistics()
    assert (figures.ticks, figures.skipped, figures.state) == (5, 1, "a.ibt was read")
    assert source.words is None


async def test_a_crashed_simulators_file_is_read_by_its_size(tmp_path: Path) -> None:
    data = ibt([1, 2, 3], records=2) + row(4)[:100]
    source, told = await read(written(tmp_path / "a.ibt", data))
    assert told.ticks == [[1, 2, 3]]
    assert source.words is not None
    assert "cut off after 100 of" in source.words
    assert "says 2 rows and has 3" in source.words


async def test_the_same_recording_has_the_same_name_wherever_it_is(tmp_path: Path) -> None:
    names = []
    for path, data in (
        ("a.ibt", ibt([1, 2])),
        ("b/grown.ibt", ibt([1, 2, 3])),
        ("other.ibt", ibt([1, 2], began=1_700_000_001)),
        ("rows.ibt", ibt([2, 3])),
    ):
        names.append((await read(written(tmp_path / path, data)))[1].recordings[0].id)
    assert names[0] == names[1]
    assert len(set(names)) == 3

    async def had(id_: bytes) -> int | None:
        return 2 if id_ == names[0] else None

    again = IbtSource(tmp_path / "a.ibt", "anna", math.inf, had=had)
    told = Told()
    await again.run(told)
    assert again.skipped
    assert told.recordings == []


@pytest.mark.parametrize(
    ("had", "expected", "later_us"),
    [([102], [[103], [5, 6]], 50_000), ([103], [[5, 6]], 0), ([103, 5], [[6]], 16_666), ([103, 6], [], 0)],
)
async def test_a_file_that_was_read_in_part_is_gone_on_with(
    had: list[int], expected: list[list[int]], later_us: int, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.ibt", ibt([100, 101, 102, 103, 5, 6]))
    whole = (await read(path))[1].recordings
    there = {recording.id: tick for recording, tick in zip(whole, had, strict=False)}

    async def last(id_: bytes) -> int | None:
        return there.get(id_)

    source, told = IbtSource(path, "anna", math.inf, had=last), Told()
    await source.run(told)
    assert told.ticks == expected
    assert source.skipped == (not expected)
    if expected:
        assert told.recordings[0].started_utc_us == whole[0].started_utc_us + later_us
        assert told.recordings[-1].id == whole[1].id


async def test_two_sessions_in_a_file_are_two_recordings(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ibt", ibt([100, 101, 5, 6]))
    first, second = (await read(path))[1], (await read(path))[1]
    assert first.ticks == [[100, 101], [5, 6]]
    assert [found.id for found in first.recordings] == [found.id for found in second.recordings]
    assert first.recordings[0].id != first.recordings[1].id


async def test_a_file_is_played_at_the_speed_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ibt", ibt(list(range(1, 31))))
    began = trio.current_time()
    source = IbtSource(path, "anna", 5.0, clock_us=lambda: 1000)
    told = Told()
    await source.run(told)
    assert trio.current_time() - began >= 29 / 300
    assert told.at_us == [1000 + int(at * 1e6 / 300) for at in range(30)]
    for speed in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="speed"):
            IbtSource(path, "anna", speed)


async def test_reading_waits_for_room(tmp_path: Path) -> None:
    count = (1 << 18) // LAYOUT.row_bytes * 2 + 10
    path = written(tmp_path / "a.ibt", ibt(list(range(count))))
    told, asked = Told(), []

    async def room() -> None:
        asked.append(len(told.rows))
        await trio.lowlevel.checkpoint()

    await IbtSource(path, "anna", math.inf, room=room).run(told)
    assert len(told.rows) == count
    assert asked == [0, (1 << 18) // LAYOUT.row_bytes, (1 << 18) // LAYOUT.row_bytes * 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes"),
        (b"no simulator wrote this" * 100, "not iRacing's"),
        (ibt([1])[:130], "within its headers"),
        (ibt([1])[:500], "variables"),
    ],
)
def test_what_is_no_recording_is_refused_in_words(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(BadLayout, match=words):
        IbtFile.open(written(tmp_path / "a.ibt", data))


@settings(max_examples=50)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(ibt([1, 2, 3]))
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    path = written(
        tmp_path_factory.getbasetemp() / "damaged.ibt", bytes(damaged[: data.draw(st.integers(0, 9999))])
    )
    try:
        file = IbtFile.open(path)
    except BadLayout:
        return
    with file:
        assert len(file.read(0, file.rows)) == file.rows * file.layout.row_bytes
        assert len(file.id) == 16


async def test_a_folder_is_taken_in_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    written(tmp_path / "a.ibt", ibt([1, 2]))
    written(tmp_path / "b.ibt", b"no simulator wrote this" * 100)
    crashed = written(tmp_path / "deep" / "C.IBT", ibt([1, 2, 3], records=0))
    os.utime(crashed, (1_700_000_000, 1_700_000_000))
    written(tmp_path / "growing.ibt", ibt([7, 8, 9], records=0))
    written(tmp_path / "notes.txt", b"not looked at")
    told, seen = Told(), list[Progress]()
    done = await import_folder(tmp_path, "anna", told, progress=seen.append)
    assert told.ticks == [[1, 2], [1, 2, 3]]
    assert (done.read, done.there_already, done.ticks) == (2, 0, 5)
    assert [path.name for path, _ in done.refused] == ["b.ibt", "growing.ibt"]
    assert "not iRacing's" in done.refused[0][1]
    assert "still writes" in done.refused[1][1]
    assert [path.name for path, _ in done.odd] == ["C.IBT"]
    ends = [(p.path.name, p.file, p.files, p.rows, p.of_rows) for p in seen if p.words]
    assert ends == [
        ("a.ibt", 1, 4, 2, 2), ("b.ibt", 2, 4, 0, 0), ("C.IBT", 3, 4, 3, 3), ("growing.ibt", 4, 4, 0, 0),
    ]  # fmt: skip
    there = {recording.id: ticks[-1] for recording, ticks in zip(told.recordings, told.ticks, strict=True)}

    async def had(id_: bytes) -> int | None:
        return there.get(id_)

    again = await import_folder(tmp_path, "anna", told, had=had)
    assert (again.read, again.there_already, again.ticks) == (0, 2, 0)
    with pytest.raises(NotADirectoryError):
        await import_folder(tmp_path / "missing", "anna", told)


async def test_real_recordings_are_read_as_pyirsdk_reads_them(samples: Path) -> None:
    paths = sorted((samples / "iracing").glob("*.ibt"))
    recordings = 0
    for path in paths:
        try:
            Header.read(path.read_bytes()[:112])
        except BadLayout:
            with pytest.raises(BadLayout):
                await read(path)
            continue
        recordings += 1
        source, told = await read(path)
        with IbtFile.open(path) as file:
            assert b"".join(told.rows) == path.read_bytes()[-file.rows * file.layout.row_bytes :]
            assert file.words is None
            assert file.info.startswith(b"---\nWeekendInfo:\n")
            assert file.table().shape == (file.rows, file.layout.row_bytes)
        theirs = irsdk.IBT()
        theirs.open(str(path))
        names = theirs.var_headers_names
        assert [variable.name for variable in file.layout.variables] == names
        for name in ("SessionTick", "Speed", "Lat"):
            if name in names:
                ours = [struct_value(told.rows[at], file, name) for at in (0, -1)]
                assert ours == [theirs.get(at, name) for at in (0, len(told.rows) - 1)]
        theirs.close()
        assert source.statistics().doubled == 0
    if not recordings:
        pytest.skip("no .ibt files among the recordings")


def struct_value(data: bytes, file: IbtFile, name: str) -> float:
    import numpy as np

    value: float = np.frombuffer(data, file.layout.dtype)[name][0].item()
    return value


async def test_pyirsdk_answers_for_rows_that_are_not_there_we_do_not(tmp_path: Path) -> None:
    """Its bounds check can never be true: one past the end is an error of another kind, -1 is rubbish."""
    path = written(tmp_path / "a.ibt", ibt([7, 8]))
    theirs = irsdk.IBT()
    theirs.open(str(path))
    assert theirs.get(-1, "SessionTick") not in (7, 8)
    theirs.close()
    with IbtFile.open(path) as file:
        assert file.read(2, 1) == b""
        assert file.read(1, 5) == row(8)
        with pytest.raises(ValueError, match="row"):
            file.read(-1, 1)
