"""Joins a driver's streams, as the link has them, to what is kept and to what is shown live."""

from collections.abc import Callable, Sequence

from attrs import define, field

from daemons.link.streams import StreamRefused, StreamsIn
from daemons.telemetry.entries import WISH, Entry, EntryKind
from daemons.telemetry.ingest import Ingest
from daemons.telemetry.livebook import LiveBook
from protocol.columns import Wish
from protocol.streams import Entry as Sent

__all__ = ["Intake"]

_KINDS = frozenset(EntryKind)


@define(eq=False)
class Intake:
    """`attach` each driver's streams once. `ahead_us(driver)`: how far his clock is ahead of this machine's; None: not known."""

    ingest: Ingest
    book: LiveBook
    ahead_us: Callable[[str], int | None] = lambda driver: None
    _streams: dict[str, StreamsIn] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.book.on_wish = self._wish

    def attach(self, driver: str, streams: StreamsIn) -> None:
        """Take what comes of a driver; ask his relay for what is wanted."""
        self._streams[driver] = streams

        async def on_archive(recording: bytes, entries: Sequence[Sent]) -> int:
            return await self.ingest.take(driver, recording, [_entry(entry) for entry in entries])

        def on_live(recording: bytes, entry: Sent) -> None:
            self.live(driver, entry)

        streams.position, streams.on_archive, streams.on_live = self.ingest.position, on_archive, on_live
        self.book.add(driver)
        self._wish(driver, self.book.wish(driver))

    def detach(self, driver: str) -> None:
        """Forget a driver who may not send any more."""
        self._streams.pop(driver, None)
        self.book.remove(driver)

    def live(self, driver: str, entry: Sent) -> None:
        """Take a live entry, by the link or another way."""
        if entry.kind not in _KINDS:
            return  # of a newer relay
        ahead = self.ahead_us(driver)
        taken_us = entry.as_of_us - ahead if entry.as_of_us and ahead is not None else None
        self.book.take(driver, _entry(entry), taken_us)

    def _wish(self, driver: str, wish: Wish) -> None:
        if driver in self._streams:
            self._streams[driver].wish(WISH, wish.pack())


def _entry(sent: Sent) -> Entry:
    if sent.kind not in _KINDS:
        raise StreamRefused("entries of a kind that is not known here: the backend is older than the relay")
    return Entry(sent.number, EntryKind(sent.kind), sent.data)
