"""A record made by hand: two faults, one of which cost more than was allowed."""

from chaos.drills.record import Check, FaultRun, Kind, Record, Recovery, Sample, Verdict
from chaos.scenario import read_scenario

__all__ = ["SCENARIO", "record"]

SCENARIO = read_scenario(
    {
        "name": "two",
        "step": [
            {"at": 10, "for": 12, "name": "out", "target": "uplink", "fault": "silence"},
            {"at": 40, "name": "reboot", "target": "hub", "fault": "kill", "with": {"down_s": 3}},
        ],
    }
)


def record(verdict: Verdict = Verdict.FAIL, **other: object) -> Record:
    """Return the record, with what is given in place of its own."""
    values: dict[str, object] = {
        "drill": "two <faults> & more",
        "proves": "That 3 | 4 faults | cost nothing.",
        "seed": 7,
        "verdict": verdict,
        "why": "reboot: fresh took 9.5 s, at most 5 s were allowed\x00",
        "versions": {"pitlink": "0.1.0"},
        "against": "a ground of its own",
        "started_utc": "2026-11-21T10:00:00.250Z",
        "took_s": 60.0,
        "replay": "pitlink chaos drill two --seed 7",
        "scenario": SCENARIO,
        "scenario_at_s": 2.0,
        "faults": (
            FaultRun("out", "silence", "uplink", 10, 12, 12.0, 24.0, 1),
            FaultRun("reboot", "kill", "hub", 40, None, 42.0, None, 0, "it was down already"),
        ),
        "checks": (
            Check("connected", Kind.BEFORE, "at least 1", 1.0, "", ok=True),
            Check("queue", Kind.GUARD, "at most 100", 12.0, "", ok=True),
            Check("out: fresh", Kind.RECOVERY, "at most 5", 0.004, "s", ok=True),
            Check("reboot: fresh", Kind.RECOVERY, "at most 5", 9.5, "s", ok=False, words="slow | start"),
            Check("all is ended", Kind.HEAL, "nothing left", 0.0, "", ok=True),
        ),
        "recoveries": (
            Recovery("out", 5.1, 0.25, 0.3, 0.004, 0, 0, 2, 0),
            Recovery("reboot", None, 2.0, None, 9.5, None, None, None, None),
        ),
        "samples": tuple(
            Sample(
                t_s=t / 2,
                connected=None if t < 2 else not (34 <= t < 50 or 84 <= t < 94),
                freshness_s=None if t < 2 else max(0.2, (t - 24) / 2) if 24 <= t < 50 else 0.2,
                queue=max(0, t - 24) if 24 <= t < 50 else 0,
                rtt_s=0.01,
            )
            for t in range(120)
        ),
        "notes": ("seen by hand",),
    }
    return Record(**(values | other))  # type: ignore[arg-type]
