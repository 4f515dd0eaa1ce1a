"""How sites stand at their hub, whatever they are: as data, for operators and as figures for /metrics."""

from collections.abc import Iterator, Sequence
from typing import Any

from daemons.link.peer import Peer
from daemons.link.readings import link_status, state_readings
from daemons.ops.authority.authoriser import Authoriser, identity_readings
from daemons.ops.metrics import Reading
from daemons.ops.watchman import Watchman
from daemons.pair.roster import Roster
from daemons.pair.siteactions import channels_status
from daemons.pair.sitedoor import SiteDoor
from protocol.linkstatus import Status

__all__ = ["door_readings", "hub_ready", "peer_status"]


def hub_ready(roster: Roster[Any], watchman: Watchman) -> tuple[bool, str]:
    """Say whether new clients should be sent to a hub, and why not."""
    drained = "an operator has drained this hub" if roster.draining else ""
    why_not = drained or watchman.why_not_ready()
    return not why_not, why_not or "ready"


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


def door_readings(door: SiteDoor, authoriser: Authoriser, peers: Sequence[Peer]) -> Iterator[Reading]:
    """Yield the figures of who was let in and who was not, and of the links that stand."""
    for code, count in sorted(door.admission.refusals.items()):
        why = (("code", code),)
        yield Reading("site_refusals", "Upgrades that were not let in.", count, why, is_counter=True)
    words = "Links refused because the site opened too many."
    yield Reading("site_links_limited", words, door.paced, is_counter=True)
    yield from identity_readings(authoriser)
    yield from state_readings([Status.LOST if peer.connection is None else Status.READY for peer in peers])
