"""A daemon of the race day over all its lives: kills, orderly stops, backups and their return."""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import trio
from attrs import define, field

from chaos.simnet import Kill, Program, World
from daemons.ops.environment import Environment
from daemons.store import Store
from tests.sim.backups import Backups, reading
from tests.sim.storm import Storm

__all__ = ["Daemon"]

SKEW_MAX_S = 20.0
BACKUPS = 3
SLOW_COMMITS = 0.12
"""Of those that wait for the writer, as in the link's world: so many take virtual time, as on a disk that is busy."""
KILLED_IN_COMMIT = 0.02
"""Of the slow ones."""


@define(eq=False)
class Daemon:
    """One of the two daemons over all its lives: kills, orderly stops, backups and their return."""

    storm: Storm
    name: str
    file: Path
    main: Callable[["Daemon"], Awaitable[None]]
    on_restored: Callable[[apsw.Connection], None]
    stops_an_hour: float = 2.0
    calm: bool = field(default=False, init=False)
    world: World = field(init=False)
    restores: int = field(default=0, init=False)
    stops: int = field(default=0, init=False)
    rng: random.Random = field(init=False)
    disk: random.Random = field(init=False)
    program: Program = field(init=False)
    environment: Environment = field(init=False)
    backups: Backups = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.backups = Backups(self.file, BACKUPS)
        self.world = self.storm.world
        entropy = self.world.rng(f"entropy {self.name}")
        self.rng = self.world.rng(f"daemon {self.name}")
        self.disk = self.world.rng(f"disk {self.name}")
        boot = entropy.randbytes(16).hex().encode()
        self.environment = Environment(self.world.utc_now, entropy.randbytes, entropy.random, lambda: boot)
        self.world.skew_s[self.name] = self.rng.uniform(-SKEW_MAX_S, SKEW_MAX_S)
        self.world.net.add_host(self.name)
        self.program = Program(self.world.net, self.name, self._live, while_down=self._while_down)

    async def _live(self) -> None:
        while True:
            await self.main(self)
            self.stops += 1
            self.world.sometimes("stopped in order")
            if down_s := self.storm.down_after_stop_s(self.name):
                await trio.sleep(down_s)

    async def until_stopped(self, store: Store) -> None:
        """Live for a while, with a backup now and then, on a disk that is slow now and then."""
        store._writer._commit_s = self._commit_s
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._back_up, store)
            await self.storm.until_stopped(self.name, self.rng.expovariate(self.stops_an_hour / 3600))
            while self.calm:
                await trio.sleep(3600)
            nursery.cancel_scope.cancel()

    def _commit_s(self) -> float:
        """Draw how long a commit takes. It may be that the process is killed meanwhile."""
        if self.calm or self.disk.random() >= SLOW_COMMITS:
            return 0.0
        drawn = None
        if self.disk.random() < KILLED_IN_COMMIT:
            drawn = Kill(self.name, False, self.disk.uniform(0, 10))
        if kill := self.storm.moment("crash during a commit", self.name, drawn):
            self.world.sometimes("crash during a commit")
            self.program.kill(down_s=kill.down_s)
        return self.disk.uniform(0.002, 0.4)

    async def _back_up(self, store: Store) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1 / 200))
            await self.backups.take(store)

    def _while_down(self) -> None:
        count = len(self.backups.paths)
        if self.calm or not count:
            return
        drawn = self.rng.randrange(count) if self.rng.random() < 0.25 else None
        at = self.storm.restored(self.name, drawn, count)
        if at is None:
            return
        self.backups.put_back(at)
        self.restores += 1
        self.world.sometimes(f"restored {self.name}")
        with reading(self.file) as conn:
            self.on_restored(conn)
