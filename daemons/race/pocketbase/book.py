"""The book of records: all sites' records as they are, when each was last changed, and the changes in their order.

No clock and no I/O. A record's time of change is when this daemon saw it, which is what a client that was away needs
to ask for what it has missed. Bound: so many changes are kept; who comes later for one reads the lists again.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from attrs import define, field, frozen

from daemons.race.pocketbase.collections import COLLECTIONS, collection_id
from daemons.race.pocketbase.records import Fields, Part, SiteDay, parts_of

__all__ = ["CHANGES_KEPT", "Change", "Record", "RecordBook", "date_text"]

CHANGES_KEPT = 5000

Record = dict[str, Any]
"""A record as clients get it: id, collectionId, collectionName, its fields, created, updated, lastUpdated."""

_Key = tuple[str, str]  # collection, id


def date_text(utc: float) -> str:
    """Return an instant (UTC, seconds) as PocketBase writes it: 2026-02-07 03:00:11.500Z."""
    instant = datetime.fromtimestamp(utc, UTC)
    return instant.strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


@frozen(eq=False)
class Change:
    """What happened to a record. `action`: create, update or delete."""

    action: str
    record: Record
    _encoded: list[bytes] = field(factory=list, init=False, repr=False)

    def encoded(self) -> bytes:
        """Return the change as JSON, the same bytes for everybody who is told of the whole record."""
        if not self._encoded:
            value = {"action": self.action, "record": self.record}
            self._encoded.append(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        return self._encoded[0]


@define(eq=False)
class _Site:
    shown: SiteDay | None = None
    parts: dict[str, Part] = field(factory=dict)
    keys: dict[str, dict[_Key, Fields]] = field(factory=dict)  # by part


@define(eq=False)
class RecordBook:
    """The records of all sites. `serial` counts the changes since the start."""

    records: dict[str, dict[str, Record]] = field(
        factory=lambda: {name: {} for name in COLLECTIONS}, init=False
    )
    serial: int = field(default=0, init=False)
    _changes: deque[Change] = field(factory=lambda: deque(maxlen=CHANGES_KEPT), init=False)
    _sites: dict[str, _Site] = field(factory=dict, init=False)

    def __repr__(self) -> str:
        return f"<RecordBook {sum(map(len, self.records.values()))} records, {self.serial} changes>"

    def look(self, sites: Mapping[str, SiteDay], utc_now: float) -> Iterator[None]:
        """Bring the records up to date, in steps of a race each: all of a full day are some hundred milliseconds.

        None when nothing has changed. Given up half way it is taken up by the next look, which must not begin before.
        """
        now = date_text(utc_now)
        for name in self._sites.keys() - sites.keys():
            yield from self._take(self._sites[name], {}, now)
            del self._sites[name]
        for name, shown in sites.items():
            site = self._sites.setdefault(name, _Site())
            before = site.shown
            if (
                before
                and before.day is shown.day
                and before.current == shown.current
                and before.zone == shown.zone
            ):
                continue
            yield from self._take(site, parts_of(name, shown), now)
            site.shown = shown

    def since(self, serial: int) -> list[Change] | None:
        """Return the changes after the first `serial`, or None when they are not kept any more."""
        count = self.serial - serial
        if count > len(self._changes):
            return None
        return list(islice(self._changes, len(self._changes) - count, None))

    def _take(self, site: _Site, parts: dict[str, Part], now: str) -> Iterator[None]:
        for name in site.parts.keys() - parts.keys():
            del site.parts[name]
            self._turn(site.keys.pop(name), {}, now)
            yield
        for name, part in parts.items():
            before = site.parts.get(name)
            if before is not None and _same(before.stands_on, part.stands_on):
                continue
            fresh = part.records()
            self._turn(site.keys.get(name, {}), fresh, now)
            site.parts[name], site.keys[name] = part, fresh
            yield

    def _turn(self, before: dict[_Key, Fields], after: dict[_Key, Fields], now: str) -> None:
        for (collection, key), fields in after.items():
            old = before.get((collection, key))
            if old == fields:
                continue
            record = {"id": key, "collectionId": collection_id(collection), "collectionName": collection}
            known = self.records[collection].get(key)
            created = known["created"] if known is not None else now
            record |= {**fields, "created": created, "updated": now, "lastUpdated": now}
            self.records[collection][key] = record
            self._note(Change("create" if known is None else "update", record))
        for collection, key in before.keys() - after.keys():
            gone = self.records[collection].pop(key, None)
            if gone is not None:
                self._note(Change("delete", gone))

    def _note(self, change: Change) -> None:
        self._changes.append(change)
        self.serial += 1


def _same(before: tuple[object, ...], after: tuple[object, ...]) -> bool:
    """By identity first: a race's file that was not read again is the same value, and comparing it all is long."""
    return len(before) == len(after) and all(a is b or a == b for a, b in zip(before, after, strict=True))
