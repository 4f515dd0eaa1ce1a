"""What the site does for its hub: fetch, revalidate and watch, behind the path gate and the privacy filter."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
import trio
from attrs import define, evolve, field

from daemons.link.peer import Peer
from daemons.link.requests import Reply
from daemons.ops.metrics import FETCH_S, Histogram
from daemons.ops.offload import Offload, inline
from daemons.ops.trace import bind
from daemons.race.access import AccessRecord
from daemons.race.bodies import validator_for
from daemons.race.exchange import SHORT_BYTES, Ask, Told, ask_from_wire, encode_answer, shorten, to_wire
from daemons.race.fetched import Fetched, Origin
from daemons.race.privacy import is_private, strip_private
from daemons.race.recent import RecentBodies
from daemons.race.watches import Watch, Watches
from daemons.race.watchrows import FAILING, Row, row_of
from protocol.canonical import digest_of
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate, normalise_path
from protocol.topics import KEY_BYTES_MAX, Publisher

_log = structlog.stdlib.get_logger("pitlink.race")

WATCHES_MAX = 512
YOUNG_MAX = 64
FILTERED_MAX = 1024
"""Bodies of which it is remembered whether they held anything private, and what was left of those that did."""

LARGE_BYTES = 512 * 1024
"""A body from this size on is compressed beside the event loop, and not pushed: its row has it fetched."""

REVALIDATE_MAX = 256
PERIOD_MIN_S = 0.25

RECENT_S = 2.0
"""What is hot from now on is read at once, unless it was read so recently."""


@define(eq=False)
class SiteService:
    """The handlers of a site's link, and the topic that tells the hub what changed.

    Everything that leaves goes through `outgoing`: the gate before the origin is asked, the privacy filter after.
    """

    origin: Origin
    gate: PathGate
    watches: Watches
    publisher: Publisher
    utc_now: Callable[[], float]
    share_private: bool = False
    ttl_s: Callable[[str], float] = lambda path: 0.0
    peer: Peer | None = None
    offload: Offload = inline
    paused: bool = False
    pause_ends_at: Callable[[], float | None] = lambda: None  # UTC seconds; None: not by itself
    bodies: RecentBodies = field(factory=RecentBodies, init=False)
    bytes_saved: int = field(default=0, init=False)  # what bodies would have been longer, since the start
    watched_at: float = field(
        default=float("-inf"), init=False
    )  # monotonic: when the hub last changed what it watches
    errors: Counter[ErrorCode] = field(factory=Counter, init=False)  # of fetches, since the start
    latency: Histogram = field(factory=lambda: Histogram(FETCH_S), init=False)
    _filtered: dict[tuple[str, bytes], tuple[bytes, bytes, bytes] | None] = field(factory=dict, init=False)
    _young: dict[str, Fetched] = field(factory=dict, init=False)  # of paths with a TTL
    _watched: dict[str, Watch] = field(factory=dict, init=False)
    _read_at: dict[str, float | None] = field(factory=dict, init=False)  # of watched paths; None: it failed
    _owed: set[str] = field(factory=set, init=False)  # hot paths that the hub waits for
    _pushed: dict[str, bytes] = field(
        factory=dict, init=False
    )  # path → short digest the hub holds on this connection

    def __attrs_post_init__(self) -> None:
        self.watches.observe(self._on_read)

    @property
    def handlers(self) -> Mapping[str, Any]:
        return {"fetch": self.fetch, "revalidate": self.revalidate, "watch": self.watch}

    @property
    def held_by_hub(self) -> Mapping[str, bytes]:
        """What the hub holds of the paths that it watches, on this connection: short digests, once they have come there."""
        return self._pushed

    def _allow(self, method: str, path: str) -> str:
        if self.paused:
            raise RequestError(ErrorCode.PAUSED, "an operator has paused this site's answers")
        return self.gate.check(method, path)

    def outgoing(self, path: str, fetched: Fetched) -> Fetched:
        """Return what may leave the site of what the origin said. Unchanged bytes are not looked through again.

        Raises RequestError for what cannot be understood.
        """
        if self.share_private:
            return fetched
        key = (path, fetched.digest)
        if key not in self._filtered:
            while len(self._filtered) >= FILTERED_MAX:
                del self._filtered[next(iter(self._filtered))]
            self._filtered[key] = _filter(path, fetched.body)
        filtered = self._filtered[key]
        if filtered is None:
            return fetched
        body, digest, validator = filtered
        return evolve(fetched, body=body, digest=digest, validator=validator)

    async def fetch(self, params: Mapping[str, Any]) -> Reply:
        """Answer one fetch. Raises RequestError as the gate, the origin or the filter do."""
        ask = ask_from_wire(params)
        if ask.trace:
            bind(trace=ask.trace.hex())
        record = AccessRecord("site", "" if self.peer is None else self.peer.site, ask.path, ask.method)
        try:
            reply, fetched = await self._fetch(ask)
        except RequestError as exc:
            record.failed(exc)
            self.errors[exc.code] += 1
            raise
        except trio.Cancelled:
            record.left()
            raise
        self.latency.observe(record.answered(fetched))
        return reply

    async def _fetch(self, ask: Ask) -> tuple[Reply, Fetched]:
        path = self._allow(ask.method, ask.path)
        asked_at = self.utc_now()
        fetched = await self._read(path)
        if (
            path in self._pushed
        ):  # the base of the next push; should the answer be lost, the row has it asked for again
            self._pushed[path] = shorten(fetched.digest)
        age_s = max(0.0, asked_at - fetched.fetched_at)
        if len(fetched.body) >= LARGE_BYTES:
            return await self._answer_large(path, fetched, ask, age_s), fetched
        return self._answer(path, fetched, ask, age_s), fetched

    async def _read(self, path: str) -> Fetched:
        """Ask the origin, or within the TTL of the path remember what it said."""
        ttl_s = self.ttl_s(path)
        young = self._young.get(path)
        if young is not None and 0 <= self.utc_now() - young.fetched_at < ttl_s:
            return young
        fetched = self.outgoing(path, await self.origin.fetch(path))
        if ttl_s > 0:
            self._young[path] = fetched
            while len(self._young) > YOUNG_MAX:
                del self._young[next(iter(self._young))]
        return fetched

    def _answer(self, path: str, fetched: Fetched, ask: Ask, age_s: float) -> Reply:
        told, encoded = encode_answer(fetched, ask, age_s, lambda base: self.bodies.find(path, base))
        return self._reply(path, fetched, told, encoded)

    async def _answer_large(self, path: str, fetched: Fetched, ask: Ask, age_s: float) -> Reply:
        bases = {base: body for base in ask.bases if (body := self.bodies.find(path, base)) is not None}
        told, encoded = await self.offload(lambda: encode_answer(fetched, ask, age_s, bases.get))
        return self._reply(path, fetched, told, encoded)

    def _reply(self, path: str, fetched: Fetched, told: Told, encoded: bytes) -> Reply:
        self.bytes_saved += max(0, len(fetched.body) - len(encoded))
        self.bodies.put(path, fetched.digest, fetched.body)
        return Reply(to_wire(told), encoded)

    async def revalidate(self, params: Mapping[str, Any]) -> Reply:
        """Take {"k": {path: short validator}}, return {"c": [paths that changed], "e": {path: error code}}."""
        known = params.get("k")
        if (
            not isinstance(known, dict)
            or len(known) > REVALIDATE_MAX
            or not all(isinstance(path, str) for path in known)
        ):
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

        The digest is of the copy the hub holds (empty: none), the base of the first delta. Answers {"d": [denied],
        "u": since when all that is hot is known as told, in µs; left out when something is to be read or told first}. Denied are
        paths that are not allowed, or not now. Paused or not, watches are taken: one day the site goes on.
        """
        self.watched_at = trio.current_time()
        wanted, ended = _watch_entries(params.get("w", [])), params.get("x", [])
        if not isinstance(ended, list):
            raise RequestError(ErrorCode.BAD_REQUEST, "watch takes lists")
        if params.get("n") is True:
            self._forget(list(self._watched))
        self._forget([path for path in ended if isinstance(path, str)])
        before, hot_before = set(self._watched), set(self._hot())
        denied: list[str] = []
        try:
            for raw, digest, watch in wanted:
                try:
                    path = normalise_path(raw)
                except RequestError:
                    denied.append(raw)
                    continue
                if len(path.encode()) > KEY_BYTES_MAX:  # it would be no key of the topic
                    denied.append(raw)
                    continue
                if path not in self._watched:
                    self._begin_watch(path, digest)
                self._watched[path] = evolve(watch, path=path)
                if not self._is_allowed(path):
                    denied.append(raw)
        finally:
            self._want()
        # What was read for the local page a while ago is news to the hub.
        self._tell_again([path for path in self._watched if path not in before])
        as_of = self._look_at(self._hot() - hot_before, is_new=params.get("n") is True)
        return Reply({"d": denied, **({} if as_of is None else {"u": int(as_of * 1e6)})})

    def _look_at(self, paths: set[str], *, is_new: bool) -> float | None:
        """Have read at once what is hot from now on, for the hub to be told as soon as it is done; return as of when all
        that is hot is known, None when that has to wait for the reading.

        On a new connection everything: what was read before it says nothing of what was missed.
        """
        recent = self.utc_now() - RECENT_S
        for path in paths:
            read_at = self._read_at.get(path, float("-inf"))
            if read_at is not None and (is_new or read_at < recent):
                self._owed.add(path)
        if self._owed:
            self.watches.nudge(*sorted(self._owed))
            return None
        as_of = self._as_of()
        if as_of is None or not self.publisher.has_told_all:
            return None
        self.publisher.read_at(int(as_of * 1e6))
        return as_of

    def _hot(self) -> set[str]:
        return {path for path, watch in self._watched.items() if not watch.priority}

    def _is_allowed(self, path: str) -> bool:
        try:
            self.gate.check("GET", path)
        except RequestError:
            return False
        return True

    def _want(self) -> None:
        """Have read what the hub watches and may see. What it may not is remembered: a rule may be switched on again."""
        self.watches.want("hub", [watch for watch in self._watched.values() if self._is_allowed(watch.path)])

    def _begin_watch(self, path: str, digest: bytes) -> None:
        if len(self._watched) >= WATCHES_MAX:
            raise RequestError(ErrorCode.BUSY, f"{WATCHES_MAX} paths are watched")
        self._pushed[path] = digest

    def _forget(self, paths: list[str]) -> None:
        for path in paths:
            self._read_at.pop(path, None)
            self._owed.discard(path)
            if self._watched.pop(path, None) is not None:
                self._pushed.pop(path, None)
                self.publisher.remove(path, trio.current_time())

    def pause(self, is_paused: bool) -> None:
        """Stop, or start again, to answer the hub. The local pages are not touched."""
        self.paused = is_paused
        self._tell_again(self._watched)

    def switch(self, pattern: str, enabled: bool) -> None:
        """Switch a rule of the allowlist, also for what is watched. Raises ValueError for a rule that is not there."""
        try:
            self.gate.switch(pattern, enabled=enabled)
        except RequestError as exc:
            raise ValueError(exc.words) from exc
        self._want()
        self._tell_again(self._watched)

    def _tell_again(self, paths: Iterable[str]) -> None:
        """Tell the hub how watched paths stand now: not to be had, or as they were last read."""
        for path in list(paths):
            latest = self.watches.latest(path)
            try:
                self._allow("GET", path)
            except RequestError as exc:
                self._on_read(path, exc)
            else:
                if latest is not None:
                    self._on_read(path, latest)
                else:  # not read yet: what was said of it meanwhile is not so any more
                    self._read_at.pop(path, None)
                    self.publisher.remove(path, trio.current_time())

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
        if path not in self._watched:
            return
        now = trio.current_time()
        try:
            self._allow("GET", path)
            if isinstance(result, RequestError):
                raise result
            fetched = self.outgoing(path, result)
        except RequestError as exc:
            self._read_at[path] = None
            until = self.pause_ends_at() if exc.code is ErrorCode.PAUSED else None
            row = Row(flags=FAILING, code=exc.code, until_us=0 if until is None else int(until * 1e6))
            self.publisher.set(path, row.encode(), now)
            self._was_owed(path)
            return
        self._read_at[path] = fetched.fetched_at
        as_of = self._as_of()
        if as_of is not None:
            self.publisher.read_at(int(as_of * 1e6))
        self.publisher.set(path, row_of(fetched).encode(), now)
        self._was_owed(path)
        is_news = self._pushed.get(path) != shorten(fetched.digest)
        if is_news and self.peer is not None and len(fetched.body) < LARGE_BYTES:
            base = self._pushed.get(path, b"")
            ask = Ask(path, bases=[base] if base else [])
            reply = self._answer(path, fetched, ask, self.utc_now() - fetched.fetched_at)
            read_us = int(fetched.fetched_at * 1e6)
            if self.peer.push("body", {**reply.result, "p": path, "u": read_us}, reply.body):
                self._pushed[path] = shorten(fetched.digest)
        else:  # the hub fetches it, or has it from an earlier connection: the base of what changes next
            self.bodies.put(path, fetched.digest, fetched.body)

    def _was_owed(self, path: str) -> None:
        """Tell the age at once when that was the last read the hub waits for."""
        if path in self._owed:
            self._owed.discard(path)
            if not self._owed:
                self.publisher.tell()

    def _as_of(self) -> float | None:
        """Return since when all that is hot (or, with nothing hot, all that is watched) is known to be as it is told.

        The oldest read counts, not the youngest: the age is shown for each of them. What fails tells so in its row.
        None as long as something hot was not looked at.
        """
        hot = self._hot()
        if not hot <= self._read_at.keys():
            return None
        read_at = (self._read_at.get(path) for path in hot or self._watched)
        return min((at for at in read_at if at is not None), default=None)


def _watch_entries(entries: object) -> list[tuple[str, bytes, Watch]]:
    """Read all entries of a watch before any of them counts. Raises RequestError(BAD_REQUEST)."""
    if not isinstance(entries, list):
        raise RequestError(ErrorCode.BAD_REQUEST, "watch takes lists")
    read: list[tuple[str, bytes, Watch]] = []
    for entry in entries:
        match entry:
            case [str(raw), int(period_ms), int(priority), bytes(digest)]:
                watch = Watch(raw, max(PERIOD_MIN_S, period_ms / 1000), max(0, priority))
                read.append((raw, digest[:SHORT_BYTES], watch))
            case _:
                words = "an entry of watch is [path, period, priority, digest]"
                raise RequestError(ErrorCode.BAD_REQUEST, words)
    return read


def _filter(path: str, body: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return (body, digest, validator) without what is private, or None when nothing is."""
    if not is_private(path, body):
        return None
    left = strip_private(body)
    return left, digest_of(left), validator_for(path, left)
