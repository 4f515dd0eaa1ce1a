"""How a site stands at its hub, whatever it is: as data, for operators."""

from typing import Any

from daemons.link.peer import Peer
from daemons.link.readings import link_status
from daemons.pair.siteactions import channels_status

__all__ = ["peer_status"]


def peer_status(peer: Peer, now: float) -> dict[str, Any]:
    """Return how the link to a site stands, and what waits for it. `now`: our UTC in seconds."""
    connection = peer.connection
    return {
        "connected": connection is not None,
        "round_trip_s": None if connection is None else connection.liveness.round_trips.smoothed_s,
        **link_status(peer),
        "last_seen_at": now if connection is not None else peer.last_seen_at,
        "connections": peer.figures.opened,
        "channels": channels_status(peer.durable),
    }
