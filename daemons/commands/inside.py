"""Daemons whose config allows faults: the one place where a daemon and what breaks it on purpose are bound together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal, TypeVar

import attrs

from chaos.inside.inside import open_inside
from daemons.ops.environment import Environment

__all__ = ["open_fragile"]

Daemon = TypeVar("Daemon")
Config = TypeVar("Config")


@asynccontextmanager
async def open_fragile(
    side: Literal["site", "hub"],
    open_daemon: Callable[..., AbstractAsyncContextManager[Daemon]],
    config: Config,
    environment: Environment | None = None,
) -> AsyncIterator[Daemon]:
    """Open a daemon that an admin may put faults into, over what they are put into, in the world as one under them
    believes it; otherwise as `open_daemon`."""
    environment = environment or Environment()
    async with open_inside(side, environment.utc_now, environment.urandom(8).hex()) as inside:
        believed = attrs.evolve(environment, utc_now=inside.utc_now)
        async with open_daemon(config, environment=believed, hazards=inside) as daemon:
            yield daemon
