"""The ends of a drill in the simulated pair: how its daemons are asked, and how machines are broken there."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import trio
from attrs import asdict, define, field

from chaos.carrier import NotBack, NotCarried
from chaos.inside.inside import Inside
from chaos.scenario import Deed
from chaos.simnet import Program
from daemons.cloud import Cloud
from daemons.ops.admin.actions import ActionRefused, Done
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.client import AdminError, Unreachable
from daemons.ops.metrics import metrics_text
from daemons.ops.watchman import LOOK_S
from daemons.pits import Pits
from daemons.store import StorageError
from tests.sim.daemon import Daemon
from tests.sim.storm import Storm
from tests.sim.world_whole import HOSTS, Day

__all__ = ["Client", "Machines", "Orders"]

BACK_S = 30.0
NOTICED_S = LOOK_S + 1.0

_OPERATOR = Identity("unix", "the drill", Role.ADMIN, ("*",))


@define(eq=False)
class Orders(Storm):
    """What a drill asks of the programs: nothing befalls them but that."""

    stops: dict[str, trio.Event] = field(factory=dict, init=False)
    down_s: dict[str, float] = field(factory=dict, init=False)
    to_restore: set[str] = field(factory=set, init=False)

    async def until_stopped(self, host: str, drawn_s: float) -> None:
        self.stops[host] = trio.Event()
        await self.stops[host].wait()

    def down_after_stop_s(self, host: str) -> float:
        return self.down_s.get(host, 0.0)

    def restored(self, host: str, drawn: int | None, backups: int) -> int | None:
        if host not in self.to_restore:
            return None
        self.to_restore.discard(host)
        return backups - 1


@define(eq=False)
class Client:
    """Asks a simulated daemon what the admin API would be asked. `find()`: None while it is down."""

    day: Day
    host: str
    find: Callable[[], Pits | Cloud | None]

    @property
    def at(self) -> str:
        return self.host

    async def status(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        daemon = self._up()
        with self.day.world.net.host(self.host):
            warnings = [asdict(warning) for warning in daemon.health.warnings]
            told: dict[str, Any] = json.loads(
                json.dumps({"warnings": warnings, **daemon.figures.status()}, default=str)
            )
        return told

    async def metrics(self) -> str:
        await trio.lowlevel.checkpoint()
        daemon = self._up()
        with self.day.world.net.host(self.host):
            return metrics_text(daemon.figures.readings())

    async def act(self, action: str, **params: Any) -> Any:
        known = self._up().admin.registry.get(action)
        if known is None:
            raise AdminError(404, "unknown", f"there is no action {action!r}")
        try:
            with self.day.world.net.host(self.host):
                told = await known.run(known.read(params), _OPERATOR)
                if isinstance(told, Done):
                    told = told.result if told.apply is None else told.apply()
                return json.loads(json.dumps(told))
        except StorageError as exc:
            raise Unreachable(f"{self.host}: {exc}") from exc
        except ActionRefused as exc:
            raise AdminError(exc.status, "refused", exc.words) from exc

    def _up(self) -> Pits | Cloud:
        daemon = self.find()
        if daemon is None:
            raise Unreachable(f"{self.host} is down")
        return daemon


@define(eq=False)
class Machines:
    """Deeds done to the simulated machines: site, hub and origin. `insides`: the faults inside, by side.

    What a machine does to itself it does no more when it starts again.
    """

    day: Day
    orders: Orders
    origin: Program
    insides: Mapping[str, Inside]
    _stepped_s: dict[str, float] = field(factory=dict, init=False)

    async def begin(self, deed: Deed) -> None:
        kind, down_s = deed.kind, deed.down_s or 0.0
        if deed.target == "origin" and kind in ("kill", "stop"):
            self.origin.kill(down_s=down_s)
            return
        host = HOSTS.get(deed.target)
        if host is not None and kind == "clock_step":
            self._step_clock(host, deed.get("seconds"))
            return
        if host is None or kind not in ("kill", "stop", "restore"):
            raise NotCarried(f"{deed.kind} of {deed.target}: the simulated pair has no such deed")
        daemon = self._daemon(host)
        self._step_clock(host, 0.0)
        if inside := self.insides.get(deed.target):
            inside.reset()
            inside.close()
        if kind == "stop" and host in self.orders.stops:
            self.orders.down_s[host] = down_s
            self.orders.stops[host].set()
            return
        if kind == "restore":
            if not daemon.backups.paths:
                raise NotCarried(f"there is no backup of {deed.target} yet")
            self.orders.to_restore.add(host)
        daemon.program.kill(down_s=down_s)

    async def end(self, deed: Deed) -> None:
        if deed.kind == "clock_step":
            self._step_clock(HOSTS[deed.target], 0.0)
            return
        with trio.move_on_after(BACK_S):
            while not self._is_up(deed.target):
                await trio.sleep(0.1)
            return
        raise NotBack(f"{deed.target} was not back {BACK_S:.0f} s after its time")

    def _step_clock(self, host: str, seconds: float) -> None:
        """Let the clock of a host be ahead by so much, and not by what it was before."""
        if seconds == self._stepped_s.get(host, 0.0):
            return
        self.day.world.skew_s[host] += seconds - self._stepped_s.get(host, 0.0)
        self._stepped_s[host] = seconds
        if host == HOSTS["hub"]:
            self.day.trusts_at = trio.current_time() + NOTICED_S

    def _daemon(self, host: str) -> Daemon:
        return self.day.pits_daemon if host == "pits" else self.day.cloud_daemon

    def _is_up(self, target: str) -> bool:
        return target == "origin" or (self.day.pits if target == "site" else self.day.cloud) is not None
