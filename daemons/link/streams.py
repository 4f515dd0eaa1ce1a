"""Streams over a link: what a wing attaches its live streams and its archives to. See `protocol.streams`.

Both halves outlive connections; a `StreamTraffic` is one connection's. A peer that has neither half does not announce
the feature, and is sent nothing of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import define, field

from daemons.link.datagrams import DatagramDoor, DatagramLine
from daemons.link.signal import Signal
from protocol.streams import Entry
from protocol.streams_live import LiveOut
from protocol.streams_out import ArchivesOut

__all__ = ["Archive", "ArchiveSource", "StreamRefused", "StreamsIn", "StreamsOut"]


WISH_BYTES_MAX = 12 * 1024


class StreamRefused(Exception):
    """Raised by a wing that takes no more of an archive for now: the words are told to the sender's people."""

    def __init__(self, words: str, retry_after_s: float = 60.0) -> None:
        super().__init__(words)
        self.words = words
        self.retry_after_s = retry_after_s


class ArchiveSource(Protocol):
    """Where an archive is read from, at its sender. Calls come from the link's tasks."""

    @property
    def end(self) -> int:
        """The number of the first entry that is not durable here yet; what is below does not change."""

    async def read(self, number: int, max_bytes: int) -> Sequence[Entry]:
        """Return entries from `number` on, in order: about `max_bytes` of them together and at least one.

        None: they cannot be read now; they are asked for again after `Archive.grew`. Errors of the disk are the
        source's to handle. May be cancelled.
        """

    def acknowledged(self, number: int) -> None:
        """All below `number` is durable at the peer. Comes at least once a connection; must not block."""

    def refused(self, words: str) -> None:
        """The peer takes no more for now, and says why."""


@define(eq=False)
class Archive:
    """An archive that is offered to the peer, as its wing holds it."""

    stream: bytes
    _streams: "StreamsOut"

    def grew(self) -> None:
        """Say that the source's `end` has moved on."""
        self._streams.grew(self.stream)

    def close(self) -> None:
        """Offer it no longer. Anything may follow: what is under way is not taken back."""
        self._streams.close(self.stream)


@define(eq=False)
class StreamsOut:
    """What this side sends: live streams, and archives that are there until the peer has them for good.

    `on_wish`: what to call with the peer's wishes, by name. `datagrams`: a way beside the link for live entries, where the
    peer has a door for them.
    """

    on_wish: dict[str, Callable[[bytes], None]] = field(factory=dict)
    datagrams: DatagramLine | None = None
    archives: ArchivesOut = field(factory=ArchivesOut, init=False)
    sources: dict[bytes, ArchiveSource] = field(factory=dict, init=False)
    lives: dict[bytes, LiveOut] = field(factory=dict, init=False)
    on_live: Callable[[LiveOut], None] | None = field(default=None, init=False)  # the connection's
    changed: Signal = field(factory=Signal, init=False)

    def archive(self, stream: bytes, source: ArchiveSource, *, urgent: bool = False) -> Archive:
        """Offer an archive. `urgent`: before all that are not. Raises ValueError when one of that name is offered."""
        self.archives.add(stream, source.end, urgent=urgent)
        self.sources[stream] = source
        self.changed.set()
        return Archive(stream, self)

    def grew(self, stream: bytes) -> None:
        if stream in self.sources:
            self.archives.grew(stream, self.sources[stream].end)
            self.changed.set()

    def close(self, stream: bytes) -> None:
        if self.sources.pop(stream, None) is not None:
            self.archives.remove(stream)

    def live(self, stream: bytes, begin: Callable[[LiveOut], None]) -> LiveOut:
        """Open a live stream. `begin` is called on each connection to put what must come first, now too if there is one.

        To be given back with `close_live`.
        """
        live = self.lives[stream] = LiveOut(stream, begin)
        if self.on_live is not None:
            self.on_live(live)
        return live

    def close_live(self, live: LiveOut) -> None:
        """Close a live stream: what waits is dropped."""
        if self.lives.get(live.stream) is live:
            del self.lives[live.stream]
            live.detach()


async def _not_taken(stream: bytes) -> int:
    raise StreamRefused("this side takes no archives")


async def _not_kept(stream: bytes, entries: Sequence[Entry]) -> int:
    raise StreamRefused("this side takes no archives")


def _not_seen(stream: bytes, entry: Entry) -> None:
    """Stand for the wing while it has not attached itself."""


@define(eq=False)
class StreamsIn:
    """What this side takes, from one peer. The wing sets:

    `position(stream)`: how far an archive is durable here, as the number of the entry that comes next.
    `on_archive(stream, entries)`: make them durable; returns how far it is now. Must do no harm when it is cancelled,
    and when entries come again. Both may raise StreamRefused.
    `on_live(stream, entry)`: a live entry; must be quick.
    `door`: where it may come as datagrams; shared by all peers.
    """

    position: Callable[[bytes], Awaitable[int]] = _not_taken
    on_archive: Callable[[bytes, Sequence[Entry]], Awaitable[int]] = _not_kept
    on_live: Callable[[bytes, Entry], None] = _not_seen
    door: DatagramDoor | None = None
    wishes: dict[str, bytes] = field(factory=dict, init=False)
    live_entries: int = field(default=0, init=False)
    live_missed: int = field(default=0, init=False)
    live_bytes: int = field(default=0, init=False)
    archive_entries: int = field(default=0, init=False)
    archive_bytes: int = field(default=0, init=False)
    send_wish: Callable[[str, bytes], None] | None = field(default=None, init=False)  # the connection's

    def wish(self, name: str, body: bytes) -> None:
        """Tell the peer what is wanted live, now and on each connection to come. Raises ValueError over 12 KiB."""
        if len(body) > WISH_BYTES_MAX:
            raise ValueError(f"a wish of {len(body)} B, at most {WISH_BYTES_MAX}")
        if self.wishes.get(name) != body:
            self.wishes[name] = body
            if self.send_wish is not None:
                self.send_wish(name, body)

    def took_live(self, entry: Entry, missed: int) -> None:
        """Count a live entry, and those that were left out before it."""
        self.live_entries += 1
        self.live_bytes += len(entry.data)
        self.live_missed += missed

    def took_archive(self, entries: Sequence[Entry]) -> None:
        """Count entries that are durable now."""
        self.archive_entries += len(entries)
        self.archive_bytes += sum(len(entry.data) for entry in entries)
