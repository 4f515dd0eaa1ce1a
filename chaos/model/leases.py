"""Leases: what was set ends by itself when whoever set it is not there any more to renew it."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

__all__ = ["Leases"]

K = TypeVar("K")


class Leases(Generic[K]):
    """One for each key. When one runs out it is gone, and then `on_end(key)` is called, in `nursery`."""

    def __init__(self, nursery: trio.Nursery, on_end: Callable[[K], Awaitable[None]]) -> None:
        self._nursery = nursery
        self._on_end = on_end
        self._leases: dict[K, _Lease] = {}

    def begin(self, key: K, length_s: float) -> None:
        """Begin a lease in the place of an earlier one; a length of 0 is none."""
        self._leases.pop(key, None)
        if length_s:
            lease = self._leases[key] = _Lease(length_s)
            self._nursery.start_soon(self._watch, key, lease)

    def renew(self) -> int:
        """Begin all anew; return how many there are."""
        for lease in self._leases.values():
            lease.renew()
        return len(self._leases)

    def left_s(self, key: K) -> float | None:
        """Return what is left; None: there is none."""
        lease = self._leases.get(key)
        return None if lease is None else max(0.0, lease.ends_at - trio.current_time())

    def drop(self, key: K) -> None:
        """Forget a lease: what it was for lasts, or has ended. One that is not there is no matter."""
        self._leases.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._leases.clear()

    async def _watch(self, key: K, lease: "_Lease") -> None:
        while self._leases.get(key) is lease:
            if lease.ends_at > trio.current_time():
                await trio.sleep_until(lease.ends_at)
                continue
            del self._leases[key]
            await self._on_end(key)


class _Lease:
    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self.renew()

    def renew(self) -> None:
        self.ends_at = trio.current_time() + self.length_s
