"""What of a link outlives its connections: who we are, the channels, the topics, the handlers."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import trio
from attrs import define, field

from daemons.link.durable import DurableChannels
from daemons.link.figures import LinkFigures
from daemons.link.limiter import LinkLimiter
from daemons.link.opening import MAJOR_MAX, MAJOR_MIN, MINOR, clock_sample
from daemons.link.requests import Answer, Handler, PushHandler
from daemons.link.streams import StreamsIn, StreamsOut
from daemons.link.tampering import Tampering
from daemons.ops.environment import Environment
from protocol.datagrams import FEATURE as DATAGRAMS
from protocol.errors import ErrorCode, RequestError
from protocol.frames import Hello, Limits
from protocol.streams import FEATURE as STREAMS
from protocol.topics import Publisher, Subscriber

if TYPE_CHECKING:
    from daemons.link.connection import Connection

SOFTWARE = "pitlink 0.1.0"
PROTOCOL = f"{MAJOR_MAX}.{MINOR}"


@define(eq=False)
class Peer:
    """One side of a link to one peer, over all its connections.

    `instance` names this process (random per start), `attempt` counts its connections. `on_up` and `on_down` are
    called when a connection has become usable and when it is gone. `streams_out`, `streams_in`: what a wing attaches its
    streams to; with neither the peer is not sent any. `tampering`: where faults are put in.
    """

    role: str
    site: str
    environment: Environment
    durable: DurableChannels
    limits: Limits = field(factory=Limits)
    handlers: Mapping[str, Handler] = field(factory=dict)
    on_push: dict[str, PushHandler] = field(factory=dict)
    publishers: Mapping[str, Publisher] = field(factory=dict)
    subscribers: Mapping[str, Subscriber] = field(factory=dict)
    streams_out: StreamsOut | None = None
    streams_in: StreamsIn | None = None
    on_up: list[Callable[[], None]] = field(factory=list)
    on_down: list[Callable[[], None]] = field(factory=list)
    on_update: list[Callable[[str], None]] = field(factory=list)
    instance: bytes = b""
    limiter: LinkLimiter = field(factory=LinkLimiter)
    tampering: Tampering | None = None
    quiet_s: float = 0.0
    """Where bytes are dear: pings after so long a silence only; 0: as usual. Both ends should be quiet."""
    attempt: int = field(default=0, init=False)
    connection: "Connection | None" = field(default=None, init=False)
    last_seen_at: float | None = field(default=None, init=False)  # UTC seconds
    software: str = field(default="", init=False)  # theirs, and the protocol they speak, by their last hello
    protocol: str = field(default="", init=False)
    figures: LinkFigures = field(factory=LinkFigures, init=False)
    _utc_lead_s: float | None = field(default=None, init=False)  # the peer's UTC ahead of our monotonic clock
    _up: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        if not self.instance:
            self.instance = self.environment.urandom(16)

    async def hello(self) -> Hello:
        """Compose our hello. Positions are read through the store's writer, behind every commit that was begun."""
        out, committed = await self.durable.positions()
        return Hello(
            major_min=MAJOR_MIN,
            major_max=MAJOR_MAX,
            minor=MINOR,
            role=self.role,
            site=self.site,
            instance=self.instance,
            attempt=self.attempt,
            software=SOFTWARE,
            clock=clock_sample(self.environment),
            features=self._features(),
            limits=self.limits,
            out=out,
            committed=committed,
            topics=[subscriber.position() for subscriber in self.subscribers.values()],
        )

    @property
    def takes_streams(self) -> bool:
        """Are streams attached here, either way?"""
        return self.streams_out is not None or self.streams_in is not None

    def _features(self) -> list[str]:
        features = [STREAMS] if self.takes_streams else []
        if self.streams_out is not None and self.streams_out.datagrams is not None:
            features.append(DATAGRAMS)
        return features

    def connected(self, connection: "Connection") -> None:
        """Note that `connection` is usable now."""
        self.connection = connection
        theirs = connection.theirs
        self.software, self.protocol = theirs.software, f"{theirs.major_max}.{theirs.minor}"
        self.figures.connected(connection)
        self._up.set()
        for callback in self.on_up:
            callback()

    def disconnected(self, connection: "Connection") -> None:
        """Note that `connection` is gone; a newer one that has taken its place is left alone."""
        self.last_seen_at = self.environment.utc_now()
        self._utc_lead_s = connection.peer_utc_now() - trio.current_time()
        self.figures.disconnected(connection, is_last=self.connection is connection)
        if self.connection is connection:
            self.connection = None
            self._up = trio.Event()
            for callback in self.on_down:
                callback()

    def peer_utc_now(self) -> float | None:
        """Return the peer's UTC in seconds, as last known in this process; None when it was never connected."""
        if self.connection is not None:
            return self.connection.peer_utc_now()
        return None if self._utc_lead_s is None else trio.current_time() + self._utc_lead_s

    async def wait_connected(self) -> None:
        await self._up.wait()

    async def request(self, method: str, params: Mapping[str, Any], *, body_bytes_max: int = 0) -> Answer:
        """Ask the peer over the live connection; RequestError(DISCONNECTED) when there is none."""
        if self.connection is None:
            raise RequestError(ErrorCode.DISCONNECTED, f"{self.site} is not connected")
        return await self.connection.request(method, params, body_bytes_max=body_bytes_max)

    def push(self, method: str, result: Mapping[str, Any], body: bytes) -> bool:
        """Send what the peer watches, unasked. Return False when there is no connection or it holds too many."""
        return self.connection is not None and self.connection.push(method, result, body)
