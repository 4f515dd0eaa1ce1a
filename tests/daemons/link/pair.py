"""A site and a hub with nothing on top of the link: dialer, front, listener, channels, store. For tests and benches.

The site sends on channel `event`, the hub on `command`; each writes what it takes into a table of its own, in the
transaction that acknowledges it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import trio
from attrs import define

from daemons.link import schema
from daemons.link.address import HubAddress
from daemons.link.dial import Dialer
from daemons.link.durable import DurableChannels
from daemons.link.inbox import Effect
from daemons.link.listen import SiteListener
from daemons.link.outbox import Keep, OutChannel
from daemons.link.peer import Peer
from daemons.link.registry import MemoryRegistry
from daemons.link.requests import Handler
from daemons.ops.environment import Environment
from daemons.store import Migration, Store, open_store
from daemons.web.front import FrontStream, open_listeners, serve_http
from daemons.web.head import Head
from protocol.frames import Message

TOKEN = "throw-away"

MIGRATIONS = (
    *schema.MIGRATIONS,
    Migration("pair", 1, "CREATE TABLE taken (id INTEGER PRIMARY KEY, channel TEXT, body BLOB) STRICT"),
)


class Taken:
    """An effect that keeps the bodies. `many` is the batch form."""

    def __call__(self, conn: apsw.Connection, message: Message) -> None:
        self.many(conn, [message])

    def many(self, conn: apsw.Connection, messages: Sequence[Message]) -> None:
        conn.executemany(
            "INSERT INTO taken (channel, body) VALUES (?, ?)",
            [(message.channel, message.body) for message in messages],
        )


async def taken(store: Store) -> list[bytes]:
    """Return the bodies that took effect, in order."""
    return await store.read(
        lambda conn: [body for (body,) in conn.execute("SELECT body FROM taken ORDER BY id")]
    )


@define(eq=False)
class Hub:
    peer: Peer
    store: Store
    listener: SiteListener
    port: int


@define(eq=False)
class Site:
    peer: Peer
    store: Store
    dialer: Dialer


async def _channels(
    store: Store, out: str, into: str, environment: Environment, effect: Effect, result_channel: bool
) -> DurableChannels:
    keep = Keep() if out == "event" else None
    outs, ins = [OutChannel(out, keep)], {into: effect}
    if result_channel:  # what a command came to, beside the events
        if out == "event":
            outs.append(OutChannel("result"))
        else:
            ins["result"] = effect
    durable = DurableChannels(
        store,
        "site" if out == "command" else "hub",
        out=outs,
        inbound=ins,
        new_epoch=environment.new_epoch,
        utc_now=environment.utc_now,
    )
    await durable.open()
    return durable


async def _no_app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nothing but the link is served here")


@asynccontextmanager
async def open_hub(
    folder: Path,
    *,
    environment: Environment | None = None,
    handlers: Mapping[str, Handler] | None = None,
    inline: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    effect: Effect | None = None,
    result_channel: bool = False,
    **peer_fields: Any,
) -> AsyncIterator[Hub]:
    """Serve a hub for site `field` and hold it for the body of the block."""
    environment = environment or Environment()
    folder.mkdir(parents=True, exist_ok=True)
    async with open_store(folder / "hub.db", migrations=MIGRATIONS, inline=inline) as store:
        durable = await _channels(store, "command", "event", environment, effect or Taken(), result_channel)
        peer = Peer("cloud", "field", environment, durable, handlers=handlers or {}, **peer_fields)
        listener = SiteListener(peer, MemoryRegistry())

        async def on_control(stream: FrontStream, head: Head, address: str) -> None:
            await listener.serve(stream, dict(head.headers), address)

        async with trio.open_nursery() as nursery:
            listeners = await open_listeners(host, port)
            front = await nursery.start(
                lambda task_status: serve_http(
                    listeners,
                    _no_app,
                    on_control=on_control,
                    task_status=task_status,  # type: ignore[arg-type]
                )
            )
            yield Hub(peer, store, listener, front.ports[0])
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_site(
    folder: Path,
    port: int,
    *,
    environment: Environment | None = None,
    handlers: Mapping[str, Handler] | None = None,
    inline: bool = False,
    host: str = "127.0.0.1",
    effect: Effect | None = None,
    result_channel: bool = False,
    **peer_fields: Any,
) -> AsyncIterator[Site]:
    """Run a site that dials the hub, and hold it for the body of the block."""
    environment = environment or Environment()
    folder.mkdir(parents=True, exist_ok=True)
    async with open_store(folder / "site.db", migrations=MIGRATIONS, inline=inline) as store:
        durable = await _channels(store, "event", "command", environment, effect or Taken(), result_channel)
        peer = Peer("pits", "field", environment, durable, handlers=handlers or {}, **peer_fields)
        dialer = Dialer(peer, HubAddress(host, port, is_tls=False), TOKEN)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dialer.run)
            yield Site(peer, store, dialer)
            nursery.cancel_scope.cancel()
