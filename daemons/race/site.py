"""What the site does for its hub: fetch, revalidate and watch, behind the path gate and the privacy filter."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import structlog
import trio
from attrs import define, evolve, field

from daemons.link.peer import Peer
from daemons.link.requests import Reply
from daemons.race.exchange import Ask, ask_from_wire, encode_answer, shorten, to_wire
from daemons.race.fetched import Fetched, Origin
from daemons.race.privacy import is_private, strip_private
from daemons.race.watches import Watch, Watches
from protocol import cbor
from protocol.canonical import digest_of, validator_of
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate
from protocol.topics import Publisher

_log = structlog.stdlib.get_logger("pitlink.race")

WATCH_TOPIC = "watch"
BODIES_BYTES_MAX = 32 * 1024 * 1024
"""Bound of the recent bodies kept as bases of deltas."""

BODIES_PER_PATH = 4
WATCHES_MAX = 512
YOUNG_MAX = 64
REVALIDATE_MAX = 256
PERIOD_MIN_S = 0.25


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

    def purge(self, prefix: str) -> None:
        """Forget every body of paths that begin with `prefix`."""
        for path in [path for path in self._by_path if path.startswith(prefix)]:
            self.size -= sum(map(len, self._by_path.pop(path).values()))

    def find(self, path: str, short_digest: bytes) -> bytes | None:
        bodies = self._by_path.get(path)
        return None if bodies is None else bodies.get(short_digest)


@define(eq=False)
class SiteService:
    """The handlers of a site's link, and the topic that tells the hub what changed.

    Everything that leaves goes through `_outgoing`: the gate before the origin is asked, the privacy filter after.
    """

    origin: Origin
    gate: PathGate
    watches: Watches
    publisher: Publisher
    utc_now: Callable[[], float]
    share_private: bool = False
    ttl_s: Callable[[str], float] = lambda path: 0.0
    peer: Peer | None = None
    paused: bool = False
    bodies: RecentBodies = field(factory=RecentBodies, init=False)
    _young: dict[str, Fetched] = field(factory=dict, init=False)  # of paths with a TTL
    _watched: dict[str, Watch] = field(factory=dict, init=False)
    _pushed: dict[str, bytes] = field(
        factory=dict, init=False
    )  # path → short digest the hub holds on this connection

    def __attrs_post_init__(self) -> None:
        self.watches.observe(self._on_read)

    @property
    def handlers(self) -> Mapping[str, Any]:
        return {"fetch": self.fetch, "revalidate": self.revalidate, "watch": self.watch}

    def _allow(self, method: str, path: str) -> str:
        if self.paused:
            raise RequestError(ErrorCode.PAUSED, "an operator has paused this site's answers")
        return self.gate.check(method, path)

    def _outgoing(self, path: str, fetched: Fetched) -> Fetched:
        """Return what may cross the link of what the origin said."""
        if self.share_private or not is_private(path):
            return fetched
        body = strip_private(fetched.body)
        return evolve(fetched, body=body, digest=digest_of(body), validator=validator_of(body, is_json=True))

    async def fetch(self, params: Mapping[str, Any]) -> Reply:
        """Answer one fetch. Raises RequestError as the gate, the origin or the filter do."""
        ask = ask_from_wire(params)
        path = self._allow(ask.method, ask.path)
        asked_at = self.utc_now()
        fetched = await self._read(path)
        return self._answer(path, fetched, ask, max(0.0, asked_at - fetched.fetched_at))

    async def _read(self, path: str) -> Fetched:
        """Ask the origin, or within the TTL of the path remember what it said."""
        ttl_s = self.ttl_s(path)
        young = self._young.get(path)
        if young is not None and self.utc_now() - young.fetched_at < ttl_s:
            return young
        fetched = self._outgoing(path, await self.origin.fetch(path))
        if ttl_s > 0:
            self._young[path] = fetched
            while len(self._young) > YOUNG_MAX:
                del self._young[next(iter(self._young))]
        return fetched

    def _answer(self, path: str, fetched: Fetched, ask: Ask, age_s: float) -> Reply:
        told, encoded = encode_answer(fetched, ask, age_s, lambda base: self.bodies.find(path, base))
        self.bodies.put(path, fetched.digest, fetched.body)
        return Reply(to_wire(told), encoded)

    async def revalidate(self, params: Mapping[str, Any]) -> Reply:
        """Take {"k": {path: short validator}}, return {"c": [paths that changed], "e": {path: error code}}."""
        known = params.get("k")
        if not isinstance(known, dict) or len(known) > REVALIDATE_MAX:
            raise RequestError(ErrorCode.BAD_REQUEST, "revalidate takes a map of at most 256 paths")
        changed: list[str] = []
        errors: dict[str, str] = {}
        for raw_path, validator in known.items():
            try:
                path = self._allow("GET", raw_path)
                fetched = await self._read(path)
            except RequestError as exc:
                errors[raw_path] = exc.code
                continue
            if shorten(fetched.validator) != validator:
                changed.append(raw_path)
        return Reply({"c": changed, "e": errors})

    async def watch(self, params: Mapping[str, Any]) -> Reply:
        """Change what the hub watches: {"n": start anew, "w": [[path, period_ms, priority, short digest]], "x": [path]}.

        The digest is of the copy the hub holds (empty: none), the base of the first delta. Answers {"d": [denied]}.
        """
        wanted, ended = params.get("w", []), params.get("x", [])
        if not isinstance(wanted, list) or not isinstance(ended, list):
            raise RequestError(ErrorCode.BAD_REQUEST, "watch takes lists")
        if params.get("n") is True:
            self._forget(list(self._watched))
        self._forget([path for path in ended if isinstance(path, str)])
        denied: list[str] = []
        new: list[str] = []
        for entry in wanted:
            match entry:
                case [str(raw), int(period_ms), int(priority), bytes(digest)]:
                    try:
                        path = self._allow("GET", raw)
                    except RequestError:
                        denied.append(raw)
                        continue
                    if path not in self._watched:
                        self._begin_watch(path, digest)
                        new.append(path)
                    self._watched[path] = Watch(path, max(PERIOD_MIN_S, period_ms / 1000), max(0, priority))
                case _:
                    raise RequestError(
                        ErrorCode.BAD_REQUEST, "an entry of watch is [path, period, priority, digest]"
                    )
        self.watches.want("hub", self._watched.values())
        for path in new:  # what was read for the local page a while ago is news to the hub
            latest = self.watches.latest(path)
            if latest is not None:
                self._on_read(path, latest)
        return Reply({"d": denied})

    def _begin_watch(self, path: str, digest: bytes) -> None:
        if len(self._watched) >= WATCHES_MAX:
            raise RequestError(ErrorCode.BUSY, f"{WATCHES_MAX} paths are watched")
        self._pushed[path] = digest

    def _forget(self, paths: list[str]) -> None:
        for path in paths:
            if self._watched.pop(path, None) is not None:
                self._pushed.pop(path, None)
                self.publisher.remove(path, trio.current_time())

    def pause(self, is_paused: bool) -> None:
        """Stop, or start again, to answer the hub. The local pages are not touched."""
        self.paused = is_paused

    def purge(self, prefix: str) -> None:
        """Forget the remembered bodies of paths that begin with `prefix`, and have the hub's fetched anew."""
        self.bodies.purge(prefix)
        for path in [path for path in self._young if path.startswith(prefix)]:
            del self._young[path]
        for path in self._pushed:
            if path.startswith(prefix):
                self._pushed[path] = b""
        self.watches.nudge(*[path for path in self._watched if path.startswith(prefix)])

    def link_lost(self) -> None:
        """Forget what the hub of the last connection held; its next watch says it again."""
        self._forget(list(self._watched))
        self.watches.want("hub", [])

    def _on_read(self, path: str, result: Fetched | RequestError) -> None:
        """Publish a watched path's state, and push its body when it changed."""
        if path not in self._watched or self.paused:
            return
        now = trio.current_time()
        try:
            if isinstance(result, RequestError):
                raise result
            fetched = self._outgoing(path, result)
        except RequestError as exc:
            self.publisher.set(path, cbor.encode([b"", FAILING, str(exc.code)]), now)
            return
        if self._watched[path].priority == 0 or all(watch.priority for watch in self._watched.values()):
            self.publisher.read_at(int(fetched.fetched_at * 1e6))
        self.publisher.set(path, row_of(fetched), now)
        if self._pushed.get(path) != shorten(fetched.digest) and self.peer is not None:
            base = self._pushed.get(path, b"")
            ask = Ask(path, bases=[base] if base else [])
            reply = self._answer(path, fetched, ask, 0.0)
            if self.peer.push("body", {**reply.result, "p": path}, reply.body):
                self._pushed[path] = shorten(fetched.digest)


ABSENT, STALE, FAILING = 1, 2, 4
"""Flags of a row: the origin has no such file; the last good copy is served; the last read failed."""


def row_of(fetched: Fetched) -> bytes:
    """Encode a row of the watch topic: [short validator, flags], or [b"", FAILING, error code]."""
    flags = (ABSENT if fetched.absent else 0) | (STALE if fetched.stale else 0)
    return cbor.encode([shorten(fetched.validator), flags])
