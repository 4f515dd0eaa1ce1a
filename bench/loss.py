"""What the fault `loss` does to messages, beside what a kernel was measured to do.

200 bytes twenty times a second, both directions lossy: the delay of each message, one way. Through the relay on real
sockets, in real time, on many connections at once; and over the simulated network, as the path's own loss and as its
carrier's fault. The kernel's figures are of packets that a firewall rule dropped on a line without delay.
"""

import struct
from collections.abc import Awaitable, Callable, Sequence

import trio
from attrs import asdict, frozen

from bench.report import parser, table, write
from chaos.faults import Loss, Placed
from chaos.proxy.board import open_board
from chaos.simnet import Conditions, World, run_world
from chaos.simnet.carrier import open_carrier

MESSAGE_BYTES = 200
EVERY_S = 0.05
LATE_MS = 150.0
PORT = 80

_STAMP = struct.Struct("<d")


@frozen
class Figures:
    """Delays in ms; `late` is the share of messages later than 150 ms, in per cent."""

    p90: float
    p95: float
    p99: float
    late: float


KERNEL = {
    0.01: Figures(0.2, 0.2, 50, 0.1),
    0.05: Figures(1.2, 50, 260, 1.8),
    0.1: Figures(50, 109, 337, 4.0),
    0.2: Figures(417, 681, 1331, 23),
}
"""By loss each way, of a Linux 6.18."""


def figures_of(delays_s: Sequence[float]) -> Figures:
    """Sum up delays."""
    ms = sorted(delay * 1000 for delay in delays_s)
    p90, p95, p99 = (ms[int(len(ms) * share)] for share in (0.90, 0.95, 0.99))
    return Figures(p90, p95, p99, 100 * sum(delay > LATE_MS for delay in ms) / len(ms))


async def time_messages(
    dial: Callable[[], Awaitable[trio.SocketStream]],
    listener: trio.SocketListener,
    connections: int,
    count: int,
) -> list[float]:
    """Send `count` messages on each of so many connections at once; return what each took, in seconds."""
    delays_s: list[float] = []

    async def send(client: trio.SocketStream) -> None:
        for _ in range(count):
            await client.send_all(_STAMP.pack(trio.current_time()).ljust(MESSAGE_BYTES))
            await trio.sleep(EVERY_S)

    async def receive(server: trio.SocketStream) -> None:
        waiting = bytearray()
        for _ in range(count):
            while len(waiting) < MESSAGE_BYTES:
                data = await server.receive_some(64 * 1024)
                assert data, "a lossy connection ended"
                waiting += data
            (sent_at,) = _STAMP.unpack_from(waiting)
            delays_s.append(trio.current_time() - sent_at)
            del waiting[:MESSAGE_BYTES]

    async with trio.open_nursery() as nursery:
        for number in range(connections):
            client = await dial()
            nursery.start_soon(receive, await listener.accept())
            nursery.start_soon(send, client)
            await trio.sleep(EVERY_S * number / connections)
    return delays_s


def simulated(loss: float, seed: int, connections: int, count: int, *, is_native: bool) -> Figures:
    """Measure the simulated network: the path's own loss, or the fault that its carrier carries."""

    async def main(world: World) -> list[float]:
        net = world.net
        with net.host("hub"):
            (listener,) = await trio.open_tcp_listeners(PORT)
        net.add_host("site")

        async def dial() -> trio.SocketStream:
            with net.host("site"):
                return await trio.open_tcp_stream("hub", PORT)

        async with open_carrier(net, {"site": ("site", "hub")}, seed=str(seed)) as carrier:
            if is_native:
                net.link("site", "hub").set(loss=loss)
            else:
                await carrier.place("loss", "uplink", Placed("loss", Loss(loss)), 0.0)
            return await time_messages(dial, listener, connections, count)

    return figures_of(run_world(seed, main, conditions=Conditions(latency_s=1e-4)).value)


async def through_relay(loss: float, seed: int, connections: int, count: int) -> Figures:
    """Measure real sockets through the relay, in this process."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with open_board(seed=str(seed)) as board:
        proxy = await board.create("loss", "127.0.0.1:0", f"127.0.0.1:{listener.socket.getsockname()[1]}")
        proxy.place(Placed("loss", Loss(loss)))

        async def dial() -> trio.SocketStream:
            return await trio.open_tcp_stream("127.0.0.1", proxy.port)

        return figures_of(await time_messages(dial, listener, connections, count))


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--connections", type=int, default=40)
    options.add_argument("--seconds", type=float, default=27.0, help="of each measurement on real sockets")
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    count = int(arguments.seconds / EVERY_S)
    connections, seed = arguments.connections, arguments.seed
    found = {
        loss: {
            "kernel": kernel,
            "relay": trio.run(through_relay, loss, seed, connections, count),
            "simulated path": simulated(loss, seed, connections, count, is_native=True),
            "simulated carrier": simulated(loss, seed, connections, count, is_native=False),
        }
        for loss, kernel in KERNEL.items()
    }
    table(
        f"Loss each way, {connections * count:,} messages: their delay in ms",
        ("loss", "", "p90", "p95", "p99", "later than 150 ms"),
        [
            (f"{loss:.0%}", name, f"{one.p90:.1f}", f"{one.p95:.1f}", f"{one.p99:.1f}", f"{one.late:.1f} %")
            for loss, rows in found.items()
            for name, one in rows.items()
        ],
    )
    shown = {f"{loss:.0%}": {name: asdict(one) for name, one in rows.items()} for loss, rows in found.items()}
    write(arguments.json, "loss", shown)


if __name__ == "__main__":
    main()
