"""An outage of a house's link, and what it takes to catch up: the real boiler and nas over the simulated network.

The link is cut; the house goes on heating, sampling and switching, both daemons are killed at random moments, commands
are given at the nas meanwhile. Then the link is back. Told are the bytes until both histories are the same, and the
processor's seconds that both daemons worked for it. Wrong is: a difference left, anything doubled, an expired command
that ran, one that was to run and did not, or ran twice.

    .venv/bin/python -m bench.heatoutage --hours 24
    .venv/bin/python -m bench.heatoutage --hours 168 --kills 20
"""

import tempfile
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import apsw
import trio
from attrs import define, field

from bench.heatbytes import environment
from bench.heathouse import SITE, let_in, run_boiler, run_nas
from bench.report import parser, table, write
from chaos.simnet import Program, World, run_world
from daemons.boiler import Boiler
from daemons.heating.replica import digests
from daemons.nas import Nas
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from daemons.store import fetch
from protocol.heating import HeatOverride, HeatSwitch

PORT = 8444
ANN = Identity("user", "ann", Role.OPERATOR, (SITE,), "")
BYTES, SECONDS = 1_500_000, 2.0
LATE_S = 1800.0


@define(eq=False)
class Outage:
    """One run."""

    world: World
    folder: Path
    hours: float
    kills: int
    nas: Nas | None = field(default=None, init=False)
    boiler: Boiler | None = field(default=None, init=False)
    _token: str = field(init=False)
    _lives: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._token = let_in(self.folder / "nas", environment(self.world, "keys"), inline=True)

    async def _run_nas(self) -> None:
        self._lives += 1
        mine = environment(self.world, f"nas {self._lives}")
        try:
            async with run_nas(
                self.folder / "nas", Address("0.0.0.0", PORT), environment=mine, inline=True
            ) as self.nas:
                await trio.sleep_forever()
        finally:
            self.nas = None

    async def _run_boiler(self) -> None:
        self._lives += 1
        mine, url = environment(self.world, f"pi {self._lives}"), f"ws://nas:{PORT}"
        try:
            async with run_boiler(
                self.folder / "boiler", self._token, url, Address("0.0.0.0", 8091), trio.current_time,
                environment=mine, inline=True,
            ) as self.boiler:  # fmt: skip
                await trio.sleep_forever()
        finally:
            self.boiler = None

    async def run(self) -> dict[str, Any]:
        """Live through it; return the figures. Raises AssertionError."""
        net, rng = self.world.net, self.world.rng("outage")
        programs = [Program(net, "nas", self._run_nas), Program(net, "pi", self._run_boiler)]
        async with trio.open_nursery() as nursery:
            for program in programs:
                nursery.start_soon(program.run)
            await self._until(self._is_same)
            net.link("pi", "nas").refuse()
            net.link("pi", "nas").cut()
            await trio.sleep(60.0)
            room, ids = await self._give_commands()
            version = self.boiler.primary.settings.version if self.boiler else 0
            end = trio.current_time() + self.hours * 3600.0
            for _ in range(self.kills):
                await trio.sleep(rng.uniform(0.2, 1.0) * (end - trio.current_time()) / max(1, self.kills))
                rng.choice(programs).kill(down_s=rng.uniform(0.0, 60.0))
            await trio.sleep_until(end)
            await self._until(lambda: self.nas is not None and self.boiler is not None)
            figures = await self._catch_up()
            await self._judge(room, ids, version)
            nursery.cancel_scope.cancel()
        return figures

    async def _give_commands(self) -> tuple[str, list[str]]:
        """Give one that is to run when the link is back, and one that is not to run any more then."""
        assert self.nas is not None
        assert self.boiler is not None
        look = self.nas.houses[SITE].look
        room = next(zone.id for zone in self.boiler.plant.zones if zone.room)
        stays = await look.command(
            HeatOverride(room, "permanent", celsius=19.5), ANN, lifetime_s=90 * 86_400.0, against=0
        )
        expires = await look.command(HeatSwitch(False), ANN, lifetime_s=30.0, against=0)
        return room, [stays["id"], expires["id"]]

    async def _catch_up(self) -> dict[str, Any]:
        assert self.nas is not None
        assert self.boiler is not None
        outstanding = self.boiler.durable.statistics()["event"].outstanding
        self.world.net.heal_all()
        began, peer = process_time(), self.nas.houses[SITE].peer
        with trio.fail_after(LATE_S):
            while peer.connection is None or self.boiler.durable.statistics()["event"].outstanding:
                await trio.sleep(0.05)
        ended = process_time()
        await self._until(self._is_same)
        connection = peer.connection
        assert connection is not None
        traffic = peer.figures.traffic(connection)
        return {
            "messages": outstanding,
            "bytes": traffic.bytes_in + traffic.bytes_out,
            "seconds": ended - began,  # with the few rounds of control until the house has dialled
        }

    async def _is_same(self) -> bool:
        """Has the nas everything of the house, and nothing else?"""
        if self.nas is None or self.boiler is None or SITE not in self.nas.houses:
            return False
        if self.nas.houses[SITE].peer.connection is None or self.nas.houses[SITE].look.state() is None:
            return False
        if self.boiler.durable.statistics()["event"].outstanding:
            return False
        here = await self.boiler.store.read(lambda conn: digests.days(conn, 1, 0, 2**40))
        there = await self.nas.store.read(lambda conn: digests.days(conn, 1, 0, 2**40))
        return here == there

    async def _judge(self, room: str, ids: list[str], version: int) -> None:
        assert self.nas is not None
        assert self.boiler is not None
        nas, boiler = self.nas, self.boiler
        await self._until(lambda: boiler.primary.settings.zones[room].override is not None)
        listed: dict[str, str] = {}
        with trio.fail_after(LATE_S):
            while {listed.get(id_) for id_ in ids} != {"DONE", "EXPIRED"}:
                listed = {one["id"]: one["status"] for one in await nas.houses[SITE].look.commands()}
                await trio.sleep(0.2)
        assert [listed[id_] for id_ in ids] == ["DONE", "EXPIRED"], listed
        assert boiler.primary.settings.is_on, "an expired switch was carried out"
        assert boiler.primary.settings.version == version + 1, "a command ran twice, or another one did"

        def doubled(conn: apsw.Connection) -> list[tuple[Any, ...]]:
            return fetch(
                conn,
                "SELECT at, source, kind, count(*) FROM heat_event GROUP BY at, source, kind, cause HAVING count(*) > 1",
            )

        assert await nas.store.read(doubled) == []

    async def _until(self, condition: Any) -> None:
        with trio.fail_after(LATE_S):
            while True:
                found = condition()
                if found if isinstance(found, bool) else await found:
                    return
                await trio.sleep(0.5)


async def run_outage(world: World, hours: float, kills: int) -> dict[str, Any]:
    """Run an outage in a simulated world; see the module."""
    for host in ("pi", "nas"):
        world.net.add_host(host)
    with tempfile.TemporaryDirectory(prefix="pitlink-bench-") as folder:
        return await Outage(world, Path(folder), hours, kills).run()


def main() -> int:
    """Run the drill; return 1 when a bound is missed."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--hours", type=float, default=24.0)
    arguments.add_argument("--kills", type=int, default=6)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    configure_logs(LogLevel.ERROR)
    found = run_world(options.seed, partial(run_outage, hours=options.hours, kills=options.kills)).value
    table(
        f"Catch-up after {options.hours:g} h without a link, {options.kills} kills",
        ["messages", "bytes, both ways", "seconds of both daemons"],
        [[found["messages"], found["bytes"], f"{found['seconds']:.2f}"]],
    )
    write(options.json, "heatoutage", found)
    return 0 if found["bytes"] <= BYTES and found["seconds"] <= SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
