"""What a hub has heard of a house: its state, settings and plan, with their age, from the link or from before a restart.

Nothing is younger than it was told to be: the age goes on while the link is down and while this hub was, and rows that
cannot be read here leave what was shown before them, older and older, with words on why.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import structlog
import trio
from attrs import define, evolve, field

from daemons.heating.look import Changes
from daemons.heating.plant import Plant
from daemons.heating.replica import planrows, rows
from daemons.heating.replica.kept import Kept, read_kept, write_kept
from daemons.heating.settings import Settings
from daemons.link.peer import Peer
from daemons.link.signal import Signal
from daemons.ops.environment import Environment
from daemons.ops.storecare import patiently
from daemons.store import Store
from protocol.topics import Subscriber

__all__ = ["TOPICS", "Heard", "subscribers"]

_log = structlog.stdlib.get_logger("pitlink.heating")

TOPICS = (rows.TOPIC, planrows.TOPIC)
KEEP_S = 5.0
"""What is heard is on disk so long after it at most: a state is told anew at the next connection anyhow."""
KEEP_AGE_S = 60.0
"""Where nothing but the age moves on."""
SKEW_S = 5.0
"""So far ahead of our clock may be what was true before a restart of ours."""

_Table = Mapping[str, bytes]


def subscribers() -> dict[str, Subscriber]:
    """Return the topics of one house, for its link's `Peer`."""
    return {topic: Subscriber(topic) for topic in TOPICS}


@define(eq=False)
class Heard:
    """One house, `house` in the tables. `load` first; `run` must be running. Everything else answers from memory."""

    house: int
    peer: Peer
    store: Store
    environment: Environment
    changes: Changes = field(factory=Changes)
    told: rows.Told | None = field(default=None, init=False)
    plan: Plant | None = field(default=None, init=False)
    settings: Settings | None = field(default=None, init=False)
    _foreign: dict[str, str] = field(factory=dict, init=False)  # words, by topic
    updates: int = field(default=0, init=False)
    _as_of: float | None = field(default=None, init=False)  # of the state, UTC by our clock
    _true_at: float | None = field(default=None, init=False)  # the same by Trio's, if it was told in this run
    _kept: Kept = field(factory=Kept, init=False)
    _written: dict[str, dict[str, bytes]] = field(factory=dict, init=False)  # rows on disk, by topic
    _kept_at: float = field(default=-KEEP_AGE_S, init=False)  # monotonic
    _heard: Signal = field(factory=Signal, init=False)
    _to_keep: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.peer.on_update.append(self._on_update)
        self.peer.on_up.append(self._on_up)
        self.peer.on_down.append(self._on_down)

    # --- what is known -------------------------------------------------------------------------------------------

    def age_s(self) -> float | None:
        """Return for how many real seconds the state has not been confirmed; None: nothing was ever told, or it is not
        known: this machine's clock, since a restart, is behind what was true before that."""
        if self._as_of is None:
            return None
        age_s = self.environment.utc_now() - self._as_of
        if self._true_at is not None:  # a clock that is set back makes nothing younger
            return max(0.0, age_s, trio.current_time() - self._true_at)
        return None if age_s < -SKEW_S else max(0.0, age_s)

    def house_now(self) -> float | None:
        """Return the house's own time now."""
        age_s = self.age_s()
        if self.told is None or age_s is None:
            return None
        return self.told.state.at + age_s * self.told.clock.speed

    @property
    def foreign(self) -> str:
        """Why what the site tells cannot be read here; "": it can."""
        return "; ".join(self._foreign.values())

    @property
    def restarts(self) -> tuple[int, float | None, str]:
        """How often the site was noticed to have started anew, when last (our UTC), and what it was in words."""
        return self._kept.restarts, self._kept.restarted_at, self._kept.words

    # --- its life ------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Know what an earlier run has kept, with its age. Raises StorageError."""
        kept = await self.store.read(partial(read_kept, house=self.house))
        self._written = {topic: dict(kept.rows.get(topic, {})) for topic in TOPICS}
        self._kept, self._as_of = evolve(kept, rows={}), kept.as_of
        if kept.as_of_us is not None:
            self._read_state(self._written[rows.TOPIC], kept.as_of_us)
        self._read_settings(self._written[planrows.TOPIC])

    async def run(self) -> None:
        """Keep what is heard. Never returns; cancelled, it keeps what is new within a second."""
        try:
            while True:
                await self._heard.wait()
                await trio.sleep(KEEP_S)
                await self._keep()
        finally:
            with trio.move_on_after(1, shield=True), suppress(Exception):
                await self._keep()

    async def _keep(self) -> None:
        changed: dict[str, dict[str, bytes | None]] = {}
        for topic, written in self._written.items():
            now = self._rows(topic)
            if now is not written:
                gone: dict[str, bytes | None] = dict.fromkeys(written.keys() - now.keys())
                changed[topic] = gone | {key: row for key, row in now.items() if written.get(key) != row}
        is_due = trio.current_time() - self._kept_at >= KEEP_AGE_S
        if not any(changed.values()) and not self._to_keep and not is_due:
            return
        tables = {topic: dict(self._rows(topic)) for topic in TOPICS}
        as_of_us = self.peer.subscribers[rows.TOPIC].as_of_us or self._kept.as_of_us
        self._kept = evolve(self._kept, as_of_us=as_of_us, as_of=self._as_of)
        self._to_keep = False
        work = partial(write_kept, house=self.house, heard=self._kept, changed=changed)
        await patiently(partial(self.store.transact, work), "what a house told")
        self._written, self._kept_at = tables, trio.current_time()

    # --- what comes ----------------------------------------------------------------------------------------------

    def _on_up(self) -> None:
        self._note_restart()
        self.changes.tell()

    def _on_down(self) -> None:
        self._to_keep = True
        self._heard.set()
        self.changes.tell()

    def _note_restart(self) -> None:
        """Notice that the site's daemon, or its machine, is another run than the one heard of last."""
        connection = self.peer.connection
        assert connection is not None
        theirs, kept = connection.theirs, self._kept
        if theirs.instance == kept.instance:
            return
        restarts, at, words = kept.restarts, kept.restarted_at, kept.words
        if kept.instance:
            is_machine = theirs.clock.boot != kept.boot
            words = "its machine was started anew" if is_machine else "its daemon was started anew"
            restarts, at = restarts + 1, self.environment.utc_now()
            _log.warning("house.restarted", site=self.peer.site, words=words, restarts=restarts)
        self._kept = evolve(
            kept,
            instance=theirs.instance,
            boot=theirs.clock.boot,
            restarts=restarts,
            restarted_at=at,
            words=words,
        )
        self._to_keep = True
        self._heard.set()

    def _on_update(self, topic: str) -> None:
        if topic not in TOPICS:
            return
        self.updates += 1
        subscriber = self.peer.subscribers[topic]
        subscriber.take_changed()
        if topic == planrows.TOPIC:
            self._read_settings(subscriber.rows)
        elif subscriber.as_of_us is not None and self._in_our_time(subscriber.as_of_us):
            self._read_state(subscriber.rows, subscriber.as_of_us)
        self._heard.set()
        self.changes.tell()

    def _in_our_time(self, site_us: int) -> bool:
        """Note when the state was true by our clock, rather too early; False when that is not known."""
        connection = self.peer.connection
        if connection is None:
            return False
        age_s = max(0.0, connection.peer_utc_at_most() - site_us / 1e6)
        self._as_of, self._true_at = self.environment.utc_now() - age_s, trio.current_time() - age_s
        return True

    def _read_state(self, table: _Table, as_of_us: int) -> None:
        with self._reading(rows.TOPIC):
            self.told = rows.read_state(table, as_of_us / 1e6) or self.told

    def _read_settings(self, table: _Table) -> None:
        with self._reading(planrows.TOPIC):
            self.plan = planrows.read_plan(table) or self.plan
            self.settings = planrows.read_settings(table) or self.settings

    @contextmanager
    def _reading(self, topic: str) -> Iterator[None]:
        """Note whether rows can be read; where they cannot, what was known before stays, with its age."""
        try:
            yield
        except rows.ForeignRows as exc:
            if self._foreign.get(topic) != str(exc):
                _log.error("house.foreign", site=self.peer.site, words=str(exc))
            self._foreign[topic] = str(exc)
        else:
            self._foreign.pop(topic, None)

    def _rows(self, topic: str) -> _Table:
        """Return the rows as they are known now: from the link, before that from disk."""
        return self.peer.subscribers[topic].rows or self._written[topic]
