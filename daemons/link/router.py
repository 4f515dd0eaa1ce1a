"""Which connection answers a request to a site.

In one process it is the site's own `Peer`; where a hub outgrows a machine the same port will pass the request on to
the machine that the registry names.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import define, field

from daemons.link.peer import Peer
from daemons.link.requests import Answer
from protocol.errors import ErrorCode, RequestError

__all__ = ["PeerRouter", "Router"]


class Router(Protocol):
    """The port. Sites are named as in their tokens."""

    def is_connected(self, site: str) -> bool:
        """Could the site be asked now? What is true here may be over when the request gets there."""

    async def request(
        self, site: str, method: str, params: Mapping[str, Any], *, body_bytes_max: int = 0
    ) -> Answer:
        """Ask the site and wait for the whole answer.

        The caller's scope is the deadline; cancelled, the site is told. Raises RequestError: DISCONNECTED when nobody
        holds a connection to the site or it went, else what the site answered.
        """


@define(eq=False)
class PeerRouter:
    """The router of a hub that is one process: every site is a peer of its own."""

    peers: dict[str, Peer] = field(factory=dict)

    def is_connected(self, site: str) -> bool:
        peer = self.peers.get(site)
        return peer is not None and peer.connection is not None

    async def request(
        self, site: str, method: str, params: Mapping[str, Any], *, body_bytes_max: int = 0
    ) -> Answer:
        peer = self.peers.get(site)
        if peer is None:
            raise RequestError(ErrorCode.DISCONNECTED, f"there is no site {site!r} here")
        return await peer.request(method, params, body_bytes_max=body_bytes_max)
