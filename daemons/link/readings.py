"""The figures of one link, for /metrics."""

from collections.abc import Iterator

from daemons.link.peer import Peer
from daemons.ops.metrics import Reading

__all__ = ["link_readings"]


def link_readings(peer: Peer) -> Iterator[Reading]:
    """Yield the figures of one link."""
    site = (("site", peer.site),)
    connection = peer.connection
    yield Reading(
        "control_connections", "1 while the link is connected.", float(connection is not None), site
    )
    if connection is not None:
        trips = connection.liveness.round_trips
        for quantile in (0.5, 0.9, 0.99):
            value = trips.quantile_s(quantile)
            if value is not None:
                labels = (*site, ("quantile", str(quantile)))
                yield Reading("round_trip_seconds", "Round trip of the link's pings.", value, labels)
        yield Reading("link_bytes_in", "Bytes read on this connection.", connection.transport.bytes_in, site)
        yield Reading(
            "link_bytes_out", "Bytes written on this connection.", connection.transport.bytes_out, site
        )
        yield Reading(
            "link_bulk_queue_seconds", "Queue that bulk meets.", connection.scheduler.cap.queue_s, site
        )
    for name, channel in peer.durable.statistics().items():
        labels = (*site, ("channel", name))
        yield Reading("outbox_messages", "Messages not acknowledged yet.", channel.outstanding, labels)
