"""Faults that know what messages mean, between a real site and hub on the simulated network."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from attrs import define

from chaos.faults import DelayAcks, DuplicateMessage, EatMessage, Fault, Placed, StarveHeartbeats, Stream
from chaos.inside.frames import FrameFaults
from chaos.simnet import Run, World, run_world
from daemons.ops.environment import Environment
from tests.daemons.link.pair import Hub, Site, open_hub, open_site, taken

pytestmark = pytest.mark.sim

PORT = 8443
ENDS = ("site", "hub")


@define(eq=False)
class Pair:
    """A site and a hub, each with faults of its own inside."""

    hub: Hub
    site: Site
    faults: dict[str, FrameFaults]

    def place(self, end: str, fault: Fault, stream: Stream = Stream.BOTH, toxicity: float = 1.0) -> None:
        self.faults[end].place(Placed("fault", fault, stream, toxicity))

    def touched(self, end: str) -> int:
        return self.faults[end].touched["fault"]

    async def send(self, count: int, first: int = 0) -> list[bytes]:
        """Send messages, a tenth of a second apart; return what they said."""
        bodies = [b"%d" % number for number in range(first, first + count)]
        for body in bodies:
            await self.site.peer.durable.send("event", "t", 1, body)
            await trio.sleep(0.1)
        return bodies

    async def arrived(self) -> list[bytes]:
        """Wait until all is acknowledged; return what took effect."""
        with trio.fail_after(120):
            await self.site.peer.durable.drained("event")
        return await taken(self.hub.store)


def play(folder: Path, act: Callable[[Pair], Awaitable[None]], seed: int = 5) -> Run[None]:
    async def main(world: World) -> None:
        rng = world.rng("entropy")
        environment = Environment(world.utc_now, rng.randbytes, rng.random, lambda: b"boot")
        faults = {
            "site": FrameFaults(Stream.UPSTREAM, f"{world.seed}/site"),
            "hub": FrameFaults(Stream.DOWNSTREAM, f"{world.seed}/hub"),
        }
        async with AsyncExitStack() as stack:
            with world.net.host("hub"):
                hub = await stack.enter_async_context(
                    open_hub(
                        folder / f"h{seed}", environment=environment, inline=True, host="hub", port=PORT,
                        tampering=faults["hub"].join,
                    )
                )  # fmt: skip
            with world.net.host("field"):
                site = await stack.enter_async_context(
                    open_site(
                        folder / f"s{seed}", PORT, environment=environment, inline=True, host="hub",
                        tampering=faults["site"].join,
                    )
                )  # fmt: skip
            with trio.fail_after(30):
                await site.peer.wait_connected()
                await hub.peer.wait_connected()
            await act(Pair(hub, site, faults))

    return run_world(seed, main)


def ended(pair: Pair) -> set[str]:
    """Why connections have ended, as the site counts it."""
    return set(pair.site.peer.figures.ended)


def duplicates(pair: Pair) -> int:
    return pair.hub.peer.durable._in._receivers["event"].duplicates


@pytest.mark.parametrize("end", ENDS)
def test_an_eaten_message_is_a_gap_that_is_found_and_filled(tmp_path: Path, end: str) -> None:
    async def act(pair: Pair) -> None:
        sent = await pair.send(5)
        pair.place(end, EatMessage(share=1.0, count=1), Stream.UPSTREAM)
        sent += await pair.send(20, first=5)
        assert await pair.arrived() == sent
        assert pair.touched(end) == 1
        assert pair.site.peer.attempt == 2

    play(tmp_path, act)


@pytest.mark.parametrize("end", ENDS)
def test_with_one_in_ten_eaten_nothing_is_lost_and_nothing_doubled(tmp_path: Path, end: str) -> None:
    async def act(pair: Pair) -> None:
        pair.place(end, EatMessage(share=0.1, count=0), Stream.UPSTREAM)
        sent = await pair.send(300)
        eaten = pair.touched(end)
        assert eaten > 5
        pair.faults[end].remove("fault")
        sent += await pair.send(1, first=300)
        assert await pair.arrived() == sent
        assert pair.touched(end) >= eaten
        assert 1 < pair.site.peer.attempt <= pair.touched(end) + 1

    play(tmp_path, act)


@pytest.mark.parametrize("end", ENDS)
def test_a_doubled_message_has_its_effect_once(tmp_path: Path, end: str) -> None:
    async def act(pair: Pair) -> None:
        pair.place(end, DuplicateMessage(share=0.5), Stream.UPSTREAM)
        sent = await pair.send(60)
        assert await pair.arrived() == sent
        assert 15 < pair.touched(end) < 45
        assert duplicates(pair) == pair.touched(end)
        assert pair.site.peer.attempt == 1

    play(tmp_path, act)


@pytest.mark.parametrize("end", ENDS)
def test_late_acknowledgements_delay_nothing_but_themselves(tmp_path: Path, end: str) -> None:
    async def act(pair: Pair) -> None:
        await pair.send(3)
        await pair.arrived()
        pair.place(end, DelayAcks(delay_s=2.5), Stream.DOWNSTREAM)
        began = trio.current_time()
        await pair.site.peer.durable.send("event", "t", 1, b"late")
        await trio.sleep(0.3)
        assert (await taken(pair.hub.store))[-1] == b"late"
        assert pair.site.peer.durable.unacknowledged
        await pair.arrived()
        assert 2.5 <= trio.current_time() - began < 3.0
        assert pair.touched(end) >= 1
        pair.faults[end].remove("fault")
        began = trio.current_time()
        await pair.send(1)
        await pair.arrived()
        assert trio.current_time() - began < 0.5
        assert pair.site.peer.attempt == 1

    play(tmp_path, act)


@pytest.mark.parametrize("end", ENDS)
def test_starved_heartbeats_are_noticed_and_the_link_is_dialled_anew(tmp_path: Path, end: str) -> None:
    async def act(pair: Pair) -> None:
        await trio.sleep(60)
        assert pair.site.peer.attempt == 1  # an idle link lives by its pings
        pair.place(end, StarveHeartbeats())
        await trio.sleep(10.5)  # 5 s of silence, and 5 s for an answer
        assert pair.site.peer.attempt == 2
        await trio.sleep(20)
        attempts = pair.site.peer.attempt
        assert attempts >= 4  # each new one as well
        assert ended(pair) <= {"peer_silent", "broken"}
        pair.faults[end].remove("fault")
        await trio.sleep(60)
        assert pair.site.peer.attempt - attempts <= 1
        assert pair.touched(end) >= attempts
        sent = await pair.send(3)
        assert await pair.arrived() == sent

    play(tmp_path, act)


def test_what_a_fault_does_not_meet_is_left_alone(tmp_path: Path) -> None:
    async def act(pair: Pair) -> None:
        pair.place("site", EatMessage(count=0), Stream.DOWNSTREAM)  # events go upstream
        pair.place("hub", EatMessage(count=0), Stream.UPSTREAM, toxicity=0.0)
        sent = await pair.send(20)
        assert await pair.arrived() == sent
        assert (pair.touched("site"), pair.touched("hub")) == (0, 0)
        assert pair.site.peer.attempt == 1

    play(tmp_path, act)


def test_the_same_seed_eats_the_same_messages(tmp_path: Path) -> None:
    async def act(pair: Pair) -> None:
        pair.place("site", EatMessage(share=0.2, count=0), Stream.UPSTREAM)
        pair.place("hub", DuplicateMessage(share=0.2), Stream.UPSTREAM)
        await pair.send(30)
        pair.faults["site"].remove("fault")
        await pair.send(1)
        await pair.arrived()

    prints = []
    for seed, folder in ((7, "a"), (7, "b"), (8, "c")):
        prints.append(play(tmp_path / folder, act, seed).fingerprint)
    assert prints[0] == prints[1] != prints[2]
