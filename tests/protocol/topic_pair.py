"""A publisher and a subscriber with a line between them that can be told to fail."""

from collections import deque
from typing import Any

from protocol.codec import decode_frames
from protocol.frames import (
    FRAME_BYTES_MAX,
    Frame,
    StateAck,
    SyncRequest,
    TopicPosition,
    Update,
)
from protocol.topicdigest import changed_digest, digest_bytes
from protocol.topics import Publisher, Subscriber

INTERVAL_S = 0.1
TOPIC = "zones"


class Link:
    """Both ends, a FIFO each way, and the memory of everything that was ever published."""

    def __init__(self, *, own_lane: bool = True, epoch: int = 1, chunk: int = 4096) -> None:
        self.now = 100.0
        self.own_lane = own_lane
        self.epoch = epoch
        self.chunk = chunk
        self.publisher = Publisher(TOPIC, epoch, INTERVAL_S)
        self.subscriber = Subscriber(TOPIC)
        self.down: deque[Any] = deque()
        self.up: deque[Frame] = deque()
        self.sent: list[Frame] = []
        self.ready: set[str] = set()
        self.moment = 1
        self.versions: dict[str, list[tuple[int, bytes | None]]] = {}
        self.connect()

    # --- the owner of the table ---

    def set(self, key: str, row: bytes) -> None:
        self.publisher.set(key, row, self.now)
        self._note(key, row)

    def remove(self, key: str) -> None:
        self.publisher.remove(key, self.now)
        self._note(key, None)

    def read(self) -> None:
        self.publisher.read_at(self.moment)

    def _note(self, key: str, row: bytes | None) -> None:
        self.moment += 1
        self.versions.setdefault(key, [(0, None)]).append((self.moment, row))

    # --- the line ---

    def connect(self) -> None:
        self.down.clear()
        self.up.clear()
        self.ready.clear()
        position = self.subscriber.position()
        self.publisher.attach(
            position,
            self.now,
            lambda: self.ready.add("updates"),
            (lambda: self.ready.add("parts")) if self.own_lane else None,
        )
        self.subscriber.attach(self.now)

    def restart_publisher(self) -> None:
        self.epoch += 1
        for key in list(self.publisher._table):
            self._note(key, None)
        self.publisher = Publisher(TOPIC, self.epoch, INTERVAL_S)
        self.connect()

    def restart_subscriber(self) -> None:
        self.subscriber = Subscriber(TOPIC)
        self.connect()

    def write(self) -> None:
        """Pull until nothing is ready."""
        self.publisher.tick(self.now)
        while self.ready:
            name = "updates" if "updates" in self.ready else "parts"
            source = self.publisher if name == "updates" else self.publisher.parts
            self.ready.discard(name)
            data = source.pull(self.now, self.chunk)
            if data is not None:
                self.ready.add(name)
                assert len(data) <= FRAME_BYTES_MAX
                frames = decode_frames(data)
                self.down += frames
                self.sent += frames
        assert sum(isinstance(frame, Update) for frame in self.down) <= 2 or self.is_lossy
        assert self.publisher.wake_at(self.now) is None or self.publisher.wake_at(self.now) > self.now  # type: ignore[operator]

    is_lossy = False

    def deliver(self, count: int = 1_000_000) -> None:
        while count and (self.down or self.up):
            count -= 1
            if self.down:
                self.up += self.subscriber.receive(self.down.popleft(), self.now)
                self.check()
            elif self.up:
                frame = self.up.popleft()
                assert isinstance(frame, StateAck | SyncRequest)
                self.publisher.receive(frame, self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.up += self.subscriber.tick(self.now)

    def settle(self) -> None:
        """Let everything that is due happen, on a good line."""
        for _ in range(200):
            self.write()
            self.deliver()
            self.wait(1.0)
        assert not self.ready

    # --- what must hold ---

    def check(self) -> None:
        as_of = self.subscriber.as_of_us
        for key in self.versions.keys() | self.subscriber.rows.keys():
            row = self.subscriber.rows.get(key)
            versions = self.versions[key]
            if as_of is None:
                allowed = [version for _, version in versions]
            else:
                allowed = [version for moment, version in versions if moment > as_of]
                allowed.append(next(version for moment, version in reversed(versions) if moment <= as_of))
            assert row in allowed, f"{key} as of {as_of}"

    def check_converged(self) -> None:
        assert self.subscriber.rows == self.publisher._table
        whole = changed_digest(0, {}, self.publisher._table)
        assert self.subscriber.position() == TopicPosition(
            TOPIC, self.subscriber._epoch, self.publisher._seq, digest_bytes(whole)
        )
        assert self.subscriber._bytes == self.publisher._bytes
        assert self.subscriber.trouble is None


def kinds(frames: list[Frame]) -> list[str]:
    return [type(frame).__name__ for frame in frames]
