"""Files that were torn off or have changed: what is shown of them is true, and it is said that it is not all."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.record.sessions import record, state
from tui.record import Recording, RecordingError, Reel


@cache
def whole(folder: Path) -> tuple[bytes, list[object]]:
    """Return a recording of some blocks and keyframes, and the calls in it."""
    path = folder / "whole"
    record(path, 25, keyframe_bytes=60_000)
    with Recording.open(path) as recording:
        assert recording.keyframe_before(20.0) > 0
        return path.read_bytes(), list(recording.calls())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


def check(folder: Path, data: bytes) -> None:
    """Open it: an error in words, or a beginning of what was recorded, and a word that it is not all."""
    _, calls = whole(folder)
    path = folder / "damaged"
    path.write_bytes(data)
    try:
        recording = Recording.open(path)
    except RecordingError as refused:
        words = str(refused)
        assert "damaged" in words or "empty" in words or "no recording" in words
        return
    with recording:
        found = list(recording.calls())
        assert found == calls[: len(found)] and recording.words
        played, turned = Reel(recording), Reel(recording)
        played.play(recording.duration_s)
        turned.turn_to(recording.duration_s)
        turned.play(recording.duration_s)
        assert state(played.model) == state(turned.model) and not played.left_out


@given(st.data())
def test_torn_off_anywhere(folder: Path, data: st.DataObject) -> None:
    good, _ = whole(folder)
    check(folder, good[: data.draw(st.integers(0, len(good) - 1))])


@given(st.data())
def test_any_byte_changed(folder: Path, data: st.DataObject) -> None:
    good, _ = whole(folder)
    at, to = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(1, 255))
    check(folder, good[:at] + bytes([good[at] ^ to]) + good[at + 1 :])


@given(st.data())
def test_a_piece_missing_or_strange(folder: Path, data: st.DataObject) -> None:
    """What a disk does that lost a sector, or a copy that was broken off and begun again."""
    good, _ = whole(folder)
    at, count = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(1, 2000))
    piece = data.draw(st.sampled_from([b"", bytes(count), good[:count]]))
    if good[at : at + count] != piece:
        check(folder, good[:at] + piece + good[at + count :])


def test_every_byte_of_the_last_blocks_torn_off(folder: Path) -> None:
    good, _ = whole(folder)
    for size in range(len(good) - 400, len(good)):
        check(folder, good[:size])


def test_no_recording_ends_unseen(folder: Path) -> None:
    good, calls = whole(folder)
    path = folder / "cut"
    path.write_bytes(good[:-44])
    with Recording.open(path) as recording:
        assert list(recording.calls()) == calls
