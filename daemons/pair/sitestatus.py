"""How a site's own link stands, whatever the site is: as data, for operators and as figures for /metrics."""

from collections.abc import Iterator

from daemons.link.dial import Dialer
from daemons.link.peer import Peer
from daemons.link.readings import link_readings, link_status, state_readings
from daemons.ops.metrics import Reading

__all__ = ["hub_link_readings", "hub_link_status"]


def hub_link_status(dialer: Dialer | None, peer: Peer) -> dict[str, object] | None:
    """Return how the link to the hub stands; None where there is no hub."""
    if dialer is None:
        return None
    status, connection = dialer.status, peer.connection
    trip_s = None if connection is None else connection.liveness.round_trips.smoothed_s
    return {
        "status": status.status,
        "words": status.words,
        "connections": peer.figures.opened,
        "round_trip_ms": None if trip_s is None else round(trip_s * 1000, 1),
        **link_status(peer),
    }


def hub_link_readings(dialer: Dialer | None, peer: Peer) -> Iterator[Reading]:
    """Yield the figures of the link to the hub, and of what the hub asked for too often."""
    if dialer is not None:
        yield from state_readings([dialer.status.status])
        yield from link_readings(peer)
    for type_, count in peer.limiter.busy.items():
        words = "Requests of the hub refused by the rate of their type."
        yield Reading("hub_requests_limited", words, count, (("type", type_),), is_counter=True)
