"""A cloud with enrolled sites for the tests of who is let in: as the command line makes it, in one process."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import httpx
import trio
from attrs import define

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside
from daemons.cloud import Cloud, open_cloud
from daemons.commands.enroll import enrol_at
from daemons.link.address import HubAddress
from daemons.ops.authority import keys, sites
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.sitekey import SiteKey
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.environment import Environment
from daemons.ops.options import Address
from daemons.pits import Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig
from daemons.race.members import Member

SITE = "field"
EVENT = "events/6a7b1c2d-0000-4000-8000-000000000001/Event.json"


@contextmanager
def authority_of(folder: Path) -> Iterator[AuthorityFile]:
    """Open a hub's authority file beside the hub, as the command line does."""
    with open_authority(folder, migrations=AUTHORITY_MIGRATIONS) as file:
        yield file


def change(folder: Path, work: Callable[[apsw.Connection], Any]) -> Any:
    """Change a hub's authority as another process would."""
    with authority_of(folder) as file:
        return file.write_now(work)


def let_in(folder: Path, site: str = SITE) -> str:
    """Do as `pitlink site add`: return the code."""

    def work(conn: apsw.Connection) -> str:
        sites.add_site(conn, site, time.time())
        return sites.make_code(conn, site, time.time(), os.urandom, 3600)

    code: str = change(folder, work)
    return code


@define(eq=False)
class Joined:
    """A running cloud, and what it takes to let sites dial it."""

    cloud: Cloud
    folder: Path
    port: int
    nursery: trio.Nursery

    @property
    def address(self) -> HubAddress:
        return HubAddress("127.0.0.1", self.port, is_tls=False)

    def member(self, site: str = SITE) -> Member:
        """The hub's half of a site, also of one that was put out."""
        return self.cloud.members._joined[site]

    async def enrol(self, folder: Path, site: str = SITE) -> SiteKey:
        """Do as `pitlink site add` and `pitlink enroll`."""
        code = let_in(self.folder, site)
        return await trio.to_thread.run_sync(enrol_at, self.address, code, folder)

    async def until(self, condition: Callable[[], Any], within_s: float = 15.0) -> None:
        with trio.fail_after(within_s):
            while not condition():
                await trio.sleep(0.01)

    async def raw(self, *lines: str) -> tuple[int, dict[str, str], str]:
        """Send an upgrade with these headers; return status, headers and body of an answer that ends the connection."""
        head = [
            "GET /control HTTP/1.1",
            "Host: hub",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: pitlink",
            *lines,
        ]
        return await self.send("\r\n".join(head).encode() + b"\r\n\r\n")

    async def send(self, data: bytes) -> tuple[int, dict[str, str], str]:
        """Send bytes; return status, headers and what follows, up to the end or what comes within 0.3 s of a 101."""
        got = b""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(data)
            with trio.move_on_after(5) as scope:
                while piece := await stream.receive_some():
                    got += bytes(piece)
                    if got.startswith(b"HTTP/1.1 101"):
                        scope.deadline = trio.current_time() + 0.3
        head, _, body = got.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        return int(first.split()[1]), headers, body.decode("latin-1")


@asynccontextmanager
async def open_joined(
    folder: Path, *, config: Callable[[CloudConfig], CloudConfig] = lambda config: config
) -> AsyncIterator[Joined]:
    """Run a cloud that knows one site, which has not enrolled yet."""
    hub = folder / "cloud"

    def begin(conn: apsw.Connection) -> None:
        keys.init_keys(conn, time.time(), os.urandom)
        sites.add_site(conn, SITE, time.time())

    change(hub, begin)
    made = config(CloudConfig(state_dir=hub, listen=Address("127.0.0.1", 0)))
    async with open_cloud(made) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        assert cloud.front is not None
        yield Joined(cloud, hub, cloud.front.ports[0], nursery)
        await cloud.stop()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_site_at(
    joined: Joined, folder: Path, *, config: Callable[[PitsConfig], PitsConfig] = lambda config: config
) -> AsyncIterator[Pits]:
    """Run pits beside a stand-in with an open event, on what proves the site in `folder`."""
    environment = Environment()
    double = FPVTrackside(
        EventTree({EVENT: b"[{}]", "httpfiles/Channels.json": b"[]"}), utc_now=environment.utc_now
    )
    double.open_event()
    async with trio.open_nursery() as nursery:
        origin_port = await nursery.start(partial(double.serve, 0))
        made = config(
            PitsConfig(
                site=SITE,
                origin_url=f"http://localhost:{origin_port}",
                cloud_url=f"ws://127.0.0.1:{joined.port}",
                state_dir=folder,
                listen=Address("127.0.0.1", 0),
            )
        )
        async with open_pits(made, environment=environment) as pits, trio.open_nursery() as inner:
            await inner.start(pits.run)
            yield pits
            await pits.stop()
            inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


async def post_enrolment(joined: Joined, body: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"http://127.0.0.1:{joined.port}/api/enroll", content=body)
