"""Bytes for 1,000 refreshes of one race document, counted at the socket, both directions together.

pitlink asks by `fetch` through its own link (and, for the last row, watches instead of asking), beside GETs through
`ssh -R` with gzip and ETag, and beside the design this project grew from: JSON frames with base64 bodies (gzipped) and
304s over a WebSocket. Two documents: one that changes once in 100 refreshes, one in which a field changes every time.
"""

import base64
import contextlib
import gzip
import hashlib
import http.client
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import trio
import trio_websocket

from bench.document import refreshes
from bench.peers import Missing, free_port
from bench.report import parser, table, write
from chaos.profiles import PROFILES
from chaos.relay import Relay
from daemons.link.router import PeerRouter
from daemons.ops.environment import Environment
from daemons.ops.logs import LogLevel, configure_logs
from daemons.race.cache import MemoryCache
from daemons.race.config import FetchBounds
from daemons.race.fetched import Fetched
from daemons.race.hub import HubSite
from daemons.race.keeper import BoardKeeper
from daemons.race.remote import RemoteOrigin
from daemons.race.site import SiteService
from daemons.race.watches import Watches
from daemons.race.watchrows import WATCH_TOPIC
from protocol.canonical import digest_of, validator_of
from protocol.pathgate import PathGate
from protocol.topics import Publisher, Subscriber
from tests.daemons.link.pair import Hub, open_hub, open_site

PATH = "/events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2/d3ade44c-4cde-4c57-8bf9-3cb4613badf2/Race.json"
COUNT = 1000
WATCH_PERIOD_S = 0.02
"""The document changes this often while it is watched; real ones change every second or so, so less is coalesced."""


# --- pitlink -------------------------------------------------------------------------------------------------------


class _Origin:
    """The document as an origin in memory."""

    def __init__(self) -> None:
        self.body = b"[]"

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        await trio.lowlevel.checkpoint()
        body = self.body
        validator = validator_of(body, is_json=True)
        return Fetched(path, body, "application/json", validator, digest_of(body), time.time())


@contextlib.asynccontextmanager
async def _joined(origin: _Origin, folder: Path) -> AsyncIterator[tuple[Hub, RemoteOrigin, SiteService]]:
    environment = Environment()
    publisher = Publisher(WATCH_TOPIC, environment.new_epoch(), 0.02)
    watches = Watches(origin, live=True)
    service = SiteService(origin, PathGate(), watches, publisher, time.time)
    subscriber = Subscriber(WATCH_TOPIC)
    async with (
        open_hub(folder / "hub", subscribers={WATCH_TOPIC: subscriber}) as hub,
        open_site(
            folder / "site", hub.port, handlers=service.handlers, publishers={WATCH_TOPIC: publisher}
        ) as site,
        trio.open_nursery() as nursery,
    ):
        service.peer = site.peer
        remote = RemoteOrigin(
            PeerRouter({hub.peer.site: hub.peer}),
            hub.peer.site,
            MemoryCache(),
            time.time,
            FetchBounds,
            PathGate(),
        )
        HubSite(hub.peer, remote.cache, remote, BoardKeeper(), subscriber, time.time)
        await nursery.start(remote.run)
        nursery.start_soon(watches.run)
        await hub.peer.wait_connected()
        yield hub, remote, service
        nursery.cancel_scope.cancel()


def _crossed(hub: Hub) -> int:
    connection = hub.peer.connection
    assert connection is not None
    return connection.transport.bytes_in + connection.transport.bytes_out


async def _asking(change_every: int) -> int:
    origin = _Origin()
    with tempfile.TemporaryDirectory() as folder:
        async with _joined(origin, Path(folder)) as (hub, remote, _):
            before = _crossed(hub)
            for origin.body in refreshes(COUNT, change_every):
                fetched = await remote.fetch(PATH)
                assert fetched.body == origin.body
            return _crossed(hub) - before


async def _watching(change_every: int) -> tuple[int, int]:
    """Return bytes, and how many versions arrived."""
    origin = _Origin()
    with tempfile.TemporaryDirectory() as folder:
        async with _joined(origin, Path(folder)) as (hub, remote, service):
            before = _crossed(hub)
            bodies = list(refreshes(COUNT, change_every))
            origin.body = bodies[0]
            await hub.peer.request("watch", {"n": True, "w": [[PATH, 250, 0, b""]]})
            for origin.body in bodies:
                service.watches.nudge(PATH)
                await trio.sleep(WATCH_PERIOD_S)
            with trio.fail_after(10):
                while (await remote.fetch(PATH)).body != bodies[-1]:
                    await trio.sleep(0.01)
            return _crossed(hub) - before, remote.statistics.pushes


# --- ssh -R with gzip and ETag -------------------------------------------------------------------------------------


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = b""

    def do_GET(self) -> None:
        packed = gzip.compress(self.body, mtime=0)
        etag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        is_same = self.headers.get("If-None-Match") == etag
        self.send_response(304 if is_same else 200)
        self.send_header("ETag", etag)
        if not is_same:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        if not is_same:
            self.wfile.write(packed)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def _sshd(folder: Path) -> Iterator[tuple[int, list[str]]]:
    server = shutil.which("sshd", path=f"/usr/sbin{os.pathsep}{os.environ.get('PATH', '')}")
    if server is None or shutil.which("ssh") is None:
        raise Missing("OpenSSH is not installed: apt-get install openssh-server")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([server, "-D", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        client = ["ssh", "-N", "-i", str(folder / "user"), "-o", "StrictHostKeyChecking=no"]
        client += [
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "ExitOnForwardFailure=yes",
        ]
        yield port, client
    finally:
        process.terminate()
        process.wait()


def _get_all(port: int, change_every: int) -> None:
    etag = ""
    deadline = time.monotonic() + 10
    for _Handler.body in refreshes(COUNT, change_every):
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", PATH, headers={"Accept-Encoding": "gzip", "If-None-Match": etag})
                answer = connection.getresponse()
                break
            except OSError:  # the tunnel is not up yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        etag = answer.headers["ETag"]
        answer.read()
        connection.close()


async def _ssh(change_every: int) -> int:
    with tempfile.TemporaryDirectory() as folder, _sshd(Path(folder)) as (sshd_port, client):
        origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        relay = Relay("127.0.0.1", sshd_port, PROFILES["clean"])
        async with trio.open_nursery() as nursery:
            port = await nursery.start(relay.run)
            remote_port = free_port()
            forward = f"127.0.0.1:{remote_port}:127.0.0.1:{origin.server_address[1]}"
            await trio.sleep(0.5)
            process = await trio.lowlevel.open_process([*client, "-p", str(port), "-R", forward, "127.0.0.1"])
            try:
                await trio.to_thread.run_sync(_get_all, remote_port, change_every)
                crossed = relay.bytes_up + relay.bytes_down
            finally:
                process.terminate()
                await process.wait()
                origin.shutdown()
            nursery.cancel_scope.cancel()
        return crossed


# --- the design this project grew from -------------------------------------------------------------------------------


async def _seed_design(change_every: int) -> int:
    """JSON envelopes with ids and time stamps, bodies gzipped and base64, 304 when the ETag is known."""
    body = b""

    async def site(request: trio_websocket.WebSocketRequest) -> None:
        ws = await request.accept()
        with contextlib.suppress(trio_websocket.ConnectionClosed):
            while True:
                asked = json.loads(await ws.get_message())
                etag = f"sha256:{hashlib.sha256(body).hexdigest()}"
                payload: dict[str, object] = {"status": 304, "headers": {"ETag": etag}}
                if asked["payload"]["ifNoneMatch"] != etag:
                    packed = base64.b64encode(gzip.compress(body, mtime=0)).decode()
                    payload = {
                        "status": 200,
                        "headers": {
                            "ETag": etag,
                            "Content-Type": "application/json",
                            "Content-Encoding": "gzip",
                        },
                        "bodyB64": packed,
                    }
                envelope = {"id": asked["id"], "type": "response", "ts": int(time.time() * 1000)}
                await ws.send_message(
                    json.dumps({**envelope, "traceId": asked["traceId"], "payload": payload})
                )

    async with trio.open_nursery() as nursery:
        serve = await nursery.start(trio_websocket.serve_websocket, site, "127.0.0.1", 0, None)
        relay = Relay("127.0.0.1", serve.port, PROFILES["clean"])
        port = await nursery.start(relay.run)
        etag = ""
        async with trio_websocket.open_websocket("127.0.0.1", port, "/control", use_ssl=False) as ws:
            for body in refreshes(COUNT, change_every):  # noqa: B007  # the site above reads it
                payload = {"method": "GET", "path": PATH, "ifNoneMatch": etag, "timeoutMs": 5000}
                envelope = {"id": str(uuid.uuid4()), "type": "fetch", "ts": int(time.time() * 1000)}
                await ws.send_message(
                    json.dumps({**envelope, "traceId": str(uuid.uuid4()), "payload": payload})
                )
                etag = json.loads(await ws.get_message())["payload"]["headers"]["ETag"]
            crossed = relay.bytes_up + relay.bytes_down
        nursery.cancel_scope.cancel()
    return crossed


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    configure_logs(LogLevel.ERROR)
    size = len(next(refreshes(1, 1)))
    figures: dict[str, dict[str, int]] = {}
    notes = ""
    for name, change_every in (("rare", 100), ("each", 1)):
        watched, pushes = trio.run(_watching, change_every)
        notes += f"\n{name}: of {COUNT // change_every} versions {pushes} crossed while watched (others were overtaken)"
        figures[name] = {
            "pitlink, asking": trio.run(_asking, change_every),
            "pitlink, watching": watched,
            "the seed's design": trio.run(_seed_design, change_every),
        }
        try:
            figures[name]["ssh -R, gzip, ETag"] = trio.run(_ssh, change_every)
        except Missing as exc:
            print(exc)
    rows = []
    for contender in figures["rare"]:
        row: list[object] = [contender]
        for name in ("rare", "each"):
            ssh = figures[name].get("ssh -R, gzip, ETag")
            mine = figures[name][contender]
            row += [f"{mine:,}", f"1/{ssh / mine:.1f}" if ssh else "-"]
        rows.append(row)
    columns = ("", "changes 1 in 100: bytes", "of ssh -R", "one field each time: bytes", "of ssh -R")
    table(f"{COUNT} refreshes of one document of {size:,} bytes", columns, rows)
    print(notes)
    write(arguments.json, "bytes", {"bytes": figures, "document_bytes": size})


if __name__ == "__main__":
    main()
