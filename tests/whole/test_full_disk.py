"""Whole daemons whose disks are full for a while: what works goes on, the rest is told, all is well again by itself."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import trio

from chaos.doubles.fpvtrackside import EventTree
from daemons.ops.storecare import patiently
from daemons.race.record import EventRecord
from daemons.store.copying import check_database
from protocol.messages import Lap, encode_body
from tests.smalldisk import small_disk
from tests.whole.stage import SITE, Stage, open_stage

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
FILE = f"/events/{EVENT}/Event.json"
BODY_BYTES = 20_000
EVERY_S = 0.05
LAP = encode_body(Lap(0.0, "", "", 1, 1.0))[0]
FULL_S = float(os.environ.get("FULL_DISK_S", "4"))


def tree() -> EventTree:
    return EventTree({FILE: f'[{{"ID": "{EVENT}", "Name": "Club night"}}]'.encode()})


async def _warnings(stage: Stage, url: str) -> dict[str, str]:
    answer = await stage.callers.get(f"{url}/healthz")
    assert answer.status_code == 200, "what does not need the disk goes on"
    told = answer.json()["warnings"]
    health = stage.cloud.health if url == stage.page else stage.pits.health
    words = {warning.name: warning.words for warning in health.warnings}
    return {warning["name"]: words.get(warning["name"], "") for warning in told}


async def test_the_disks_of_both_daemons_are_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=24) as disk:
        async with open_stage(disk.path, tree=tree()) as stage:
            await stage.connected()
            await _through_a_full_disk(stage, disk.fill, disk.free)
        for name in ("cloud/cloud.db", "pits/pits.db", "cloud/authority.db"):
            check_database(disk.path / name)


async def _through_a_full_disk(stage: Stage, fill: Callable[[], None], free: Callable[[], None]) -> None:
    assert stage.pits.front is not None
    pits = f"http://127.0.0.1:{stage.pits.front.ports[0]}"
    told: list[float] = []
    is_over = trio.Event()

    async def fly() -> None:
        while not is_over.is_set():
            lap = Lap(float(len(told)), "race", "pilot" * (BODY_BYTES // 5), len(told) + 1, 1.0)
            await patiently(partial(stage.pits.durable.send, "event", *encode_body(lap)), "a lap")
            told.append(lap.at)
            await trio.sleep(EVERY_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fly)
        await stage.until(lambda: len(told) > 10)
        fill()
        with trio.move_on_after(FULL_S):
            refused: set[int] = set()
            while True:
                fill()  # what others give back is gone again
                answer = await stage.callers.post(f"/api/sites/{SITE}/commands", json={"do": "purge"})
                refused.add(answer.status_code)
                if answer.status_code == 503:
                    assert answer.json()["code"] == "BUSY"
                    assert int(answer.headers["retry-after"]) > 0
                assert (await stage.callers.get("/")).status_code == 200
                await trio.sleep(0.2)
        assert 503 in refused
        for url in (stage.page, pits):
            assert "free some space" in (await _warnings(stage, url))["store"]
        assert (await stage.origin(FILE)).status_code in (200, 503)
        held_back = len(told)
        free()
        await stage.until(lambda: len(told) > held_back + 5, within_s=20)
        is_over.set()
    with trio.fail_after(30):
        while "store" in await _warnings(stage, stage.page) or "store" in await _warnings(stage, pits):
            await trio.sleep(0.05)
        await stage.connected()
        await stage.pits.durable.drained("event")
    record: EventRecord = stage.cloud.members[SITE].record
    laps = [row["at"] for row in await record.listed() if row["type"] == LAP]
    assert laps == told, "every lap once, in order"
    done = await stage.result_of(await stage.command(do="purge", prefix="/"))
    assert done["status"] == "DONE"
    assert isinstance(await stage.origin(FILE), httpx.Response)
