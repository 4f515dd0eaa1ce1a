"""How a hub stands: for whoever asks whether it is ready, for operators, and as figures for /metrics."""

from collections.abc import Callable, Iterator

from attrs import asdict, define, field

from daemons.link.looks import LinkLooks
from daemons.link.readings import link_readings
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.metrics import Reading, SiteLabels
from daemons.ops.watchman import Watchman
from daemons.pair.deskreadings import command_readings
from daemons.pair.hubstatus import door_readings, hub_ready
from daemons.pair.sitedoor import SiteDoor
from daemons.race.cache import SqliteCache
from daemons.race.hubactions import member_status
from daemons.race.members import Members
from daemons.race.memory import Memory
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.readings import (
    cache_readings,
    hub_readings,
    realtime_readings,
    tree_readings,
)
from daemons.web.figures import DaemonFigures

__all__ = ["HubFigures"]


@define(eq=False)
class HubFigures:
    """What a hub tells of itself. `hub`: its name; `common`: what every daemon tells."""

    hub: str
    utc_now: Callable[[], float]
    common: DaemonFigures
    members: Members
    cache: SqliteCache
    door: SiteDoor
    authoriser: Authoriser
    watchman: Watchman
    looks: LinkLooks
    memory: Memory
    realtime: Realtime
    _labels: SiteLabels = field(factory=SiteLabels, init=False)

    def is_ready(self) -> tuple[bool, str]:
        """Say whether new clients should be sent here, and why not."""
        return hub_ready(self.members, self.watchman)

    def about(self) -> dict[str, object]:
        """Return what anybody may know."""
        return {"daemon": "cloud", "sites": len(self.members), "connected": self.members.connected()}

    def status(self) -> dict[str, object]:
        """Return everything, for operators."""
        now = self.utc_now()
        is_ready, words = self.is_ready()
        return {
            **self.common.told(),
            "daemon": "cloud",
            "hub": self.hub,
            "now": now,
            "ready": is_ready,
            "words": words,
            "draining": self.members.draining,
            "fields": dict(self.members.active.shown),
            "cache": asdict(self.cache.statistics()),
            "sites": {name: self._site(name, now) for name in self.members},
        }

    def _site(self, name: str, now: float) -> dict[str, object]:
        hits, misses = self.cache.looked_up(name)
        return {
            **member_status(self.members[name], now),
            "cache_hits": hits,
            "cache_misses": misses,
            "dead_letters": self.looks.dead.get(name, 0),
        }

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield from self.common.readings()
        yield from door_readings(self.door, self.authoriser, self.members.peers())
        yield from cache_readings(self.cache.statistics())
        yield from self.memory.readings()
        yield from realtime_readings(self.realtime)
        for name in self._labels.choose(self.members):
            member, label = self.members.get(name), (("site", name),)
            if member is None:
                continue
            yield from hub_readings(member.site, label, self.utc_now())
            yield from tree_readings(member.site.keeper.tree, label)
            yield from command_readings(member.desk, label)
            yield from link_readings(member.site.peer)
        words = "Sites without series of their own, because there are too many."
        yield Reading("metrics_sites_left_out", words, self._labels.left_out)
