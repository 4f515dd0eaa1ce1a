"""A drill from its beginning to each of its ends, on daemons in memory."""

import io
import os
import signal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chaos.drills.drill import Drill, read_drill
from chaos.drills.record import Kind, Record, Verdict, read_record, record_to_json
from chaos.drills.runner import Runner
from chaos.drills.show import Show
from tests.chaos.drills.fakes import FakeCarrier, Field, make_ground


def make_drill(**more: Any) -> Drill:
    base: dict[str, Any] = {
        "name": "test",
        "proves": "nothing at all",
        "steady": [{"probe": "connected", "at_least": 1}, {"probe": "freshness_s", "at_most": 2}],
        "step": [{"at": 5, "for": 10, "fault": "silence", "name": "cut"}],
        "recovery": [{"what": "reconnect", "at_most": 3}, {"what": "lost", "at_most": 0}],
    }
    return read_drill(base | more)


class Stage:
    """A field whose link is down while anything is in force, and comes back `after_s` later."""

    def __init__(self, after_s: float = 1.0, **more: Any) -> None:
        self.field = Field()
        self.after_s = after_s
        self.carrier = FakeCarrier(self.change)
        self.drill = make_drill(**more)
        self.out = io.StringIO()
        self.back_at = float("-inf")

    def change(self, names: set[str]) -> None:
        if names:
            self.field.connected = False
            self.field.age_s = 9.0
        else:
            self.back_at = trio.current_time() + self.after_s

    async def live(self) -> None:
        while True:
            await trio.sleep(0.05)
            if not self.field.connected and not self.carrier.placed and trio.current_time() >= self.back_at:
                self.field.connected, self.field.age_s = True, 0.1
                self.field.connections += 1

    async def run(self, beside: Any = None, **more: Any) -> Record:
        runner = Runner(
            self.drill,
            make_ground(self.field, self.carrier),
            7,
            show=Show(self.out),
            replay="pitlink chaos drill test --seed 7",
            **more,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.live)
            if beside is not None:
                nursery.start_soon(beside)
            record = await runner.run()
            nursery.cancel_scope.cancel()
        assert read_record(record_to_json(record)) == record
        return record


def failed(record: Record) -> list[tuple[str, str]]:
    return [(check.kind.value, check.name) for check in record.checks if not check.ok]


async def test_a_good_day(autojump_clock: MockClock) -> None:
    stage = Stage()
    record = await stage.run()
    assert (record.verdict, record.why) == (Verdict.PASS, "")
    (run,) = record.faults
    assert (run.step, run.touched, run.asked_for_s) == ("cut", 1, 10)
    assert run.from_s == pytest.approx(run.asked_at_s, abs=0.01)
    assert run.until_s == pytest.approx(run.asked_at_s + 10, abs=0.01)
    (recovery,) = record.recoveries
    assert recovery.detect_s == pytest.approx(0.2, abs=0.2)
    assert recovery.reconnect_s == pytest.approx(1.1, abs=0.3)
    assert (recovery.lost, recovery.doubled, recovery.dead) == (0, 0, 0)
    assert [check.kind for check in record.checks] == [
        *(Kind.BEFORE, Kind.BEFORE, Kind.RECOVERY, Kind.RECOVERY),
        *(Kind.HEAL, Kind.HEAL, Kind.HEAL),
    ]
    assert stage.carrier.seen == ["+cut", "-cut", "reset"]
    assert stage.carrier.renewals >= 3
    assert "on   cut: silence on uplink" in stage.out.getvalue()
    assert record.samples[0].connected is True
    assert any(sample.connected is False for sample in record.samples)


async def test_too_slow_a_recovery_fails(autojump_clock: MockClock) -> None:
    record = await Stage(after_s=8).run()
    assert record.verdict is Verdict.FAIL
    assert failed(record) == [("recovery", "reconnect after cut")]
    assert "connected again after 8" in record.why


async def test_what_must_hold_in_the_end_fails_when_it_does_not(autojump_clock: MockClock) -> None:
    record = await Stage(converge=[{"probe": "queue", "at_least": 1}], settle=5).run()
    assert (record.verdict, failed(record)) == (Verdict.FAIL, [("convergence", "queue")])
    assert record.why == "queue: queue is 0"


async def test_not_steady_before_is_invalid_and_nothing_is_done(autojump_clock: MockClock) -> None:
    stage = Stage(steady_within=5)
    stage.field.age_s = 7.0
    record = await stage.run()
    assert record.verdict is Verdict.INVALID
    assert record.why == "not steady before: freshness_s is 7, and must be at most 2"
    assert (stage.carrier.seen, record.scenario_at_s) == ([], None)


async def test_a_fault_that_met_nothing_is_invalid(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.carrier.met = 0
    record = await stage.run()
    assert (record.verdict, record.why) == (Verdict.INVALID, "cut never met anything: it shows nothing")


async def test_a_fault_that_nobody_carries_is_invalid_and_what_came_before_is_healed(
    autojump_clock: MockClock,
) -> None:
    steps = [
        {"at": 1, "for": 10, "fault": "silence", "name": "cut"},
        {"at": 2, "for": 3, "fault": "loss", "with": {"loss": 0.1}, "name": "lossy"},
    ]
    stage = Stage(step=steps)
    stage.carrier.refused = {"loss"}
    record = await stage.run()
    assert (record.verdict, record.why) == (Verdict.INVALID, "lossy: loss is not carried")
    assert stage.carrier.seen == ["+cut", "reset"]
    assert record.faults[0].until_s is not None


async def test_a_site_that_is_no_part_of_the_drill_ends_it_when_it_goes(autojump_clock: MockClock) -> None:
    stage = Stage(guard=[{"probe": "others", "at_most": 0, "for": 2}])

    async def beside() -> None:
        await trio.sleep(10)
        stage.field.neighbour = False

    record = await stage.run(beside)
    assert record.verdict is Verdict.ABORTED
    assert record.why.startswith("guard: others must be at most 0, broken, for 2 s, at")
    stage.field.neighbour = False  # before the drill: none of its business
    assert (await stage.run()).verdict is Verdict.PASS


async def test_a_guard_ends_it_when_it_is_broken_for_long_enough(autojump_clock: MockClock) -> None:
    guard = {"probe": "freshness_s", "at_most": 5, "for": 2}
    stage = Stage(guard=[guard])
    record = await stage.run()
    assert record.verdict is Verdict.ABORTED
    assert record.why.startswith("guard: freshness_s must be at most 5, broken, for 2 s, at")
    (run,) = record.faults
    assert run.from_s is not None
    assert run.until_s is not None
    assert run.until_s - run.from_s == pytest.approx(2.2, abs=0.5)
    assert stage.carrier.seen == ["+cut", "reset"]
    short = Stage(guard=[guard | {"for": 30}])
    assert (await short.run()).verdict is Verdict.PASS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_it_and_it_is_healed(number: signal.Signals, autojump_clock: MockClock) -> None:
    stage = Stage()

    async def strike() -> None:
        await trio.sleep(9)
        os.kill(os.getpid(), number)

    record = await stage.run(strike)
    assert (record.verdict, record.why) == (Verdict.ABORTED, f"ended by {number.name}")
    assert stage.carrier.seen == ["+cut", "reset"]
    assert [check.ok for check in record.checks if check.kind is Kind.HEAL] == [True, True, True]


async def test_a_second_signal_does_not_wait_for_the_steady_state(autojump_clock: MockClock) -> None:
    stage = Stage(after_s=1000)

    async def strike() -> None:
        await trio.sleep(9)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep(2)

    record = await stage.run(strike)
    assert record.verdict is Verdict.NOT_RESTORED
    assert record.took_s < 15
    assert stage.carrier.seen == ["+cut", "reset"]


async def test_what_cannot_be_healed_is_not_restored(autojump_clock: MockClock) -> None:
    stage = Stage()

    async def jam() -> None:
        await trio.sleep(9)
        stage.carrier.sticks = True
        os.kill(os.getpid(), signal.SIGTERM)

    record = await stage.run(jam)
    assert (record.verdict, record.why) == (Verdict.NOT_RESTORED, "cut")
    assert stage.carrier.seen.count("reset") > 10
    assert record.verdict.exit_code == 4


async def test_not_as_before_after_the_heal_is_not_restored(autojump_clock: MockClock) -> None:
    record = await Stage(after_s=500, settle=10).run()
    assert record.verdict is Verdict.NOT_RESTORED
    assert "not as before: connected is 0" in record.why


async def test_a_machine_that_does_not_come_back_fails(autojump_clock: MockClock) -> None:
    stage = Stage(step=[{"at": 1, "fault": "kill", "target": "hub", "name": "kill"}])
    stage.carrier.not_back = True
    record = await stage.run()
    assert (record.verdict, failed(record)) == (Verdict.FAIL, [("recovery", "machines come back")])
    assert "ended at its start" in record.why


async def test_a_mistake_of_ours_heals_before_it_is_heard(autojump_clock: MockClock) -> None:
    stage = Stage()

    async def break_it() -> None:
        await trio.sleep(9)
        stage.field.connections = None  # type: ignore[assignment]
        del stage.field.promised

    with pytest.raises(BaseExceptionGroup) as caught:
        await stage.run(break_it)
    assert caught.group_contains(AttributeError)
    assert stage.carrier.seen == ["+cut", "reset"]


async def test_left_over_faults_are_offered_to_be_healed(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.carrier.placed["old"] = "old"
    record = await stage.run()
    assert (record.verdict, record.why) == (Verdict.INVALID, "faults are there already: old")
    assert stage.carrier.seen == []

    async def yes(left: object) -> bool:
        assert left == ["old"]
        return True

    record = await stage.run(may_heal=yes)
    assert record.verdict is Verdict.PASS
    assert record.notes == ("healed at the start: old",)


async def test_a_race_stops_it_unless_that_was_said(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.field.phase = "live"
    record = await stage.run()
    assert (record.verdict, stage.carrier.seen) == (Verdict.INVALID, [])
    assert "a race is on" in record.why
    assert (await stage.run(may_race=True)).verdict is Verdict.PASS


async def test_who_may_not_look_is_told_so(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.field.refuses = True
    record = await stage.run()
    assert record.verdict is Verdict.INVALID
    assert "this takes the role operator" in record.why


async def test_a_silent_daemon_is_a_figure_and_no_end(autojump_clock: MockClock) -> None:
    steps = [{"at": 2, "fault": "kill", "target": "hub", "name": "kill", "with": {"down_s": 3}}]
    stage = Stage(step=steps, guard=[{"probe": "silent", "at_most": 0, "for": 20}])
    stage.carrier.on_change = lambda names: (stage.change(names), stage.field.silent.clear(),
                                             stage.field.silent.update({"hub"} if names else ()))  # fmt: skip
    record = await stage.run()
    assert record.verdict is Verdict.PASS
    (guard,) = [check for check in record.checks if check.kind is Kind.GUARD]
    assert (guard.measured, guard.ok) == (1.0, True)
    assert any(sample.connected is False for sample in record.samples)


async def test_figures_of_ones_own(autojump_clock: MockClock) -> None:
    probes = [
        {"name": "cache", "of": "hub", "metric": "pitlink_cache_bytes"},
        {"name": "trip", "of": "site", "status": "link.round_trip_ms"},
    ]
    bounds = [{"probe": "cache", "at_most": 7}, {"probe": "trip", "at_least": 6}]
    record = await Stage(probe=probes, converge=bounds, settle=3).run()
    measured = {check.name: check.measured for check in record.checks if check.kind is Kind.CONVERGENCE}
    assert measured == {"cache": 7.0, "trip": 5.0}
    assert failed(record) == [("convergence", "trip")]


async def test_dead_letters_of_before_do_not_count_and_new_ones_do(autojump_clock: MockClock) -> None:
    guard = {"probe": "dead", "at_most": 0}
    stage = Stage(guard=[guard])
    assert (await stage.run()).verdict is Verdict.PASS

    async def bury() -> None:
        await trio.sleep(9)
        stage.field.dead += 1

    record = await stage.run(bury)
    assert record.verdict is Verdict.ABORTED
    (check,) = [check for check in record.checks if check.kind is Kind.GUARD]
    assert (check.measured, check.ok) == (1.0, False)
