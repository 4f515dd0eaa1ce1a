"""The files of segments, also as a system without pread and pwrite (Windows) has them."""

from pathlib import Path

import pytest

from daemons.telemetry.archive import disk
from daemons.telemetry.archive.disk import RealDisk


@pytest.mark.parametrize("has_positions", [True, False], ids=["here", "without pread and pwrite"])
def test_what_is_written_somewhere_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_positions: bool
) -> None:
    if not has_positions:
        monkeypatch.setattr(disk, "_HAS_OFFSETS", False)
    folder = RealDisk(tmp_path / "folder")
    file = folder.open("one")
    try:
        file.write(0, b"0123456789\n\r\n")
        file.write(4, b"xx")
        file.sync()
        assert folder.read("one", 3, 4) == b"3xx6"
        assert folder.read("one", 9, 100) == b"9\n\r\n"
        file.cut(5)
        assert folder.sizes() == {"one": 5}
    finally:
        file.close()
    folder.remove("one")
    folder.remove("one")
    assert folder.sizes() == {}
