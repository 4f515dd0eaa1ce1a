"""State topics: tables that a peer is to have in their newest state.

Zones, system values, validators of watched resources, status: where the newest value counts and what lay
between does not. A slow link gets fewer and newer updates, never a backlog.

`Publisher` holds the truth, `Subscriber` the replica. A flush leaves at min(first change + interval, 100
rows), holds the rows whose encoded bytes changed and the keys that went, and is numbered in (epoch, seq); at
most two are unacknowledged. Both ends keep an order-free digest of the table (`protocol.topicdigest`); a gap
or a wrong one is healed by a sync. Age has a carrier of its own: `as_of`, when the source was last read,
moved on by `fresh` frames when nothing changes, so that a wedged source behind a healthy link looks old.
"""

from protocol.publisher import Publisher
from protocol.subscriber import Subscriber
from protocol.topicdigest import KEY_BYTES_MAX, ROW_BYTES_MAX

__all__ = ["KEY_BYTES_MAX", "ROW_BYTES_MAX", "Publisher", "Subscriber"]
