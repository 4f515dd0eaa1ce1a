"""The last good copy of each path, within a bound of memory."""

from collections import OrderedDict

from daemons.race.fetched import Fetched

__all__ = ["Kept"]


class Kept:
    """Last good copies by path. Past `bytes_max` (bodies only) the one that was not used for longest goes."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self._by_path: OrderedDict[str, Fetched] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Kept {len(self._by_path)} copies, {self.bytes} bytes>"

    def get(self, path: str) -> Fetched | None:
        fetched = self._by_path.get(path)
        if fetched is not None:
            self._by_path.move_to_end(path)
        return fetched

    def put(self, fetched: Fetched) -> None:
        before = self._by_path.pop(fetched.path, None)
        self.bytes += len(fetched.body) - (len(before.body) if before is not None else 0)
        self._by_path[fetched.path] = fetched
        while self.bytes > self.bytes_max:
            _, gone = self._by_path.popitem(last=False)
            self.bytes -= len(gone.body)
