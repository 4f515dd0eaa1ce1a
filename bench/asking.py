"""Questions to a daemon's admin API, each on a connection of its own beside all on one that is kept.

A real hub's front (the admin routes, an audit file) on a Unix socket and through TLS on loopback, the asker in the same
process: the processor's time is of both ends together.

    .venv/bin/python -m bench.asking --count 300
"""

import resource
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
import trustme
from starlette.applications import Starlette

from bench.report import parser, percentile, table, write
from daemons.ops.admin.routes import admin_routes
from daemons.ops.authority.identity import ALL_SITES, Identity, Role
from daemons.ops.client import ADMIN_SOCKET, AdminClient
from daemons.ops.logs import LogLevel, configure_logs
from daemons.web.adminsocket import held_by_peer, open_admin_socket, serve_admin
from daemons.web.config import FrontConfig
from daemons.web.front import open_listeners, serve_http
from tests.daemons.ops.admin.office import open_office, sources


@asynccontextmanager
async def doors(folder: Path) -> AsyncIterator[dict[str, AdminClient]]:
    """Serve the same office on its socket and through TLS; give a client of each."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    @asynccontextmanager
    async def everybody(request: object) -> AsyncIterator[Identity]:
        yield Identity("user", "ann", Role.OPERATOR, (ALL_SITES,))

    async with open_office(folder) as office, trio.open_nursery() as nursery:
        local = Starlette(routes=admin_routes(office.desk, sources(office), held_by_peer))
        await nursery.start(serve_admin, open_admin_socket(folder / ADMIN_SOCKET), local)
        afar = Starlette(routes=admin_routes(office.desk, sources(office), everybody))
        listeners = await open_listeners("127.0.0.1", 0)
        front = await nursery.start(lambda task_status: _serve(listeners, afar, context, task_status))
        yield {
            "Unix socket": AdminClient(folder / ADMIN_SOCKET),
            "https": AdminClient(f"https://localhost:{front.ports[0]}", "pl_x", trust),
        }
        nursery.cancel_scope.cancel()


async def _serve(listeners, app, context, task_status) -> None:  # type: ignore[no-untyped-def]
    await serve_http(listeners, app, config=FrontConfig(), tls=context, task_status=task_status)


async def measure(client: AdminClient, count: int) -> dict[str, float]:
    """Ask `count` times, one after another; return questions a second, and milliseconds: processor, p50 and p99."""
    took = []
    began, worked = time.perf_counter(), _processor_s()
    for _ in range(count):
        one = time.perf_counter()
        await client.status()
        took.append(time.perf_counter() - one)
    lasted_s, worked_s = time.perf_counter() - began, _processor_s() - worked
    return {
        "a second": count / lasted_s,
        "processor ms": worked_s / count * 1000,
        "p50 ms": percentile(took, 0.5) * 1000,
        "p99 ms": percentile(took, 0.99) * 1000,
    }


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def run(count: int) -> list[tuple[str, dict[str, float]]]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with doors(Path(folder)) as clients:
            for name, client in clients.items():
                await client.status()
                found.append((f"{name}, a connection a question", await measure(client, count)))
                async with client.kept() as kept:
                    found.append((f"{name}, kept", await measure(kept, count)))
    return found


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--count", type=int, default=300, help="questions a row")
    given = options.parse_args()
    configure_logs(LogLevel.WARNING)
    found = trio.run(run, given.count)
    names = list(found[0][1])
    rows = [[name, *(f"{figures[one]:.3g}" for one in names)] for name, figures in found]
    table(f"{given.count} questions for a status, one after another", ["", *names], rows)
    write(given.json, "asking", {"count": given.count, "rows": dict(found)})


if __name__ == "__main__":
    main()
