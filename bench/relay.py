"""What a relay adds when it has nothing to do, and how well it keeps a delay, beside a direct line and a plain relay.

Echo of 200 bytes, one at a time, and bulk one way; then 100 ms of delay under 50 and 200 connections with 20 messages a
second each. `plain` is the relay that anybody writes with Trio in 30 lines. Each relay is a process of its own, and so
is the server; the runs take turns.
"""

import multiprocessing
import socket
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import trio

from bench.report import parser, percentile, table, write

ECHO_BYTES = 200
BULK_PIECE = 256 * 1024
DELAY_S = 0.1
EVERY_S = 0.05
PLAIN_READ = 256 * 1024

Ports = "multiprocessing.Queue[int]"


# --- the server ------------------------------------------------------------------------------------------------------


def _serve(ports: "Ports") -> None:
    """Echo what begins with "e"; swallow what begins with "b" and tell at the end how long it took."""

    def client(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock, suppress(ConnectionResetError):  # who measured a delay does not wait for what is late
            if sock.recv(1) == b"e":
                while data := sock.recv(65536):
                    sock.sendall(data)
                return
            buffer = bytearray(1024 * 1024)
            while sock.recv_into(buffer):
                pass
            sock.sendall(b"done")

    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        ports.put(listener.getsockname()[1])
        while True:
            threading.Thread(target=client, args=(listener.accept()[0],), daemon=True).start()


# --- the relays ------------------------------------------------------------------------------------------------------


def _plain(target: int, delay_s: float, ports: "Ports") -> None:
    """The relay that is compared with: two tasks a connection, four with a delay."""

    async def pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        while data := await source.receive_some(PLAIN_READ):
            await sink.send_all(data)
        await sink.send_eof()

    async def late(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        queue: deque[tuple[float, bytes]] = deque()
        more = trio.lowlevel.ParkingLot()

        async def deliver() -> None:
            while True:
                while not queue:
                    await more.park()
                at, data = queue.popleft()
                await trio.sleep_until(at)
                await sink.send_all(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(deliver)
            while data := await source.receive_some(PLAIN_READ):
                queue.append((trio.current_time() + delay_s, bytes(data)))
                more.unpark_all()
            nursery.cancel_scope.cancel()

    async def client(stream: trio.SocketStream) -> None:
        carry = late if delay_s else pump
        try:
            async with await trio.open_tcp_stream("127.0.0.1", target) as server:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(carry, stream, server)
                    nursery.start_soon(pump, server, stream)
        except* (OSError, trio.BrokenResourceError):
            pass

    async def run() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ports.put(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(client, listeners)

    trio.run(run)


def _pitlink(target: int, delay_s: float, ports: "Ports") -> None:
    from chaos.faults import Latency, Placed, Stream
    from chaos.proxy.board import open_board

    async def run() -> None:
        async with open_board() as board:
            proxy = await board.create("bench", "127.0.0.1:0", f"127.0.0.1:{target}")
            if delay_s:
                proxy.place(Placed("late", Latency(delay_s), Stream.UPSTREAM))
            ports.put(proxy.port)
            await trio.sleep_forever()

    trio.run(run)


@contextmanager
def _process(main: Callable[..., None], *args: object) -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    ports = context.Queue()
    process = context.Process(target=main, args=(*args, ports), daemon=True)
    process.start()
    try:
        yield ports.get(timeout=60)
    finally:
        process.kill()
        process.join()


# --- measuring -------------------------------------------------------------------------------------------------------


def _echo(port: int, seconds: float) -> list[float]:
    """Return round trips in seconds."""
    found: list[float] = []
    body = bytes(ECHO_BYTES)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"e")
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            sock.sendall(body)
            left = ECHO_BYTES
            while left:
                left -= len(sock.recv(left))
            found.append(time.perf_counter() - began)
    return found[len(found) // 10 :]


def _bulk(port: int, seconds: float) -> float:
    """Return bytes a second, until the last of them was taken at the other end."""
    body = bytes(BULK_PIECE)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"b")
        began, sent = time.perf_counter(), 0
        while time.perf_counter() < began + seconds:
            sock.sendall(body)
            sent += len(body)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(4) == b"done"
        return sent / (time.perf_counter() - began)


async def _delays(port: int, connections: int, seconds: float) -> list[float]:
    """Return by how much messages came later, or earlier, than they should, in seconds."""
    errors: list[float] = []

    async def one(number: int) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            sent: deque[float] = deque()
            await stream.send_all(b"e")
            await trio.sleep(EVERY_S * number / connections)

            async def send() -> None:
                until = time.perf_counter() + seconds
                while time.perf_counter() < until:
                    sent.append(time.perf_counter())
                    await stream.send_all(bytes(ECHO_BYTES))
                    await trio.sleep(EVERY_S)
                await trio.sleep(3 * DELAY_S)  # what comes later than that is not waited for
                nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                left = ECHO_BYTES
                while data := await stream.receive_some(65536):
                    now, count = time.perf_counter(), len(data)
                    while count >= left:
                        errors.append(abs(now - sent.popleft() - DELAY_S))
                        count, left = count - left, ECHO_BYTES
                    left -= count

    async with trio.open_nursery() as nursery:
        for number in range(connections):
            nursery.start_soon(one, number)
    return errors


RELAYS = {"plain": _plain, "pitlink": _pitlink}


def _idle(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {}
    with _process(_serve) as server, _process(_plain, server, 0.0) as plain:
        with _process(_pitlink, server, 0.0) as pitlink:
            for _ in range(rounds):
                for name, port in (("direct", server), ("plain", plain), ("pitlink", pitlink)):
                    row = found.setdefault(name, {"p50": [], "p99": [], "bulk": []})
                    echo = _echo(port, seconds)
                    row["p50"].append(percentile(echo, 0.5))
                    row["p99"].append(percentile(echo, 0.99))
                    row["bulk"].append(_bulk(port, seconds))
    return {
        name: {key: statistics.median(values) for key, values in row.items()} for name, row in found.items()
    }


def _late(connections: int, seconds: float) -> dict[str, tuple[float, float]]:
    found = {}
    for name, relay in RELAYS.items():
        with _process(_serve) as server, _process(relay, server, DELAY_S) as port:
            errors = trio.run(partial(_delays, port, connections, seconds))
            found[name] = (percentile(errors, 0.5), percentile(errors, 0.99))
    return found


def _bounds(
    idle: dict[str, dict[str, float]], late: dict[int, dict[str, tuple[float, float]]]
) -> list[tuple[str, str, str, bool]]:
    """Return each bound: what, at most or at least how much, what was measured, whether it holds."""
    added_us = (idle["pitlink"]["p50"] - idle["direct"]["p50"]) * 1e6
    of_plain = idle["pitlink"]["p50"] / idle["plain"]["p50"]
    bulk = idle["pitlink"]["bulk"]
    (p50, p99), (_, crowd_p99), plain_p99 = late[50]["pitlink"], late[200]["pitlink"], late[200]["plain"][1]
    return [
        ("added to a round trip, p50", "≤ 90 µs", f"{added_us:.0f}", added_us <= 90),
        ("of the plain relay's round trip, p50", "≤ 1.15", f"{of_plain:.2f}", of_plain <= 1.15),
        ("bulk", "≥ 1000 MB/s", f"{bulk / 1e6:.0f}", bulk >= 1e9),
        ("100 ms at 50 connections, off by, p50", "≤ 1 ms", f"{p50 * 1e3:.2f}", p50 <= 0.001),
        ("100 ms at 50 connections, off by, p99", "≤ 6 ms", f"{p99 * 1e3:.1f}", p99 <= 0.006),
        ("100 ms at 200 connections, off by, p99", "≤ 15 ms", f"{crowd_p99 * 1e3:.1f}", crowd_p99 <= 0.015),
        (
            "the same, of the plain relay's",
            "≤ 0.5",
            f"{crowd_p99 / plain_p99:.2f}",
            crowd_p99 <= plain_p99 / 2,
        ),
    ]


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    arguments = options.parse_args()
    idle = _idle(arguments.rounds, arguments.seconds)
    base, plain = idle["direct"]["p50"], idle["plain"]["p50"]
    table(
        "No fault set: round trip of 200 bytes, and bulk one way",
        ("", "p50 µs", "p99 µs", "added at p50 µs", "of plain", "MB/s"),
        [
            (
                name,
                f"{row['p50'] * 1e6:.0f}",
                f"{row['p99'] * 1e6:.0f}",
                f"{(row['p50'] - base) * 1e6:.0f}",
                f"{row['p50'] / plain:.2f}",
                f"{row['bulk'] / 1e6:.0f}",
            )
            for name, row in idle.items()
        ],
    )
    late = {connections: _late(connections, arguments.seconds) for connections in (50, 200)}
    table(
        "100 ms of delay: how far off, 20 messages a second and connection",
        ("connections", "", "p50 ms", "p99 ms"),
        [
            (connections, name, f"{p50 * 1e3:.2f}", f"{p99 * 1e3:.1f}")
            for connections, rows in late.items()
            for name, (p50, p99) in rows.items()
        ],
    )
    bounds = _bounds(idle, late)
    table(
        "Bounds, of a machine that does nothing else",
        ("", "bound", "measured", ""),
        [(what, bound, measured, "holds" if holds else "MISSED") for what, bound, measured, holds in bounds],
    )
    write(arguments.json, "relay", {"idle": idle, "late": late})
    return 0 if all(holds for *_, holds in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())
