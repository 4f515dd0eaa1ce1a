"""What stands around a relay that is measured: an echo server, clients, and the relay that anybody writes.

The ends are one loop over plain sockets each, without threads and without Trio: two cores carry both ends and the
relay, and what the ends use up is measured as if it were the relay's.
"""

import multiprocessing
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import trio

ECHO_BYTES = 200
BULK_PIECE = 256 * 1024
EVERY_S = 0.05
PLAIN_READ = 256 * 1024

Ports = "multiprocessing.Queue[int]"


# --- the server ------------------------------------------------------------------------------------------------------


def serve(ports: "Ports") -> None:
    """Echo what begins with "e"; let go of what begins with "b", and say "done" at its end."""
    waiting = select.epoll()
    sockets: dict[int, socket.socket] = {}
    kinds: dict[int, bytes] = {}
    buffer = memoryview(bytearray(BULK_PIECE))
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    waiting.register(listener, select.EPOLLIN)
    ports.put(listener.getsockname()[1])
    while True:
        for number, _ in waiting.poll():
            if number == listener.fileno():
                sock = listener.accept()[0]
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets[sock.fileno()] = sock
                waiting.register(sock, select.EPOLLIN)
                continue
            sock = sockets[number]
            try:
                if number not in kinds:
                    kinds[number] = sock.recv(1)
                    count = len(kinds[number])
                elif count := sock.recv_into(buffer):
                    if kinds[number] == b"e":
                        sock.send(buffer[:count])
                elif kinds[number] == b"b":
                    sock.send(b"done")
            except OSError:
                count = 0  # who measured a delay does not wait for what is late
            if not count:
                waiting.unregister(number)
                kinds.pop(number, None)
                sockets.pop(number).close()


# --- relays ----------------------------------------------------------------------------------------------------------


def plain(target: int, delay_s: float, ports: "Ports") -> None:
    """The relay that is compared with: two tasks a connection, three with a delay."""

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


def pitlink(target: int, delay_s: float, ports: "Ports") -> None:
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
def process(main: Callable[..., None], *args: object) -> Iterator[tuple[int, int]]:
    """Run `main(*args, ports)` as a process of its own; give the port that it tells, and its number."""
    context = multiprocessing.get_context("spawn")
    ports = context.Queue()
    child = context.Process(target=main, args=(*args, ports), daemon=True)
    child.start()
    try:
        port = ports.get(timeout=60)
        yield port, child.pid or 0
    finally:
        child.kill()
        child.join()


# --- clients ---------------------------------------------------------------------------------------------------------


def echo(port: int, seconds: float) -> list[float]:
    """Return round trips in seconds, one after the other on one connection."""
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


def bulk(port: int, seconds: float) -> float:
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


def delays(port: int, connections: int, seconds: float, delay_s: float) -> list[float]:
    """Return by how many seconds messages came later, or earlier, than `delay_s`; what is still away is late until now."""
    socks = []
    for _ in range(connections):
        socks.append(socket.create_connection(("127.0.0.1", port)))
        socks[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socks[-1].sendall(b"e")
    time.sleep(0.2)
    try:
        return _delays(socks, seconds, delay_s)
    finally:
        for sock in socks:
            sock.close()


def _delays(socks: Sequence[socket.socket], seconds: float, delay_s: float) -> list[float]:
    errors: list[float] = []
    waiting = select.epoll()
    by_number = {sock.fileno(): (sock, deque[float]()) for sock in socks}
    for sock in socks:
        sock.setblocking(False)
        waiting.register(sock, select.EPOLLIN)
    turns = list(by_number.values())
    odd = dict.fromkeys(by_number, 0)  # bytes of a message that has come in part
    body, buffer = bytes(ECHO_BYTES), memoryview(bytearray(64 * 1024))
    began, number, messages = time.perf_counter(), 0, int(len(socks) * seconds / EVERY_S)
    while (now := time.perf_counter()) < began + seconds + 3 * delay_s + 0.2 and len(errors) < messages:
        while number < messages and began + number * EVERY_S / len(socks) <= now:
            sock, sent = turns[number % len(turns)]
            sent.append(time.perf_counter())
            sock.send(body)
            number += 1
        next_at = began + number * EVERY_S / len(socks) if number < messages else now + 0.01
        for ready, _ in waiting.poll(max(0.0, next_at - time.perf_counter())):
            sock, sent = by_number[ready]
            whole, odd[ready] = divmod(odd[ready] + sock.recv_into(buffer), ECHO_BYTES)
            now = time.perf_counter()
            errors.extend(abs(now - sent.popleft() - delay_s) for _ in range(whole))
    waiting.close()
    return errors + [now - at - delay_s for _, sent in turns for at in sent]
