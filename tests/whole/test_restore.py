"""A hub and a site put back from backups taken during writes, on "another machine": their peers bring them up to date."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside
from daemons.cloud import Cloud, open_cloud
from daemons.ops.options import Address, Secret
from daemons.ops.storage import StorageConfig
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig
from daemons.store.archive import verify_backup
from daemons.store.connect import DatabaseKey
from daemons.store.restore import restore_backup
from protocol.messages import Lap, Pause, Resume, encode_body

SITE = "field"
EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
PILOT = "Ada Lovelace of the club"
LAP = encode_body(Lap(0.0, "", "", 1, 1.0))[0]
KEY = "a1" * 32
keys = pytest.mark.parametrize("key", ["", KEY], ids=["plain", "encrypted"])


@attrs.define
class Running:
    """A hub in a task of its own."""

    cloud: Cloud
    stop: trio.Event = attrs.field(factory=trio.Event)
    over: trio.Event = attrs.field(factory=trio.Event)

    async def end(self) -> None:
        self.stop.set()
        await self.over.wait()


@attrs.define
class Field:
    """A hub and a site, each of which can be stopped and started again on another folder while the other goes on."""

    pits_config: PitsConfig
    cloud_config: CloudConfig
    told: list[float] = attrs.field(factory=list)

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[Cloud]:
        async with open_cloud(self.cloud_config) as cloud, trio.open_nursery() as nursery:
            await nursery.start(cloud.run)
            assert cloud.front is not None
            listen = Address("127.0.0.1", cloud.front.ports[0])
            self.cloud_config = attrs.evolve(self.cloud_config, listen=listen)
            self.pits_config = attrs.evolve(self.pits_config, cloud_url=f"ws://{listen}")
            yield cloud
            await cloud.stop()
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Pits]:
        async with open_pits(self.pits_config) as pits, trio.open_nursery() as nursery:
            await nursery.start(pits.run)
            with trio.fail_after(15):
                await pits.peer.wait_connected()
            yield pits
            await pits.stop()
            nursery.cancel_scope.cancel()

    async def run_hub(self, *, task_status: trio.TaskStatus["Running"]) -> None:
        async with self.hub() as cloud:
            running = Running(cloud)
            task_status.started(running)
            await running.stop.wait()
        running.over.set()

    async def run_site(self, *, task_status: trio.TaskStatus[Pits]) -> None:
        async with self.site() as pits:
            task_status.started(pits)
            await trio.sleep_forever()

    async def fly(self, pits: Pits, laps: int) -> None:
        """Have laps accepted, one after the other; each is noted when that is so."""
        for _ in range(laps):
            at = float(len(self.told) + 1)
            await pits.durable.send("event", *encode_body(Lap(at, "race", PILOT, len(self.told) + 1, 1.0)))
            self.told.append(at)


async def _record(cloud: Cloud) -> list[float]:
    record = cloud.members[SITE].record
    rows: list[dict[str, object]] = []
    while page := await record.listed(int(str(rows[-1]["id"])) if rows else 0):
        rows += page
    return [float(str(row["at"])) for row in rows if row["type"] == LAP]


@asynccontextmanager
async def _field(folder: Path, key: str) -> AsyncIterator[Field]:
    token = TokenTable(folder / "cloud" / TOKENS_FILE).add("site", Role.SITE, SITE)
    storage = StorageConfig(Secret(key))
    double = FPVTrackside(EventTree({f"/events/{EVENT}/Event.json": b"[]"}))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(partial(double.serve, 0))
        yield Field(
            PitsConfig(
                site=SITE,
                origin_url=f"http://localhost:{port}",
                cloud_url="ws://127.0.0.1:1",
                token=Secret(token),
                state_dir=folder / "pits",
                listen=Address("127.0.0.1", 0),
                storage=storage,
            ),
            CloudConfig(state_dir=folder / "cloud", listen=Address("127.0.0.1", 0), storage=storage),
        )
        nursery.cancel_scope.cancel()


async def _until(condition: Callable[[], object]) -> None:
    with trio.fail_after(15):
        while not condition():
            await trio.sleep(0.01)


async def _decided(cloud: Cloud) -> None:
    with trio.fail_after(15):
        while {row["status"] for row in await cloud.members[SITE].desk.listed()} != {"DONE"}:
            await trio.sleep(0.01)


@keys
async def test_a_hub_put_back_gets_what_it_had_since_from_its_site(tmp_path: Path, key: str) -> None:
    async with _field(tmp_path, key) as field, trio.open_nursery() as nursery:
        first = await nursery.start(field.run_hub)
        pits = await nursery.start(field.run_site)
        first.cloud.care.reserve_bytes = 0
        async with trio.open_nursery() as flying:
            flying.start_soon(field.fly, pits, 300)
            await _until(lambda: len(field.told) > 50)
            backup = await first.cloud.care.take()
            at_most = len(field.told)
        with trio.fail_after(15):
            await pits.durable.drained("event")
        assert await _record(first.cloud) == field.told
        await first.end()
        moved = tmp_path / "another machine"
        restore_backup(backup.path, moved, key=DatabaseKey(key))
        field.cloud_config = attrs.evolve(field.cloud_config, state_dir=moved)
        second = await nursery.start(field.run_hub)
        await _until(lambda: second.cloud.members[SITE].site.peer.connection is not None)
        await field.fly(pits, 20)
        with trio.fail_after(15):
            await pits.durable.drained("event")
        assert await _record(second.cloud) == field.told, "each once, in order"
        replayed = pits.durable.figures.replayed["event"]
        assert 300 - at_most <= replayed < 300 + 10, "what came after the backup, and no more"
        nursery.cancel_scope.cancel()
    _assert_hidden(tmp_path, key)


@keys
async def test_a_site_put_back_begins_a_new_epoch_and_runs_nothing_twice(tmp_path: Path, key: str) -> None:
    async with _field(tmp_path, key) as field, field.hub() as cloud:
        desk, hub = cloud.members[SITE].desk, cloud.members[SITE].site.peer.durable
        async with field.site() as pits:
            pits.care.reserve_bytes = 0
            async with trio.open_nursery() as nursery:
                nursery.start_soon(field.fly, pits, 200)
                await _until(lambda: len(field.told) > 50)
                backup = await pits.care.take()
            for action in (Pause(), Resume()):
                await desk.issue(action, "test")
            await _decided(cloud)
            with trio.fail_after(15):
                await pits.durable.drained("event")
                await hub.drained("command")
        moved = tmp_path / "another machine"
        restore_backup(backup.path, moved, key=DatabaseKey(key))
        field.pits_config = attrs.evolve(field.pits_config, state_dir=moved)
        async with field.site() as pits:
            ran: list[bool] = []
            pits.deeds.controls.pause = ran.append
            await field.fly(pits, 20)
            with trio.fail_after(15):
                await pits.durable.drained("event")
            assert await _record(cloud) == field.told, (
                "each once, in order, and the new ones are not taken for old"
            )
            assert hub.figures.lost_theirs["event"] == 1
            await desk.issue(Pause(), "test")
            await _decided(cloud)
            assert pits.durable.figures.skipped["command"] == 2
            assert ran == [True], "only the new one ran"
    _assert_hidden(tmp_path, key)


def _assert_hidden(folder: Path, key: str) -> None:
    """Assert that the pilot's name is readable in some file without a key, and in none with one."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    holds = [path for path in files if PILOT.encode() in path.read_bytes()]
    assert bool(holds) is not bool(key), holds
    for path in folder.rglob("backups/*"):
        verify_backup(path, DatabaseKey(key))
