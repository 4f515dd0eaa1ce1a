"""A house as JSON: what is wished, what is, how old that is; made into bytes once for all who look, until it changes.

Instants are UTC seconds of the house's clock, but where "real" is said; temperatures °C, durations seconds. null is what
is not known.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import trio
from attrs import asdict, define, field, frozen

from daemons.heating.look import STALE_AFTER_S, HouseLook
from daemons.heating.plant import BurnerPlan, Plant, ZonePlan
from daemons.heating.settings import Settings
from daemons.heating.state import HouseState
from daemons.web import sse
from daemons.web.answers import to_json

__all__ = ["Part", "View", "Views", "age_json"]

_NAME_CHARACTERS = 16


@frozen(eq=False)
class Part:
    """A value as JSON, the name of its content, and the same as a chunk of a stream of events."""

    value: Any
    body: bytes = field(repr=False)
    version: str
    chunk: bytes = field(repr=False)

    @classmethod
    def of(cls, kind: str, value: Any) -> "Part":
        body = to_json(value)
        version = hashlib.sha256(body).hexdigest()[:_NAME_CHARACTERS]
        return cls(value, body, version, sse.chunk(sse.event(kind, body)))


@define(eq=False)
class View:
    """One house: what is wished there (`house`), how it stands (`state`), what it was told to do (`commands`)."""

    look: HouseLook
    _house: tuple[tuple[object, ...], Part | None] = field(default=((), None), init=False)
    _state: tuple[tuple[object, ...], Part | None] = field(default=((), None), init=False)
    _commands: tuple[int, float, Part] | None = field(default=None, init=False)  # serial, at
    _reading: trio.Lock = field(factory=trio.Lock, init=False)

    def house(self) -> Part:
        plan, settings = self.look.plan(), self.look.settings()
        key, part = self._house
        if part is None or not _is_same(key, (plan, settings)):
            part = Part.of("house", _house_json(self.look, plan, settings))
            self._house = (plan, settings), part
        return part

    def state(self) -> Part:
        state = self.look.state()
        key, part = self._state
        if part is None or not _is_same(key, (state,)):
            part = Part.of("state", None if state is None else asdict(state))
            self._state = (state,), part
        return part

    async def commands(self) -> Part:
        """Return commands and dead letters; read once for all who ask, and again when something has changed, or after
        a while: a command becomes UNKNOWN by time alone. Raises StorageError."""
        async with self._reading:
            serial, now = self.look.changes.serial, trio.current_time()
            if self._commands is None or self._commands[0] != serial or now - self._commands[1] > COMMANDS_S:
                value = {
                    "commands": (await self.look.commands())[:COMMANDS_TOLD],
                    "dead": (await self.look.dead_letters())[:COMMANDS_TOLD],
                }
                part = Part.of("commands", value)
                if self._commands is not None and self._commands[2].version == part.version:
                    part = self._commands[2]
                self._commands = serial, now, part
            return self._commands[2]

    def whole(self, utc_now: float) -> dict[str, Any]:
        """Return everything about the house now, each value of its state with its age in the house's seconds."""
        age, state = age_json(self.look, utc_now), self.state().value
        told = None if state is None else _aged(state, self.look.state(), age)
        return {**self.house().value, "state": told, "age": age}


COMMANDS_S = 2.0
COMMANDS_TOLD = 50
"""Of the newest commands and dead letters, in a stream; the rest has an address of its own."""


@define(eq=False)
class Views:
    """A view of every house that there is."""

    looks: Callable[[], Mapping[str, HouseLook]]
    _views: dict[str, View] = field(factory=dict, init=False)

    def get(self, house: str) -> View | None:
        look = self.looks().get(house)
        if look is None:
            self._views.pop(house, None)
            return None
        known = self._views.get(house)
        if known is None or known.look is not look:
            known = self._views[house] = View(look)
        return known


def _is_same(known: tuple[object, ...], new: tuple[object, ...]) -> bool:
    return len(known) == len(new) and all(one is other for one, other in zip(known, new, strict=True))


def _house_json(look: HouseLook, plan: Plant | None, settings: Settings | None) -> dict[str, Any]:
    return {
        "house": look.name,
        "title": plan.house if plan is not None else look.name,
        "here": look.is_here,
        "time_zone": plan.time_zone if plan is not None else None,
        "zones": [_zone_json(zone) for zone in plan.zones] if plan is not None else [],
        "boiler": _burner_json(plan.burner) if plan is not None else None,
        "has_outdoor": plan is not None and plan.outdoor is not None,
        "settings": None if settings is None else asdict(settings),
    }


def _zone_json(zone: ZonePlan) -> dict[str, Any]:
    return {
        "id": zone.id,
        "title": zone.title,
        "kind": zone.kind,
        "lowest": zone.lowest,
        "highest": zone.highest,
        "frost": zone.frost,
        "has_room": zone.room is not None,
        "has_supply": zone.supply is not None,
        "has_thermostat": zone.call is not None,
    }


def _burner_json(burner: BurnerPlan) -> dict[str, Any]:
    return {
        "is_driven": burner.output is not None,
        "has_pump": burner.pump is not None,
        "has_flow": burner.flow is not None,
        "has_return": burner.back is not None,
    }


def age_json(look: HouseLook, utc_now: float) -> dict[str, Any]:
    """Return how old the state is, what time it is there, and how it is with the link. `now`: real UTC, here."""
    standing = look.standing()
    stale_after_s = standing.get("stale_after_s", STALE_AFTER_S)
    age_s = look.age_s()
    is_connected = standing.get("connected")
    is_stale = age_s is None or age_s > stale_after_s
    return {
        "age_s": None if age_s is None else round(age_s, 3),
        "stale_after_s": stale_after_s,
        "stale": is_stale,
        "offline": is_stale or (is_connected is False and not look.is_here),
        "house_now": look.house_now(),
        "now": utc_now,
        "speed": look.speed,
        "standing": standing,
    }


def _aged(told: dict[str, Any], state: HouseState | None, age: dict[str, Any]) -> dict[str, Any]:
    if state is None or age["age_s"] is None:
        return told
    since = age["age_s"] * age["speed"]

    def old(read_at: float | None) -> float | None:
        return None if read_at is None else round(max(0.0, state.at - read_at) + since, 3)

    zones = [{**zone, "age_s": old(zone["read_at"])} for zone in told["zones"]]
    return {**told, "zones": zones, "outdoor_age_s": old(state.outdoor_read_at)}
