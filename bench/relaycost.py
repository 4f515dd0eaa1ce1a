"""What the relay costs the driver's PC: capture, spool, live sender and link at 60 Hz, all channels, on the simulator's stand-in.

Three processes: the stand-in with its memory in /dev/shm, a backend that takes and acknowledges in this one, and the relay's
half, whose processor time and memory are read from /proc. Three halves take turns: capture alone, with the spool, and
with live sender and link.

    python -m bench.relaycost --seconds 600 --json relaycost.json
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio
from attrs import define, field

from bench.report import parser, table, write
from daemons.link.streams import StreamsIn, StreamsOut
from daemons.telemetry.archive.disk import RealDisk
from daemons.telemetry.capture.live import LiveSource, monotonic_us
from daemons.telemetry.capture.port import Sink
from daemons.telemetry.entries import EntryKind
from daemons.telemetry.fanout import Fanout
from daemons.telemetry.sending import LiveSender, Pressure, Watch
from daemons.telemetry.spool import Offering, open_spool
from protocol.streams import Entry
from tests.daemons.link.pair import open_hub, open_site

HALVES: Final = ("capture", "spool", "whole")
WARM_S: Final = 5.0
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


# --- the relay's half, a process of its own --------------------------------------------------------------------------


class _Nowhere:
    """A sink that keeps nothing."""

    def opened(self, recording: object) -> None: ...
    def tick(self, tick: int, row: bytes, at_us: int) -> None: ...
    def info(self, text: bytes) -> None: ...
    def closed(self, words: str) -> None: ...


async def _half(half: str, memory: Path, folder: Path, port: int) -> None:
    source = LiveSource("driver", memory)
    if half == "capture":
        await _capture(source, [_Nowhere()])
        return
    async with open_spool(RealDisk(folder / "spool"), quota_bytes=2_000_000_000) as spool:
        if half == "spool":
            await _capture(source, [spool])
            return
        streams = StreamsOut()
        Offering(spool, streams)
        sender = LiveSender(streams, Pressure(), monotonic_us, lambda: time.time_ns() // 1000)
        async with open_site(folder / "site", port, streams_out=streams), trio.open_nursery() as nursery:
            nursery.start_soon(sender.run)
            nursery.start_soon(Watch(sender, lambda: source.statistics().missed).run)
            await _capture(source, [spool, sender])
            nursery.cancel_scope.cancel()


async def _capture(source: LiveSource, sinks: Sequence[Sink]) -> None:
    """Capture until stdin is closed; on each line of it say what was captured."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.run, Fanout(sinks))
        while await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            figures = source.statistics()
            print("captured", figures.ticks, figures.missed, figures.torn, flush=True)
        nursery.cancel_scope.cancel()


# --- measuring -------------------------------------------------------------------------------------------------------


@define
class Backend:
    """Takes all, and counts."""

    archive_bytes: int = 0
    live_bytes: int = 0
    live_rows: int = 0
    late_s: list[float] = field(factory=list)

    async def position(self, stream: bytes) -> int:
        await trio.lowlevel.checkpoint()
        return 0

    async def keep(self, stream: bytes, entries: Sequence[Entry]) -> int:
        await trio.lowlevel.checkpoint()
        self.archive_bytes += sum(len(entry.data) for entry in entries)
        return entries[-1].number + 1

    def see(self, stream: bytes, entry: Entry) -> None:
        if entry.kind == EntryKind.ROWS:
            self.live_bytes += len(entry.data)
            self.live_rows += 1
            self.late_s.append(time.time() - entry.as_of_us / 1e6)


def _used(pid: int) -> tuple[float, float]:
    """Return the processor seconds that a process has used, and the MB that it holds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return sum(map(int, fields[11:13])) / _TICKS_A_SECOND, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _start(half: str, memory: Path, folder: Path, port: int) -> "subprocess.Popen[str]":
    command = [
        sys.executable, "-m", "bench.relaycost", "--half", half, "--memory", str(memory),
        "--folder", str(folder), "--port", str(port),
    ]  # fmt: skip
    with open(folder / "log", "w") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)


def _captured(child: "subprocess.Popen[str]") -> list[int]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    while not (line := child.stdout.readline()).startswith("captured"):
        pass  # the link's log
    return [int(word) for word in line.split()[1:]]


async def _measure(half: str, memory: Path, folder: Path, seconds: float) -> dict[str, Any]:
    backend = Backend()
    into = StreamsIn(backend.position, backend.keep, backend.see)
    async with open_hub(folder / "hub", streams_in=into) as hub:
        child = _start(half, memory, folder, hub.port)
        try:
            await trio.sleep(WARM_S)
            began, used = time.monotonic(), _used(child.pid)
            captured = await trio.to_thread.run_sync(_captured, child)
            live, archive = backend.live_bytes, backend.archive_bytes
            backend.late_s.clear()
            await trio.sleep(seconds)
            passed_s, (cpu, mb) = time.monotonic() - began, _used(child.pid)
            after = await trio.to_thread.run_sync(_captured, child)
            live, archive = backend.live_bytes - live, backend.archive_bytes - archive
        finally:
            child.communicate()
    late_s = sorted(backend.late_s) or [float("nan")]
    ticks, missed, torn = (now - then for now, then in zip(after, captured, strict=True))
    return {
        "half": half, "seconds": passed_s, "core_percent": 100 * (cpu - used[0]) / passed_s,
        "mb_before": used[1], "mb": mb, "ticks": ticks, "missed": missed, "torn": torn,
        "live_bytes_s": live / passed_s, "archive_bytes_s": archive / passed_s,
        "live_p95_ms": 1000 * late_s[int(0.95 * (len(late_s) - 1))],
    }  # fmt: skip


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=60.0, help="of each half")
    options.add_argument("--cars", type=int, default=40)
    options.add_argument("--half", choices=HALVES, help=None)
    options.add_argument("--memory", type=Path)
    options.add_argument("--folder", type=Path)
    options.add_argument("--port", type=int, default=0)
    chosen = options.parse_args()
    if chosen.half and chosen.memory:
        trio.run(_half, chosen.half, chosen.memory, chosen.folder, chosen.port)
        return
    results = []
    with tempfile.TemporaryDirectory(prefix="relaycost-") as scratch:
        memory = Path("/dev/shm") / f"relaycost-{os.getpid()}"
        double = subprocess.Popen(
            [sys.executable, "-m", "chaos.doubles.iracing", "--memory", str(memory), "--race", "--cars",
             str(chosen.cars), "--seed", "7"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            time.sleep(3)
            for half in [chosen.half] if chosen.half else HALVES:
                folder = Path(scratch) / half
                folder.mkdir()
                cpu = _used(double.pid)[0]
                one = trio.run(partial(_measure, half, memory, folder, chosen.seconds))
                one["double_percent"] = 100 * (_used(double.pid)[0] - cpu) / (one["seconds"] + WARM_S)
                results.append(one)
        finally:
            double.terminate()
            double.wait()
            memory.unlink(missing_ok=True)
    table(
        "the relay at 60 Hz, all channels; bounds: spool 4 %, whole 8 % of a core, 0 missed",
        ("half", "% of a core", "MB", "MB grown", "ticks", "missed", "torn", "live B/s", "archive B/s", "p95 ms", "stand-in %"),
        [
            (one["half"], f"{one['core_percent']:.1f}", f"{one['mb']:.0f}", f"{one['mb'] - one['mb_before']:.1f}",
             one["ticks"], one["missed"], one["torn"], f"{one['live_bytes_s']:.0f}", f"{one['archive_bytes_s']:.0f}",
             f"{one['live_p95_ms']:.0f}", f"{one['double_percent']:.1f}")
            for one in results
        ],
    )  # fmt: skip
    print("\nload of the machine meanwhile:", os.getloadavg())
    write(chosen.json, "relaycost", {"halves": results, "load": os.getloadavg()})


if __name__ == "__main__":
    main()
