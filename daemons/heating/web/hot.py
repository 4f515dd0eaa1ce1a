"""Answers that are asked for again and again, kept in memory: the port that a cache of many machines would fill.

An answer is kept for a while and thrown away when the house says that something is another; what is past by weeks is
kept longer. Bounded by bytes, what was not asked for the longest goes first.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol

import trio
from attrs import define, field, frozen

__all__ = ["HotAnswers", "HotCache"]

BYTES_MAX = 8 * 1024 * 1024


class HotCache(Protocol):
    """What keeps answers."""

    async def get_or_make(self, key: Hashable, keep_s: float, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the bytes kept under `key`, or those that `make` returns, which are then kept for `keep_s`.

        `make` is called once for all who ask at the same time. Raises what it raises.
        """

    @property
    def hit_rate(self) -> float | None:
        """Which share was answered from what is kept; None: nothing was asked for yet."""


@frozen(eq=False)
class _Kept:
    until: float
    body: bytes


@define(eq=False)
class HotAnswers:
    """The half of it inside one process."""

    bytes_max: int = BYTES_MAX
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    size: int = field(default=0, init=False)
    _kept: OrderedDict[Hashable, _Kept] = field(factory=OrderedDict, init=False)
    _making: dict[Hashable, trio.Event] = field(factory=dict, init=False)

    def __repr__(self) -> str:
        return f"<HotAnswers {len(self._kept)} of {self.size} bytes>"

    @property
    def hit_rate(self) -> float | None:
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    async def get_or_make(self, key: Hashable, keep_s: float, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """See the port. Cancelled while it makes, another one who waits makes it."""
        while True:
            known = self._kept.get(key)
            if known is not None and trio.current_time() < known.until:
                self._kept.move_to_end(key)
                self.hits += 1
                return known.body
            making = self._making.get(key)
            if making is None:
                break
            await making.wait()
        self.misses += 1
        done = self._making[key] = trio.Event()
        try:
            body = await make()
            self._keep(key, _Kept(trio.current_time() + keep_s, body))
            return body
        finally:
            del self._making[key]
            done.set()

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self.size -= len(before.body)
        if len(kept.body) > self.bytes_max:
            return
        self._kept[key] = kept
        self.size += len(kept.body)
        while self.size > self.bytes_max:
            _, oldest = self._kept.popitem(last=False)
            self.size -= len(oldest.body)
