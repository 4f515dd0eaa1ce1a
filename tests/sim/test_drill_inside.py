"""What happens inside of daemons (messages, names, clocks) happens inside of the simulated ones, when a drill is replayed."""

from functools import partial

import pytest

from chaos.drills.drill import Bound, Drill, RecoveryBound
from chaos.drills.record import Verdict
from chaos.scenario import read_scenario
from chaos.simnet import run_world
from tests.sim.drillworld import run_drill

pytestmark = pytest.mark.sim

STEPS = (
    {"at": 1, "for": 20, "name": "gaps", "fault": "eat_message", "with": {"share": 0.3, "count": 0}},
    {"at": 2, "for": 60, "name": "late", "fault": "delay_acks", "with": {"delay": 300}},
    {"at": 25, "for": 6, "name": "nameless", "target": "site", "fault": "dns_dead"},
    {"at": 26, "for": 0.5, "name": "cut", "fault": "reset_peer"},
    {"at": 40, "name": "restart", "target": "site", "fault": "kill", "with": {"down_s": 2}},
    {"at": 50, "for": 10, "name": "ahead", "target": "site", "fault": "clock_step", "with": {"seconds": 90}},
    {
        "at": 70,
        "for": 10,
        "name": "hub ahead",
        "target": "hub",
        "fault": "clock_step",
        "with": {"seconds": 90},
    },
    {"at": 80.5, "for": 40, "name": "out", "fault": "silence"},
)


def test_faults_inside_of_daemons_are_replayed() -> None:
    """A killed site takes the fault inside of it along: that is no failure of what carries it."""
    drill = Drill(
        name="inside",
        proves="No message is lost or doubled.",
        scenario=read_scenario({"name": "inside", "step": list(STEPS)}),
        steady=(Bound("connected", at_least=1.0),),
        recovery=tuple(
            RecoveryBound(what, most) for what, most in (("reconnect", 10), ("lost", 0), ("doubled", 0))
        ),
    )
    day = run_world(4, partial(run_drill, drill=drill, versions={}, tell=lambda words: None)).value
    assert (day.record.verdict, day.record.why, day.rest) == (Verdict.PASS, "", "")
    assert all(fault.touched for fault in day.record.faults)
    cut = next(recovery for recovery in day.record.recoveries if recovery.step == "cut")
    assert cut.reconnect_s is not None
