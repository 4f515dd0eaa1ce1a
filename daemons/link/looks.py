"""What a daemon with links looks at now and then: dead letters, history lost, clocks that differ, full outboxes."""

from collections.abc import Callable, Iterable

import trio
from attrs import define, field

from daemons.link.inbox import dead_letter_counts
from daemons.link.peer import Peer
from daemons.ops.health import Health, Severity
from daemons.store import Store

__all__ = ["LinkLooks"]

DEAD_S = 30.0
"""So often dead letters are counted."""

CLOCK_S = 30.0
HISTORY_SHOWN_S = 86_400.0
OUTBOX_SHARE = 0.5
_NAMED_MAX = 5


@define(eq=False)
class LinkLooks:
    """The looks at a daemon's links, for its `Watchman`. `peers()`: those there are now."""

    store: Store
    health: Health
    peers: Callable[[], Iterable[Peer]]
    dead: dict[str, int] = field(factory=dict, init=False)  # dead letters by peer, as last counted
    _counted_at: float = field(default=float("-inf"), init=False)
    _lost: int = field(default=0, init=False)
    _lost_at: float | None = field(default=None, init=False)

    async def look(self) -> None:
        """Look once. Raises StorageError."""
        self._look_at_clocks()
        self._look_at_outboxes()
        self._look_at_history()
        now = trio.current_time()
        if now - self._counted_at >= DEAD_S:
            self._counted_at = now
            counts = self.dead = await self.store.read(dead_letter_counts)
            names = _named(f"{count} of {peer}" for peer, count in sorted(counts.items()))
            words = f"messages that could not be applied: {names}; list them with: pitlink ctl dead.list"
            self.health.warn("dead-letters", words if counts else "")

    def _look_at_clocks(self) -> None:
        off = []
        for peer in self.peers():
            if peer.connection is not None:
                ahead_s = peer.connection.peer_utc_now() - peer.environment.utc_now()
                if abs(ahead_s) > CLOCK_S:
                    off.append(f"{peer.site} by {ahead_s:+.0f} s")
        words = f"the far clock differs from this one: {_named(off)}. Ages are right all the same; set the wrong one"
        self.health.warn("clocks-differ", words if off else "", Severity.NOTICE)

    def _look_at_outboxes(self) -> None:
        full = []
        for peer in self.peers():
            for name, share in peer.durable.fill_shares().items():
                if share >= OUTBOX_SHARE:
                    full.append(f"{name} of {peer.site} is {share:.0%} full")
        words = f"messages wait for a link: {_named(full)}. Full, nothing new is accepted"
        self.health.warn("outboxes", words if full else "")

    def _look_at_history(self) -> None:
        now = trio.current_time()
        figures = [peer.durable.figures for peer in self.peers()]
        lost = sum(one.lost + one.skipped.total() for one in figures)
        if lost > self._lost:
            self._lost, self._lost_at = lost, now
            replayed = sum(one.replayed.total() for one in figures)
            skipped = sum(one.skipped.total() for one in figures)
            words = (
                f"one end of a link was put back, or its outbox ran over: {replayed} messages were sent again, {skipped} "
                "will never come"
            )
            self.health.set("history", Severity.NOTICE, words)
        elif self._lost_at is not None and now - self._lost_at > HISTORY_SHOWN_S:
            self._lost_at = None
            self.health.clear("history")


def _named(parts: Iterable[str]) -> str:
    """Join the first few, and say how many more there are."""
    found = list(parts)
    more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
    return ", ".join(found[:_NAMED_MAX]) + more
