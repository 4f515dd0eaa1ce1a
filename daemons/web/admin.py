"""The admin office of a daemon: its audit, its actions and the doors to them. A daemon file fills `registry`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
import trio
from attrs import define, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute

from daemons.ops.admin.actions import Registry
from daemons.ops.admin.desk import AdminDesk
from daemons.ops.admin.follow import Follow
from daemons.ops.admin.routes import AdminSources, admin_routes
from daemons.ops.admin.watchers import Watchers
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.health import Health
from daemons.ops.logring import RING, LogRing
from daemons.ops.metrics import Readings
from daemons.ops.unixpath import ADMIN_SOCKET
from daemons.web.adminsocket import held_by_peer, open_admin_socket, serve_admin
from daemons.web.front import Front
from daemons.web.listeners import HAS_PEER_CREDENTIALS

__all__ = ["AdminOffice"]

_log = structlog.stdlib.get_logger("pitlink.web")


@define(eq=False)
class AdminOffice:
    """What operators reach of one daemon. `status()` and `readings()` are the daemon's own."""

    trail: AuditTrail
    status: Callable[[], dict[str, object]]
    readings: Readings
    health: Health
    ring: LogRing = field(factory=RING.get)
    registry: Registry = field(factory=Registry, init=False)
    follows: dict[str, Follow] = field(factory=dict, init=False)
    """What can be followed beside the log, by name."""
    _watchers: Watchers = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._watchers = Watchers(self.health.utc_now)

    @property
    def desk(self) -> AdminDesk:
        return AdminDesk(self.registry, self.trail)

    @property
    def _sources(self) -> AdminSources:
        return AdminSources(self.status, self.readings, self.health, self.ring, self._watchers, self.follows)

    def routes(self, authoriser: Authoriser) -> list[BaseRoute]:
        """Return the routes for a hub's own port, for those whom the authoriser knows."""

        def held(request: Request):  # type: ignore[no-untyped-def]
            return authoriser.held(request.headers.get("authorization"), None)

        return admin_routes(self.desk, self._sources, held)

    async def serve_socket(  # noqa: ASYNC114
        self, folder: Path, *, task_status: trio.TaskStatus[Front | None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve on `admin.sock` in a state folder until cancelled. Raises RefusedToStart.

        Where the kernel does not say who connects there is no socket; that is logged.
        """
        if not HAS_PEER_CREDENTIALS:
            _log.warning("admin.no_socket", words="this system does not say who connects to a Unix socket")
            task_status.started(None)
            return
        app = Starlette(routes=admin_routes(self.desk, self._sources, held_by_peer))
        listener = open_admin_socket(folder / ADMIN_SOCKET)
        async with trio.open_nursery() as nursery:
            task_status.started(await nursery.start(partial(serve_admin, listener, app)))
