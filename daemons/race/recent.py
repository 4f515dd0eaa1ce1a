"""The last bodies of an origin: what a delta can be made against."""

from collections import OrderedDict

from attrs import define, field

from daemons.race.exchange import shorten

__all__ = ["RecentBodies"]

BODIES_BYTES_MAX = 32 * 1024 * 1024
"""Bound of the recent bodies kept as bases of deltas."""

BODIES_PER_PATH = 4


@define(eq=False)
class RecentBodies:
    """The last bodies by path, within a memory bound: what a delta can be made against."""

    bytes_max: int = BODIES_BYTES_MAX
    size: int = field(default=0, init=False)
    _by_path: OrderedDict[str, OrderedDict[bytes, bytes]] = field(factory=OrderedDict, init=False)

    def put(self, path: str, digest: bytes, body: bytes) -> None:
        """Remember `body`; the least recently used path goes first when the bound is met."""
        bodies = self._by_path.setdefault(path, OrderedDict())
        self._by_path.move_to_end(path)
        key = shorten(digest)
        if key in bodies:
            bodies.move_to_end(key)
            return
        bodies[key] = body
        self.size += len(body)
        while len(bodies) > BODIES_PER_PATH:
            self.size -= len(bodies.popitem(last=False)[1])
        while self.size > self.bytes_max and len(self._by_path) > 1:
            _, gone = self._by_path.popitem(last=False)
            self.size -= sum(map(len, gone.values()))

    @property
    def paths(self) -> int:
        """How many paths have a body here."""
        return len(self._by_path)

    def count(self, prefix: str) -> tuple[int, int]:
        """Return how many bodies `purge` would forget, and their bytes."""
        found = [
            body
            for path, bodies in self._by_path.items()
            if path.startswith(prefix)
            for body in bodies.values()
        ]
        return len(found), sum(map(len, found))

    def purge(self, prefix: str) -> None:
        """Forget every body of paths that begin with `prefix`."""
        for path in [path for path in self._by_path if path.startswith(prefix)]:
            self.size -= sum(map(len, self._by_path.pop(path).values()))

    def find(self, path: str, short_digest: bytes) -> bytes | None:
        bodies = self._by_path.get(path)
        return None if bodies is None else bodies.get(short_digest)
