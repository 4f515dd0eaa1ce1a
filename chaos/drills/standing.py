"""How a drill stands, as JSON can say it: for those who watch it from elsewhere, while it runs and when it is over.

    {"run", "drill", "proves", "against", "seed", "started_utc",
     "phase": "steady before" | "faults" | "recovering" | "healing" | "over",
     "t_s": since it began, "timeline_s": since the timeline began, "length_s": of the timeline,
     "steps", "played": how many have ended, "on": [{"step", "words", "for_s"}], "next": {"step", "words", "in_s"} | null,
     "clock": {"since_s", "reconnect_s", "drained_s", "fresh_s"} | null: of the recovery that is waited for,
     "looks": {"connected", "age_s", "queue", "rtt_s"} | null,
     "guards": [{"name", "limit", "worst", "ok"}],
     "verdict": "" | "PASS" ..., "why", "took_s", "recoveries": [...]}

Seconds, not rounded by more than a millisecond; null: not known, or not yet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from chaos.drills.drill import Drill
from chaos.drills.judge import GuardWatch
from chaos.drills.record import FaultRun, Record, Recovery
from chaos.drills.show import describe
from chaos.drills.watch import Reading

__all__ = ["RecoveryClock", "run_name", "standing_of", "standing_of_record"]

PROVES_MAX = 400
RECOVERIES_MAX = 60
WHY_MAX = 1000


@frozen
class RecoveryClock:
    """What is waited for after a fault: how long it has been over, and what is well again."""

    since_s: float
    recovery: Recovery


def run_name(drill: str, started_utc: str) -> str:
    """Return what a run of a drill is called wherever it is told of."""
    return f"{drill[:64]} {started_utc}"


def standing_of(
    drill: Drill,
    *,
    seed: int,
    against: str,
    started_utc: str,
    phase: str,
    now_s: float,
    timeline_at_s: float | None,
    runs: Mapping[str, FaultRun],
    clock: RecoveryClock | None,
    last: Reading | None,
    guards: Sequence[GuardWatch],
) -> dict[str, Any]:
    """Return how a drill that runs stands. `now_s`, `timeline_at_s`: since it began."""
    on = [run for run in runs.values() if run.from_s is not None and run.until_s is None]
    played = sum(run.until_s is not None for run in runs.values())
    timeline_s = None if timeline_at_s is None else now_s - timeline_at_s
    return {
        **_head(drill.name, drill.proves, against, seed, started_utc),
        "phase": phase,
        "t_s": round(now_s, 3),
        "timeline_s": None if timeline_s is None else round(timeline_s, 3),
        "length_s": drill.scenario.length_s,
        "steps": len(drill.scenario.timeline),
        "played": played,
        "on": [
            {"step": run.step, "words": run.words, "for_s": round(now_s - (run.from_s or 0.0), 3)}
            for run in on
        ],
        "next": _next(drill, runs, timeline_s),
        "clock": None if clock is None else {"since_s": round(clock.since_s, 3), **_times(clock.recovery)},
        "looks": None if last is None else _looks(last),
        "guards": [
            {"name": one.name, "limit": one.limit, "worst": one.measured, "ok": one.ok}
            for one in (guard.check(drill) for guard in guards)
        ],
        "verdict": "",
        "why": "",
    }


def standing_of_record(record: Record) -> dict[str, Any]:
    """Return how a drill ended."""
    return {
        **_head(record.drill, record.proves, record.against, record.seed, record.started_utc),
        "phase": "over",
        "t_s": record.took_s,
        "length_s": record.scenario.length_s,
        "steps": len(record.scenario.timeline),
        "played": sum(run.until_s is not None for run in record.faults),
        "verdict": str(record.verdict),
        "why": record.why[:WHY_MAX],
        "took_s": record.took_s,
        "recoveries": [asdict(recovery) for recovery in record.recoveries[:RECOVERIES_MAX]],
        "replay": record.replay,
    }


def _head(drill: str, proves: str, against: str, seed: int, started_utc: str) -> dict[str, Any]:
    return {
        "run": run_name(drill, started_utc),
        "drill": drill,
        "proves": proves[:PROVES_MAX],
        "against": against,
        "seed": seed,
        "started_utc": started_utc,
    }


def _next(drill: Drill, runs: Mapping[str, FaultRun], timeline_s: float | None) -> dict[str, Any] | None:
    """Return the step that begins next, of a timeline that runs."""
    if timeline_s is None:
        return None
    for step in drill.scenario.timeline:
        run = runs.get(step.name)
        if run is None or run.from_s is None:
            in_s = round(max(0.0, step.at_s - timeline_s), 3)
            return {"step": step.name, "words": describe(step), "in_s": in_s}
    return None


def _times(recovery: Recovery) -> dict[str, float | None]:
    return {
        "reconnect_s": recovery.reconnect_s,
        "drained_s": recovery.drained_s,
        "fresh_s": recovery.fresh_s,
    }


def _looks(reading: Reading) -> dict[str, Any]:
    sample = reading.sample()
    return {
        "connected": sample.connected,
        "age_s": sample.freshness_s,
        "queue": sample.queue,
        "rtt_s": sample.rtt_s,
    }
