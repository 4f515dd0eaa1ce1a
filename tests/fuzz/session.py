"""A real connection that takes hostile messages one after the other, without an event loop's turns between them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import trio

from daemons.link.connection import Connection
from daemons.link.durable import DurableChannels, OutChannel
from daemons.link.opening import MAJOR_MAX, MAJOR_MIN
from daemons.link.peer import Peer
from daemons.link.requests import Reply
from daemons.link.schema import MIGRATIONS
from daemons.ops.environment import Environment
from daemons.store import open_store
from protocol.codec import decode_frames
from protocol.errors import RemoteProtocolError
from protocol.frames import ClockSample, Hello, Limits, Message
from protocol.publisher import Publisher
from protocol.subscriber import Subscriber

LIMITS = Limits(window_messages=16, window_bytes=2048, requests_in_flight=4, body_bytes=4096)
ROWS_MAX, BYTES_MAX = 20, 1024
_PICKS = 8
_HELLO = Hello(
    major_min=MAJOR_MIN, major_max=MAJOR_MAX, minor=0, role="pits", site="field", instance=b"h" * 16, attempt=1,
    software="hostile", clock=ClockSample(0, 0), limits=LIMITS,
)  # fmt: skip


class _NobodyRuns:
    """A nursery whose tasks never begin: handlers of requests are not what is tried here."""

    def start_soon(self, work: Any, *args: Any, name: Any = None) -> None:
        pass


class _NoTransport:
    def __repr__(self) -> str:
        return "<nowhere>"


class Sessions:
    """Makes connections of one peer, one after the other. Only inside of a Trio task."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def begin(self) -> "Session":
        """Begin a connection: a window of 16, four commands on their way, a topic each way."""
        peer = self.peer
        now = trio.current_time()
        publisher = Publisher("board", 3, 0.1)
        for row in range(4):
            publisher.set(f"row {row}", b"value", now)
        peer.publishers = {"board": publisher}
        peer.subscribers = {"race": Subscriber("race", rows_max=ROWS_MAX, bytes_max=BYTES_MAX)}
        durable = peer.durable
        durable._in.begin({"event": [], "result": []}, LIMITS)
        durable._out.begin([], LIMITS)
        connection = Connection(_NoTransport(), peer, _HELLO, 1, now)  # type: ignore[arg-type]
        durable._out.wake = connection._wake_channel
        durable._in.wake = lambda: connection._wake_channel(None)
        connection._begin(_NobodyRuns())  # type: ignore[arg-type]
        connection._wake_channel("command")
        session = Session(connection)
        session.send()
        return session


class Session:
    """One connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def take(self, message: bytes) -> bool:
        """Take a message, commit, answer. Return False when it ended the connection, as it may.

        Raises AssertionError when a bound is broken, and whatever else escapes.
        """
        try:
            self.connection._take(message)
        except RemoteProtocolError:
            return False
        self.check()
        for receiver in self.connection.peer.durable._in._receivers.values():
            batch = receiver.take()
            marks: dict[int, int] = {}
            for entry in batch:
                first, last = (
                    (entry.seq, entry.seq) if isinstance(entry, Message) else (entry.first, entry.last)
                )
                assert first == marks.get(entry.epoch, first - 1) + 1, "a gap was staged"
                marks[entry.epoch] = last
            if batch:
                receiver.committed(marks.items())
                self.connection._wake_channel(None)
        self.send()
        return True

    def send(self) -> None:
        """Send what there is to be sent: it must be frames that a peer can read."""
        now = trio.current_time()
        for _ in range(_PICKS):
            pick = self.connection.scheduler.pick(now)
            if pick is None:
                break
            self.connection.scheduler.sent(now, len(pick.data) + 1, pick.counted)
            decode_frames(pick.data)

    def check(self) -> None:
        """Look at the bounds of what a peer can make us hold."""
        peer = self.connection.peer
        for receiver in peer.durable._in._receivers.values():
            assert receiver._held <= LIMITS.window_messages
            assert receiver._held_bytes <= LIMITS.window_bytes or receiver._held == 1
        for outbox in peer.durable._out.outboxes.values():
            sender = outbox.sender
            assert 0 <= sender.flight_messages <= LIMITS.window_messages
            assert all(mine.acked <= mine.sent < mine.next for mine in sender.epochs)
        subscriber: Subscriber = peer.subscribers["race"]
        assert len(subscriber.rows) <= ROWS_MAX
        assert sum(len(key.encode()) + len(row) for key, row in subscriber.rows.items()) <= BYTES_MAX


def _effect(conn: apsw.Connection, message: Message) -> None:
    raise AssertionError("nothing is committed to the file here")


async def _blob(params: Mapping[str, Any]) -> Reply:
    raise AssertionError("no handler runs here")


@asynccontextmanager
async def open_sessions(folder: Path) -> AsyncIterator[Sessions]:
    """Open a hub's peer in `folder` for the body of the block."""
    environment = Environment()
    async with open_store(folder / "hub.db", migrations=MIGRATIONS, inline=True) as store:
        durable = DurableChannels(
            store, "site", out=[OutChannel("command")], inbound={"event": _effect, "result": _effect},
            new_epoch=lambda: 2, utc_now=environment.utc_now,
        )  # fmt: skip
        await durable.open()
        await durable.send_many("command", [("t", 1, b"command")] * 4)
        peer = Peer(
            "cloud", "field", environment, durable, limits=LIMITS, handlers={"blob": _blob},
            on_push={"body": lambda result, body: None},
        )  # fmt: skip
        yield Sessions(peer)
