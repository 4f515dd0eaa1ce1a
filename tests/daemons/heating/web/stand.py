"""What API and pages of heating are tried on: houses behind the real routes, with people and tokens that may this and that."""

from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import argon2
import httpx
import trio
import trio.testing
from attrs import define, field
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from daemons.heating.history.tables import MIGRATIONS
from daemons.heating.history.write import add_events, add_samples, house_of
from daemons.heating.web.hot import HotAnswers
from daemons.heating.web.routes import heating_assets, heating_routes
from daemons.ops.authority import audit
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Role
from daemons.ops.authority.signin import SignIn
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.authority.users import Passwords, add_user
from daemons.ops.environment import Environment
from daemons.ops.health import Health
from daemons.ops.tokens import TokenTable
from daemons.web.assets import Assets, read_assets
from daemons.web.front import serve_http
from daemons.web.login import login_routes
from daemons.web.ready import ready_answers
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import HeatSamples, Sample, pack
from tests.daemons.ops.authority.forge import counting, hub_file, issued

from .houses import House

__all__ = ["PASSWORD", "Stand", "fill_history", "open_stand", "real_now"]

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
STEP_S, BATCH_S = 300, 3600


def real_now() -> float:
    return datetime.now(UTC).timestamp()


@define(eq=False)
class Stand:
    """Houses by name; `tokens` by who: "viewer" and "operator" of all, "stranger" of a house that is none of these."""

    houses: dict[str, House]
    file: AuthorityFile
    authoriser: Authoriser
    assets: Assets
    hot: HotAnswers
    routes: list[BaseRoute]
    nursery: trio.Nursery
    tokens: dict[str, str]
    port: int = 0
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def house(self) -> House:
        return next(iter(self.houses.values()))

    def client(self, who: str = "") -> httpx.AsyncClient:
        """Return one that speaks to the routes without any network, as somebody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        transport = httpx.ASGITransport(Starlette(routes=self.routes))
        return httpx.AsyncClient(transport=transport, base_url="http://nas", headers=headers)

    def audited(self) -> list[tuple[str, str, str]]:
        rows = [row.entry for row in self.file.read(audit.rows)]
        return [(entry.who, entry.action, entry.outcome) for entry in rows]

    async def serve(self) -> None:
        """Listen, at the same port as before."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        self._scope = await self.nursery.start(self._serve, listeners)

    async def cut(self) -> None:
        """Be gone: every connection is broken, none is taken."""
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def _serve(self, listeners: Any, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        app = Starlette(routes=self.routes)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(
                    lambda task_status: serve_http(
                        listeners, app, ready=ready_answers(self.assets, real_now), task_status=task_status
                    )
                )
                task_status.started(scope)


@asynccontextmanager
async def open_stand(houses: Iterable[House], *, is_open: bool = False) -> AsyncIterator[Stand]:
    """Make the routes of these houses, until the end of the block. Nothing listens yet."""
    named = {house.name: house for house in houses}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        file = stack.enter_context(hub_file(Path(folder)))
        environment = Environment(utc_now=real_now, urandom=counting(50_000))
        passwords = Passwords(inline=True, hasher=CHEAP)
        hashed = passwords.hash(PASSWORD)
        file.write_now(lambda conn: add_user(conn, "anna", hashed, Role.OPERATOR, ("*",), real_now()))
        file.write_now(lambda conn: add_user(conn, "viktor", hashed, Role.VIEWER, ("*",), real_now()))
        tokens = {
            who: issued(file, who, role, sites, now=real_now())
            for who, role, sites in (
                ("viewer", Role.VIEWER, ("*",)),
                ("operator", Role.OPERATOR, ("*",)),
                ("stranger", Role.ADMIN, ("elsewhere",)),
            )
        }
        authoriser = Authoriser(file, TokenTable(Path(folder) / "tokens.toml"), real_now)
        trail = AuditTrail(file, real_now, Health(real_now))
        assets, hot = heating_assets(read_assets()), HotAnswers()
        routes = [
            *heating_routes(
                lambda: named,
                assets,
                authoriser=authoriser,
                trail=trail,
                hot=hot,
                utc_now=real_now,
                is_open=is_open,
            ),
            *login_routes(SignIn(file, environment, passwords), authoriser),
        ]
        async with trio.open_nursery() as nursery:
            yield Stand(named, file, authoriser, assets, hot, routes, nursery, tokens)
            nursery.cancel_scope.cancel(reason="the test is over")


def fill_history(house: House, *, days: int = 3, hole: bool = True, events: int = 150) -> None:
    """Give a house a history of some days up to its now: rooms that swing, a burner that cycles; a gap of three hours."""
    conn = house.connection = apsw.Connection(":memory:")
    for migration in MIGRATIONS:
        conn.execute(migration.sql)
    house.house = house_of(conn, house.name)
    plan = house.plan()
    assert plan is not None
    end = int(house.now()) // BATCH_S * BATCH_S
    messages = []
    for at in range(end - days * 86400, end, BATCH_S):
        if hole and end - 12 * 3600 <= at < end - 9 * 3600:
            continue
        hour = at // 3600
        found: dict[str, list[Sample]] = {
            "outdoor": [Sample(-500 + 20 * (hour % 24), None, None, None, None)] * 12
        }
        for n, zone in enumerate(plan.zones):
            on = (hour + n) % 3 == 0
            base = 1850 + 10 * n + (60 if on else 0)
            found[zone.id] = [
                Sample(
                    base + 5 * step, 4400 if on else 2200, 1950, STEP_S if on else 0, int(on and step == 0)
                )
                for step in range(BATCH_S // STEP_S)
            ]
        found["burner"] = [Sample(5200, 4100, 5500, 200, int(step % 6 == 0)) for step in range(12)]
        messages.append(
            HeatSamples(
                at, STEP_S, -6 * 3600, BATCH_S // STEP_S, tuple(found), tuple(map(pack, found.values()))
            )
        )
    add_samples(conn, house.house, messages)
    first = plan.zones[0].id
    add_events(
        conn,
        house.house,
        [
            HeatEvent(at=end - 600 * n, source=first, kind=EventKind.OFF if n % 2 else EventKind.ON,
                      cause="warm enough" if n % 2 else "0.3 K below its target", celsius=19.5, supply=None,
                      outdoor=-5.0, ran_s=1234.0 if n % 2 else None)
            for n in range(events, 0, -1)
        ],
    )  # fmt: skip
