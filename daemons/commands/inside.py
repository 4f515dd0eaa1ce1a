"""Daemons whose config allows faults: the one place where a daemon and what breaks it on purpose are bound together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeVar

import attrs

from chaos.inside.inside import open_inside
from daemons.boiler import Boiler, open_boiler
from daemons.cloud import Cloud, open_cloud
from daemons.heating.config import BoilerConfig, NasConfig
from daemons.nas import Nas, open_nas
from daemons.ops.environment import Environment
from daemons.ops.lifecycle import run_process
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig

__all__ = [
    "open_fragile_boiler", "open_fragile_cloud", "open_fragile_nas", "open_fragile_pits", "run_boiler", "run_cloud",
    "run_nas", "run_pits",
]  # fmt: skip

Daemon = TypeVar("Daemon")


def open_fragile_pits(
    config: PitsConfig, environment: Environment | None = None
) -> AbstractAsyncContextManager[Pits]:
    """Open a site that an admin may put faults into; otherwise as `open_pits`."""
    return _open_fragile("site", partial(open_pits, config), environment or Environment())


def open_fragile_cloud(
    config: CloudConfig, environment: Environment | None = None
) -> AbstractAsyncContextManager[Cloud]:
    """Open a hub that an admin may put faults into; otherwise as `open_cloud`."""
    return _open_fragile("hub", partial(open_cloud, config), environment or Environment())


@asynccontextmanager
async def _open_fragile(
    side: str, open_daemon: Callable[..., AbstractAsyncContextManager[Daemon]], environment: Environment
) -> AsyncIterator[Daemon]:
    """Open a daemon over what the faults are put into, in the world as one under them believes it."""
    async with open_inside(side, environment.utc_now, environment.urandom(8).hex()) as inside:
        believed = attrs.evolve(environment, utc_now=inside.utc_now)
        async with open_daemon(environment=believed, hazards=inside) as daemon:
            yield daemon


def open_fragile_nas(
    config: NasConfig, environment: Environment | None = None
) -> AbstractAsyncContextManager[Nas]:
    """Open a hub of houses that an admin may put faults into; otherwise as `open_nas`."""
    return _open_fragile("hub", partial(open_nas, config), environment or Environment())


def open_fragile_boiler(
    config: BoilerConfig, environment: Environment | None = None
) -> AbstractAsyncContextManager[Boiler]:
    """Open a house that an admin may put faults into; otherwise as `open_boiler`."""
    return _open_fragile("site", partial(open_boiler, config), environment or Environment())


def run_boiler(config: BoilerConfig) -> int:
    """Run the boiler as a process; return its exit code."""
    return run_process(partial(open_fragile_boiler, config), config.log_level)


def run_pits(config: PitsConfig) -> int:
    """Run the site as a process; return its exit code."""
    return run_process(partial(open_fragile_pits, config), config.log_level)


def run_cloud(config: CloudConfig) -> int:
    """Run the hub as a process; return its exit code."""
    return run_process(partial(open_fragile_cloud, config), config.log_level)


def run_nas(config: NasConfig) -> int:
    """Run the hub of houses as a process; return its exit code."""
    return run_process(partial(open_fragile_nas, config), config.log_level)
