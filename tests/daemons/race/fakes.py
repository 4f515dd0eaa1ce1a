"""What tests of site and hub share: the far end of a link as an object in memory, and an environment that stands still."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import trio
from attrs import define, field

from daemons.link.peer import Peer
from daemons.link.requests import Answer
from protocol import cbor
from protocol.errors import ErrorCode, RequestError

SITE = "field"


def across(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what arrives of a map at the far end."""
    arrived: dict[str, Any] = cbor.decode(cbor.encode(fields))
    return arrived


@define(eq=False)
class FakeConnection:
    """As much of a connection as the services look at."""

    peer_utc: Callable[[], float] = trio.current_time

    def peer_utc_now(self) -> float:
        return self.peer_utc()

    def peer_utc_at_most(self) -> float:
        return self.peer_utc()


@define(eq=False)
class FakePeer:
    """A peer whose far end is the test: `asked` notes requests, `answer` gives their answers, `pushed` what was pushed."""

    answer: Callable[[str, Mapping[str, Any]], Awaitable[Answer]] | None = None
    site: str = SITE
    connection: FakeConnection | None = field(factory=FakeConnection)
    asked: list[tuple[str, Mapping[str, Any]]] = field(factory=list)
    pushed: list[tuple[Mapping[str, Any], bytes]] = field(factory=list)
    is_full: bool = False
    on_up: list[Callable[[], None]] = field(factory=list)
    on_down: list[Callable[[], None]] = field(factory=list)
    on_update: list[Callable[[str], None]] = field(factory=list)
    on_push: dict[str, Callable[[Mapping[str, Any], bytes], None]] = field(factory=dict)
    last_seen_at: float | None = None
    _up: trio.Event = field(factory=trio.Event, init=False)

    async def request(self, method: str, params: Mapping[str, Any], *, body_bytes_max: int = 0) -> Answer:
        if self.connection is None:
            raise RequestError(ErrorCode.DISCONNECTED, "not connected")
        self.asked.append((method, params))
        assert self.answer is not None
        return await self.answer(method, params)

    def push(self, method: str, result: Mapping[str, Any], body: bytes) -> bool:
        if self.is_full or self.connection is None:
            return False
        self.pushed.append((across(result), body))
        return True

    async def wait_connected(self) -> None:
        while self.connection is None:
            await self._up.wait()

    def go_down(self) -> None:
        self.connection = None
        for callback in self.on_down:
            callback()

    def come_up(self) -> None:
        self.connection = FakeConnection()
        self._up.set()
        self._up = trio.Event()
        for callback in self.on_up:
            callback()

    @property
    def as_peer(self) -> Peer:
        return cast(Peer, self)
