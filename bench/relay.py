"""What a relay adds when it has nothing to do, and how well it keeps a delay, beside a direct line and a plain relay.

Echo of 200 bytes, one at a time, and bulk one way; then 100 ms of delay under 50 and 200 connections with 20 messages a
second each. `plain` is the relay that anybody writes with Trio in 30 lines. Each relay is a process of its own, and so
is the server. They take turns in short rounds, and a figure is the median of its rounds; who else uses the machine is
printed beside, and only the rounds count that others did not disturb, or three that they disturbed least.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, field

from bench.relay_ends import bulk, delays, echo, pitlink, plain, process, serve
from bench.report import parser, percentile, table, write

DELAY_S = 0.1
CROWDS = (50, 200)
QUIET = 0.1
"""Of the machine: a round in which others took no more of it is a quiet one."""

ROUNDS_MIN = 3

Key = tuple[str, str]
"""What was measured ("p50", "bulk", "late 50 p99" ...), and of whom."""


# --- who else is there -----------------------------------------------------------------------------------------------


def _ticks(pid: int) -> int:
    """Return the time a process has used, its ended children's too, in the system's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _busy_ticks() -> int:
    """Return the time that the machine was used for anything, and what its host took of it."""
    user, nice, system, _, _, *others = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return user + nice + system + sum(others)


@define
class Machine:
    """`others` is the share of the machine that others had during each round."""

    ours: Sequence[int]
    others: list[float] = field(factory=list)

    @contextmanager
    def round(self) -> Iterator[None]:
        began, before = time.perf_counter(), _busy_ticks() - sum(map(_ticks, self.ours))
        yield
        used = _busy_ticks() - sum(map(_ticks, self.ours)) - before
        whole = (time.perf_counter() - began) * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
        self.others.append(max(0.0, used / whole))

    def counts(self) -> list[int]:
        """Return the rounds that count: the quiet ones, or the quietest where these are too few."""
        quiet = [number for number, share in enumerate(self.others) if share <= QUIET]
        quietest = sorted(range(len(self.others)), key=lambda number: self.others[number])[:ROUNDS_MIN]
        return quiet if len(quiet) >= ROUNDS_MIN else quietest


# --- measuring -------------------------------------------------------------------------------------------------------


def _rounds(
    rounds: int, machine: Machine, measure: Callable[[], Mapping[Key, float]]
) -> dict[Key, list[float]]:
    found: dict[Key, list[float]] = {}
    for _ in range(rounds):
        with machine.round():
            row = measure()
        for key, value in row.items():
            found.setdefault(key, []).append(value)
    counts = machine.counts()
    return {key: [values[number] for number in counts] for key, values in found.items()}


def _idle(ports: Mapping[str, int], seconds: float) -> dict[Key, float]:
    row: dict[Key, float] = {}
    for name, port in ports.items():
        trips = echo(port, seconds)
        row["p50", name], row["p99", name] = percentile(trips, 0.5), percentile(trips, 0.99)
        row["bulk", name] = bulk(port, seconds)
    return row


def _late(ports: Mapping[str, int], seconds: float) -> dict[Key, float]:
    row: dict[Key, float] = {}
    for crowd in CROWDS:
        for name, port in ports.items():
            errors = delays(port, crowd, seconds, 0.0 if name == "direct" else DELAY_S)
            row[f"late {crowd} p50", name] = percentile(errors, 0.5)
            row[f"late {crowd} p99", name] = percentile(errors, 0.99)
    return row


def _measure(
    rounds: int, seconds: float, delay_s: float, one: Callable[[Mapping[str, int], float], dict[Key, float]]
) -> tuple[dict[Key, list[float]], Machine]:
    with ExitStack() as stack:
        server, server_pid = stack.enter_context(process(serve))
        ports, pids = {"direct": server}, [os.getpid(), server_pid]
        for name, relay in (("plain", plain), ("pitlink", pitlink)):
            ports[name], pid = stack.enter_context(process(relay, server, delay_s))
            pids.append(pid)
        machine = Machine(pids)
        return _rounds(rounds, machine, lambda: one(ports, seconds)), machine


# --- telling ---------------------------------------------------------------------------------------------------------


def _bounds(mid: Mapping[Key, float]) -> list[tuple[str, str, str, bool]]:
    """Return each bound: what, at most or at least how much, what was measured, whether it holds."""
    added_us = (mid["p50", "pitlink"] - mid["p50", "direct"]) * 1e6
    of_plain = mid["p50", "pitlink"] / mid["p50", "plain"]
    rate = mid["bulk", "pitlink"]
    p50, p99 = mid["late 50 p50", "pitlink"], mid["late 50 p99", "pitlink"]
    crowd, crowd_plain = mid["late 200 p99", "pitlink"], mid["late 200 p99", "plain"]
    return [
        ("added to a round trip, p50", "≤ 90 µs", f"{added_us:.0f}", added_us <= 90),
        ("of the plain relay's round trip, p50", "≤ 1.15", f"{of_plain:.2f}", of_plain <= 1.15),
        ("bulk", "≥ 1000 MB/s", f"{rate / 1e6:.0f}", rate >= 1e9),
        ("100 ms at 50 connections, off by, p50", "≤ 1 ms", f"{p50 * 1e3:.2f}", p50 <= 0.001),
        ("100 ms at 50 connections, off by, p99", "≤ 6 ms", f"{p99 * 1e3:.1f}", p99 <= 0.006),
        ("100 ms at 200 connections, off by, p99", "≤ 15 ms", f"{crowd * 1e3:.1f}", crowd <= 0.015),
        ("the same, of the plain relay's", "≤ 0.5", f"{crowd / crowd_plain:.2f}", crowd <= crowd_plain / 2),
    ]


def _spread(values: Sequence[float], scale: float, digits: int) -> str:
    low, mid, high = min(values), statistics.median(values), max(values)
    return f"{mid * scale:.{digits}f}  ({low * scale:.{digits}f}…{high * scale:.{digits}f})"


def _others(machine: Machine) -> str:
    counts = machine.counts()
    shares = [machine.others[number] for number in counts]
    return (
        f"{len(counts)} of {len(machine.others)} rounds count; others had {statistics.median(shares):.0%} of the "
        f"machine in them, at most {max(shares):.0%}; load average {os.getloadavg()[0]:.1f}"
    )


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=float, default=1.0, help="of each measurement in a round")
    arguments = options.parse_args()

    idle, machine = _measure(arguments.rounds, arguments.seconds, 0.0, _idle)
    names = ("direct", "plain", "pitlink")
    base = statistics.median(idle["p50", "direct"])
    table(
        "No fault set: round trip of 200 bytes, and bulk one way; median of the rounds (least…most)",
        ("", "p50 µs", "p99 µs", "added at p50 µs", "MB/s"),
        [
            (
                name,
                _spread(idle["p50", name], 1e6, 0),
                _spread(idle["p99", name], 1e6, 0),
                f"{(statistics.median(idle['p50', name]) - base) * 1e6:.0f}",
                _spread(idle["bulk", name], 1e-6, 0),
            )
            for name in names
        ],
    )
    print(_others(machine))

    late, late_machine = _measure(arguments.rounds, arguments.seconds, DELAY_S, _late)
    table(
        "100 ms of delay (direct: none): how far off, 20 messages a second and connection",
        ("connections", "", "p50 ms", "p99 ms"),
        [
            (
                crowd,
                name,
                _spread(late[f"late {crowd} p50", name], 1e3, 2),
                _spread(late[f"late {crowd} p99", name], 1e3, 1),
            )
            for crowd in CROWDS
            for name in names
        ],
    )
    print(_others(late_machine))

    rows = {**idle, **late}
    bounds = _bounds({key: statistics.median(values) for key, values in rows.items()})
    table(
        "Bounds, of a machine that does nothing else",
        ("", "bound", "measured", ""),
        [(what, bound, measured, "holds" if holds else "MISSED") for what, bound, measured, holds in bounds],
    )
    figures: dict[str, dict[str, list[float]]] = {}
    for (what, name), values in rows.items():
        figures.setdefault(name, {})[what] = values
    others = {"idle": machine.others, "late": late_machine.others}
    write(arguments.json, "relay", {"rounds": figures, "others": others, "load": os.getloadavg()})
    return 0 if all(holds for *_, holds in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())
