"""Opening a connection: SYN, SYN-ACK, ACK over the path as it is, for as long as Linux would try."""

import errno
import os
from typing import TYPE_CHECKING

import trio

from .endpoint import Endpoint
from .path import Path
from .pipe import CONTROL_BYTES, Pipe
from .wire import Wire

if TYPE_CHECKING:
    from .hosts import Host
    from .network import SimNetwork

SYN_RETRIES = 6
"""Linux's tcp_syn_retries: SYNs at 0, 1, 3, 7, 15, 31, 63 s, ETIMEDOUT at 127 s."""

Address = tuple[str, int]


async def dial(network: "SimNetwork", client: "Host", local: Address, remote: Address) -> Endpoint:
    """Open a connection and return the client's end.

    Raises OSError ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH. Cancelling leaves nothing behind on either host.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    server = network.host_at(remote[0], client)
    if server is None:
        raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    path = network.link(client.name, server.name)
    out = path.wire(server.name)
    timeline = network.timeline
    began = timeline.now()
    for attempt in range(SYN_RETRIES + 1):
        if await _syn_and_answer(out, server, remote):
            listener = server.listener_at(*remote)
            return _connect(
                Endpoint(client, local, remote, None), Endpoint(server, remote, local, listener), path, out
            )
        await timeline.sleep_until(max(timeline.now(), began + 2.0 ** (attempt + 1) - 1.0))
    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


async def _syn_and_answer(out: Wire, server: "Host", remote: Address) -> bool:
    # False: nothing came back.
    if not await _control(out):
        return False
    listener = server.listener_at(*remote)
    refused = listener is None or out.refusing or server.refuses(remote[1])
    if not server.powered or out.ignoring or server.ignores(remote[1]):
        return False
    if not refused and listener is not None and listener.backlog_full:
        return False
    if not await _control(out.back):
        return False
    if refused:
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return True


async def _control(wire: Wire) -> bool:
    # One segment without payload, all the way. False: it was lost.
    timeline = wire.timeline
    if wire.paused or wire.lost(1):
        return False
    _, arrival = wire.carry(CONTROL_BYTES, timeline.now())
    await timeline.sleep_until(wire.real(arrival))
    return not wire.paused


def _connect(client: Endpoint, server: Endpoint, path: Path, out: Wire) -> Endpoint:
    network = client.host.network
    client.peer, server.peer = server, client
    there = Pipe(network.next_ident(), out, client, server)
    back = Pipe(network.next_ident(), out.back, server, client)
    there.twin, back.twin = back, there
    client.outbound = server.inbound = there
    server.outbound = client.inbound = back
    network.connections[there.ident] = (client, server)
    if path.doorman is None:
        there.send_open()
    else:
        path.doorman(client, server, there)
    return client
