"""What API and pages of telemetry are tried on: a look behind the real routes, with people and tokens that may this and that."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import argon2
import httpx
import trio
import trio.lowlevel
import trio.testing
from attrs import define, field
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Role
from daemons.ops.authority.signin import SignIn
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.authority.users import Passwords, add_user
from daemons.ops.environment import Environment
from daemons.ops.health import Health
from daemons.ops.tokens import TokenTable
from daemons.store import open_store
from daemons.telemetry.web.live import Listeners
from daemons.telemetry.web.posted import MIGRATIONS, PostedSnapshots
from daemons.telemetry.web.routes import telemetry_assets, telemetry_routes
from daemons.web.assets import Assets, read_assets
from daemons.web.front import serve_http
from daemons.web.login import auth_login_route, login_routes
from daemons.web.ready import ready_answers
from tests.daemons.ops.authority.forge import counting, hub_file, issued

from .fake import FakeLook, real_us

__all__ = ["PASSWORD", "Stand", "open_stand"]

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


def real_now() -> float:
    return real_us() / 1e6


@define(eq=False)
class Stand:
    """`tokens` by who: "viewer" and "operator" of all, "anna" an operator of the driver anna alone, "site" a relay's."""

    look: FakeLook
    file: AuthorityFile
    authoriser: Authoriser
    posted: PostedSnapshots
    listeners: Listeners
    assets: Assets
    routes: list[BaseRoute]
    nursery: trio.Nursery
    tokens: dict[str, str]
    port: int = 0
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, who: str = "") -> httpx.AsyncClient:
        """Return one that speaks to the routes without any network, as somebody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        transport = httpx.ASGITransport(Starlette(routes=self.routes))
        return httpx.AsyncClient(transport=transport, base_url="http://backend", headers=headers)

    async def serve(self) -> None:
        """Listen, at the same port as before."""
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        self._scope = await self.nursery.start(self._serve, listeners)

    async def cut(self) -> None:
        """Be gone: every connection is broken, none is taken."""
        self._scope.cancel()
        await trio.lowlevel.checkpoint()
        while self.look.readers:
            await trio.sleep(0.001)

    def drive(self, *drivers: str) -> None:
        """Have these cars driven on from now."""
        self.nursery.start_soon(self.look.drive, *drivers)

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
async def open_stand(look: FakeLook, *, is_open: bool = False) -> AsyncIterator[Stand]:
    """Make the routes of this look, until the end of the block. Nothing listens yet."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        state = Path(folder) / "state"
        state.mkdir()
        file = stack.enter_context(hub_file(Path(folder)))
        environment = Environment(utc_now=real_now, urandom=counting(50_000))
        passwords = Passwords(inline=True, hasher=CHEAP)
        hashed = passwords.hash(PASSWORD)
        file.write_now(lambda conn: add_user(conn, "erik", hashed, Role.OPERATOR, ("*",), real_now()))
        tokens = {
            who: issued(file, who, role, sites, now=real_now())
            for who, role, sites in (
                ("viewer", Role.VIEWER, ("*",)),
                ("operator", Role.OPERATOR, ("*",)),
                ("anna", Role.OPERATOR, ("anna",)),
                ("stranger", Role.ADMIN, ("elsewhere",)),
            )
        }
        authoriser = Authoriser(file, TokenTable(Path(folder) / "tokens.toml"), real_now)
        trail = AuditTrail(file, real_now, Health(real_now))
        assets, listeners = telemetry_assets(read_assets()), Listeners()
        sign_in = SignIn(file, environment, passwords)
        async with open_store(state / "backend.db", migrations=MIGRATIONS, inline=True) as store:
            posted = PostedSnapshots(store)
            routes = [
                *telemetry_routes(
                    look, assets, posted=posted, authoriser=authoriser, trail=trail, utc_now=real_now,
                    listeners=listeners, is_open=is_open,
                ),
                *login_routes(sign_in, authoriser),
                auth_login_route(sign_in),
            ]  # fmt: skip
            async with trio.open_nursery() as nursery:
                yield Stand(look, file, authoriser, posted, listeners, assets, routes, nursery, tokens)
                nursery.cancel_scope.cancel(reason="the test is over")
