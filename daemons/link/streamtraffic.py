"""A connection's traffic of streams: offers, pieces, acknowledgements and wishes, both ways."""

import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from daemons.link.signal import Signal
from daemons.link.sources import Pull
from daemons.link.streams import StreamRefused, StreamsIn, StreamsOut
from protocol.codec import decode_frames
from protocol.datagrams import FEATURE as DATAGRAMS
from protocol.datagrams import Opener
from protocol.errors import RemoteProtocolError
from protocol.frames import Arrived, Batch, Datagrams, Fill, Filled, Frame, Hello, Offer, Wish
from protocol.lanes import Handle, Lane, Scheduler
from protocol.streams import FEATURE, Entry
from protocol.streams_in import ArchivesIn
from protocol.streams_live import LiveIn, LiveOut

if TYPE_CHECKING:
    from daemons.link.peer import Peer

__all__ = ["StreamTraffic"]

ARRIVED_S = 1.0
"""So often the peer is told how many of its datagrams have arrived."""

LIVE_STREAMS_MAX = 4
"""So many of a peer's live streams are followed; the one that was silent longest is forgotten for another."""


class StreamTraffic:
    """Of one connection. `send` queues a small frame on the control lane, `ask` on the lane of commands."""

    def __init__(
        self,
        peer: "Peer",
        theirs: Hello,
        scheduler: Scheduler,
        send: Callable[[Frame], None],
        ask: Callable[[Frame], None],
    ) -> None:
        self._out = StreamsOut() if peer.streams_out is None else peer.streams_out
        self._in = StreamsIn() if peer.streams_in is None else peer.streams_in
        self._is_understood = FEATURE in theirs.features
        self._sends_datagrams = DATAGRAMS in theirs.features
        self._opener: Opener | None = None
        self._window_bytes = theirs.limits.window_bytes
        self._scheduler = scheduler
        self._send = send
        self._ask = ask
        self._fills = scheduler.register(Lane.BULK, Pull(self._pull_fill), compress=False)
        self._archives = ArchivesIn(peer.limits.window_bytes)
        self._lives: OrderedDict[bytes, LiveIn] = OrderedDict()
        self._offered: deque[bytes] = deque()  # a stream is offered once, and there are only so many
        self._staged = Signal()
        self.dispatch: dict[type, Callable[..., None]] = {
            kind: handle if peer.takes_streams else _not_announced
            for kind, handle in self._handlers().items()
        }
        self._passed: Datagrams | None = None
        self._was_passed = Signal()

    def _handlers(self) -> dict[type, Callable[..., None]]:
        return {
            Batch: self._on_batch,
            Fill: self._on_fill,
            Offer: self._on_offer,
            Filled: self._on_filled,
            Wish: self._on_wish,
            Datagrams: self._on_datagrams,
            Arrived: self._on_arrived,
        }

    def begin(self) -> None:
        """Attach what outlives connections to this one. To be undone by `end`."""
        if not self._is_understood:
            return
        self._out.archives.attach(self._window_bytes)
        self._out.on_live = self._open_live
        for live in list(self._out.lives.values()):
            self._open_live(live)
        self._in.send_wish = self._send_wish
        for name, body in self._in.wishes.items():
            self._send_wish(name, body)
        door = self._in.door
        if door is not None and door.port and self._sends_datagrams:
            opener = self._opener = door.admit(self._on_datagram)
            self._ask(Datagrams(door.port, opener.passed.id, opener.passed.key))

    def end(self) -> None:
        """Detach it, unless another connection has it by now."""
        if self._out.on_live == self._open_live:
            self._out.on_live = None
            self._out.archives.detach()
            for live in self._out.lives.values():
                live.detach()
            if self._out.datagrams is not None:
                self._out.datagrams.close()
        if self._in.send_wish == self._send_wish:
            self._in.send_wish = None
        if self._opener is not None and self._in.door is not None:
            self._in.door.revoke(self._opener)

    async def run(self) -> None:
        """Read what is sent, and make durable what comes, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_loop)
            if self._is_understood:
                nursery.start_soon(self._read_loop)
            if self._opener is not None:
                nursery.start_soon(self._tell_arrived, self._opener)
            if self._out.datagrams is not None:
                nursery.start_soon(self._open_line)

    # --- what goes out -------------------------------------------------------------------------------------------

    def _open_live(self, live: LiveOut) -> None:
        handle: Handle = self._scheduler.register(Lane.LIVE, live, compress=False)
        live.aside = None if self._out.datagrams is None else self._out.datagrams.send
        live.attach(handle.wake, handle.close)

    async def _read_loop(self) -> None:
        out, archives = self._out, self._out.archives
        while True:
            for offer in archives.offers(trio.current_time()):
                self._ask(offer)
            while (want := archives.wants()) is not None:
                source = out.sources.get(want.stream)
                archives.loaded(
                    want, () if source is None else await source.read(want.number, want.max_bytes)
                )
                self._wake_fills()
            retry_at = archives.wake_at()
            with trio.move_on_at(math.inf if retry_at is None else retry_at):
                await out.changed.wait()

    def _wake_fills(self) -> None:
        if self._out.archives.is_ready:
            self._fills.wake()

    def _pull_fill(self, now: float, max_bytes: int) -> bytes | None:
        data = self._out.archives.pull(now, max_bytes)
        if data is not None:
            self._out.changed.set()  # there may be room to read ahead
        return data

    def _on_filled(self, frame: Filled) -> None:
        number = self._out.archives.on_filled(trio.current_time(), frame)
        source = self._out.sources.get(frame.stream)
        if source is not None:
            if frame.words:
                source.refused(frame.words)
            if number is not None:
                source.acknowledged(number)
        self._out.changed.set()
        self._wake_fills()

    def _on_datagrams(self, frame: Datagrams) -> None:
        self._passed = frame
        self._was_passed.set()

    async def _open_line(self) -> None:
        while True:
            await self._was_passed.wait()
            if self._passed is not None and self._out.datagrams is not None:
                await self._out.datagrams.open(self._passed)

    def _on_arrived(self, frame: Arrived) -> None:
        if self._out.datagrams is not None:
            self._out.datagrams.on_arrived(frame.total)

    def _on_wish(self, frame: Wish) -> None:
        handler = self._out.on_wish.get(frame.name)
        if handler is not None:
            handler(frame.body)

    # --- what comes in -------------------------------------------------------------------------------------------

    def _send_wish(self, name: str, body: bytes) -> None:
        self._ask(Wish(name, body))

    def _on_batch(self, frame: Batch) -> None:
        live = self._live_of(frame.stream)
        self._take_live(frame, live, live.take)

    def _on_datagram(self, payload: bytes) -> None:
        """Take what came beside the link; what is no batch is ignored, as if it had been lost."""
        try:
            frames = decode_frames(payload)
        except RemoteProtocolError:
            return
        for frame in frames:
            if isinstance(frame, Batch):
                live = self._live_of(frame.stream)
                self._take_live(frame, live, live.take_loose)

    async def _tell_arrived(self, opener: Opener) -> None:
        told = 0
        while True:
            await trio.sleep(ARRIVED_S)
            if opener.opened > told:
                told = opener.opened
                self._send(Arrived(told))

    def _live_of(self, stream: bytes) -> LiveIn:
        live = self._lives.get(stream)
        if live is None:
            live = self._lives[stream] = LiveIn()
            if len(self._lives) > LIVE_STREAMS_MAX:
                self._lives.popitem(last=False)
        self._lives.move_to_end(stream)
        return live

    def _take_live(self, frame: Batch, live: LiveIn, take: Callable[[Batch], Entry | None]) -> None:
        missed = live.missed
        entry = take(frame)
        if entry is not None:
            self._in.took_live(entry, live.missed - missed)
            self._in.on_live(frame.stream, entry)

    def _on_offer(self, frame: Offer) -> None:
        self._archives.on_offer(frame)
        self._offered.append(frame.stream)
        self._staged.set()

    def _on_fill(self, frame: Fill) -> None:
        if self._archives.on_fill(frame):
            self._staged.set()

    async def _keep_loop(self) -> None:
        archives = self._archives
        while True:
            await self._staged.wait()
            while self._offered:
                stream = self._offered.popleft()
                await self._answer(stream, self._in.position(stream), partial(archives.position, stream))
            for stream, entries in archives.take():
                keeping = self._in.on_archive(stream, entries)
                if await self._answer(stream, keeping, partial(archives.durable, stream)):
                    self._in.took_archive(entries)

    async def _answer(
        self, stream: bytes, wait: Awaitable[int], answer: Callable[[int], Filled | None]
    ) -> bool:
        """Tell how far an archive is durable once it is known, or why it is not taken; return whether it is."""
        try:
            filled = answer(await wait)
        except StreamRefused as exc:
            filled = self._archives.refuse(stream, exc.words, exc.retry_after_s)
        if filled is not None:
            self._send(filled)
        return filled is not None and not filled.words


def _not_announced(frame: Frame) -> None:
    raise RemoteProtocolError("a frame of streams, which this side has not announced")
