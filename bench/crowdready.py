"""Ready answers beside Hypercorn: the same Starlette application behind our front and behind both of its workers.

A process each, h11 parsing every request in all of them; a few kept connections ask one request after another from one
other process, in turns, and the best of a few turns counts, so that what else the machine does meets all alike. What is
asked: the page, packed, and a 304 to who has it.

    .venv/bin/python -m bench.crowd --only ready
"""

import argparse
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import evolve
from starlette.applications import Starlette

from bench.report import table
from daemons.ops.limits import FrontLimits
from daemons.web.assets import Assets, read_assets
from daemons.web.front import open_listeners, serve_http
from daemons.web.guard import Guard
from daemons.web.ready import ready_answers

CONNECTIONS = 16
ROUNDS = 3
OURS, TRIO, ASYNCIO = "pitlink's front", "Hypercorn, trio", "Hypercorn, asyncio"
AT_LEAST = {TRIO: 3.0, ASYNCIO: 2.0}


# --- the servers ----------------------------------------------------------------------------------------------------


def _application(assets: Assets) -> Starlette:
    """The pages' own routes: they need no Trio, so that Hypercorn's asyncio worker can serve them too."""
    return Starlette(routes=assets.routes())


async def _serve_ours() -> None:
    assets = read_assets()
    unlimited = evolve(FrontLimits(), client_requests_per_s=0.0, client_bytes_per_s=0.0)
    listeners = await open_listeners("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        serve = partial(
            serve_http, listeners, _application(assets),
            ready=ready_answers(assets, time.time), guard=Guard(lambda: unlimited),
        )  # fmt: skip
        front = await nursery.start(serve)
        print(front.ports[0], flush=True)


def _serve_hypercorn(worker: str) -> None:
    from hypercorn.config import Config
    from hypercorn.utils import wrap_app

    config = Config()
    config.bind, config.errorlog, config.accesslog = ["127.0.0.1:0"], None, None
    sockets = config.create_sockets()
    for sock in sockets.insecure_sockets:
        sock.listen(config.backlog)
    app = wrap_app(_application(read_assets()), config.wsgi_max_body_size, "asgi")
    print(sockets.insecure_sockets[0].getsockname()[1], flush=True)
    if worker == TRIO:
        from hypercorn.trio.run import worker_serve

        trio.run(partial(worker_serve, app, config, sockets=sockets, shutdown_trigger=trio.sleep_forever))
    else:
        import asyncio

        from hypercorn.asyncio.run import worker_serve as serve

        async def run() -> None:
            await serve(app, config, sockets=sockets, shutdown_trigger=asyncio.Event().wait)

        asyncio.run(run())


@contextmanager
def _server(name: str) -> Iterator[tuple[int, int]]:
    """Run a server; give its port and its process id."""
    command = [sys.executable, "-m", "bench.crowdready", "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


# --- the asking -----------------------------------------------------------------------------------------------------


def _one(port: int, request: bytes) -> bytes:
    """Return one whole answer; all that follow are as long."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(sizes[0].partition(b":")[2]) if sizes else 0
        while len(body) < length:
            body += sock.recv(65536)
        return head + b"\r\n\r\n" + body


def _ask(port: int, request: bytes, seconds: float) -> int:
    """Ask on all connections, each again as soon as it is answered; return how many answers came."""
    size = len(_one(port, request))
    selector, answers = selectors.DefaultSelector(), 0
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, [0])
            sock.sendall(request)
        end_at = time.perf_counter() + seconds
        while time.perf_counter() < end_at:
            for key, _ in selector.select(1.0):
                sock, got = key.fileobj, key.data
                data = sock.recv(262144)  # type: ignore[union-attr]
                if not data:
                    raise SystemExit("a server closed a connection")
                got[0] += len(data)
                if got[0] >= size:
                    got[0] -= size
                    answers += 1
                    sock.sendall(request)  # type: ignore[union-attr]
    return answers


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(seconds: float) -> dict[str, Any]:
    """Return answers a second, and a second of the server's processor, by what was asked and by server."""
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_server(name)) for name in (OURS, TRIO, ASYNCIO)}
        head = "Host: pitlink\r\nUser-Agent: phone\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
        page = f"GET / HTTP/1.1\r\n{head}\r\n".encode()
        lines = _one(servers[OURS][0], page).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        etag = next(line[6:] for line in lines if line.lower().startswith("etag: "))
        same = f"GET / HTTP/1.1\r\n{head}If-None-Match: {etag}\r\n\r\n".encode()
        for what, request, status in (
            ("the page, packed", page, b"200"),
            ("304 to who has it", same, b"304"),
        ):
            found[what] = {name: {"a_second": 0.0, "a_core_second": 0.0} for name in servers}
            for name, (port, _) in servers.items():
                answer = _one(port, request)
                if answer[9:12] != status:
                    raise SystemExit(f"{name} answered {answer[:200]!r}")
            for _ in range(ROUNDS):
                for name, (port, pid) in servers.items():
                    cpu_s = _cpu_s(pid)
                    count, best = _ask(port, request, seconds), found[what][name]
                    best["a_second"] = max(best["a_second"], count / seconds)
                    cpu_s = max(_cpu_s(pid) - cpu_s, 0.01)
                    best["a_core_second"] = max(best["a_core_second"], count / cpu_s)
    return found


def show(found: dict[str, Any]) -> list[str]:
    """Print the table; return what is less than it must be, in words."""
    rows, problems = [], []
    for what, by_server in found.items():
        ours = by_server[OURS]["a_second"]
        for name, figures in by_server.items():
            ratio, least = ours / figures["a_second"], AT_LEAST.get(name)
            cores = f"{figures['a_core_second']:.0f}"
            rows.append((what, name, f"{figures['a_second']:.0f}", cores, f"{ratio:.2f}", f"{least or ''}"))
            if least is not None and ratio < least:
                problems.append(f"{what}: {ratio:.2f} times {name}, at least {least}")
    columns = ("", "", "a second", "a second of its core", "ours / this", "at least")
    table(f"Ready answers, {CONNECTIONS} connections, one process each", columns, rows)
    return problems


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="used by itself: be a server")
    options.add_argument("--serve", required=True)
    name = options.parse_args().serve
    if name == OURS:
        trio.run(_serve_ours)
    else:
        _serve_hypercorn(name)
