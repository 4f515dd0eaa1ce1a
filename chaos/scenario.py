"""What happens to whom and when: a timeline of faults, the same for a drill on real connections and for a simulation.

    name = "two cuts"
    lasts = 60.0                                  # optional: the last fault's end otherwise

    [[step]]
    at = 10.0
    for = 12.0                                    # without it: until the timeline's end
    target = "uplink"                             # between site and hub; of one site: "uplink:north"
    fault = "silence"                             # any type of chaos.faults, `with` in Toxiproxy's units

    [[step]]
    at = 30.0
    for = 20.0
    target = "uplink"
    profile = "lte-driving"                       # instead of a fault: all that the profile has

    [[step]]
    at = 55.0
    target = "hub"
    fault = "kill"                                # a deed, done to a machine
    with = { down_s = 3.0 }

`every` and `times` repeat a step. Times are in seconds from the timeline's start.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
from attrs import field, frozen

from chaos.faults import FAULTS, FaultError, Placed, Stream, read_fault, show_fault
from chaos.profiles import PROFILES

__all__ = [
    "DEEDS",
    "TARGETS",
    "Deed",
    "Scenario",
    "ScenarioError",
    "Step",
    "read_scenario",
    "scenario_to_map",
]

TARGETS: Final = ("uplink", "site", "hub", "origin")

STEPS_MAX: Final = 2000
LENGTH_MAX_S: Final = 7 * 24 * 3600.0
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}")

_DOWN: Final[Mapping[str, float]] = {"down_s": 2.0}

DEEDS: Final[Mapping[str, Mapping[str, float]]] = {
    "kill": _DOWN,  # as power does: SIGKILL; started again after down_s
    "stop": _DOWN,  # as an operator does: SIGTERM; started again after down_s
    "restore": _DOWN,  # stopped, an earlier backup put in its place, started after down_s
    "disk_full": {},
    "clock_step": {"seconds": 60.0},
    "dns_dead": {},
    "dns_slow": {"delay_s": 3.0},
}
"""What can be done to a machine: its attributes, and what they are when nothing is said."""

_STEP_KEYS: Final = frozenset(
    ("at", "for", "name", "target", "fault", "profile", "with", "stream", "toxicity", "every", "times")
)


class ScenarioError(ValueError):
    """A scenario that cannot be; `problems` are all of them, each with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@frozen
class Deed:
    """Something done to a machine, a kind of DEEDS; what `attributes` leaves out is as DEEDS says."""

    kind: str
    target: str
    attributes: Mapping[str, float] = field(factory=dict)

    def get(self, attribute: str) -> float:
        return float(self.attributes.get(attribute, DEEDS[self.kind][attribute]))

    @property
    def down_s(self) -> float | None:
        """How long the machine is down for; None: it stays up."""
        return self.get("down_s") if "down_s" in DEEDS[self.kind] else None


_Named = tuple[str, Placed | Deed]


@frozen
class Step:
    """One fault, `at_s` from the timeline's start. A deed that takes a machine down has no `for_s`, it has `down_s`."""

    at_s: float
    for_s: float | None
    name: str
    target: str
    fault: Placed | Deed

    @property
    def lasts_s(self) -> float | None:
        """None: until the timeline's end."""
        return self.fault.down_s if isinstance(self.fault, Deed) and self.fault.down_s else self.for_s

    @property
    def kind(self) -> str:
        return self.fault.kind if isinstance(self.fault, Deed) else self.fault.fault.type


@frozen
class Scenario:
    """A timeline, in the order of its beginnings; names of steps are unique."""

    name: str
    timeline: tuple[Step, ...]
    lasts_s: float = 0.0

    @property
    def length_s(self) -> float:
        """From the start to where the last fault has ended."""
        return max([self.lasts_s, *(step.at_s + (step.lasts_s or 0.0) for step in self.timeline)])

    def ends_at_s(self, step: Step) -> float:
        return self.length_s if step.lasts_s is None else step.at_s + step.lasts_s


def read_scenario(found: Mapping[str, Any], name: str = "") -> Scenario:
    """Read a scenario from TOML's or JSON's mapping; keys that are not a scenario's are none of its business.

    `name`: when the mapping has none. Raises ScenarioError with every problem.
    """
    problems: list[str] = []
    lasts_s = _number(found, "lasts", problems, "lasts", 0.0)
    rows = found.get("step", [])
    if not isinstance(rows, list) or not rows:
        raise ScenarioError([*problems, "step: there must be at least one [[step]]"])
    steps: list[Step] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            problems.append(f"step {number}: must be a table")
        else:
            steps += _read_step(row, number, problems)
    taken: set[str] = set()
    for step in steps:
        if step.name in taken:
            problems.append(f"{step.name}: two steps have this name")
        taken.add(step.name)
    if len(steps) > STEPS_MAX:
        problems.append(f"step: there are {len(steps)}, and {STEPS_MAX} are the most")
    title = found.get("name", name)
    if not isinstance(title, str):
        problems.append("name: must be a text")
    scenario = Scenario(str(title), tuple(sorted(steps, key=lambda step: step.at_s)), lasts_s)
    problems += [
        f"{step.name}: without `for` it lasts to the timeline's end, which must be later: say `lasts`"
        for step in steps
        if step.lasts_s is None and scenario.length_s <= step.at_s
    ]
    if problems:
        raise ScenarioError(problems)
    return scenario


def _read_step(row: Mapping[str, Any], number: int, problems: list[str]) -> list[Step]:
    place = f"step {number}"
    before = len(problems)
    problems += [f"{place}: {key}: there is no such key" for key in row if key not in _STEP_KEYS]
    at_s = _number(row, "at", problems, f"{place}: at", None)
    for_s = _number(row, "for", problems, f"{place}: for", 0.001, least=0.001) if "for" in row else None
    target = row.get("target", "uplink")
    if not isinstance(target, str) or target.partition(":")[0] not in TARGETS or target.endswith(":"):
        problems.append(
            f'{place}: target: must be one of {", ".join(TARGETS)}, with ":NAME" for one of several'
        )
    if ("fault" in row) == ("profile" in row):
        problems.append(f"{place}: must have either a fault or a profile")
        return []
    kind = row.get("fault", row.get("profile"))
    name = row.get("name", f"{number}-{kind}")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        problems.append(f"{place}: name: must be a short text of letters, digits, blanks, '.', '_' and '-'")
    faults = _read_faults(row, str(name), str(target), place, problems)
    takes_down = any(isinstance(fault, Deed) and fault.down_s for _, fault in faults)
    if takes_down and for_s is not None:
        problems.append(f"{place}: for: a machine is down for `with = {{ down_s = … }}`")
    times = _number(row, "times", problems, f"{place}: times", 1.0, least=1.0, most=STEPS_MAX)
    every_s = _number(row, "every", problems, f"{place}: every", 0.0)
    if times != int(times):
        problems.append(f"{place}: times: must be a whole number")
    if (times > 1) != (every_s > 0):
        problems.append(f"{place}: every and times belong together")
    if len(problems) > before:
        return []
    return list(_steps(at_s, for_s, str(target), faults, int(times), every_s))


def _steps(
    at_s: float, for_s: float | None, target: str, faults: list[_Named], times: int, every_s: float
) -> Iterator[Step]:
    for turn in range(times):
        for name, fault in faults:
            turned = name if times == 1 else f"{name} {turn + 1}"
            one = fault if isinstance(fault, Deed) else attrs.evolve(fault, name=turned)
            yield Step(at_s + turn * every_s, for_s, turned, target, one)


def _read_faults(
    row: Mapping[str, Any], name: str, target: str, place: str, problems: list[str]
) -> list[_Named]:
    attributes = row.get("with", {})
    if not isinstance(attributes, Mapping):
        problems.append(f"{place}: with: must be a table")
        return []
    if "profile" in row:
        return _read_profile(row, name, place, problems)
    kind = row["fault"]
    if kind in DEEDS:
        return [(name, Deed(kind, target, _read_deed(row, attributes, place, problems)))]
    if kind not in FAULTS:
        known = ", ".join([*FAULTS, *DEEDS])
        problems.append(f"{place}: fault: {kind!r} is none of {known}")
        return []
    known_keys = {one.metadata["json"] for one in attrs.fields(FAULTS[kind])}
    problems += [
        f"{place}: with: {kind} has no {key}"
        + (f", it has {', '.join(sorted(known_keys))}" if known_keys else "")
        for key in attributes
        if key not in known_keys
    ]
    stream = row.get("stream", "both")
    if stream not in list(Stream):
        problems.append(f"{place}: stream: must be upstream, downstream or both")
        return []
    toxicity = _number(row, "toxicity", problems, f"{place}: toxicity", 1.0, most=1.0)
    try:
        return [(name, Placed(name, read_fault(kind, attributes), Stream(stream), toxicity))]
    except FaultError as exc:
        problems.append(f"{place}: with: {exc}")
        return []


def _read_profile(row: Mapping[str, Any], name: str, place: str, problems: list[str]) -> list[_Named]:
    problems += [
        f"{place}: {key}: the profile says it" for key in ("with", "stream", "toxicity") if key in row
    ]
    profile = PROFILES.get(row["profile"]) if isinstance(row["profile"], str) else None
    if profile is None:
        problems.append(f"{place}: profile: {row['profile']!r} is not known; see: pitlink chaos profiles")
        return []
    if not profile.placed():
        problems.append(f"{place}: profile: {profile.name} has no faults")
    placed = [attrs.evolve(one, name=f"{name}.{one.name}") for one in profile.placed()]
    return [(one.name, one) for one in placed]


def _read_deed(
    row: Mapping[str, Any], attributes: Mapping[str, Any], place: str, problems: list[str]
) -> dict[str, float]:
    known = DEEDS[row["fault"]]
    problems += [f"{place}: {key}: not for a deed" for key in ("stream", "toxicity") if key in row]
    problems += [f"{place}: with: {row['fault']} has no {key}" for key in attributes if key not in known]
    least = -LENGTH_MAX_S if row["fault"] == "clock_step" else 0.01
    return {
        key: _number(attributes, key, problems, f"{place}: with: {key}", default, least=least)
        for key, default in known.items()
    }


def _number(
    found: Mapping[str, Any],
    key: str,
    problems: list[str],
    place: str,
    default: float | None,
    *,
    least: float = 0.0,
    most: float = LENGTH_MAX_S,
) -> float:
    """Return a number; `default` None: it must be there."""
    value = found.get(key, default)
    if value is None:
        problems.append(f"{place}: is missing")
        return least
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        problems.append(f"{place}: must be a number from {least:g} to {most:g}")
        return least
    return float(value)


def scenario_to_map(scenario: Scenario) -> dict[str, Any]:
    """Return what `read_scenario` makes the same scenario of; profiles and repetitions are spelt out."""
    shown: dict[str, Any] = {"name": scenario.name}
    if scenario.lasts_s:
        shown["lasts"] = scenario.lasts_s
    shown["step"] = [_show_step(step) for step in scenario.timeline]
    return shown


def _show_step(step: Step) -> dict[str, Any]:
    shown: dict[str, Any] = {"at": step.at_s}
    if step.for_s is not None:
        shown["for"] = step.for_s
    shown |= {"name": step.name, "target": step.target, "fault": step.kind}
    if isinstance(step.fault, Deed):
        return shown | ({"with": dict(step.fault.attributes)} if step.fault.attributes else {})
    shown |= {"stream": step.fault.stream.value, "toxicity": step.fault.toxicity}
    attributes = show_fault(step.fault.fault)
    return shown | ({"with": attributes} if attributes else {})
