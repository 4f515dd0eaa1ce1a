"""What befell a run is played again from a file, and what fails is made small."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import evolve

from chaos.drills.record import Check, Kind, Record, Recovery, Verdict, record_to_json
from chaos.faults import Placed, ResetPeer
from chaos.scenario import Scenario, Step
from chaos.simnet import Mishap, Strike, World, run_world
from daemons.link.durable import DurableChannels
from daemons.ops.errors import ConfigError
from tests.sim.batch import Job
from tests.sim.command import Asked, run
from tests.sim.figures import Figures
from tests.sim.replay import run as replay
from tests.sim.script import Script, Setting, kill_step, read_script, script_to_toml, steps_of, strike_of
from tests.sim.shrink import shrink
from tests.sim.storm import Storm
from tests.sim.world_link import HOSTS, run_link

pytestmark = pytest.mark.sim

FAILS = "AssertionError: lost"


def test_what_befell_a_run_befalls_it_again_from_its_file(tmp_path: Path) -> None:
    def a_run(script: Script | None) -> tuple[Script, Counter[str]]:
        storms = []

        async def main(world: World) -> None:
            storms.append(Storm(world, HOSTS, script))
            await run_link(world, 0.1, storms[0])

        happened = run_world(7, main).happened
        strikes = {mishap.value for mishap in Mishap} | {"crash", "power", "stopped in order"}
        return storms[0].recorded("again"), Counter({name: happened[name] for name in strikes})

    drawn, happened = a_run(None)
    assert len(drawn.events) >= 5
    path = tmp_path / "again.toml"
    path.write_text(script_to_toml(drawn, Setting("link", 7, 0.1)), encoding="utf-8")
    script, setting = read_script(path)
    assert setting == Setting("link", 7, 0.1)
    assert script.exactly == drawn.exactly
    assert [step.name for step in script.scenario.timeline] == [step.name for step in drawn.scenario.timeline]
    _, again = a_run(script)
    assert again == happened


@pytest.mark.parametrize(
    "strike",
    [
        Strike(Mishap.CUT),
        Strike(Mishap.FIN),
        Strike(Mishap.HALF_OPEN, "hub"),
        Strike(Mishap.DROP, "pits", 3.0),
        Strike(Mishap.FREEZE, None, 3.0),
        Strike(Mishap.REFUSE, "hub", 2.0, True),
        Strike(Mishap.IGNORE, "hub", 2.0),
        Strike(Mishap.SLOW, None, 4.0, False, {"latency_s": 0.25, "rate_bytes_s": 9000.0}),
        Strike(Mishap.LOSSY, "pits", 4.0, False, {"loss": 0.125, "jitter_s": 0.0625, "split": 0.2}),
    ],
    ids=lambda strike: strike.name,
)
def test_a_strike_survives_being_written_as_steps(strike: Strike) -> None:
    steps = steps_of(strike, 1, 10.0, "pits")
    again = strike_of(steps, strike.name, "pits", "hub")
    for_s = again.for_s if strike.for_s else 0.0
    assert Strike(again.mishap, again.toward, for_s, again.cuts, again.changes) == strike


def test_only_the_events_that_matter_are_left_close_to_each_other() -> None:
    events = [(kill_step(f"{number} crash", "hub", 100.0 * number, 1.0),) for number in range(1, 41)]
    whole = Script.empty("forty kills").with_events(events)
    needed = {"7 crash", "31 crash"}
    tried = []

    def run_all(jobs: Sequence[Job]) -> list[Figures]:
        tried.extend(jobs)
        return [_figures(job, needed) for job in jobs]

    failed = _figures(Job("link", 1, 2.0, whole), needed)
    failed.script = whole
    said: list[str] = []
    found = shrink(Job("link", 1, 2.0), failed, run_all, at_once=2, most_s=60.0, say=said.append)
    assert found is not None
    assert found.job.script is not None
    assert {step.name for step in found.job.script.scenario.timeline} == needed
    assert found.is_least
    assert found.job.hours * 3600 < 10, "what is left is close together"
    assert found.tries == len(tried) < 60
    assert str(found).startswith("2 of 40 faults, ")
    assert said


def _figures(job: Job, needed: set[str]) -> Figures:
    """Fail at the last of the events that are needed, when all are there in time."""
    assert job.script is not None
    at_s = {step.name: step.at_s for step in job.script.scenario.timeline}
    is_there = needed <= at_s.keys() and max(at_s[name] for name in needed) <= job.hours * 3600
    if not is_there:
        return Figures("link", job.seed)
    return Figures("link", job.seed, failed_as=FAILS, failed_at_s=max(at_s[name] for name in needed))


def test_a_planted_bug_ends_as_a_short_scenario_that_fails_until_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], restored_logs: None
) -> None:
    strikes = {
        5.0: Strike(Mishap.CUT),
        10.0: Strike(Mishap.FREEZE, None, 1.5),
        16.0: Strike(Mishap.FIN),
        20.0: Strike(Mishap.DROP, "hub", 1.0),
        48.0: Strike(Mishap.REFUSE, "hub", 2.0),
    }
    events = [steps_of(strike, int(at_s), at_s, "pits") for at_s, strike in strikes.items()]
    events.insert(-1, [kill_step("40 crash", "hub", 40.0, 1.0)])
    words = ["cut", "freeze", "fin", "drop", "crash", "refuse"]
    exactly = {step.name: word for steps, word in zip(events, words, strict=True) for step in steps}
    script = Script(Script.empty("a test").with_events(events).scenario, exactly)
    path = tmp_path / "storm.toml"
    path.write_text(script_to_toml(script, Setting("link", 3, 60 / 3600)), encoding="utf-8")
    opened = DurableChannels.open

    async def open_forgetful(durable: DurableChannels) -> None:
        await durable._store.transact(lambda conn: conn.execute("UPDATE link_in SET committed = 0"))
        await opened(durable)

    with monkeypatch.context() as planted:
        planted.setattr(DurableChannels, "open", open_forgetful)
        assert run(Asked(scenario=path, jobs=1, save=tmp_path)) == 1
        assert "1 of 6 faults" in capsys.readouterr().out
        small = tmp_path / "sim-link-3.toml"
        (left,) = read_script(small)[0].events
        assert left[0].kind == "kill"
        assert run(Asked(scenario=small, jobs=1, shrink_s=0)) == 1
        assert "It fails as the file says." in capsys.readouterr().out
    assert run(Asked(scenario=small, jobs=1)) == 0
    assert "It does not fail any more" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 3 [", "is no TOML"),
        ("[simulation]\nseed = 'x'", "seed: is of the wrong type"),
        ("[simulation]\nspeed = 1", "speed: there is no such key"),
        ("[simulation.exactly]\n'1 drop' = 'drop'", "there is no step '1 drop'"),
        ("[[step]]\nat = 1\nfor = 1\nfault = 'quiet'", "'quiet' is none of"),
        ("name = 'nothing'", "there must be at least one"),
        ("[[step]]\nat = 1\ntarget = 'origin'\nfault = 'kill'", "plays faults of the uplink"),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / f"{random.Random(text).randrange(10**6)}.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        run(Asked(scenario=path, jobs=1))


def test_a_scenario_of_drills_is_placed_on_the_simulated_uplink(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], restored_logs: None
) -> None:
    path = tmp_path / "drill.toml"
    path.write_text(
        "lasts = 20\n[[step]]\nat = 5\nfor = 0.5\nfault = 'reset_peer'\n"
        "[[step]]\nat = 10\ntarget = 'hub'\nfault = 'kill'\nwith = { down_s = 1.0 }\n"
    )
    assert run(Asked(scenario=path, what="link", seeds=[2], hours=30 / 3600, jobs=1)) == 0
    told = capsys.readouterr().out
    assert "crash 1" in told
    assert "reset_peer 1" in told
    assert "starts 3" in told


def test_a_drill_is_replayed_from_its_record_and_judged_by_the_same_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], restored_logs: None
) -> None:
    cut = Step(2.0, 0.5, "cut", "uplink", Placed("cut", ResetPeer()))
    checks = [
        Check("connected", Kind.BEFORE, "at least 1", 1.0, "", True),
        Check("reconnect after cut", Kind.RECOVERY, "at most 3", 0.2, "s", True),
        Check("lost after cut", Kind.RECOVERY, "at most 0", 0.0, "", True),
    ]
    record = Record(
        "a cut", "nothing is lost", 5, Verdict.PASS, "", {}, "a test", "2026-01-01T00:00:00Z", 20.0, "",
        Scenario("a cut", (cut,), 4.0), checks=tuple(checks), recoveries=(Recovery("cut", 0.1, 0.2, 0.2, 0.4, 0, 0, 0, 0),),
    )  # fmt: skip
    path = tmp_path / "record.json"
    path.write_text(record_to_json(record), encoding="utf-8")
    assert replay(path) == Verdict.PASS.exit_code
    told = capsys.readouterr().out
    assert "trace " in told
    rows = {line[2:46].strip(): line[46:].split() for line in told.splitlines() if line.startswith("  ")}
    assert rows["verdict"] == ["PASS", "PASS"]
    assert rows["cut: lost"] == ["0", "0"]
    path.write_text(
        record_to_json(evolve(record, checks=(*checks[:1], evolve(checks[1], limit="at most 0.01"))))
    )
    assert replay(path) == Verdict.FAIL.exit_code
    assert "not in the simulation: reconnect after cut" in capsys.readouterr().out
    path.write_text("{}")
    with pytest.raises(ConfigError, match="is no record of a drill"):
        replay(path)
