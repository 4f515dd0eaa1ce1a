"""The figures of one link, for /metrics."""

from collections import Counter
from collections.abc import Iterable, Iterator

from daemons.link.connection import Connection
from daemons.link.peer import Peer
from daemons.ops.metrics import Labels, Reading
from protocol.linkstatus import Status

__all__ = ["link_readings", "link_status", "state_readings"]


def state_readings(states: Iterable[Status]) -> Iterator[Reading]:
    """Yield how many links are in each state."""
    counts = Counter(states)
    for status in Status:
        yield Reading("control_connections", "Links by state.", counts[status], (("state", status.value),))


def link_status(peer: Peer) -> dict[str, float | str | None]:
    """Return how a live link does, for a status: round trips of its last 128 pings, and the delay of large bodies; and
    the far end's versions, as its last opening told them."""
    connection = peer.connection
    versions = {"software": peer.software or None, "protocol": peer.protocol or None}
    if connection is None:
        return {"round_trip_p50_s": None, "round_trip_p99_s": None, "bulk_delay_s": None, **versions}
    trips = connection.liveness.round_trips
    return {
        **versions,
        "round_trip_p50_s": trips.quantile_s(0.5),
        "round_trip_p99_s": trips.quantile_s(0.99),
        "bulk_delay_s": connection.scheduler.cap.delay_s or None,  # 0: no large body yet
    }


def link_readings(peer: Peer) -> Iterator[Reading]:
    """Yield the figures of one link. What is not known (never connected) has no sample."""
    site, figures, connection = (("site", peer.site),), peer.figures, peer.connection
    traffic = figures.traffic(connection)
    up = float(connection is not None)
    yield Reading("link_up", "1 while the link is connected.", up, site)
    yield Reading("link_up_seconds", "How long the link was up.", figures.up_s, site, is_counter=True)
    words = "Share of the time since the start for which the link was up."
    yield Reading("link_uptime_ratio", words, figures.up_share, site)
    yield Reading("link_opened", "Connections that became usable.", figures.opened, site, is_counter=True)
    for name, count in sorted(figures.ended.items()):
        labels = (*site, ("reason", name))
        yield Reading("link_ended", "Connections that ended, by close code.", count, labels, is_counter=True)
    words = "Round trip of the link's pings."
    yield Reading("link_round_trip_seconds", words, figures.round_trips, site)
    for way, size, messages in (
        ("in", traffic.bytes_in, traffic.messages_in),
        ("out", traffic.bytes_out, traffic.messages_out),
    ):
        labels = (*site, ("direction", way))
        yield Reading("link_bytes", "Bytes on the connection, inside TLS.", size, labels, is_counter=True)
        yield Reading("link_messages", "WebSocket messages.", messages, labels, is_counter=True)
    if connection is not None:
        yield from _live(connection, site)
    late = figures.late_answers + (0 if connection is None else connection.requester.late)
    words = "Answers that came when nobody waited any more; they are ignored."
    yield Reading("link_late_answers", words, late, site, is_counter=True)
    words = "How long reading paused because the peer sent more than its limit."
    yield Reading("link_paused_seconds", words, peer.limiter.paused_s, site, is_counter=True)
    yield from _reliable(peer, site)


def _live(connection: Connection, site: Labels) -> Iterator[Reading]:
    cap = connection.scheduler.cap
    yield Reading("link_bulk_queue_seconds", "Queue on the line that large bodies cause.", cap.queue_s, site)
    words = "From writing a large body's piece to the peer's word that it came."
    yield Reading("link_bulk_delay_seconds", words, cap.delay_s, site)
    yield Reading("link_bulk_cap_bytes", "Bytes that may be under way.", cap.cap_bytes, site)
    yield Reading("link_bulk_under_way_bytes", "Bytes under way.", cap.under_way_bytes, site)
    in_flight = connection.requester.in_flight
    yield Reading("link_requests_in_flight", "Requests of ours without an answer.", in_flight, site)
    known = connection.peer_utc_now() - connection.peer.environment.utc_now()
    yield Reading("link_clock_offset_seconds", "The peer's clock ahead of ours.", known, site)
    kernel = connection.transport.kernel_queue()
    if kernel is not None:
        words = "Bytes in the kernel that the peer has not acknowledged (SIOCOUTQ)."
        yield Reading("link_kernel_queue_bytes", words, kernel[0], site)
        words = "Bytes in the kernel that are not sent yet (SIOCOUTQNSD)."
        yield Reading("link_kernel_unsent_bytes", words, kernel[1], site)


def _reliable(peer: Peer, site: Labels) -> Iterator[Reading]:
    now = peer.environment.utc_now()
    for name, channel in peer.durable.statistics().items():
        labels, held = (*site, ("channel", name)), channel.held
        # What was acknowledged is noted in the database up to 2 s later; it counts as gone.
        is_empty = held.oldest_at is None or not channel.outstanding
        age_s = 0.0 if is_empty or held.oldest_at is None else max(0.0, now - held.oldest_at)
        yield Reading("outbox_messages", "Messages not acknowledged yet.", channel.outstanding, labels)
        yield Reading(
            "outbox_bytes", "Bytes not acknowledged yet.", 0 if is_empty else held.body_bytes, labels
        )
        yield Reading("outbox_age_seconds", "Age of the oldest not acknowledged message.", age_s, labels)
        yield Reading("outbox_in_flight", "Messages on their way.", channel.in_flight, labels)
        words = "Messages kept for a peer that might be restored."
        yield Reading("outbox_kept_messages", words, held.kept_messages, labels)
        yield Reading("outbox_accepted", "Messages accepted.", channel.accepted, labels, is_counter=True)
        words = "Messages dropped before they were delivered."
        yield Reading("outbox_dropped", words, held.dropped, labels, is_counter=True)
    counts = peer.durable.figures
    out, into = peer.durable.channels
    for names, key, words, counter in (
        (into, "inbox_applied", "Messages whose effect was committed.", counts.applied),
        (into, "inbox_dead", "Messages that could not be applied.", counts.dead),
        (into, "inbox_skipped", "Messages that the peer said will never come.", counts.skipped),
        (out, "outbox_replayed", "Messages sent again to a peer that was put back.", counts.replayed),
        (out, "history_lost_here", "Times this side had lost history.", counts.lost_ours),
        (into, "history_lost_there", "Times the peer had lost history.", counts.lost_theirs),
    ):
        for name in names:  # all of them, so that the first one is seen as a rise
            yield Reading(key, words, counter[name], (*site, ("channel", name)), is_counter=True)
