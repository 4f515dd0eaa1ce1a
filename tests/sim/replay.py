"""What `pitlink chaos replay` does: a drill's scenario and seed in the simulated pair, beside what the drill saw."""

import platform
import sys
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path

from chaos.drills.record import Record, RecordError, Verdict, read_record
from chaos.drills.words import figure
from chaos.simnet import run_world
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.logs import LogLevel, configure_logs
from tests.sim.drillworld import DrillDay, drill_of, oracle_check, run_drill, verdict_of

RECORD_BYTES_MOST = 64 * 1024 * 1024
TIMES = {"noticed": "detect_s", "connected": "reconnect_s", "drained": "drained_s", "fresh": "fresh_s"}
COUNTS = ("lost", "doubled", "late", "dead")


def run(report: Path, *, log: LogLevel = LogLevel.ERROR) -> int:
    """Replay it and print both; return the exit code of the simulation's verdict. Raises ConfigError."""
    seen = _read(report)
    configure_logs(log)
    versions = {"pitlink": metadata.version("pitlink"), "python": platform.python_version()}

    def tell(words: str) -> None:
        print(f"  {words}", file=sys.stderr, flush=True)

    try:
        done = run_world(seen.seed, partial(run_drill, drill=drill_of(seen), versions=versions, tell=tell))
    except (AssertionError, ExceptionGroup) as error:
        leaf = _leaf(error)
        if not isinstance(leaf, AssertionError):
            raise
        why = next(iter(str(leaf).splitlines()), "")
        print(f"{Verdict.FAIL}: {seen.drill}, in the simulation: {why}")
        return Verdict.FAIL.exit_code
    day = done.value
    for line in _lines(seen, day):
        print(line)
    print(f"simulated {done.virtual_s:.0f} s in {done.wall_s:.1f} s, trace {done.fingerprint}")
    verdict = verdict_of(day)
    why = day.record.why or day.rest
    print(f"{verdict}: {seen.drill}, in the simulation" + (f": {why}" if why else ""))
    return verdict.exit_code


def _read(report: Path) -> Record:
    try:
        if report.stat().st_size > RECORD_BYTES_MOST:
            raise ConfigError([Problem(str(report), "is too long for a record")])
        return read_record(report.read_bytes())
    except OSError as exc:
        raise ConfigError([Problem(str(report), f"cannot be read: {exc.strerror}")]) from exc
    except RecordError as exc:
        raise ConfigError([Problem(str(report), f"is no record of a drill: {exc}")]) from exc


def _lines(seen: Record, day: DrillDay) -> Iterator[str]:
    """Yield what the drill saw, and beside it what the simulation shows."""
    shown = day.record
    yield f"{seen.drill}, seed {seen.seed}, of {seen.started_utc}"
    yield _row("", "drill", "simulation")
    yield _row("verdict", seen.verdict, verdict_of(day))
    simulated = {recovery.step: recovery for recovery in shown.recoveries}
    met = {fault.step: fault.touched for fault in shown.faults}
    for fault in seen.faults:
        yield _row(f"{fault.step}: met", str(fault.touched), str(met.get(fault.step, 0)))
    for before in seen.recoveries:
        now = simulated.get(before.step)
        for words, name in TIMES.items():
            here = None if now is None else getattr(now, name)
            yield _row(f"{before.step}: {words}", _time(getattr(before, name)), _time(here))
        for name in COUNTS:
            here = None if now is None else getattr(now, name)
            yield _row(f"{before.step}: {name}", _count(getattr(before, name)), _count(here))
    for check in (*shown.checks, oracle_check(day)):
        if not check.ok:
            yield f"  not in the simulation: {check.name}: {check.words or check.limit}"


def _row(what: str, drill: str, simulation: str) -> str:
    return f"  {what:44} {drill:>12} {simulation:>12}"


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else figure(seconds, "s")


def _count(count: int | None) -> str:
    return "–" if count is None else str(count)


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
