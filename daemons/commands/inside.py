"""Daemons whose config allows faults: the one place where a daemon and what breaks it on purpose are bound together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs

from chaos.inside.inside import Inside, open_inside
from daemons.cloud import Cloud, open_cloud
from daemons.ops.environment import Environment
from daemons.ops.lifecycle import run_process
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig

__all__ = ["open_fragile_cloud", "open_fragile_pits", "run_cloud", "run_pits"]


@asynccontextmanager
async def open_fragile_pits(
    config: PitsConfig, environment: Environment | None = None
) -> AsyncIterator[Pits]:
    """Open a site that an admin may put faults into; otherwise as `open_pits`."""
    async with (
        _open_inside("site", environment) as (inside, believed),
        open_pits(config, environment=believed, hazards=inside) as pits,
    ):
        yield pits


@asynccontextmanager
async def open_fragile_cloud(
    config: CloudConfig, environment: Environment | None = None
) -> AsyncIterator[Cloud]:
    """Open a hub that an admin may put faults into; otherwise as `open_cloud`."""
    async with (
        _open_inside("hub", environment) as (inside, believed),
        open_cloud(config, environment=believed, hazards=inside) as cloud,
    ):
        yield cloud


@asynccontextmanager
async def _open_inside(
    side: str, environment: Environment | None
) -> AsyncIterator[tuple[Inside, Environment]]:
    """Give what the faults are put into, and the world as a daemon under them believes it."""
    environment = environment or Environment()
    async with open_inside(side, environment.utc_now, environment.urandom(8).hex()) as inside:
        yield inside, attrs.evolve(environment, utc_now=inside.utc_now)


def run_pits(config: PitsConfig) -> int:
    """Run the site as a process; return its exit code."""
    return run_process(partial(open_fragile_pits, config), config.log_level)


def run_cloud(config: CloudConfig) -> int:
    """Run the hub as a process; return its exit code."""
    return run_process(partial(open_fragile_cloud, config), config.log_level)
