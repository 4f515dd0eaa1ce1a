"""What a drill saw, as one value: every report and a replay in the simulator are made of it.

All times are seconds since the drill began, unless a name says otherwise; None is "never" or "not known".
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import cattrs
from attrs import field, frozen

from chaos.scenario import Scenario, ScenarioError, read_scenario, scenario_to_map

__all__ = [
    "Check",
    "FaultRun",
    "Kind",
    "Record",
    "RecordError",
    "Recovery",
    "Sample",
    "Verdict",
    "read_record",
    "record_to_json",
]

VERSION: Final = 1


class RecordError(ValueError):
    """What was read is no record of a drill; `args[0]` says why in words."""


class Verdict(StrEnum):
    """PASS and FAIL judge what was drilled; INVALID says that nothing was shown, ABORTED that a guard or somebody
    ended it, NOT RESTORED that faults may still be there, or that it is not as before."""

    PASS = "PASS"
    FAIL = "FAIL"
    INVALID = "INVALID"
    ABORTED = "ABORTED"
    NOT_RESTORED = "NOT RESTORED"

    @property
    def exit_code(self) -> int:
        return list(Verdict).index(self)


class Kind(StrEnum):
    """When a check is made: of the steady state before, all the time, after each fault, at the end, after the heal."""

    BEFORE = "before"
    GUARD = "guard"
    RECOVERY = "recovery"
    CONVERGENCE = "convergence"
    HEAL = "heal"


@frozen
class Check:
    """One bound and what was measured. `limit` in words ("at most 2"), `unit` of both ("s" or ""); `words` for people."""

    name: str
    kind: Kind
    limit: str
    measured: float | None
    unit: str
    ok: bool
    words: str = ""


@frozen
class FaultRun:
    """A step as it really ran. `touched`: what it met (connections, messages or deeds)."""

    step: str
    kind: str
    target: str
    asked_at_s: float
    asked_for_s: float | None
    from_s: float | None
    until_s: float | None
    touched: int
    words: str = ""


@frozen
class Recovery:
    """How a fault was felt, and how soon it was over.

    `detect_s`: from its beginning until one end noticed; None: nobody did. The others from its end: connected again,
    what had been promised delivered, the screen fresh. `lost`, `doubled`, `late` (acknowledged later than the drill's
    `late_after`), `dead`: messages.
    """

    step: str
    detect_s: float | None = None
    reconnect_s: float | None = None
    drained_s: float | None = None
    fresh_s: float | None = None
    lost: int | None = None
    doubled: int | None = None
    late: int | None = None
    dead: int | None = None


@frozen
class Sample:
    """How things stood at one moment. `queue`: messages that wait, at both ends together."""

    t_s: float
    connected: bool | None = None
    freshness_s: float | None = None
    queue: int | None = None
    rtt_s: float | None = None


@frozen
class Record:
    """A drill from its beginning to its end. `scenario_at_s`: when the timeline began, None when it never did."""

    drill: str
    proves: str
    seed: int
    verdict: Verdict
    why: str
    versions: Mapping[str, str]
    against: str
    started_utc: str
    took_s: float
    replay: str
    scenario: Scenario
    scenario_at_s: float | None = None
    faults: tuple[FaultRun, ...] = ()
    checks: tuple[Check, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = field(default=())


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True)
    made.register_unstructure_hook(Scenario, scenario_to_map)
    made.register_structure_hook(Scenario, lambda found, _: read_scenario(found))
    made.register_structure_hook(str, lambda found, _: _exactly(found, str))
    made.register_structure_hook(bool, lambda found, _: _exactly(found, bool))
    made.register_structure_hook(int, lambda found, _: _exactly(found, int))
    made.register_structure_hook(float, lambda found, _: float(_exactly(found, float, int)))
    made.register_structure_hook(Verdict, lambda found, _: Verdict(found))  # else they would be read as str
    made.register_structure_hook(Kind, lambda found, _: Kind(found))
    return made


def _exactly(found: Any, *kinds: type) -> Any:
    if type(found) not in kinds:
        raise TypeError(f"must be {kinds[0].__name__}, is {type(found).__name__}")
    return found


_CONVERTER: Final = _converter()


def record_to_json(record: Record) -> str:
    """Return it as JSON, which `read_record` reads."""
    return json.dumps({"version": VERSION} | _CONVERTER.unstructure(record), indent=1, ensure_ascii=False)


def read_record(text: str | bytes) -> Record:
    """Read what `record_to_json` wrote. Raises RecordError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise RecordError(f"no JSON: {exc}") from exc
    if not isinstance(found, dict) or found.pop("version", None) != VERSION:
        raise RecordError("no record of a drill, or one of another version")
    try:
        return _CONVERTER.structure(found, Record)
    except (cattrs.BaseValidationError, TypeError, ValueError, KeyError) as exc:
        raise RecordError("; ".join(cattrs.transform_error(exc, "record", _say))) from exc


def _say(exc: BaseException, kind: type | None) -> str:
    return str(exc) if isinstance(exc, ScenarioError | TypeError) else cattrs.v.format_exception(exc, kind)
