"""The operator's terminal, on terminals of its own: processor time of painting, the first picture, a key's way to the
daemon, bytes.

Painting: 20 changing rows ten times a second, beside Textual's DataTable; the telemetry page with a car's traces, told at
60 Hz, and 20 cars on a map, beside Textual's Sparklines. User and system time of the process, all its threads; the driver
is the shipped one for ours, Textual's for theirs. First picture: `pitlink tui` beside an empty Textual app, in turns. Key:
from Enter on a question until the daemon's admin socket has the deed, beside the way to an empty app's handler. Those
rounds count that others on the machine disturbed least; what they had is printed. Exits with 1 when a bound is missed.

    .venv/bin/python -m bench.tui --rounds 5
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from bench.relay import Machine
from bench.report import parser, percentile, table, write
from bench.tuikey import empty_key_ways, key_ways
from bench.tuipty import Seat, figures

CHILD = (sys.executable, "-m", "bench.tuichild")
EMPTY = (sys.executable, "-c", "from textual.app import App\nfrom textual.widgets import Label\n"
         "class Empty(App):\n def compose(self): yield Label('nothing at all')\nEmpty().run()")  # fmt: skip
SMALL, LARGE = (80, 24), (200, 60)
BOUNDS = {"rows": 3.0, "race 80x24": 6.0, "race 200x60": 12.0, "first_ms": 400.0, "first_ratio": 1.5, "rss_mb": 50.0,
          "key_ms": 20.0}  # fmt: skip


def painting(seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Return the figures of each way to paint, by its name: medians of the rounds that others disturbed least."""
    ways = {
        "rows": ("lines", SMALL),
        "rows, DataTable": ("datatable", SMALL),
        "race 80x24": ("race", SMALL),
        "race 80x24, Sparklines": ("sparklines", SMALL),
        "race 200x60": ("race", LARGE),
        "race 200x60, Sparklines": ("sparklines", LARGE),
    }
    machines = {name: Machine([os.getpid()]) for name in ways}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (kind, size) in ways.items():
            with machines[name].round():
                found[name].append(
                    figures(
                        *CHILD, kind, str(seconds), size=size, begin=_to_race if kind == "race" else _wait
                    )
                )
    medians = {}
    for name, machine in machines.items():
        counted = machine.counts()
        medians[name] = {
            figure: statistics.median(found[name][number][figure] for number in counted)
            for figure in found[name][0]
        }
        medians[name]["others"] = statistics.median(machine.others[number] for number in counted)
    return medians


def _wait(seat: Seat) -> None:
    """Nothing has to be pressed."""


def _to_race(seat: Seat) -> None:
    seat.see("Overview")
    seat.press("3")


def first_pictures(rounds: int) -> dict[str, Any]:
    """Return when the first picture stood, from the start of the process, and what is in memory a moment later."""
    found: dict[str, list[float]] = {"tui": [], "empty": []}
    resident: dict[str, float] = {}
    machine = Machine([os.getpid()])
    with tempfile.TemporaryDirectory() as folder:
        tui = (sys.executable, "-m", "daemons", "tui", "--connect", folder)
        for _ in range(rounds):
            with machine.round():
                for name, argv, words in (("tui", tui, "Overview"), ("empty", EMPTY, "nothing at all")):
                    with Seat(*argv, size=SMALL) as seat:
                        found[name].append(1000 * (seat.see(words) - seat.began))
                        resident[name] = seat.resident_mb()
    counted = machine.counts()
    ms = {name: statistics.median(took[number] for number in counted) for name, took in found.items()}
    others = statistics.median(machine.others[number] for number in counted)
    return {"ms": ms, "ratio": ms["tui"] / ms["empty"], "rss_mb": resident, "others": others}


def _row(
    name: str,
    one: dict[str, float],
    found: dict[str, dict[str, float]],
    bound: Callable[[str, float], str],
) -> Sequence[str]:
    ours, cpu = found[name.partition(",")[0]], one["cpu_percent"]
    return (
        name,
        f"{cpu:.1f}",
        f"{cpu / ours['cpu_percent']:.1f}",
        f"{one['bytes_per_s']:,.0f}",
        f"{one['bytes_per_s'] / ours['bytes_per_s']:.1f}",
        f"{one['rss_mb']:.0f}",
        f"{one['others']:.0%}",
        bound(name, cpu) if name in BOUNDS else "",
    )


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--seconds", type=float, default=10.0, help="of each way to paint, in each round")
    options.add_argument(
        "--rounds", type=int, default=3, help="of painting; three times as many first pictures"
    )
    options.add_argument("--keys", type=int, default=20)
    options.add_argument("--only", choices=["painting", "first", "key"], action="append")
    given = options.parse_args()
    only = given.only or ["painting", "first", "key"]
    told: dict[str, Any] = {}
    held: list[bool] = []

    def bound(name: str, value: float) -> str:
        held.append(value <= BOUNDS[name])
        return f"{'as wanted' if held[-1] else 'MISSED'}, at most {BOUNDS[name]:g}"

    if "painting" in only:
        told["painting"] = found = painting(given.seconds, given.rounds)
        rows = [_row(name, one, found, bound) for name, one in found.items()]
        title = f"Painting at 10 Hz for {given.seconds:g} s"
        table(title, ("", "% of a core", "ratio", "bytes/s", "ratio", "RSS MB", "others", ""), rows)
    if "first" in only:
        told["first"] = first = first_pictures(3 * given.rounds)
        rows = [
            (
                "pitlink tui", f"{first['ms']['tui']:.0f}", f"{first['rss_mb']['tui']:.0f}",
                f"{bound('first_ms', first['ms']['tui'])}; RSS {bound('rss_mb', first['rss_mb']['tui'])}",
            ),
            ("empty Textual app", f"{first['ms']['empty']:.0f}", f"{first['rss_mb']['empty']:.0f}", ""),
            ("ratio", f"{first['ratio']:.2f}", "", bound("first_ratio", first["ratio"])),
        ]  # fmt: skip
        title = (
            f"First picture after the process was started; others had {first['others']:.0%} of the machine"
        )
        table(title, ("", "ms", "RSS MB", ""), rows)
    if "key" in only:
        machine = Machine([os.getpid()])
        with machine.round():
            ways = {"to the daemon": key_ways(given.keys), "to an empty app": empty_key_ways(given.keys)}
        told["key_ms"] = {
            name: {"p50": percentile(took, 0.5), "p90": percentile(took, 0.9), "max": max(took)}
            for name, took in ways.items()
        }
        rows = [
            (name, *(f"{took[key]:.1f}" for key in ("p50", "p90", "max")), "")
            for name, took in told["key_ms"].items()
        ]
        rows[0] = (*rows[0][:-1], bound("key_ms", told["key_ms"]["to the daemon"]["p50"]))
        title = f"From a key, ms; others had {machine.others[0]:.0%} of the machine"
        table(title, ("", "p50", "p90", "worst", ""), rows)
    write(given.json, "tui", told)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
