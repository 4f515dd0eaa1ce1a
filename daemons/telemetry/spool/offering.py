"""Which recordings of the spool are offered to the backend: the one that grows now, before those that are made up for."""

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from daemons.link.streams import Archive, StreamsOut
from daemons.telemetry.spool.shelf import Shelf
from daemons.telemetry.spool.spool import Spool
from protocol.streams import Entry

__all__ = ["Offering"]

OLD_MAX: Final = 3
"""Ended recordings that are offered at once; the next follows when the backend has one whole."""


@define(eq=False)
class _Source:
    """A recording as the link reads it."""

    offering: "Offering"
    shelf: Shelf
    words: str = ""

    @property
    def end(self) -> int:
        return self.shelf.end

    async def read(self, number: int, max_bytes: int) -> Sequence[Entry]:
        return await self.offering.spool.read(self.shelf, number, max_bytes)

    def acknowledged(self, number: int) -> None:
        self.words = ""
        self.offering.acknowledged(self.shelf, number)

    def refused(self, words: str) -> None:
        self.words = words


@define(eq=False)
class Offering:
    """Joins a spool to the link's streams, for as long as both are. `words`: what the backend refuses, and why."""

    spool: Spool
    streams: StreamsOut
    _offered: dict[bytes, tuple[Archive, _Source]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.spool.on_grew = self._grew
        self._offer_more()

    @property
    def words(self) -> str:
        return "; ".join(sorted({source.words for _, source in self._offered.values() if source.words}))

    @property
    def behind_entries(self) -> int:
        """How many entries the backend does not have yet: about seconds."""
        return sum(max(0, shelf.end - shelf.acknowledged) for shelf in self.spool.shelves.values())

    def acknowledged(self, shelf: Shelf, number: int) -> None:
        """Take the backend's word of how far it has a recording."""
        self.spool.acknowledged(shelf, number)
        if shelf.is_done:
            self._close(shelf)
            self._offer_more()

    def _grew(self, shelf: Shelf) -> None:
        offered = self._offered.get(shelf.id)
        if offered is not None:
            offered[0].grew()
        else:
            self._offer_more()

    def _offer_more(self) -> None:
        old = sum(source.shelf.is_ended for _, source in self._offered.values())
        for shelf in self.spool.shelves.values():
            if shelf.is_done or shelf.id in self._offered:
                continue
            if shelf.is_ended and old >= OLD_MAX:
                continue
            old += shelf.is_ended
            source = _Source(self, shelf)
            self._offered[shelf.id] = (
                self.streams.archive(shelf.id, source, urgent=not shelf.is_ended),
                source,
            )

    def _close(self, shelf: Shelf) -> None:
        offered = self._offered.pop(shelf.id, None)
        if offered is not None:
            offered[0].close()
