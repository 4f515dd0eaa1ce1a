"""What a link has done over all its connections: counted here, shown by `daemons.link.readings`."""

from collections import Counter
from typing import TYPE_CHECKING

import trio
from attrs import define, field

from daemons.ops.metrics import ROUND_TRIP_S, Histogram
from protocol.errors import CloseCode

if TYPE_CHECKING:
    from daemons.link.connection import Connection
    from daemons.link.transport import Transport

__all__ = ["LinkFigures", "ReliableFigures"]

_CODES = {code.value: code.name.lower() for code in CloseCode}
_BROKEN = 1006


@define
class Traffic:
    """Bytes and WebSocket messages, both ways."""

    bytes_in: int = 0
    bytes_out: int = 0
    messages_in: int = 0
    messages_out: int = 0

    def add(self, transport: "Transport") -> None:
        """Add what one connection has carried."""
        self.bytes_in += transport.bytes_in
        self.bytes_out += transport.bytes_out
        self.messages_in += transport.messages_in
        self.messages_out += transport.messages_out


@define(eq=False)
class ReliableFigures:
    """Counts of the reliable channels with one peer since the start of this process, by channel.

    `applied`: messages whose effect was committed. `dead`: those that could not be applied. `skipped`: numbers that
    the peer said will never come. Counted when a connection begins: `replayed`, messages sent again to a peer that was
    put back; `lost_ours` and `lost_theirs`, how often this side or the peer was found to have lost history.
    """

    applied: Counter[str] = field(factory=Counter)
    dead: Counter[str] = field(factory=Counter)
    skipped: Counter[str] = field(factory=Counter)
    replayed: Counter[str] = field(factory=Counter)
    lost_ours: Counter[str] = field(factory=Counter)
    lost_theirs: Counter[str] = field(factory=Counter)

    @property
    def lost(self) -> int:
        """How often history was found missing, on either side."""
        return self.lost_ours.total() + self.lost_theirs.total()


@define(eq=False)
class LinkFigures:
    """Counts of one link since the start of this process. Durations are monotonic seconds."""

    born_at: float = field(factory=trio.current_time)
    round_trips: Histogram = field(factory=lambda: Histogram(ROUND_TRIP_S), init=False)
    opened: int = field(default=0, init=False)
    late_answers: int = field(default=0, init=False)  # of connections that are over
    ended: Counter[str] = field(factory=Counter, init=False)  # by the name of the close code
    _past: Traffic = field(factory=Traffic, init=False)
    _up_s: float = field(default=0.0, init=False)
    _up_since: float | None = field(default=None, init=False)

    def connected(self, connection: "Connection") -> None:
        """Count a connection that has become usable."""
        self.opened += 1
        if self._up_since is None:
            self._up_since = trio.current_time()
        connection.liveness.round_trips.on_sample = self.round_trips.observe

    def disconnected(self, connection: "Connection", *, is_last: bool) -> None:
        """Add what a connection did. `is_last`: no newer one has taken its place."""
        self._past.add(connection.transport)
        self.late_answers += connection.requester.late
        if is_last and self._up_since is not None:
            self._up_s += trio.current_time() - self._up_since
            self._up_since = None

    def closed(self, code: int) -> None:
        """Count the end of a connection; codes that are not ours count as one."""
        self.ended[_CODES.get(code, "broken" if code == _BROKEN else "other")] += 1

    def traffic(self, live: "Connection | None") -> Traffic:
        """Return what all connections have carried, the live one's included."""
        traffic = Traffic(
            self._past.bytes_in, self._past.bytes_out, self._past.messages_in, self._past.messages_out
        )
        if live is not None:
            traffic.add(live.transport)
        return traffic

    @property
    def up_s(self) -> float:
        """Seconds for which the link was up."""
        return self._up_s + (0.0 if self._up_since is None else trio.current_time() - self._up_since)

    @property
    def up_share(self) -> float:
        """The share of the time since the start for which the link was up, 0 to 1."""
        known_s = trio.current_time() - self.born_at
        return min(1.0, self.up_s / known_s) if known_s > 0 else 0.0
