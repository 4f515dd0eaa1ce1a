"""The site's answers to the check of its replica: digests of days, and the rows of a span that differs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import apsw
from attrs import define

from daemons.heating.replica import digests
from daemons.link.requests import Handler, Reply
from daemons.store import StorageError, Store, fetch
from protocol.errors import ErrorCode, RequestError

__all__ = ["DAYS", "DAYS_MAX", "ROWS", "CheckService"]

DAYS = "heat.days"
ROWS = "heat.rows"
DAYS_MAX = 64
"""Asked for at once: 64 KiB, unpacked, hold them, and the disk is not read for long."""

_POSITION = """SELECT e.epoch, e.next - 1 FROM link_out_epoch AS e JOIN link_out_channel AS c ON c.id = e.channel_id
    WHERE c.peer = ? AND c.channel = 'event' AND e.next > 1 ORDER BY e.id DESC LIMIT 1"""


@define(eq=False)
class CheckService:
    """Answers for one house. `house()`: its number in the tables; `peer`: what the hub is called there."""

    store: Store
    house: Callable[[], int]
    peer: str = "hub"

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The requests that are answered, for the link's `Peer`."""
        return {DAYS: self.days, ROWS: self.rows}

    async def days(self, params: Mapping[str, Any]) -> Reply:
        """Answer {v, f, t} with the version, the span that is really told of, and the last message that was sent; the body
        has the days. Raises RequestError."""
        start, end = _span(params)
        if end - start > DAYS_MAX * digests.DAY_S:
            raise RequestError(ErrorCode.BAD_REQUEST, f"{DAYS_MAX} days at once")
        if params.get("v") != digests.VERSION:
            return Reply({"v": digests.VERSION})
        first, position, found = await self._read(partial(self._days, start=start, end=end))
        result: dict[str, Any] = {"v": digests.VERSION, "f": first}
        if position is not None:
            result["p"] = position
        return Reply(result, digests.pack_days(found))

    def _days(
        self, conn: apsw.Connection, start: int, end: int
    ) -> tuple[int | None, list[int] | None, dict[int, digests.Day]]:
        house = self.house()
        first = digests.oldest(conn, house)
        rows = fetch(conn, _POSITION, (self.peer,))
        found = {} if first is None else digests.days(conn, house, max(start, first), end)
        return first, list(rows[0]) if rows else None, found

    async def rows(self, params: Mapping[str, Any]) -> Reply:
        """Answer {f, t} with the rows of that span. Raises RequestError; TOO_LARGE: ask for less at once."""
        start, end = _span(params)
        found = await self._read(partial(digests.rows_between, house=self.house(), start=start, end=end))
        try:
            return Reply({"v": digests.VERSION}, digests.pack_rows(found))
        except ValueError as exc:
            raise RequestError(ErrorCode.TOO_LARGE, str(exc)) from exc

    async def _read(self, work: Callable[[apsw.Connection], Any]) -> Any:
        try:
            return await self.store.read(work)
        except StorageError as exc:
            raise RequestError(ErrorCode.INTERNAL, "the history cannot be read just now") from exc


def _span(params: Mapping[str, Any]) -> tuple[int, int]:
    start, end = params.get("f"), params.get("t")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= 2**40:
        raise RequestError(ErrorCode.BAD_REQUEST, "f and t are instants, one before the other")
    return start, end
