"""A recorded link in real time, before real processes: the ground of a drill, with the recordings on its relay.

What is asked is what anybody can ask: the boards of both daemons, the hub's commands, both ledgers.
"""

import time
from datetime import datetime
from typing import Any

import httpx
import trio
from attrs import define, field

from chaos.faults import Latency, Placed, Stream, Trace, show_fault
from daemons.commands.drillground import SITE, GroundOptions, ThrowAwayGround, open_ground
from daemons.ops.client import AdminClient
from tests.sim.recorded import COMMAND_EVERY_S, GIVE_UP_S, LATENCY_S, QUEUE_BYTES, Measured, outages_of

LOOK_S = 0.1
DRAINED_S = 120.0
DAY_SPEED = 2.0
CHANNELS = {"event": ("site", "hub"), "result": ("site", "hub"), "command": ("hub", "site")}
CLOCKS_S = 0.1
"""The hub knows the site's clock by pings."""


@define(eq=False)
class Live:
    """What was measured, and `lost` and `doubled` messages of all channels."""

    measured: Measured
    lost: int = 0
    doubled: int = 0


async def run_live(up: str, down: str, from_s: float, length_s: float, seed: int) -> Live:
    """Play so much of the recordings (places as `Trace` takes them) in real time."""
    faults = {Stream.UPSTREAM: Trace(up), Stream.DOWNSTREAM: Trace(down)}
    lines = [fault.load() for fault in faults.values()]
    async with open_ground(GroundOptions(seed=seed, speed=DAY_SPEED)) as ground:
        transport = httpx.AsyncHTTPTransport(uds=str(ground.relay_api))
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://relay", trust_env=False) as relay,
            httpx.AsyncClient(trust_env=False, timeout=10) as pages,
        ):
            placed = [Placed("late", Latency(LATENCY_S))]
            for stream, fault in faults.items():
                played = Trace(fault.file, queue_bytes=QUEUE_BYTES, start_s=from_s)
                placed.append(Placed(f"line_{stream}", played, stream))
            began = time.monotonic()
            for one in placed:
                await _place(relay, one, length_s + 60)
            watch = _Watch(ground, pages, Live(Measured(outages_of(lines, from_s, length_s))), began)
            with trio.move_on_after(length_s):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(watch.note_boards)
                    nursery.start_soon(watch.time_freshness)
                    nursery.start_soon(watch.command)
            (await relay.post("/reset")).raise_for_status()
            await watch.drain()
            return watch.live


async def _place(relay: httpx.AsyncClient, one: Placed, lease_s: float) -> None:
    answer = await relay.post(
        "/proxies/uplink/toxics",
        json={
            "name": one.name,
            "type": one.fault.type,
            "stream": one.stream.value,
            "attributes": show_fault(one.fault),
            "lease_ms": lease_s * 1000,
        },
    )
    answer.raise_for_status()


@define(eq=False)
class _Watch:
    ground: ThrowAwayGround
    pages: httpx.AsyncClient
    live: Live
    began: float
    _boards: list[dict[str, Any]] = field(factory=list)  # of the field, one after the other
    _issued: dict[str, float] = field(factory=dict)
    _as_of: float = 0.0

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    async def note_boards(self) -> None:
        """Keep what the field's board was, and when it was last read."""
        while True:
            shown = await self._shown(self.ground.site_url)
            self._as_of = _seconds(shown["as_of"])
            if not self._boards or shown["board"] != self._boards[-1]:
                self._boards.append(shown["board"])
            await trio.sleep(LOOK_S)

    async def _shown(self, base: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.pages.get(f"{base}/api/board")).json()
        del found["board"]["version"]  # each end counts its own
        return found

    async def time_freshness(self) -> None:
        """As in the simulation."""
        for since, until in self.live.measured.outages:
            await self._until(since)
            before = len(self._boards)
            await self._until(until)
            self.live.measured.missed += len(self._boards) > before
            read_at, number = self._as_of, len(self._boards) - 1
            with trio.move_on_after(GIVE_UP_S):
                while not await self._is_fresh(read_at, number):
                    await trio.sleep(LOOK_S)
            self.live.measured.fresh_s.append(self.now - until)

    async def _until(self, at_s: float) -> None:
        await trio.sleep(max(0.0, at_s - self.now))

    async def _is_fresh(self, read_at: float, number: int) -> bool:
        shown = await self._shown(self.ground.hub_url)
        if shown["stale"] or shown["why"]:
            return False
        return _seconds(shown["as_of"]) >= read_at - CLOCKS_S or shown["board"] in self._boards[number:]

    async def command(self) -> None:
        """Give a command every few seconds. Whether its result is there is asked of all that wait at once: a hub is not
        to be busy with being watched."""
        url = f"{self.ground.hub_url}/api/sites/{SITE}/commands"
        headers = {"Authorization": f"Bearer {self.ground.token}"}
        next_at = self.now
        while True:
            if self.now >= next_at:
                next_at += COMMAND_EVERY_S
                issued_at = self.now
                answer = await self.pages.post(url, json={"do": "resume"}, headers=headers)
                assert answer.status_code == 202, answer.text
                self._issued[answer.json()["id"]] = issued_at
            if self._issued:
                self._note_results((await self.pages.get(url, headers=headers)).json())
            await trio.sleep(LOOK_S if self._issued else max(0.0, next_at - self.now))

    def _note_results(self, listed: list[dict[str, Any]]) -> None:
        for row in listed:
            if row["id"] in self._issued and row["decided_at"] is not None:
                assert row["status"] == "DONE", row
                self.live.measured.note_command(self._issued.pop(row["id"]), self.now)

    async def drain(self) -> None:
        """Wait until nothing is under way, and hold both ledgers side by side."""
        ends = {"site": AdminClient(self.ground.site_admin), "hub": AdminClient(self.ground.hub_admin)}
        with trio.move_on_after(DRAINED_S):
            while True:
                books = {
                    "site": await ends["site"].act("ledger"),
                    "hub": await ends["hub"].act("ledger", site=SITE),
                }
                sums = [_sums(books, channel, *way) for channel, way in CHANNELS.items()]
                self.live.lost = sum(lost for lost, _ in sums)
                self.live.doubled = sum(doubled for _, doubled in sums)
                if not self.live.lost:
                    return
                await trio.sleep(1)


def _sums(books: dict[str, Any], channel: str, sender: str, receiver: str) -> tuple[int, int]:
    """Return how many messages of a channel have not come (or were skipped), and how many came twice."""
    sent = {row["epoch"]: row["last"] for row in books[sender]["out"].get(channel, ())}
    rows = {row["epoch"]: row for row in books[receiver]["in"].get(channel, ())}
    came = sum(rows[epoch]["committed"] - rows[epoch]["skipped"] for epoch in sent if epoch in rows)
    effects = books[receiver].get("effects", {}).get(channel)
    taken = sum(row["committed"] - row["skipped"] - row["dead"] for row in rows.values())
    return sum(sent.values()) - came, 0 if effects is None else effects - taken


def _seconds(text: str | None) -> float:
    return 0.0 if text is None else datetime.fromisoformat(text).timestamp()
