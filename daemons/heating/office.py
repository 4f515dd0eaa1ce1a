"""What an operator can have a house do by the admin API: each command as an action of its own, and what became of it.

At the boiler it is done at once; at the nas it is queued, and waited for a while.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import trio
from attrs import frozen

from daemons.heating.look import HouseLook, lifetime_of
from daemons.heating.moments import read_moment
from daemons.heating.settingscodec import to_json
from daemons.ops.admin.actions import Action, ActionRefused, Param
from daemons.ops.authority.identity import Identity, Role
from daemons.pair.hubactions import refused_in_words
from protocol.heating import HeatAction
from protocol.messages import action_from_map

__all__ = ["HouseOffice"]

WAIT_S = 10.0
WAIT_S_MAX = 50.0
LIFETIME_S_MAX = 30 * 86_400.0
_UNDECIDED = frozenset({"QUEUED", "SENT", "UNKNOWN"})

_ZONE = Param("zone", help="its id; * for all rooms")
_CELSIUS = Param("celsius", "number", "for a room", required=False)
_IS_ON = Param("is_on", "flag", "for hot water", required=False)
_UNTIL = Param("until", "any", "22:00, 2026-12-24 18:00, 8h, or UTC seconds", required=False)
_COMMON = (
    Param("lifetime_s", "number", "how long it may wait for the house", required=False),
    Param("against", "whole", "the version of the settings it was decided on; 0: any", required=False, default=0),
    Param("wait_s", "number", "how long to wait for the house's word", required=False, default=WAIT_S),
)  # fmt: skip
_COMMANDS: tuple[tuple[str, str, Role, tuple[Param, ...]], ...] = (
    (
        "heat.override", "Have a zone at another target than its week says, for a while or for good.", Role.OPERATOR,
        (_ZONE, _CELSIUS, _IS_ON, Param("end", help="boundary, until or permanent", required=False), _UNTIL),
    ),
    ("heat.resume", "Take a zone's override back: its week holds again.", Role.OPERATOR, (_ZONE,)),
    (
        "heat.mode", "Put a zone into auto, manual or thermostat.", Role.OPERATOR,
        (_ZONE, Param("mode"), _CELSIUS, _IS_ON),
    ),
    (
        "heat.week", "Give a zone another week.", Role.OPERATOR,
        (_ZONE, Param("entries", "any", "a list of {day, minute, celsius or is_on}")),
    ),
    (
        "heat.preset", "Keep weeks under a name, or forget it.", Role.OPERATOR,
        (Param("name"), Param("weeks", "any", "entries by zone; none: forget it", required=False, default={})),
    ),
    (
        "heat.use_preset", "Have a preset hold, for a while or until changed.", Role.OPERATOR,
        (Param("name", help='"": the zones\' own weeks', required=False, default=""), _UNTIL),
    ),
    ("heat.switch", "Heating on, or off for the summer.", Role.OPERATOR, (Param("is_on", "flag"),)),
    (
        "heat.unlock", "Reset a lock-out, after somebody has looked why.", Role.OPERATOR,
        (Param("what", help="boiler, or a zone's id"),),
    ),
)  # fmt: skip


@frozen
class HouseOffice:
    """The actions of houses. `by_site`: there may be several, and each action names one; else there is one, `looks`' only."""

    looks: Callable[[], Mapping[str, HouseLook]]
    by_site: bool

    def actions(self) -> list[Action]:
        """Return them all."""
        at = (Param("site", help="the house"),) if self.by_site else ()
        site = "site" if self.by_site else ""
        return [
            *(
                Action(name, partial(self._do, name), help_, role, (*at, *params, *_COMMON), site, audits=True)
                for name, help_, role, params in _COMMANDS
            ),
            Action(
                "heat.settings", self._settings, "Show what is set: modes, weeks, presets, overrides.",
                Role.VIEWER, at, site, changes=False,
            ),
            Action(
                "heat.commands", self._commands, "List the commands to a house, the newest first.",
                Role.VIEWER, at, site, changes=False,
            ),
            Action(
                "heat.withdraw", self._withdraw, "Have a house not run a command that it has not run yet.",
                params=(*at, Param("id", help="as heat.commands says it")), site=site, audits=True,
            ),
        ]  # fmt: skip

    def _look(self, params: Mapping[str, Any]) -> HouseLook:
        looks = self.looks()
        if not self.by_site:
            return next(iter(looks.values()))
        if params["site"] not in looks:
            raise ActionRefused(f"there is no house {params['site'][:64]!r} here", 404)
        return looks[params["site"]]

    async def _do(self, name: str, params: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
        look = self._look(params)
        action = _read(name, params, look)
        lifetime_s = params["lifetime_s"]
        if lifetime_s is not None and not 1 <= lifetime_s <= LIFETIME_S_MAX:
            raise ActionRefused(f"lifetime_s is 1 to {LIFETIME_S_MAX:g}", 400)
        with refused_in_words():
            command = await look.command(
                action,
                identity,
                lifetime_s=lifetime_of(action, look.switch_s) if lifetime_s is None else lifetime_s,
                against=params["against"],
            )
        return await _decided(look, command, params["wait_s"])

    async def _settings(self, params: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
        settings = self._look(params).settings()
        if settings is None:
            raise ActionRefused("nothing was ever heard of this house", 503)
        return to_json(settings)

    async def _commands(self, params: Mapping[str, Any], identity: Identity) -> list[dict[str, Any]]:
        return await self._look(params).commands()

    async def _withdraw(self, params: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
        with refused_in_words(params["id"]):
            return await self._look(params).withdraw(params["id"], identity)


def _read(name: str, params: Mapping[str, Any], look: HouseLook) -> HeatAction:
    """Make the command of what was given. Raises ActionRefused (400)."""
    common = {param.name for param in _COMMON} | {"site"}
    fields = {key: value for key, value in params.items() if key not in common and value is not None}
    if name == "heat.override":
        fields.setdefault("end", "until" if "until" in fields else "boundary")
    try:
        if isinstance(fields.get("until"), str):
            fields["until"] = _moment(fields["until"], look)
        action = action_from_map({"do": name, **fields})
    except ValueError as exc:
        raise ActionRefused(str(exc), 400) from exc
    assert isinstance(action, HeatAction)
    return action


def _moment(text: str, look: HouseLook) -> float:
    now, plan = look.house_now(), look.plan()
    if now is None or plan is None:
        raise ValueError("what time it is in this house is not known: give UTC seconds")
    return read_moment(text, now, ZoneInfo(plan.time_zone))


async def _decided(look: HouseLook, command: dict[str, Any], wait_s: float) -> dict[str, Any]:
    """Return a command as it stands, after waiting for the house's word on it."""
    with trio.move_on_after(min(max(wait_s, 0.0), WAIT_S_MAX)):
        while command["status"] in _UNDECIDED:
            serial = look.changes.serial
            listed = await look.commands()
            command = next((one for one in listed if one["id"] == command["id"]), command)
            if command["status"] in _UNDECIDED:
                await look.changes.wait(serial)
    return command
