"""Recorded links: the two forms of files, what a line lets through, and what is no recording."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.faults import FaultError, Trace, read_fault, show_fault
from chaos.recording import Recording, RecordingError, load_recording, read_bins, read_mahimahi
from chaos.simnet.link import Conditions, OneWay

STALLS = read_bins("stalls", [1000, 0, 0, 500], "bytes per 1 s")


def test_a_text_of_milliseconds_is_chances_to_send_1500_bytes() -> None:
    found = read_mahimahi("x", "1\n1\n\n5\n10\n")
    assert (found.length_s, found.whole_bytes) == (0.010, 6000)
    assert found.passed(0.001) == pytest.approx(3000)
    assert found.passed(0.004) == pytest.approx(3000)
    assert found.passed(0.005) == pytest.approx(4500)
    assert found.when(3001) == pytest.approx(0.004, abs=1e-5)
    assert found.passed(0.011) == pytest.approx(9000)  # the second round
    assert read_mahimahi("one", "1\n").mean_bytes_s * 8 == pytest.approx(12e6)  # mahimahi's own example


@pytest.mark.parametrize(
    ("unit", "bytes_s"),
    [
        ("bytes per 100 ms", 80.0),
        ("kbit/s per second", 1000.0),
        ("kbit/s per 100 ms", 1000.0),
        ("1500-byte delivery opportunities per 100 ms", 120_000.0),
    ],
)
def test_units_of_bins(unit: str, bytes_s: float) -> None:
    assert read_bins("x", [8, 8, 8], unit).mean_bytes_s == pytest.approx(bytes_s)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=20).filter(lambda values: sum(values) > 1),
    st.floats(0, 100),
    st.floats(1, 1e6),
)
def test_what_a_line_takes_for_some_bytes_lets_them_through(
    values: list[float], begins: float, size: float
) -> None:
    line = read_bins("x", values, "bytes per 1 s")
    done = line.done_at(size, begins)
    assert done >= begins
    assert line.passed(done) - line.passed(begins) == pytest.approx(size, abs=0.01 + 1e-6 * size)
    assert line.done_at(size, begins + 0.5) >= done


def test_outages_are_found() -> None:
    assert list(STALLS.outages()) == [(1.0, 3.0)]
    assert list(read_bins("x", [0, 1, 0], "bytes per 500 ms").outages()) == [(0.0, 0.5), (1.0, 1.5)]


def test_a_way_with_a_recording_stands_still_where_the_real_one_did() -> None:
    way = OneWay(Conditions(latency_s=0.1, recording=STALLS, queue_bytes=400), random.Random(0), 100.0)
    assert way.carry(500, 100.0)[1] == pytest.approx(100.6)
    assert way.carry(700, 100.6)[1] == pytest.approx(103.7)  # 400 bytes before the outage, 300 behind it
    assert way.backlog_bytes(102.0) == pytest.approx(300)
    assert way.room_at(400, 102.0) == pytest.approx(103.6)
    assert way.room_at(200, 102.0) == pytest.approx(103.2)
    factor = way.change(Conditions(latency_s=0.1, rate_bytes_s=300.0), 102.4)
    assert factor == pytest.approx(1 / 1.2)  # a second in place of 1.2
    assert way.carry(300, 102.4)[0] == pytest.approx(104.4)


def test_another_delay_lets_a_recording_go_on_and_a_pause_stops_it() -> None:
    way = OneWay(Conditions(latency_s=0.1, recording=STALLS), random.Random(0))
    way.change(Conditions(latency_s=0.2, recording=STALLS), 2.0)
    assert way.carry(100, 2.0)[1] == pytest.approx(3.4)
    way.pause(2.5)
    way.resume(12.5)
    assert way.carry(100, 12.5)[0] == pytest.approx(3.4)  # of its own time, ten seconds behind


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no times"),
        ("1\nx\n", "line 2"),
        ("5\n4\n", "line 2"),
        ("-1\n", "line 1"),
        ("0\n", "no times"),
        ("{", "no JSON"),
        ('{"unit": "bytes per 1 s", "up": [1]}', "choose one with #NAME: up"),
    ],
)
def test_what_is_no_recording_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "line"
    path.write_text(text)
    with pytest.raises(RecordingError, match=words):
        load_recording(str(path))


@pytest.mark.parametrize("values", [[], [0, 0], [-1], ["1"], [float("nan")], {}, [True]])
def test_bins_that_cannot_be(values: object) -> None:
    with pytest.raises(RecordingError):
        read_bins("x", values, "bytes per 1 s")
    with pytest.raises(RecordingError, match="unit"):
        read_bins("x", [1], "furlongs per 1 s")


def test_a_file_is_read_once_and_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "drive.json"
    path.write_text(json.dumps({"unit": "bytes per 1 s", "up": [1], "down": [2]}))
    up = load_recording(f"{path}#up")
    assert load_recording(f"{path}#up") is up
    assert load_recording(f"{path}#down").whole_bytes == 2
    path.write_text(json.dumps({"unit": "bytes per 1 s", "up": [10, 1]}))
    assert load_recording(f"{path}#up").whole_bytes == 11
    fault = read_fault("trace", {"file": f"{path}#up", "queue": 64, "start": 1500})
    assert fault == Trace(f"{path}#up", 64_000.0, 1.5)
    assert show_fault(fault) == {"file": f"{path}#up", "queue": 64, "start": 1500}
    for gone in (tmp_path / "none", tmp_path, Path("/dev/zero")):
        with pytest.raises(FaultError):
            Trace(str(gone)).load()
    for wrong in (1, "x" * 5000, "a\nb"):
        with pytest.raises(FaultError):
            read_fault("trace", {"file": wrong})
    with pytest.raises(FaultError, match="must name"):
        Trace().load()


@pytest.mark.parametrize(
    ("place", "dead_share", "longest_s", "mbit_s"),
    [
        ("mahimahi_100ms_bins.json#ATT-LTE-driving.up", 0.126, 78.3, 0.83),
        ("starlink_autobahn_1s.json#up", 0.060, 60.0, 15.62),
    ],
)
def test_the_two_worst_recorded_uplinks_are_as_bad_as_was_measured(
    samples: Path, place: str, dead_share: float, longest_s: float, mbit_s: float
) -> None:
    found: Recording = load_recording(str(samples / "traces" / place))
    outages = [until - since for since, until in found.outages()]
    assert max(outages) == pytest.approx(longest_s, abs=0.1)
    assert sum(outages) / found.length_s == pytest.approx(dead_share, abs=0.01)
    assert found.mean_bytes_s * 8e-6 == pytest.approx(mbit_s, abs=0.01)
