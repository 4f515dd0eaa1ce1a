"""The carrier of the simulated network: targets, seeds, leases, lines, profiles, and what else happens meanwhile."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from chaos.carrier import Carrier, NotCarried
from chaos.faults import (
    Bandwidth,
    DelayAcks,
    Fault,
    HalfOpen,
    Latency,
    NatTimeout,
    Outage,
    Placed,
    Refuse,
    ResetPeer,
    Silence,
    Stream,
    Trace,
)
from chaos.profiles import PROFILES
from chaos.scenario import Deed
from chaos.simnet import Conditions, World, random_faults, run_world
from chaos.simnet.carrier import SimCarrier, open_carrier
from tests.chaos.proxy.ends import open_bench

from .helpers import connected, read_exactly

NEAR = Conditions(latency_s=1e-4)


class Hub:
    """Takes connections on host "hub"; clients dial from a site."""

    def __init__(self, world: World, nursery: trio.Nursery) -> None:
        self.net = world.net
        self.net.add_host("hub")
        self._send, self._taken = trio.open_memory_channel[trio.SocketStream](1000)
        self._nursery = nursery

    async def start(self) -> None:
        with self.net.host("hub"):
            listeners = await trio.open_tcp_listeners(80, host="0.0.0.0")
            self._nursery.start_soon(trio.serve_listeners, self._keep, listeners)

    async def _keep(self, stream: trio.SocketStream) -> None:
        await self._send.send(stream)
        await trio.sleep_forever()

    async def dial(self, site: str = "north") -> trio.SocketStream:
        with self.net.host(site):
            return await trio.open_tcp_stream("hub", 80)

    async def pair(self, site: str = "north") -> tuple[trio.SocketStream, trio.SocketStream]:
        return await self.dial(site), await self._taken.receive()


@asynccontextmanager
async def carried(
    world: World, sites: Sequence[str] = ("north",), seed: str = "7"
) -> AsyncIterator[tuple[Hub, SimCarrier]]:
    async with trio.open_nursery() as nursery:
        hub = Hub(world, nursery)
        await hub.start()
        for site in sites:
            world.net.add_host(site)
        async with open_carrier(world.net, {site: (site, "hub") for site in sites}, seed=seed) as carrier:
            yield hub, carrier
        nursery.cancel_scope.cancel()


async def put(
    carrier: Carrier,
    fault: Fault,
    stream: Stream = Stream.BOTH,
    *,
    name: str = "fault",
    target: str = "uplink",
) -> None:
    await carrier.place(name, target, Placed(name, fault, stream), 0.0)


async def is_silent(stream: trio.SocketStream, seconds: float = 60.0) -> bool:
    with trio.move_on_after(seconds):
        await stream.receive_some(1)
        return False
    return True


async def is_reset(stream: trio.SocketStream) -> bool:
    try:
        await stream.receive_some(1)
    except trio.BrokenResourceError as exc:
        return isinstance(exc.__cause__, ConnectionResetError)
    return False


def test_a_fault_strikes_one_uplink_or_all() -> None:
    async def main(world: World) -> None:
        async with carried(world, ("north", "south")) as (hub, carrier):
            north, north_end = await hub.pair("north")
            south, south_end = await hub.pair("south")
            await put(carrier, Silence(), target="uplink:south")
            await north.send_all(b"n")
            await south.send_all(b"s")
            assert await read_exactly(north_end, 1) == b"n"
            assert await is_silent(south_end)
            assert await carrier.touched("fault") == 1
            await carrier.remove("fault")
            assert await read_exactly(south_end, 1) == b"s"
            await put(carrier, Silence())
            assert await carrier.left_over() == ["fault on 2 uplinks"]
            await north.send_all(b"n")
            assert await is_silent(north_end)
            await carrier.reset()
            assert await read_exactly(north_end, 1) == b"n"
            assert await carrier.left_over() == []
            assert await carrier.touched("fault") == 3
            for target in ("uplink:west", "hub"):
                with pytest.raises(NotCarried, match="north, south"):
                    await put(carrier, Silence(), target=target)
            with pytest.raises(NotCarried, match="knows messages"):
                await put(carrier, DelayAcks(1.0))
            with pytest.raises(NotCarried, match="no machine 'hub'"):
                await carrier.deed("kill", Deed("kill", "hub"), 0.0)

    run_world(1, main)


def test_a_deed_is_done_to_its_machine_and_undone() -> None:
    done: list[str] = []

    class Machine:
        async def begin(self, deed: Deed) -> None:
            if deed.kind == "disk_full":
                raise NotCarried("the disk is no machine's")
            done.append(f"{deed.kind} of {deed.target}")

        async def end(self, deed: Deed) -> None:
            done.append("over")

    async def main(world: World) -> None:
        async with open_carrier(world.net, {}, machines={"hub": Machine()}) as carrier:
            await carrier.deed("one", Deed("kill", "hub"), 0.0)
            assert await carrier.left_over() == ["one: kill of hub"]
            await carrier.remove("one")
            await carrier.remove("one")
            with pytest.raises(NotCarried, match="disk"):
                await carrier.deed("full", Deed("disk_full", "hub"), 0.0)
            assert await carrier.left_over() == []
            await carrier.deed("two", Deed("clock_step", "hub"), 5.0)
            await trio.sleep(6)
            assert await carrier.left_over() == []
            assert [await carrier.touched(name) for name in ("one", "two", "three")] == [1, 1, 0]

    run_world(1, main)
    assert done == ["kill of hub", "over", "clock_step of hub", "over"]


def test_a_lease_that_nobody_renews_ends_the_fault() -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier):
            client, server = await hub.pair()
            await carrier.place("cut", "uplink", Placed("cut", Silence()), 10.0)
            await client.send_all(b"x")
            for _ in range(5):
                assert await is_silent(server, 8.0)
                await carrier.renew()
            began = trio.current_time()
            await read_exactly(server, 1)
            assert trio.current_time() - began == pytest.approx(10.0, abs=0.01)
            assert await carrier.left_over() == []

    run_world(1, main, conditions=NEAR)


async def is_refused(stream: trio.SocketStream, seconds: float) -> bool:
    with trio.move_on_after(seconds):
        return await is_reset(stream)
    return False


def test_the_same_connections_are_struck_as_on_a_relay_with_this_seed() -> None:
    placed = Placed("fault", Refuse(), Stream.BOTH, 0.5)

    async def on_the_relay() -> list[bool]:
        async with open_bench(seed="42") as bench:
            bench.proxy.place(placed)
            return [await is_refused(await bench.dial(), 0.1) for _ in range(16)]

    async def simulated(world: World) -> list[bool]:
        async with carried(world, seed="42") as (hub, carrier):
            await carrier.place("fault", "uplink", placed, 0.0)
            return [await is_refused(await hub.dial(), 1.0) for _ in range(16)]

    real = trio.run(on_the_relay)
    assert 2 < sum(real) < 14
    assert run_world(1, simulated).value == real


def test_a_line_is_shared_by_its_connections_and_keeps_a_queue() -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier):
            ends = [await hub.pair() for _ in range(2)]
            small, small_end = await hub.pair()
            await put(carrier, Bandwidth(50_000, 25_000), Stream.UPSTREAM)
            began = trio.current_time()
            finished: list[float] = []

            async def transfer(client: trio.SocketStream, server: trio.SocketStream) -> None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.send_all, bytes(250_000))
                    await read_exactly(server, 250_000)
                finished.append(trio.current_time() - began)

            async with trio.open_nursery() as nursery:
                for client, server in ends:
                    nursery.start_soon(transfer, client, server)
                await trio.sleep(5)
                sent_at = trio.current_time()
                await small.send_all(b"a command")
                await read_exactly(small_end, 9)
                assert trio.current_time() - sent_at == pytest.approx(0.5, abs=0.2)  # what the modem holds
                await small_end.send_all(b"down")
                sent_at = trio.current_time()
                await read_exactly(small, 4)
                assert trio.current_time() - sent_at < 0.01
            assert finished[1] == pytest.approx(10.0, abs=0.1)
            assert finished[0] == pytest.approx(10.0, abs=1.0)  # they shared it

    run_world(1, main, conditions=NEAR)


def test_a_line_that_is_mended_lets_go_what_waited() -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier):
            client, server = await hub.pair()
            await put(carrier, Bandwidth(0))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.send_all, bytes(100_000))
                assert await is_silent(server)
                await put(carrier, Bandwidth(10_000))
                began = trio.current_time()
                await read_exactly(server, 50_000)
                assert trio.current_time() - began == pytest.approx(5.0, abs=0.5)
                await carrier.remove("fault")
                began = trio.current_time()
                await read_exactly(server, 50_000)
                assert trio.current_time() - began < 0.1

    run_world(1, main, conditions=NEAR)


def test_a_recorded_line_lets_through_what_it_let_through(tmp_path: Path) -> None:
    recording = tmp_path / "line.up"
    recording.write_text(
        "\n".join(map(str, [*range(1, 1001), 5000]))
    )  # a second of 12 Mbit/s, four of nothing

    async def main(world: World) -> list[float]:
        async with carried(world) as (hub, carrier):
            client, server = await hub.pair()
            await put(carrier, Trace(str(recording)), Stream.UPSTREAM)
            arrivals = []
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    for _ in range(100):
                        await client.send_all(bytes(100))
                        await trio.sleep(0.1)

                nursery.start_soon(send)
                for number in range(100):
                    await read_exactly(server, 100)
                    arrivals.append(trio.current_time() - number * 0.1)
        return arrivals

    late = [delay > 0.5 for delay in run_world(1, main, conditions=NEAR).value]
    assert late[:9] == [False] * 9
    assert all(late[11:40])
    assert late[51:59] == [False] * 8
    assert all(late[61:90])


def test_a_delay_adds_to_the_path_and_leaves_the_order() -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier):
            client, server = await hub.pair()
            await put(carrier, Latency(0.3), Stream.UPSTREAM)
            began = trio.current_time()
            await client.send_all(b"late ")
            await trio.sleep(0.1)
            await carrier.remove("fault")
            await client.send_all(b"and what came behind it")
            assert await read_exactly(server, 28) == b"late and what came behind it"
            assert trio.current_time() - began == pytest.approx(0.3 + 0.02, abs=0.001)

    run_world(1, main)


def test_outages_are_as_long_and_as_far_apart_as_they_are_said_to_be() -> None:
    async def main(world: World) -> float:
        late = 0
        async with carried(world) as (hub, carrier):
            client, server = await hub.pair()
            await put(carrier, Outage(21.0, 3.0))
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    for _ in range(6_000):
                        await client.send_all(trio.current_time().hex().encode().ljust(24))
                        await trio.sleep(0.9)

                nursery.start_soon(send)
                for _ in range(6_000):
                    sent_at = float.fromhex((await read_exactly(server, 24)).decode())
                    late += trio.current_time() - sent_at > 0.1
        return late / 6_000

    assert run_world(1, main, conditions=NEAR).value == pytest.approx(3 / 24, rel=0.25)


def test_a_host_that_dies_behind_a_gate_is_missed_as_without() -> None:
    async def main(world: World) -> None:
        async with open_carrier(world.net, {"north": ("a", "b")}) as carrier:
            async with connected(world) as (client, _):
                await put(carrier, Latency(0.05))
                world.net.crash("b")
                with trio.fail_after(1):
                    assert await client.receive_some() == b""
            async with connected(world) as (client, _):
                world.net.crash("b", power=True)
                await client.send_all(b"are you there?")
                assert await is_silent(client)
                world.net.boot("b")
                with trio.fail_after(121):
                    assert await is_reset(client)
            assert not world.net.connections

    run_world(1, main)


def test_nobody_pays_for_a_carrier_that_carries_nothing() -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier):
            client, _ = await hub.pair()
            (connection,) = carrier.uplinks["north"].connections
            assert connection.client.outbound is connection.server.inbound
            await put(carrier, NatTimeout(30))
            assert connection.client.outbound is not connection.server.inbound
            await client.aclose()

    run_world(1, main)


async def chat(hub: Hub, world: World) -> None:
    """Answer at the hub and ask at the site, for ever, over as many connections as it takes. All answers must fit."""

    async def answer(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                while data := await stream.receive_some():
                    await stream.send_all(data)

    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            while True:
                nursery.start_soon(answer, await hub._taken.receive())

        nursery.start_soon(serve)
        number = 0
        while True:
            with suppress(OSError, trio.BrokenResourceError), trio.move_on_after(30):
                async with await hub.dial() as stream:
                    while True:
                        number += 1
                        words = b"%09d" % number * 20
                        await stream.send_all(words)
                        answered = b""
                        while len(answered) < len(words) and (data := await stream.receive_some()):
                            answered += data
                        if answered.startswith(b"HTTP/1.1 200"):
                            world.sometimes("portal")
                            break
                        if answered != words:
                            break
                        world.sometimes("answered")
                        await trio.sleep(0.5)
            await trio.sleep(0.2)


NEVER = {"half-open-up", "half-open-down", "captive-portal", "slow-loris"}
"""Nobody is answered within half a minute under these."""


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_played_and_leaves_a_path_as_it_was(name: str) -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier), trio.open_nursery() as nursery:
            for placed in PROFILES[name].placed():
                await carrier.place(placed.name, "uplink", placed, 0.0)
            nursery.start_soon(chat, hub, world)
            await trio.sleep(180)
            answered = world.happened["answered"]
            assert (answered == 0) == (name in NEVER)
            assert all([await carrier.touched(one.name) for one in PROFILES[name].placed()])
            await carrier.reset()
            await trio.sleep(60)
            before = world.happened["answered"]
            await trio.sleep(20)
            assert world.happened["answered"] - before > 30
            nursery.cancel_scope.cancel()

    run_world(1, main)


def test_a_storm_beside_the_carrier_ends_in_a_network_that_works_and_is_the_same_again() -> None:
    async def main(world: World) -> None:
        async with carried(world) as (hub, carrier), trio.open_nursery() as nursery:
            nursery.start_soon(chat, hub, world)
            with trio.move_on_after(600):
                async with trio.open_nursery() as storm:
                    storm.start_soon(storm_on, world)
                    await strike_on(carrier, world)
            world.net.heal_all()
            await carrier.reset()
            await trio.sleep(120)
            before = world.happened["answered"]
            await trio.sleep(60)
            assert world.happened["answered"] - before > 100
            assert len(world.net.connections) < 5, "connections pile up"
            nursery.cancel_scope.cancel()

    async def storm_on(world: World) -> None:
        await random_faults(world.net, [("north", "hub")], rate_per_hour=120)

    async def strike_on(carrier: SimCarrier, world: World) -> None:
        rng = world.rng("strikes")
        while True:
            fault = rng.choice(
                [Latency(0.2, 0.1), Silence(), HalfOpen(), ResetPeer(), Bandwidth(2000), Refuse()]
            )
            await put(carrier, fault, rng.choice(list(Stream)), name=fault.type)
            await trio.sleep(rng.uniform(1, 20))
            await carrier.remove(fault.type)

    first = run_world(5, main)
    assert run_world(5, main).fingerprint == first.fingerprint
