"""The simulator's stand-in as a program: its shared memory in a file, at 60 Hz, with a race or a recording in it.

Each line on stdin is an order, answered by one line of JSON on stdout:

    status            what goes on: {"tick", "published", "missed", "late", ...}; comes by itself every --status-s too
    pit  [swap]       the car stops at the end of this lap; with `swap` another driver takes over (races)
    off               the car leaves the track in the next lap (races)
    tow               the car is at its stall at once, and waits there (races)
    car  KIND         another car is driven: another layout, under the readers' feet (races); gt, gt2 or prototype
    session           the next session begins, from its tick 0: practice, qualifying, race
    torn MS           the next row stands half written for MS milliseconds
    skip N            N ticks are never written
    double N          each of the next N rows is written twice
    stall MS          nothing is written for MS milliseconds; the ticks meanwhile are lost
    exit              the simulator leaves: status 0, nothing moves
    start             it comes back; the race goes on
    quit              end, as SIGTERM and SIGINT do: status 0 first

Put the memory into /dev/shm: a file elsewhere is written to the disk again and again.
"""

import argparse
import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .layouts import CARS
from .memory import SimMemory
from .playback import open_recording
from .publisher import Publisher
from .race import Race
from .source import Rows

__all__ = ["Program", "main"]

_LATE_S: Final = 0.008
"""A tick that is written later than this is counted: half a tick."""

_LOST_S: Final = 0.5
"""Behind by more than this, ticks are given up: the machine slept."""

Answer = dict[str, Any]


class Program:
    """One simulator. `hz`: rows a second of real time; time is passed in."""

    def __init__(self, options: argparse.Namespace, memory: SimMemory, rows: Rows) -> None:
        self._options = options
        self.publisher = Publisher(memory, rows, options.tick)
        self.publisher.start()
        self._period = 1 / (options.hz * options.speed)
        self.due = -1.0
        """When the next tick is written."""
        self.running, self.ended = True, False
        self._torn_s = 0.0
        self._torn = False
        self.late = 0
        self.lost = 0
        """Ticks that were given up since the machine stood still."""
        self.latest_s = 0.0

    def turn(self, now: float) -> None:
        """Write what is due, and make ready what comes next."""
        if not self.running or now < self.due:
            return
        publisher, late = self.publisher, now - self.due
        if late > _LOST_S:
            lost = int(late / self._period)
            publisher.tick += lost
            self.lost += lost
            self.due += lost * self._period
        if self._torn:
            publisher.mend()
            self._torn = False
            self.due += self._period
            return
        self.late += late > _LATE_S
        self.latest_s = max(self.latest_s, late)
        if publisher.ended:
            publisher.memory.exit()
            self.running, self.ended = False, not self._options.stay
            return
        if self._torn_s:
            publisher.tear()
            self._torn, self.due, self._torn_s = True, now + self._torn_s, 0.0
            return
        publisher.step()
        self.due = max(
            self.due + self._period, now + self._period / 2
        )  # what is late is made up for, but not at once
        publisher.prepare()

    def order(self, line: str, now: float) -> Answer:
        """Do what a line says. Raises ValueError in words."""
        word, *rest = line.split() or [""]
        match word, rest:
            case "status", []:
                return self.status()
            case "pit", ([] | ["swap"]):
                lap = self._race().order_stop(self.publisher.tick, swap=bool(rest))
                self.publisher.forget()
                return {"pit": lap + 1, "swap": bool(rest)}
            case "off", []:
                lap = self._race().order_off(self.publisher.tick)
                self.publisher.forget()
                return {"off": lap + 1}
            case "tow", []:
                lap = self._race().order_tow(self.publisher.tick + 1)
                self.publisher.forget()
                return {"tow": lap + 1}
            case "car", [kind]:
                return self._change(kind)
            case "session", []:
                return self._next_session()
            case "torn", [milliseconds]:
                self._torn_s = _positive(milliseconds) / 1000
                return {"torn": self.publisher.tick + 1}
            case "skip", [count]:
                self.publisher.skip(int(_positive(count)))
                return {"skipped": int(count)}
            case "double", [count]:
                self.publisher.double += int(_positive(count))
                return {"double": int(count)}
            case "stall", [milliseconds]:
                lost = int(_positive(milliseconds) / 1000 / self._period)
                self.publisher.skip(lost)
                self.due = now + lost * self._period
                return {"stalled": lost}
            case "exit", []:
                self.running = False
                self.publisher.memory.exit()
                return {"exit": self.publisher.tick}
            case "start", []:
                if not self.running:
                    self.running, self.due = True, now
                    self.publisher.start()
                return {"start": self.publisher.tick + 1}
            case "quit", []:
                self.ended = True
                return {"quit": self.publisher.tick}
        raise ValueError(f"what is {line.strip()!r}? see --help")

    def go_on(self, now: float) -> None:
        """What an order took was no time of the simulator's: the next tick is due now, if it was due before."""
        self.due = max(self.due, now)

    def status(self) -> Answer:
        """Return what goes on, as it is printed."""
        return {
            "running": self.running, "tick": self.publisher.tick, "published": self.publisher.published,
            "missed": self.publisher.missed, "lost": self.lost, "late": self.late, "latest_ms": round(self.latest_s * 1000, 2),
            "variables": len(self.publisher.source.layout.variables),
            "row_bytes": self.publisher.source.layout.row_bytes, "cpu_s": round(time.process_time(), 3),
        }  # fmt: skip

    def _race(self) -> Race:
        if not isinstance(self.publisher.source, Race):
            raise ValueError("a recording is played: it goes as it went")
        return self.publisher.source

    def _next_session(self) -> Answer:
        race = self._race()
        if race.session == 2:
            raise ValueError("the race is the last session")
        self._options.session = race.session + 1
        self.publisher.change(_race(self._options, race.car.kind), 0)
        return {"session": self._options.session}

    def _change(self, kind: str) -> Answer:
        self._race()
        if kind not in CARS:
            raise ValueError(f"no car {kind!r}: {', '.join(CARS)}")
        race = _race(self._options, kind)
        self.publisher.change(race, self.publisher.tick + 1)
        return {"car": kind, "variables": len(race.layout.variables), "row_bytes": race.layout.row_bytes}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the rows end, `quit`, SIGTERM or SIGINT. Prints {"memory", ...} when it can be read."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        os.nice(options.nice)
        rows = _rows(options)
    except (ValueError, OSError) as exc:  # BadLayout is a ValueError
        parser.error(str(exc))
    asked = [False]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.__setitem__(0, True))
    with SimMemory(options.memory, rows.layout, since_2026=not options.old) as memory:
        program = Program(options, memory, rows)
        program.due = time.monotonic()
        _say({"memory": str(options.memory), "pid": os.getpid(), "first": options.tick, **program.status()})
        _run(program, options.status_s, asked)
        memory.exit()
    _say({"ended": True, **program.status()})
    return 0


def _run(program: Program, status_s: float, asked: list[bool]) -> None:
    """Write ticks and read orders by one `select`: it is the cheapest sleep there is."""
    inputs, said_at = [sys.stdin.fileno()] if sys.stdin else [], time.monotonic()
    rest = b""
    while not asked[0] and not program.ended:
        now = time.monotonic()
        program.turn(now)
        if status_s and now - said_at >= status_s:
            said_at = now
            _say(program.status())
        wait = program.due - time.monotonic() if program.running else 0.2
        ready, _, _ = select.select(inputs, [], [], max(0.0, min(wait, 0.2)))
        if ready:
            data = os.read(inputs[0], 65_536)
            if not data:
                inputs = []
            *lines, rest = (rest + data)[-65_536:].split(b"\n")
            for line in lines:
                try:
                    _say(program.order(line.decode("utf-8", "replace"), time.monotonic()))
                except ValueError as exc:
                    _say({"error": str(exc)})
            program.go_on(time.monotonic())


def _rows(options: argparse.Namespace) -> Rows:
    if options.play:
        return open_recording(options.play, loop=options.loop)
    return _race(options, options.car)


def _race(options: argparse.Namespace, car: str) -> Race:
    return Race(
        seed=options.seed, cars=options.cars, lap_s=options.lap_s, sectors=options.sectors, car=car, stint=options.stint,
        stop_s=options.stop_s, drivers=options.drivers, seat=options.seat, swap_every=options.swap_every,
        session=options.session, since_2026=not options.old, utf8=options.utf8,
    )  # fmt: skip


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1e6:
        raise ValueError(f"{text} is not between 0 and a million")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaos.doubles.iracing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    parser.add_argument("--memory", type=Path, required=True, help="the file; made, or written over")
    parser.add_argument(
        "--race", action="store_true", help="a made-up race (this is what happens without --play)"
    )
    parser.add_argument("--play", type=Path, help="an .ibt file or a dump of the memory, instead of a race")
    parser.add_argument("--loop", action="store_true", help="play it again and again")
    parser.add_argument("--cars", type=int, default=40, help="in the race, 1 to 71 (63 with --old)")
    parser.add_argument("--seed", type=int, default=7, help="of track, people and everything that happens")
    parser.add_argument("--lap-s", type=float, default=90.0, help="a lap's nominal time, 10 or more")
    parser.add_argument("--sectors", type=int, default=3, choices=(3, 5, 7))
    parser.add_argument("--car", default="gt", choices=tuple(CARS), help="what is driven")
    parser.add_argument("--stint", type=int, default=12, help="laps from stop to stop")
    parser.add_argument("--stop-s", type=float, default=9.0, help="how long a stop takes, about")
    parser.add_argument("--drivers", type=int, default=1, help="of the team; they take turns")
    parser.add_argument("--seat", type=int, default=0, help="whose computer this is, of the drivers, from 0")
    parser.add_argument("--swap-every", type=int, default=1, help="so many stops until drivers change")
    parser.add_argument("--tick", type=int, default=0, help="where to begin, ticks from the green flag")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast time goes")
    parser.add_argument("--hz", type=float, default=60.0, help="rows a second at speed 1")
    parser.add_argument(
        "--old", action="store_true", help="as builds before mid-2026: header, 64 cars, no encoding"
    )
    parser.add_argument("--utf8", action="store_true", help="session info in UTF-8")
    parser.add_argument(
        "--session", type=int, default=2, choices=(0, 1, 2), help="practice, qualifying or race"
    )
    parser.add_argument(
        "--nice", type=int, default=0, help="below 0 as a game in the foreground has it; wants rights"
    )
    parser.add_argument("--stay", action="store_true", help="stay, exited, when a recording has ended")
    parser.add_argument(
        "--status-s", type=float, default=0.0, help="print the status so often; 0: when asked"
    )
    return parser


def _say(line: Answer) -> None:
    print(json.dumps(line), flush=True)
