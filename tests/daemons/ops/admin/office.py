"""An admin API on a real Unix socket, with a few actions to try it by."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import define, field
from starlette.applications import Starlette

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param, Registry
from daemons.ops.admin.desk import AdminDesk
from daemons.ops.admin.routes import AdminSources, admin_routes
from daemons.ops.admin.watchers import Watchers
from daemons.ops.authority.audit import AuditRow
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.client import ADMIN_SOCKET, AdminClient
from daemons.ops.health import Health, Severity
from daemons.ops.logring import LogRing
from daemons.ops.metrics import Reading
from daemons.web.adminsocket import held_by_peer, open_admin_socket, serve_admin
from daemons.web.front import Front


@define(eq=False)
class Office:
    """What a test looks at. `level` is what the actions change."""

    trail: AuditTrail
    ring: LogRing
    desk: AdminDesk
    health: Health
    level: int = 1
    did: list[str] = field(factory=list)
    fronts: list[Front] = field(factory=list)

    def rows(self) -> list[AuditRow]:
        return self.trail.rows()

    async def set_level(self, params: Mapping[str, Any], identity: Identity) -> Done:
        before, after = self.level, params["level"]
        if after > 9:
            raise ActionRefused("9 is the most")

        def apply() -> None:
            self.did.append("applied")
            self.level = after

        return Done({"level": after}, "level", before, after, apply=apply)

    async def look(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return {"level": self.level}

    async def bug(self, params: Mapping[str, Any], identity: Identity) -> Any:
        raise RuntimeError("pl_secret")

    async def late_bug(self, params: Mapping[str, Any], identity: Identity) -> Done:
        def apply() -> None:
            raise RuntimeError("late")

        return Done(target="x", apply=apply)

    async def slow(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return Done(target="x", apply=trio.sleep_forever)

    async def busy(self, params: Mapping[str, Any], identity: Identity) -> Done:
        def apply() -> None:
            raise ActionRefused("not now", params["status"], retry_after_s=params["after_s"])

        return Done(target="x", apply=apply)


@asynccontextmanager
async def open_office(folder: Path, *, inline: bool = False) -> AsyncIterator[Office]:
    """Make an office without a door."""
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS, inline=inline) as file:
        health = Health(lambda: 1000.0)
        trail = AuditTrail(file, lambda: 1000.0, health)
        registry = Registry()
        office = Office(trail, LogRing(max_lines=50), AdminDesk(registry, trail), health)
        registry.add(
            Action("level.set", office.set_level, "Set the level.", Role.ADMIN, (Param("level", "whole"),)),
            Action("level.look", office.look, "Look at it.", changes=False),
            Action("bug", office.bug, "Fail."),
            Action("bug.late", office.late_bug, "Fail behind the audit."),
        )
        yield office


def sources(office: Office) -> AdminSources:
    return AdminSources(
        lambda: {"daemon": "office"},
        lambda: [Reading("level", "Level.", 1.0)],
        office.health,
        office.ring,
        Watchers(office.health.utc_now),
    )


@asynccontextmanager
async def open_door(folder: Path) -> AsyncIterator[tuple[Office, AdminClient]]:
    """Serve an office on its socket; give it and a client."""
    async with open_office(folder) as office, trio.open_nursery() as nursery:
        office.health.set("thing", Severity.NOTICE, "a thing")
        app = Starlette(routes=admin_routes(office.desk, sources(office), held_by_peer))
        front = await nursery.start(serve_admin, open_admin_socket(folder / ADMIN_SOCKET), app)
        office.fronts.append(front)
        yield office, AdminClient(folder / ADMIN_SOCKET)
        await front.drain()
