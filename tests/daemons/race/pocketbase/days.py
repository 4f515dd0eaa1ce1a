"""A small day for the tests of what is served, and a server for it."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette

from daemons.race.keeper import BoardKeeper
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.pocketbase.routes import pocketbase_routes
from tests.daemons.web.fronts import Running, on_loopback

from .. import makers as make
from ..field import Field, feed, open_field, result_path

LIVE: dict[str, Any] = {"start": make.START}
DONE: dict[str, Any] = {"start": make.START, "end": make.END}


def played() -> tuple[BoardKeeper, Field]:
    """Race 1-1 is over, with results; 1-2 is live; 1-3 is to come."""
    day = open_field([101, 102, 103])
    day.race(101, **DONE, flown={1: [1.0, 5.0, 5.5], 2: [1.5, 6.0]}, target=2)
    day.put(result_path(101), [make.result(1, 1, Points=10), make.result(2, 2, dnf=True)])
    day.race(102, **LIVE, flown={1: [1.0, 5.0]})
    keeper = BoardKeeper()
    feed(keeper, day)
    return keeper, day


@asynccontextmanager
async def serving(keepers: Mapping[str, BoardKeeper]) -> AsyncIterator[tuple[Realtime, Running]]:
    """Serve the records of these sites on loopback."""
    realtime = Realtime(lambda: keepers, lambda: 1_800_000_000.0, os.urandom)
    async with on_loopback(Starlette(routes=pocketbase_routes(realtime))) as running:
        yield realtime, running
