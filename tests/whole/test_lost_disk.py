"""A whole daemon whose disk fails and becomes read-only: what needs no disk goes on, it lets go, and comes again by itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from daemons.ops.lifecycle import serve_daemon
from daemons.ops.options import Address
from daemons.pits import Pits, open_pits
from daemons.race.config import PitsConfig
from daemons.store import StorageError
from daemons.store.copying import check_database
from protocol.messages import Lap, encode_body
from tests.smalldisk import SmallDisk, small_disk


class Field:
    """A pits that is opened anew whenever it asks to be; `opened`: each of them."""

    def __init__(self, folder: Path) -> None:
        self._config = PitsConfig(
            site="field", origin_url="http://localhost:9", state_dir=folder, listen=Address("127.0.0.1", 0)
        )
        self.opened: list[Pits] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Pits]:
        async with open_pits(self._config) as pits:
            self.opened.append(pits)
            yield pits

    async def ask(self, path: str) -> httpx.Response:
        front = self.opened[-1].front
        assert front is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{front.ports[0]}{path}")

    async def store_words(self) -> str:
        warnings: list[dict[str, Any]] = (await self.ask("/healthz")).json()["warnings"]
        return next((row["words"] for row in warnings if row["name"] == "store"), "")

    async def fly(self, number: int) -> None:
        await self.opened[-1].durable.send("event", *encode_body(Lap(float(number), "", "", number, 1.0)))

    async def kept(self) -> int:
        sql = "SELECT count(*) FROM link_out_row"
        ((count,),) = await self.opened[-1].store.read(lambda conn: conn.execute(sql).fetchall())
        return int(count)


async def _until(condition: Callable[[], Any], within_s: float = 30.0) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.02)


async def test_a_disk_that_fails_is_let_go_and_taken_up_again_when_it_is_mended(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=24) as disk:
        field, stop = Field(disk.path / "pits"), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve_daemon, field.open, stop))
            await _until(lambda: field.opened and field.opened[0].front)
            await _through_a_failed_disk(field, disk)
            stop.set()
        check_database(disk.path / "pits" / "pits.db")


async def _through_a_failed_disk(field: Field, disk: SmallDisk) -> None:
    await field.fly(1)
    disk.fail()
    for number in (2, 3):
        try:
            await field.fly(number)
        except StorageError:
            continue
        raise AssertionError("acknowledged on a disk that keeps nothing")
    with trio.fail_after(10):
        while "is read-only" not in await field.store_words():
            await trio.sleep(0.05)
    assert (await field.ask("/")).status_code == 200, "pages need no disk"
    assert (await field.ask("/readyz")).status_code == 503
    assert len(field.opened) == 1
    disk.unmount()
    await _until(lambda: not disk.is_held())  # by the daemon; so that it can be checked
    assert list(disk.path.iterdir()) == [], "no new database where the disk was"
    disk.mend()
    await _until(lambda: len(field.opened) == 2 and field.opened[1].front)
    assert await field.store_words() == ""
    assert field.opened[1].watchman.why_not_ready() == ""
    await field.fly(4)
    assert await field.kept() == 2, "the one of before and the one of after"


async def test_files_of_no_use_on_a_disk_that_is_are_opened_anew(tmp_path: Path) -> None:
    """As when another disk was mounted over the folder, with a copy of what the first one had."""
    copy = tmp_path / "copy"
    (copy / "pits").mkdir(parents=True)
    with small_disk(tmp_path, megabytes=24) as disk:
        field, stop = Field(disk.path / "pits"), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve_daemon, field.open, stop))
            await _until(lambda: field.opened and field.opened[0].front)
            await field.fly(1)
            disk.fail()
            await field.opened[0].store.backup_to(copy / "pits" / "pits.db")  # who only reads goes on
            with disk.covered_by(copy):
                try:
                    await field.fly(2)
                except StorageError:
                    pass
                await _until(lambda: len(field.opened) == 2 and field.opened[1].front)
                await field.fly(3)
                assert await field.kept() == 2
                stop.set()
                await _until(lambda: not nursery.child_tasks)
    check_database(copy / "pits" / "pits.db")


async def test_a_daemon_that_has_nothing_to_write_finds_out_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.ops.storecare.LOOK_S", 0.2)
    with small_disk(tmp_path, megabytes=24) as disk:
        field, stop = Field(disk.path / "pits"), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve_daemon, field.open, stop))
            await _until(lambda: field.opened and field.opened[0].front)
            disk.fail()
            with trio.fail_after(10):
                while "is read-only" not in await field.store_words():
                    await trio.sleep(0.05)
            stop.set()


async def test_one_that_waits_for_its_disk_can_be_stopped(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=24) as disk:
        field, stop = Field(disk.path / "pits"), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve_daemon, field.open, stop))
            await _until(lambda: field.opened and field.opened[0].front)
            disk.fail()
            disk.unmount()
            try:
                await field.fly(1)
            except StorageError:
                pass
            await _until(lambda: not disk.is_held())
            stop.set()
            await _until(lambda: not nursery.child_tasks, within_s=1.8)
        disk.mend()
