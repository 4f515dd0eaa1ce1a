"""What befell a run, as a timeline that can be read, cut down and played again.

A script is a scenario as drills have them, and beside it, for some steps, what exactly the simulation does: which moment
of a program a kill waits for, or that a silence is one of dropped packets. In a file that stands in a table of its own:

    [simulation]
    what = "link"
    seed = 17
    hours = 0.3
    fails = "AssertionError: event: # (#, #) took effect twice"

    [simulation.exactly]
    "1 crash in the transaction" = "crash in the transaction"

    [[step]] …

Steps that are not named there are placed as a drill places them.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from chaos.faults import (
    Bandwidth,
    Fin,
    HalfOpen,
    Ignore,
    Latency,
    Loss,
    Placed,
    Refuse,
    ResetPeer,
    Silence,
    Stream,
)
from chaos.scenario import Deed, Scenario, ScenarioError, Step, read_scenario, scenario_to_map
from chaos.simnet import Mishap, Strike

AT_ONCE_S = 0.001
"""A scenario knows no shorter fault."""
DOWN_LEAST_S = 0.01
HALF_OPEN_S = 60.0
"""For drills. In the simulation the connections of that moment stay half-open for good."""
WITH_POWER = ", with the power"
SPLIT = 0.2
"""Of a lossy path; no step says it."""


@frozen
class Script:
    """`exactly`: by the name of a step; see the head of this file."""

    scenario: Scenario
    exactly: Mapping[str, str] = field(factory=dict)

    @staticmethod
    def empty(name: str) -> "Script":
        """Return one in which nothing happens."""
        return Script(Scenario(name, ()))

    @property
    def events(self) -> list[tuple[Step, ...]]:
        """The steps, those together that are parts of one event: `12 slow` and `12 slow.rate`."""
        rows = groupby(self.scenario.timeline, key=event_of)
        return [tuple(steps) for _, steps in rows]

    @property
    def ends_at_s(self) -> float:
        """When the last step has begun."""
        return max((step.at_s for step in self.scenario.timeline), default=0.0)

    def with_events(self, events: Sequence[Sequence[Step]]) -> "Script":
        """Return one of these steps alone."""
        steps = tuple(step for event in events for step in event)
        names = {step.name for step in steps}
        exactly = {name: how for name, how in self.exactly.items() if name in names}
        return Script(evolve(self.scenario, timeline=steps), exactly)


def event_of(step: Step) -> str:
    """Return the name that all steps of one event share."""
    return step.name.partition(".")[0]


# --- what strikes a path --------------------------------------------------------------------------------------------


def steps_of(strike: Strike, number: int, at_s: float, site: str) -> list[Step]:
    """Return a strike as steps; `site`: which host is the site's, the other being the hub's."""
    stream = Stream.BOTH
    if strike.toward is not None:
        stream = Stream.DOWNSTREAM if strike.toward == site else Stream.UPSTREAM
    name = f"{number} {strike.name}"
    for_s = max(strike.for_s, AT_ONCE_S)

    def step(part: str, fault: Any, lasts_s: float = for_s, way: Stream = stream) -> Step:
        return Step(at_s, lasts_s, name + part, "uplink", Placed(name + part, fault, way))

    changes = strike.changes
    match strike.mishap:
        case Mishap.CUT:
            return [step("", ResetPeer())]
        case Mishap.FIN:
            return [step("", Fin())]
        case Mishap.HALF_OPEN:
            return [step("", HalfOpen(), HALF_OPEN_S)]
        case Mishap.FREEZE | Mishap.DROP:
            return [step("", Silence())]
        case Mishap.SLOW:
            rate = step(".rate", Bandwidth(changes["rate_bytes_s"], 64 * 1024))
            return [step("", Latency(changes["latency_s"])), rate]
        case Mishap.LOSSY:
            return [step("", Loss(changes["loss"])), step(".jitter", Latency(jitter_s=changes["jitter_s"]))]
        case _:
            cut = [step(".cut", ResetPeer(), AT_ONCE_S, Stream.BOTH)] if strike.cuts else []
            return [step("", Refuse() if strike.mishap is Mishap.REFUSE else Ignore()), *cut]


def strike_of(steps: Sequence[Step], how: str, site: str, hub: str) -> Strike:
    """Return the strike that `steps_of` made these of; `how` is the word for the first. Raises ScenarioError."""
    mishap, first = Mishap(how), steps[0]
    changes: dict[str, float] = {"split": SPLIT} if mishap is Mishap.LOSSY else {}
    cuts = False
    toward: str | None = None
    for step in steps:
        if not isinstance(step.fault, Placed):
            raise ScenarioError([f"{step.name}: {how!r} is no deed"])
        if step is first and step.fault.stream is not Stream.BOTH:
            toward = site if step.fault.stream is Stream.DOWNSTREAM else hub
        match step.fault.fault:
            case Bandwidth(rate_bytes_s=rate):
                changes["rate_bytes_s"] = rate
            case Latency(latency_s=latency) if mishap is Mishap.SLOW:
                changes["latency_s"] = latency
            case Latency(jitter_s=jitter):
                changes["jitter_s"] = jitter
            case Loss(share=share):
                changes["loss"] = share
            case ResetPeer():
                cuts = step is not first
            case _:
                pass
    if mishap is Mishap.HALF_OPEN and toward is None:
        raise ScenarioError([f"{first.name}: a half-open path needs a stream"])
    return Strike(mishap, toward, first.for_s or 0.0, cuts, changes)


# --- files ----------------------------------------------------------------------------------------------------------


@frozen
class Setting:
    """Which run a script belongs to. `fails`: how it fails, "" when nobody said. None: nobody said."""

    what: str | None = None
    seed: int | None = None
    hours: float | None = None
    fails: str = ""


def read_script(path: Path) -> tuple[Script, Setting]:
    """Read a scenario's file; without a table `simulation` every step is placed as a drill places it.

    Raises OSError and ScenarioError.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ScenarioError([f"{path} is no TOML: {exc}"]) from exc
    table = found.get("simulation", {})
    if not isinstance(table, dict):
        raise ScenarioError(["simulation: must be a table"])
    if "step" in found or not table:
        scenario = read_scenario(found, path.stem)
    else:  # what fails without any fault
        scenario = Scenario(str(found.get("name", path.stem)), ())
    exactly = table.get("exactly", {})
    problems = [
        f"simulation: {key}: there is no such key"
        for key in table
        if key not in ("what", "seed", "hours", "fails", "exactly")
    ]
    for key, kind in (("what", str), ("seed", int), ("hours", (int, float)), ("fails", str)):
        if key in table and (not isinstance(table[key], kind) or isinstance(table[key], bool)):
            problems.append(f"simulation: {key}: is of the wrong type")
    names = {step.name for step in scenario.timeline}
    if not isinstance(exactly, dict):
        problems.append("simulation: exactly: must be a table")
        exactly = {}
    problems += [f"simulation: exactly: there is no step {name!r}" for name in exactly if name not in names]
    if problems:
        raise ScenarioError(problems)
    setting = Setting(table.get("what"), table.get("seed"), table.get("hours"), table.get("fails", ""))
    return Script(scenario, {name: str(how) for name, how in exactly.items()}), setting


def script_to_toml(script: Script, setting: Setting, remark: str = "") -> str:
    """Return the text of a file that `read_script` makes the same of."""
    return "\n".join(_lines(script, setting, remark)) + "\n"


def _lines(script: Script, setting: Setting, remark: str) -> Iterator[str]:
    yield from (f"# {line}" for line in remark.splitlines())
    shown = scenario_to_map(script.scenario)
    steps = shown.pop("step")
    yield from (f"{key} = {_value(value)}" for key, value in shown.items())
    yield "\n[simulation]"
    for key in ("what", "seed", "hours", "fails"):
        if (value := getattr(setting, key)) not in (None, ""):
            yield f"{key} = {_value(value)}"
    if script.exactly:
        yield "\n[simulation.exactly]"
        yield from (f"{json.dumps(name)} = {_value(how)}" for name, how in script.exactly.items())
    for step in steps:
        yield "\n[[step]]"
        yield from (f"{key} = {_value(value)}" for key, value in step.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} has no place in a scenario")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def kill_step(name: str, target: str, at_s: float, down_s: float) -> Step:
    """Return a kill as a step."""
    return Step(at_s, None, name, target, Deed("kill", target, {"down_s": max(down_s, DOWN_LEAST_S)}))
