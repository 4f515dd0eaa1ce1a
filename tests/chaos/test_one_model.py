"""One fault, two carriers: on real sockets through the relay and on the simulated network it does the same to the same
conversation: what arrives when, what breaks, how, and what comes when the fault is gone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import pytest
import trio
from attrs import define, field

from chaos.faults import (
    FAULTS,
    Bandwidth,
    BitFlip,
    CaptivePortal,
    Fault,
    Fin,
    HalfOpen,
    Ignore,
    Latency,
    LimitData,
    LimitTime,
    Loss,
    MtuHole,
    NatTimeout,
    Outage,
    Placed,
    Refuse,
    ResetPeer,
    Silence,
    Slicer,
    SlowClose,
    Stream,
    Timeout,
    Trace,
)
from chaos.simnet import Conditions, World, run_world
from chaos.simnet.carrier import open_carrier
from tests.chaos.proxy.ends import open_bench

WINDOW_S = 0.3
"""What comes within it is heard together. The times of the faults keep a tenth of a second away from its borders."""

MOMENT_S = 0.01
"""So that one thing has come to the kernel, or to the relay, before the next is done."""

LONG_S = 60.0

CASES: list[tuple[Fault, Stream]] = [
    (Latency(0.45), Stream.BOTH),
    (Latency(0.45), Stream.DOWNSTREAM),
    (Bandwidth(0), Stream.UPSTREAM),
    (Bandwidth(1e6), Stream.BOTH),
    (Loss(0.5), Stream.BOTH),
    (Silence(), Stream.BOTH),
    (Silence(), Stream.DOWNSTREAM),
    *((Outage(0.001, LONG_S, spread="fixed", how=how), Stream.BOTH) for how in ("silence", "reset", "close")),
    (HalfOpen(), Stream.UPSTREAM),
    (HalfOpen(), Stream.DOWNSTREAM),
    (HalfOpen(), Stream.BOTH),
    (NatTimeout(0.2), Stream.BOTH),
    (MtuHole(20), Stream.BOTH),
    (BitFlip(1.0), Stream.BOTH),
    (Slicer(10, 3, LONG_S), Stream.BOTH),
    (Slicer(10, 3, 0.0), Stream.BOTH),
    (LimitData(5), Stream.UPSTREAM),
    (LimitData(45), Stream.DOWNSTREAM),
    (LimitTime(0.45), Stream.BOTH),
    (SlowClose(LONG_S), Stream.BOTH),
    (SlowClose(0.45), Stream.BOTH),
    (Timeout(0.45), Stream.BOTH),
    (Timeout(0), Stream.UPSTREAM),
    (ResetPeer(), Stream.BOTH),
    (ResetPeer(0.45), Stream.BOTH),
    (Fin(), Stream.BOTH),
    (Refuse(), Stream.BOTH),
    (Ignore(), Stream.BOTH),
    (CaptivePortal(), Stream.BOTH),
]

Heard = list[tuple[str, bytes, str]]


@define(eq=False)
class End:
    """One end of a connection, and how its stream ended."""

    name: str
    stream: trio.SocketStream
    ending: str = ""

    async def say(self, words: bytes) -> None:
        if not self.ending:
            try:
                await self.stream.send_all(words)
            except trio.BrokenResourceError:
                self.ending = "reset"
        await trio.sleep(MOMENT_S)

    async def hear(self, heard: Heard) -> None:
        """Add what comes within a window, and an end that came with it: "eof" or "reset"."""
        found = b""
        with trio.move_on_after(WINDOW_S):
            try:
                while not self.ending and (data := await self.stream.receive_some()):
                    found += data
                self.ending = self.ending or "eof"
            except trio.BrokenResourceError:
                self.ending = "reset"
        heard.append((self.name, found, self.ending))


@define(eq=False)
class Ground:
    """Where to talk, and how to do faults to it. `taken` are the server's ends, in order."""

    dial: Callable[[], Awaitable[trio.SocketStream]]
    place: Callable[[Placed], Awaitable[None]]
    remove: Callable[[str], Awaitable[None]]
    taken: trio.MemoryReceiveChannel[trio.SocketStream]
    streams: list[trio.SocketStream] = field(factory=list)

    async def open(self, name: str) -> tuple[End, End]:
        """Open a connection, and try it."""
        client = await self.dial()
        await client.send_all(b"hi")
        server = await self.taken.receive()
        assert await server.receive_some() == b"hi"
        await server.send_all(b"hi")
        assert await client.receive_some() == b"hi"
        self.streams += [client, server]
        return End(f"{name} client", client), End(f"{name} server", server)


async def listen(*ends: End) -> Heard:
    """Hear all at once; return it in the order of the ends."""
    each: list[Heard] = [[] for _ in ends]
    async with trio.open_nursery() as nursery:
        for end, heard in zip(ends, each, strict=True):
            nursery.start_soon(end.hear, heard)
    return [one for heard in each for one in heard]


async def converse(ground: Ground, fault: Fault, stream: Stream) -> list[Heard]:
    """Talk before, under and after the fault: over an old connection, a half closed one, and new ones."""
    client, server = await ground.open("old")
    half, half_server = await ground.open("half")
    await ground.place(Placed("fault", fault, stream))
    await trio.sleep(MOMENT_S)
    under = End("new client", await ground.dial())
    ground.streams.append(under.stream)
    await trio.sleep(MOMENT_S)
    await under.say(b"hello")
    await server.say(b"DOWN" * 10)
    await client.say(b"UP" * 20)
    with suppress(trio.BrokenResourceError):
        await half.stream.send_eof()
    ends = [client, server, half_server, under]
    story = [await listen(*ends)]
    with suppress(trio.WouldBlock):
        while True:
            ends.append(End("new server", ground.taken.receive_nowait()))
            ground.streams.append(ends[-1].stream)
    await server.say(b"again" * 8)
    await client.say(b"again" * 8)
    story.append(await listen(*ends))
    await ground.remove("fault")
    story.append(await listen(*ends))
    with suppress(trio.WouldBlock):
        while True:
            ends.append(End("late server", ground.taken.receive_nowait()))
            ground.streams.append(ends[-1].stream)
    await server.say(b"after")
    await client.say(b"after")
    story.append(await listen(*ends))
    _, fresh = await ground.open("fresh")
    story.append(await listen(fresh))
    for one in ground.streams:
        one.socket.close()
    return story


@asynccontextmanager
async def real() -> AsyncIterator[Ground]:
    async with open_bench(seed="7") as bench:

        async def place(placed: Placed) -> None:
            bench.proxy.place(placed)

        async def remove(name: str) -> None:
            bench.proxy.remove(name)

        yield Ground(bench.dial, place, remove, bench.server._taken)


@asynccontextmanager
async def simulated(world: World) -> AsyncIterator[Ground]:
    net = world.net
    send, taken = trio.open_memory_channel[trio.SocketStream](100)

    async def keep(stream: trio.SocketStream) -> None:
        await send.send(stream)
        await trio.sleep_forever()

    async def dial() -> trio.SocketStream:
        with net.host("pits"):
            return await trio.open_tcp_stream("cloud", 80)

    async with trio.open_nursery() as nursery:
        with net.host("cloud"):
            listeners = await trio.open_tcp_listeners(80, host="0.0.0.0")
            nursery.start_soon(trio.serve_listeners, keep, listeners)
        async with open_carrier(net, {"field": ("pits", "cloud")}, seed="7") as carrier:

            async def place(placed: Placed) -> None:
                await carrier.place("fault", "uplink", placed, 0.0)

            yield Ground(dial, place, carrier.remove, taken)
        nursery.cancel_scope.cancel()


def told(
    ground: Callable[[World], AbstractAsyncContextManager[Ground]], case: tuple[Fault, Stream]
) -> list[Heard]:
    async def main(world: World) -> list[Heard]:
        async with ground(world) as here:
            return await converse(here, *case)

    return run_world(1, main, conditions=Conditions(latency_s=1e-4)).value


def test_every_fault_of_the_relay_is_told_of() -> None:
    known = {kind for kind in FAULTS.values() if not kind.knows_messages}
    assert {type(fault) for fault, _ in CASES} == known - {Trace}  # which is a line, and has tests of its own


TELLINGS = 4
"""A busy machine may hold a real conversation up by a window: then it is told again, by itself."""


async def tell_all(stories: dict[tuple[Fault, Stream], list[Heard]]) -> None:
    """Have every conversation over real sockets, all at once: most of it is waiting."""
    async with trio.open_nursery() as nursery:
        for case in CASES:
            nursery.start_soon(tell, case, stories)


async def tell(case: tuple[Fault, Stream], stories: dict[tuple[Fault, Stream], list[Heard]]) -> None:
    async with real() as ground:
        stories[case] = await converse(ground, *case)


@pytest.fixture(scope="module")
def stories() -> dict[tuple[Fault, Stream], list[Heard]]:
    found: dict[tuple[Fault, Stream], list[Heard]] = {}
    trio.run(tell_all, found)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].type}-{case[1]}")
def test_the_same_fault_does_the_same_on_real_sockets_and_on_the_simulated_network(
    case: tuple[Fault, Stream], stories: dict[tuple[Fault, Stream], list[Heard]]
) -> None:
    ours = told(simulated, case)
    for _ in range(TELLINGS - 1):
        if ours == stories[case]:
            break
        trio.run(tell, case, stories)
    assert ours == stories[case]
