"""An event as an origin has it, in memory: files by path, and what happens when they are read."""

import hashlib
from typing import Any

import trio
from attrs import define, field

from daemons.race.fetched import Fetched
from daemons.race.keeper import BoardKeeper
from daemons.race.paths import CHANNELS, CURRENT, HOME, Kind, event_file, race_file
from protocol.errors import ErrorCode, RequestError

from . import makers as make

EVENT = event_file(make.EVENT_ID, Kind.EVENT)
PILOTS = event_file(make.EVENT_ID, Kind.PILOTS)
ROUNDS = event_file(make.EVENT_ID, Kind.ROUNDS)


def race_path(number: int, kind: Kind = Kind.RACE) -> str:
    return race_file(make.EVENT_ID, make.race_id(number), kind)


def result_path(number: int) -> str:
    return race_path(number, Kind.RESULT)


def fetched(path: str, body: bytes, at: float = 0.0, **more: Any) -> Fetched:
    digest = hashlib.sha256(body).digest()
    return Fetched(path, body, None, digest, digest, at, **more)


@define(eq=False)
class Field:
    """A race day's files. `reads` notes every path that was fetched, `down` makes every fetch fail."""

    files: dict[str, bytes] = field(factory=dict)
    reads: list[tuple[float, str]] = field(factory=list)
    down: RequestError | None = None

    def put(self, path: str, value: Any) -> bytes:
        self.files[path] = value if isinstance(value, bytes) else make.to_bytes(value)
        return self.files[path]

    def race(self, number: int, **more: Any) -> str:
        """Write the race whose id is `number` (round · 100 + number); return its path."""
        path = race_path(number)
        self.put(path, [make.race(number % 100, in_round=number // 100, **more)])
        return path

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        await trio.lowlevel.checkpoint()
        now = trio.current_time()
        self.reads.append((now, path))
        if self.down is not None:
            raise self.down
        body = self.files.get(path)
        if body is None:
            if path == CURRENT:
                raise RequestError(ErrorCode.ORIGIN_INVALID, "an HTML page where JSON was due")
            return fetched(path, b"[]", now, absent=True)
        return fetched(path, body, now)


def open_field(races: list[int], **event: Any) -> Field:
    """A field with its lists in place and its races pending."""
    day = Field()
    day.put(HOME, make.home())
    day.put(EVENT, [make.event([make.race_id(number) for number in races], **event)])
    day.put(PILOTS, [make.pilot(1, "Ann"), make.pilot(2, "Bo"), make.pilot(3, "Cy")])
    day.put(ROUNDS, [make.round_(1), make.round_(2)])
    day.put(CHANNELS, make.CHANNELS)
    for number in races:
        day.race(number)
    return day


def feed(keeper: BoardKeeper, day: Field, at: float = 0.0) -> None:
    """Give the keeper everything it wants until it wants nothing it has not seen."""
    seen: set[str] = set()
    while fresh := [watch.path for watch in keeper.watches() if watch.path not in seen]:
        for path in fresh:
            seen.add(path)
            if path in day.files:
                keeper.apply(path, fetched(path, day.files[path], at))
    keeper.take_urgent()
