"""Faults inside of the daemons, over their admin API: what a relay cannot see (messages), and what a daemon does to itself.

For daemons whose config says `[chaos] allow = true`; others refuse in words.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from chaos.carrier import DRILL_PREFIX, CarrierError, NotCarried
from chaos.faults import Placed, show_fault
from chaos.inside.catalogue import HERE
from chaos.scenario import Deed
from daemons.ops.client import AdminClient, AdminError, Unreachable

__all__ = ["DaemonCarrier"]

NOT_ALLOWED: Final = 403


@define(eq=False)
class DaemonCarrier:
    """A `chaos.carrier.Carrier`. `doors`: the admin APIs by side, "site" and "hub"; `site_name`: as the hub knows it.

    A fault of the uplink is put into the site, where there is one, and otherwise into the hub. A daemon that does not
    answer is one that another step took down, and its faults have ended with it; if not, their leases end them.
    """

    doors: Mapping[str, AdminClient]
    site_name: str
    _places: dict[str, str] = field(factory=dict, init=False)  # by step: the side
    _met: dict[str, int] = field(factory=dict, init=False)

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        kind, _, name = target.partition(":")
        if kind != "uplink" or name not in ("", self.site_name):
            raise NotCarried(f"{step_name}: a daemon breaks its own link alone, and not {target}")
        side = "site" if "site" in self.doors else "hub"
        await self._begin(
            step_name,
            side,
            {
                "type": placed.fault.type,
                "attributes": show_fault(placed.fault),
                "stream": placed.stream.value,
                "toxicity": placed.toxicity,
                **({"site": self.site_name} if side == "hub" else {}),
            },
            lease_s,
        )

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        side = deed.target.partition(":")[0]
        if deed.kind not in HERE or side not in HERE[deed.kind] or side not in self.doors:
            raise NotCarried(f"{step_name}: a daemon does not do {deed.kind} to {deed.target} by itself")
        await self._begin(step_name, side, {"type": deed.kind, "attributes": dict(deed.attributes)}, lease_s)

    async def remove(self, step_name: str) -> None:
        if step_name not in self._places:
            return
        await self.touched(step_name)
        await self._ask(self._places.pop(step_name), "chaos.remove", name=DRILL_PREFIX + step_name)

    async def renew(self) -> None:
        for side in sorted(set(self._places.values())):
            await self._ask(side, "chaos.renew")

    async def reset(self) -> None:
        for side, name in await self._left():
            await self._act(side, "chaos.remove", name=name)
        self._places.clear()

    async def touched(self, step_name: str) -> int:
        if step_name in self._places:
            told = await self._ask(self._places[step_name], "chaos.list") or {"touched": {}}
            met = int(told["touched"].get(DRILL_PREFIX + step_name, 0))
            # One that was started again knows nothing of what was before.
            self._met[step_name] = max(self._met.get(step_name, 0), met)
        return self._met.get(step_name, 0)

    async def left_over(self) -> list[str]:
        return [
            f"{name.removeprefix(DRILL_PREFIX)} inside of the {side}" for side, name in await self._left()
        ]

    async def _begin(self, step_name: str, side: str, params: Mapping[str, Any], lease_s: float) -> None:
        try:
            await self._act(side, "chaos.place", name=DRILL_PREFIX + step_name, lease_s=lease_s, **params)
        except CarrierError as exc:
            cause = exc.__cause__
            if isinstance(cause, AdminError) and cause.status in (400, NOT_ALLOWED):
                raise NotCarried(f"{step_name}: {cause.words}") from cause
            raise
        self._places[step_name] = side

    async def _left(self) -> list[tuple[str, str]]:
        """Return side and name of each fault that a drill placed."""
        left = []
        for side, door in self.doors.items():
            try:
                told = await door.act("chaos.list")
            except AdminError as exc:
                if exc.status == NOT_ALLOWED:
                    continue  # then there is nothing
                raise CarrierError(f"{door.at}: {exc.words}") from exc
            except Unreachable:
                continue  # a daemon that does not run has no faults inside: they end with it
            left += [(side, row["name"]) for row in told["faults"] if row["name"].startswith(DRILL_PREFIX)]
        return left

    async def _ask(self, side: str, action: str, **params: Any) -> Any:
        """Return the answer; None of a daemon that does not run."""
        try:
            return await self._act(side, action, **params)
        except CarrierError as exc:
            if isinstance(exc.__cause__, Unreachable):
                return None
            raise

    async def _act(self, side: str, action: str, **params: Any) -> Any:
        door = self.doors[side]
        try:
            return await door.act(action, **params)
        except AdminError as exc:
            raise CarrierError(f"{door.at}: {action}: {exc.words}") from exc
        except Unreachable as exc:
            raise CarrierError(str(exc)) from exc
