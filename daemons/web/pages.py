"""A daemon's own web server: its pages and API on the configured port, each request traced."""

import ssl
from collections.abc import Sequence

import trio
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from daemons.ops.environment import Environment
from daemons.ops.trace import traced
from daemons.store import StorageError
from daemons.web.assets import Assets
from daemons.web.config import FrontConfig
from daemons.web.connection import Ready
from daemons.web.front import Front, serve_http
from daemons.web.guard import Guard
from daemons.web.ready import ready_answers
from daemons.web.storagefault import answer_storage_error
from daemons.web.upgrade import LINK_UPGRADES, OnControl, Upgrades

__all__ = ["serve_pages"]


async def serve_pages(  # noqa: ASYNC114
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
    routes: Sequence[BaseRoute],
    assets: Assets,
    *,
    environment: Environment,
    config: FrontConfig,
    guard: Guard,
    on_control: OnControl | None = None,
    upgrades: Upgrades = LINK_UPGRADES,
    tls: ssl.SSLContext | None = None,
    ready: Ready | None = None,
    task_status: trio.TaskStatus[Front] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve these routes until drained or cancelled; see `serve_http`. `ready` is asked before the files of the pages."""
    files = ready_answers(assets, environment.utc_now)
    app = Starlette(routes=routes, exception_handlers={StorageError: answer_storage_error})
    await serve_http(
        listeners,
        traced(app, environment.urandom),
        ready=files if ready is None else lambda head: ready(head) or files(head),
        on_control=on_control,
        upgrades=upgrades,
        guard=guard,
        config=config,
        tls=tls,
        utc_now=environment.utc_now,
        task_status=task_status,
    )
