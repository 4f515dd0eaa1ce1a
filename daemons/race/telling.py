"""Telling the hub what happened: each change on the board and at the origin becomes a reliable event of the journal."""

from collections.abc import Callable, Iterator
from functools import partial

import structlog
import trio
from attrs import define, field

from daemons.link.durable import DurableChannels
from daemons.link.outbox import OutboxFull
from daemons.ops.health import Health, Severity
from daemons.ops.storecare import patiently
from daemons.race.fetched import Fetched
from daemons.race.journal import Journal
from daemons.race.keeper import BoardKeeper
from daemons.race.origin import LocalOrigin
from daemons.race.watches import Watches
from protocol.errors import ErrorCode, RequestError
from protocol.messages import RaceEvent, encode_body

__all__ = ["EventTeller"]

_log = structlog.stdlib.get_logger("pitlink.race")

EVENTS_WAITING_MAX = 256


@define(eq=False)
class EventTeller:
    """Writes the journal for the hub while it runs. `dropped`: events lost because the disk was slower than they came."""

    durable: DurableChannels
    keeper: BoardKeeper
    origin: LocalOrigin
    watches: Watches
    health: Health
    utc_now: Callable[[], float]
    dropped: int = field(default=0, init=False)
    _journal: Journal = field(factory=Journal, init=False)

    async def run(self) -> None:
        """Tell until cancelled. Observes the watches from here on: once in a process."""
        send, receive = trio.open_memory_channel[RaceEvent](EVENTS_WAITING_MAX)
        self.watches.observe(partial(self._on_read, send))
        async for event in receive:
            try:
                await patiently(partial(self.durable.send, "event", *encode_body(event)), "an event")
                self.health.clear("outbox")
            except OutboxFull:
                words = "the journal for the cloud is full: nothing new is added"
                self.health.set("outbox", Severity.DEGRADED, words)

    def _on_read(
        self, send: trio.MemorySendChannel[RaceEvent], path: str, result: Fetched | RequestError
    ) -> None:
        now = self.utc_now()
        is_down = isinstance(result, RequestError) and result.code is ErrorCode.ORIGIN_DOWN
        if is_down or isinstance(result, Fetched):  # other failures say neither that it is there nor that not
            self._queue(send, self._journal.origin(not is_down, self.origin.words, now))
        self._queue(send, self._journal.board(self.keeper.board, now))

    def _queue(self, send: trio.MemorySendChannel[RaceEvent], events: Iterator[RaceEvent]) -> None:
        for event in events:
            try:
                send.send_nowait(event)
            except trio.WouldBlock:  # the disk is slower than 256 events: the files still hold the truth
                self.dropped += 1
                _log.warning("journal.dropped", type=type(event).__name__)
