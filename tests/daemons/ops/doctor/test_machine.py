"""The machine's own troubles, each made for real where that is possible."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.ops.doctor.finding import Finding, Verdict, as_data, bad, good, lines, skipped, warning, worst
from daemons.ops.doctor.machine import disk, machine_clock, port_is_free, private_file, state_folder
from daemons.ops.options import Address


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no mounts here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _verdicts(findings: Iterator[Finding]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in findings}


def test_a_good_disk_and_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    found = _verdicts(disk(tmp_path / "state" / "of" / "pits"))
    assert found["disk writes"] in (Verdict.GOOD, Verdict.WARNING)  # a busy machine may be slow
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
    assert state_folder(tmp_path / "state").verdict is Verdict.WARNING


def test_a_full_disk_and_one_that_takes_no_writes(small_disk: Path) -> None:
    assert _verdicts(disk(small_disk))["disk"] is Verdict.BAD
    with pytest.raises(OSError), (small_disk / "filler").open("wb") as file:  # noqa: PT011
        file.write(b"\0" * (2 << 20))
    full = {finding.check: finding for finding in disk(small_disk)}
    assert full["disk writes"].verdict is Verdict.BAD
    assert "free some space" in full["disk writes"].remedy
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    closed = {finding.check: finding for finding in disk(small_disk)}
    assert "mount it writable" in closed["disk writes"].remedy


def test_state_folders_that_others_can_read_or_that_have_two_owners(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "pits.db").touch()
    assert state_folder(folder).verdict is Verdict.GOOD
    folder.chmod(0o755)
    assert "chmod 700" in state_folder(folder).remedy
    folder.chmod(0o700)
    assert state_folder(folder, user="somebody-else").verdict is Verdict.BAD
    if os.geteuid() == 0:
        os.chown(folder / "pits.db", 12345, 12345)
        found = state_folder(folder)
        assert found.verdict is Verdict.BAD
        assert "user 12345" in found.words


def test_secrets_that_are_missing_or_readable_by_all(tmp_path: Path) -> None:
    file = tmp_path / "site.key"
    assert private_file("key", file).verdict is Verdict.BAD
    file.touch(mode=0o600)
    assert private_file("key", file).verdict is Verdict.GOOD
    file.chmod(0o644)
    assert private_file("key", file).remedy == f"chmod 600 {file}"


def test_ports_that_are_free_taken_or_not_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port_is_free(Address("127.0.0.1", port)) == (False, f"port {port} is taken by another program")
        assert port_is_free(Address("", port))[0] is False
    assert port_is_free(Address("127.0.0.1", 0))[0] is True
    assert "no address of this machine" in port_is_free(Address("192.0.2.1", 8090))[1]
    assert "no address of this machine" in port_is_free(Address("no-such-host.invalid", 8090))[1]


def test_the_kernel_is_asked_for_the_clock() -> None:
    assert machine_clock().verdict in (Verdict.GOOD, Verdict.WARNING, Verdict.SKIPPED)


def test_a_report_is_as_bad_as_its_worst() -> None:
    some = [good("a", "fine"), skipped("b", "not there")]
    assert worst(some) is Verdict.GOOD
    assert worst([*some, warning("c", "slow", "wait")]) is Verdict.WARNING
    assert worst([*some, warning("c", "slow", "wait"), bad("d", "gone", "fetch it")]) is Verdict.BAD
    assert list(lines(bad("disk", "full", "free some")))[1].strip() == "→ free some"
    assert as_data(bad("disk", "full", "free some"))["verdict"] == "bad"
