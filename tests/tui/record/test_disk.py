"""Disks that are full, or slow, or hang: the recording ends in words, what was recorded is whole, nothing waits."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.record.sessions import BEGAN, Clock, session, state
from tui.model import Model
from tui.record import Recorder, Recording, Reel
from tui.record import writer as writing
from tui.record.blocks import BlockKind
from tui.record.writer import Writer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tmpfs and limits of Linux")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def record_until_failed(path: Path, seconds: float) -> tuple[Recorder, Model]:
    """Record until that fails; the model goes on to the end of the session."""
    clock = Clock()
    recorder = Recorder(path, clock=clock, utc_now=clock.utc)
    live = Model()
    for at, tell in session(seconds):
        clock.now = BEGAN + at
        tell(recorder.model)
        tell(live)
        if recorder._lines_bytes == 0:
            wait_written(recorder)
    recorder.close()
    return recorder, live


def wait_written(recorder: Recorder) -> None:
    """A session of minutes is told here in a moment: the thread would not have come to it."""
    deadline = time.monotonic() + 20
    while recorder._writer._waiting_bytes and time.monotonic() < deadline:
        time.sleep(0.001)


def test_a_full_disk_ends_the_recording_and_nothing_else(small_disk: Path) -> None:
    path = small_disk / "r"
    recorder, live = record_until_failed(path, 600)
    assert recorder.failed_words == f"recording ended: {os.strerror(errno.ENOSPC)}; r holds what came before"
    assert state(recorder.model) == state(live), "the terminal goes on"
    with Recording.open(path) as recording:
        assert 20 < recording.duration_s < 590
        assert recording.words == "the recording was not ended: its last seconds may be missing"
        reel, fresh = Reel(recording), Model()
        reel.play(recording.duration_s)
        for at, tell in session(600):
            if at <= recording.duration_s:
                tell(fresh)
        assert abs(fresh.daemons["hub"].at - reel.model.daemons["hub"].at) <= 5.0


def test_a_disk_that_is_full_from_the_beginning(small_disk: Path) -> None:
    path = small_disk / "r"
    path.with_name("other").write_bytes(bytes(60_000))
    while True:  # to the last byte
        try:
            with path.with_name("rest").open("ab", buffering=0) as file:
                file.write(bytes(512))
        except OSError:
            break
    recorder, _ = record_until_failed(path, 20)
    assert recorder.failed == os.strerror(errno.ENOSPC)


def test_a_disk_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody reads takes a little, and then hangs as a disk that is gone does."""
    monkeypatch.setattr(writing, "WAITING_BYTES_MAX", 1_000_000)
    monkeypatch.setattr(writing, "END_S", 0.2)
    reader, file = os.pipe()
    writer = Writer(file)
    raw, began = os.urandom(100_000), time.monotonic()
    for _ in range(30):
        writer.put(BlockKind.CALLS, 0.0, 0.0, raw)
    assert writer.failed == "the disk does not keep up"
    assert writer._jobs.qsize() <= 12, "what waits is bounded"
    writer.close()
    assert time.monotonic() - began < 10
    os.close(reader)  # the thread's write fails, and it ends
    writer._thread.join(20)
    assert not writer._thread.is_alive()


def test_what_cannot_be_written_down_ends_the_recording_in_words(tmp_path: Path) -> None:
    clock = Clock()
    with Recorder(tmp_path / "r", clock=clock, utc_now=clock.utc) as recorder:
        recorder.model.watch("hub", BEGAN)
        recorder.model.offered("hub", [{"name": object()}])
        recorder.model.watch("pit", BEGAN)
        assert recorder.failed.startswith("what offered was told cannot be written down")
        assert set(recorder.model.feeds) == {"hub", "pit"}
    with Recording.open(tmp_path / "r") as recording:
        assert [call.name for call in recording.calls()] == ["watch"]


def test_a_model_that_no_keyframe_can_hold_is_found_out(tmp_path: Path) -> None:
    """So that whoever puts something new into the model learns of it here, and not from a recording."""
    clock = Clock()
    with Recorder(tmp_path / "r", clock=clock, utc_now=clock.utc, keyframe_bytes=1) as recorder:
        recorder.model.actions["hub"] = (object(),)  # type: ignore[assignment]
        for second in range(12):
            clock.now = BEGAN + second
            recorder.model.watch("hub", clock.now)
        wait_written(recorder)
    assert recorder.failed.startswith("a keyframe cannot be made: TypeError('a model that holds a object')")
