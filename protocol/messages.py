"""What reliable messages say: durable bodies as frozen values, each with the schema version of its kind.

A body is the CBOR map of its fields. Readers accept the current major version of a kind and the one before;
whatever else comes becomes a dead letter, which holds the body.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import cattrs.strategies
from attrs import asdict, field, frozen

from protocol import cbor
from protocol.bodyfields import is_uuid, sayable
from protocol.convert import make_converter
from protocol.heating import (
    HeatAction,
    HeatEvent,
    HeatMode,
    HeatOverride,
    HeatPreset,
    HeatResume,
    HeatSwitch,
    HeatUnlock,
    HeatUsePreset,
    HeatWeek,
)
from protocol.heatsamples import HeatSamples

__all__ = [
    "Action", "AllowlistSwitch", "Command", "EventOpened", "Lap", "OriginFound", "OriginLost", "Pause", "Purge",
    "RaceEnded", "RaceEvent", "RaceStarted", "Reconnect", "Result", "ResultStatus", "ResultsEmptied", "Resume", "Revoke",
    "UnknownBody", "action_from_map", "action_to_map", "decode_body", "encode_body", "event_to_map",
]  # fmt: skip


class UnknownBody(ValueError):
    """No body of this kind and version is known here, or it does not read as one."""


# --- channel `event`: the pits' journal. `at`: UTC seconds
# -----------------------------------------------------------


@frozen
class EventOpened:
    at: float
    event: str = field(converter=sayable)
    name: str = field(converter=sayable)


@frozen
class RaceStarted:
    at: float
    race: str = field(converter=sayable)
    name: str = field(converter=sayable)


@frozen
class Lap:
    """A pilot's lap `number` (1 is the first after the holeshot) of `seconds`."""

    at: float
    race: str = field(converter=sayable)
    pilot: str = field(converter=sayable)
    number: int
    seconds: float


@frozen
class RaceEnded:
    at: float
    race: str = field(converter=sayable)
    name: str = field(converter=sayable)


@frozen
class ResultsEmptied:
    """The results of a finished race turned empty; the last good ones are shown."""

    at: float
    race: str = field(converter=sayable)
    name: str = field(converter=sayable)


@frozen
class OriginLost:
    at: float
    why: str = field(converter=sayable)


@frozen
class OriginFound:
    at: float


RaceEvent = EventOpened | RaceStarted | Lap | RaceEnded | ResultsEmptied | OriginLost | OriginFound


# --- channels `command` and `result`
# ---------------------------------------------------------------------------------


@frozen
class Pause:
    """Stop answering the hub, `until` (UTC seconds) or for good."""

    until: float | None = None


@frozen
class Resume:
    pass


@frozen
class Purge:
    """Forget copies of paths that begin with `prefix`."""

    prefix: str = ""


@frozen
class Reconnect:
    pass


@frozen
class AllowlistSwitch:
    """Switch an entry of the site's own allowlist; it cannot be widened from afar."""

    pattern: str
    enabled: bool


Action = Pause | Resume | Purge | Reconnect | AllowlistSwitch | HeatAction


@frozen
class Command:
    """Something the site is to do. `against`: the state version it was issued against (0: any)."""

    id: str = field(validator=is_uuid)
    issuer: str = field(converter=sayable)
    expires_at: float
    against: int
    action: Action


@frozen
class Revoke:
    """Command `id` is not to run any more."""

    id: str = field(validator=is_uuid)


class ResultStatus(StrEnum):
    DONE = "DONE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@frozen
class Result:
    """What became of command `id`: decided by the site, once. `at`: UTC seconds."""

    id: str = field(validator=is_uuid)
    status: ResultStatus
    words: str = field(converter=sayable)
    at: float


Body = RaceEvent | HeatEvent | HeatSamples | Command | Revoke | Result

_VERSIONS: dict[type, tuple[str, int]] = {
    EventOpened: ("event.opened", 1),
    RaceStarted: ("race.started", 1),
    Lap: ("race.lap", 1),
    RaceEnded: ("race.ended", 1),
    ResultsEmptied: ("race.results_emptied", 1),
    OriginLost: ("origin.lost", 1),
    OriginFound: ("origin.found", 1),
    HeatEvent: ("heat.event", 1),
    HeatSamples: ("heat.samples", 1),
    Command: ("command", 1),
    Revoke: ("command.revoke", 1),
    Result: ("result", 1),
}
_CLASSES = {kind: (cls, version) for cls, (kind, version) in _VERSIONS.items()}
_ACTIONS = {
    Pause: "pause",
    Resume: "resume",
    Purge: "purge",
    Reconnect: "reconnect",
    AllowlistSwitch: "allowlist",
    HeatOverride: "heat.override",
    HeatResume: "heat.resume",
    HeatMode: "heat.mode",
    HeatWeek: "heat.week",
    HeatPreset: "heat.preset",
    HeatUsePreset: "heat.use_preset",
    HeatSwitch: "heat.switch",
    HeatUnlock: "heat.unlock",
}

_converter = make_converter()
cattrs.strategies.configure_tagged_union(Action, _converter, lambda cls: _ACTIONS[cls], "do")


def encode_body(body: Body) -> tuple[str, int, bytes]:
    """Return (kind, schema version, encoded body) as a Message carries them."""
    kind, version = _VERSIONS[type(body)]
    return kind, version, cbor.encode(_converter.unstructure(body))


def decode_body(kind: str, version: int, data: bytes) -> Any:
    """Return the value of a body. Raises UnknownBody."""
    known = _CLASSES.get(kind)
    if known is None:
        raise UnknownBody(f"no body {kind!r} is known here")
    cls, current = known
    if not max(1, current - 1) <= version <= current:
        raise UnknownBody(f"{kind!r} of version {version}; here {current} is read, and the one before")
    try:
        return _converter.structure(cbor.decode(data), cls)
    except Exception:
        # cattrs raises many kinds of errors, and some hold the value.
        raise UnknownBody(f"a {kind!r} that does not read as one") from None


def action_to_map(action: Action) -> dict[str, Any]:
    """Return an action as JSON can carry it: {"do": "pause", …}."""
    fields: dict[str, Any] = _converter.unstructure(action, Action)
    return fields


def action_from_map(fields: object) -> Action:
    """Read an action. Raises ValueError."""
    if not isinstance(fields, Mapping) or fields.get("do") not in _ACTIONS.values():
        raise ValueError(f'"do" is one of {", ".join(_ACTIONS.values())}')
    try:
        action: Action = _converter.structure(fields, Action)  # type: ignore[arg-type]
    except Exception:
        raise ValueError(f"the fields of {fields['do']!r} do not fit") from None
    return action


def event_to_map(event: RaceEvent) -> dict[str, Any]:
    """Return an event as JSON can carry it."""
    return asdict(event)
