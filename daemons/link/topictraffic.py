"""A connection's traffic of topics: what the peer's publishers and subscribers of this process send, take and wait for."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import trio
from attrs import define

from protocol.errors import RemoteProtocolError
from protocol.frames import Frame, Fresh, Hello, StateAck, SyncPart, SyncRequest, Update
from protocol.lanes import Lane, Scheduler

if TYPE_CHECKING:
    from daemons.link.peer import Peer

__all__ = ["TopicTraffic"]


@define(eq=False)
class TopicTraffic:
    """Of one connection. `send` queues a small frame; topics outlive it, and are attached by `begin`."""

    peer: "Peer"
    scheduler: Scheduler
    send: Callable[[Frame], None]

    def begin(self, theirs: Hello) -> None:
        """Attach the topics to this connection: `theirs` says what the peer holds of them."""
        held = {position.topic: position for position in theirs.topics}
        for topic, publisher in self.peer.publishers.items():
            handle = self.scheduler.register(Lane.EVENT, publisher)
            parts = self.scheduler.register(Lane.BULK, publisher.parts)
            publisher.attach(held.get(topic), trio.current_time(), handle.wake, parts.wake)
        for subscriber in self.peer.subscribers.values():
            subscriber.attach(trio.current_time())

    def unsteady(self, now: float) -> None:
        """Note that the peer was silent until now although it owed an answer: what we told may have come late."""
        for publisher in self.peer.publishers.values():
            publisher.unsteady(now)

    def on_data(self, frame: Update | Fresh | SyncPart) -> None:
        """Take what the peer publishes. Raises RemoteProtocolError."""
        subscriber = self.peer.subscribers.get(frame.topic)
        if subscriber is None:
            raise RemoteProtocolError("a topic that nobody here subscribes to")
        for answer in subscriber.receive(frame, trio.current_time()):
            self.send(answer)
        for callback in self.peer.on_update:
            callback(frame.topic)

    def on_answer(self, frame: StateAck | SyncRequest) -> None:
        """Take what the peer says to what is published here. Raises RemoteProtocolError."""
        publisher = self.peer.publishers.get(frame.topic)
        if publisher is None:
            raise RemoteProtocolError("an answer to a topic that nobody here publishes")
        publisher.receive(frame, trio.current_time())

    def wake_times(self, now: float) -> Iterator[float | None]:
        """Yield when each topic has something to do by time alone; None: not before something happens."""
        for publisher in self.peer.publishers.values():
            yield publisher.wake_at(now)
        for subscriber in self.peer.subscribers.values():
            yield subscriber.wake_at()

    def tick(self, now: float) -> None:
        """Do what has become due by time alone."""
        for publisher in self.peer.publishers.values():
            publisher.tick(now)
        for subscriber in self.peer.subscribers.values():
            for answer in subscriber.tick(now):
                self.send(answer)
