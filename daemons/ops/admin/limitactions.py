"""Limits at run time: shown, changed for good or for a time, and taken back."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.errors import ConfigError
from daemons.ops.lapses import LASTS_S_MAX, Lapses
from daemons.ops.limits import LimitTable, unknown_limit

__all__ = ["LimitOffice", "lasting_s"]


@frozen
class LimitOffice:
    """The limits of a daemon: those of several tables, whose names differ. What is changed for a time ends by `lapses`."""

    tables: Sequence[LimitTable[Any]]
    lapses: Lapses

    def actions(self) -> list[Action]:
        """Return limits.list, limits.set and limits.lift."""
        name, for_s = Param("name"), Param("for_s", "number", "seconds; without it for good", required=False)
        value = Param("value", "any", "without it: back to the config", required=False)
        return [
            Action("limits.list", self.list, "Show every limit as it holds now.", changes=False),
            Action(
                "limits.set", self.set, "Change a limit for a time; or, an admin, for good, restarts included.",
                params=(name, value, for_s),
            ),
            Action("limits.lift", self.lift, "End at once what was changed for a time.", params=(name,)),
        ]  # fmt: skip

    def values(self) -> dict[str, Any]:
        """Return every limit by name, as it holds now."""
        return {name: value for table in self.tables for name, value in table.get().items()}

    def changed(self) -> dict[str, dict[str, Any]]:
        """Return those that differ from the config: what that says, and when (UTC) they go back by themselves."""
        return {
            name: {"configured": configured, "until": self.lapses.until(_lapse(name))}
            for table in self.tables
            for name, configured in table.changed().items()
        }

    async def list(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return self.values()

    async def set(self, params: Mapping[str, Any], identity: Identity) -> Done:
        name, value, for_s = params["name"], params["value"], params["for_s"]
        if for_s is None:
            identity.require(Role.ADMIN)
        try:
            table = self._table(name)
            before = table.check(name, value)
        except ConfigError as exc:
            raise ActionRefused(str(exc), 400) from exc
        if for_s is not None:
            return self._for_a_time(table, name, value, lasting_s(for_s), before)

        def apply() -> dict[str, Any]:
            self.lapses.forget(_lapse(name))
            table.release(name)
            table.load()
            return {"name": name, "value": table.get()[name]}

        after = "as configured" if value is None else value
        persist = None if table.authority is None else lambda conn: table.set_in(conn, name, value)
        return Done(None, name, before, after, persist=persist, apply=apply)

    async def lift(self, params: Mapping[str, Any], identity: Identity) -> Done:
        name = params["name"]
        try:
            before = self._table(name).check(name, None)
        except ConfigError as exc:
            raise ActionRefused(str(exc), 400) from exc
        if self.lapses.until(_lapse(name)) is None:
            raise ActionRefused(f"{name} was not changed for a time")

        def apply() -> dict[str, Any]:
            self.lapses.end_now(_lapse(name))
            return {"name": name, "value": self.values()[name]}

        return Done(None, name, before, "as before", apply=apply)

    def _for_a_time(self, table: LimitTable[Any], name: str, value: Any, for_s: float, before: Any) -> Done:
        if value is None:
            raise ActionRefused("for a time a limit takes a value", 400)

        def apply() -> dict[str, Any]:
            table.hold(name, value)
            self.lapses.begin(_lapse(name), for_s, lambda: table.release(name))
            return {"name": name, "value": table.get()[name], "for_s": for_s}

        return Done(None, name, before, {"value": value, "for_s": for_s}, apply=apply)

    def _table(self, name: str) -> LimitTable[Any]:
        found = next((table for table in self.tables if table.has(name)), None)
        if found is None:
            raise unknown_limit(name, self.values())
        return found


def lasting_s(for_s: float) -> float:
    """Return for how many seconds something is to hold. Raises ActionRefused (400) for what is no such time."""
    if not 0 < for_s <= LASTS_S_MAX:
        raise ActionRefused("for_s is a number of seconds, a week at most", 400)
    return float(for_s)


def _lapse(name: str) -> str:
    return f"limit {name}"
