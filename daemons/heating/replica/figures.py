"""How a nas stands: for whoever asks whether it is ready, for operators, and as figures for /metrics."""

from collections.abc import Callable, Iterator

from attrs import define, field

from daemons.heating.replica.houses import Houses, Lodger
from daemons.heating.told import heating_told
from daemons.link.looks import LinkLooks
from daemons.link.readings import link_readings
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.metrics import Labels, Reading, SiteLabels
from daemons.ops.watchman import Watchman
from daemons.pair.deskreadings import command_readings
from daemons.pair.hubstatus import door_readings, hub_ready, peer_status
from daemons.pair.sitedoor import SiteDoor
from daemons.web.figures import DaemonFigures

__all__ = ["NasFigures"]


@define(eq=False)
class NasFigures:
    """What a nas tells of itself. `hub`: its name; `common`: what every daemon tells; `hit_rate`: of its cache."""

    hub: str
    utc_now: Callable[[], float]
    common: DaemonFigures
    houses: Houses
    hit_rate: Callable[[], float | None]
    door: SiteDoor
    authoriser: Authoriser
    watchman: Watchman
    looks: LinkLooks
    _labels: SiteLabels = field(factory=SiteLabels, init=False)

    def is_ready(self) -> tuple[bool, str]:
        """Say whether new clients should be sent here, and why not."""
        return hub_ready(self.houses, self.watchman)

    def about(self) -> dict[str, object]:
        """Return what anybody may know."""
        return {"daemon": "nas", "houses": len(self.houses), "connected": len(self.houses.connected())}

    def status(self) -> dict[str, object]:
        """Return everything, for operators."""
        is_ready, words = self.is_ready()
        return {
            **self.common.told(),
            "daemon": "nas",
            "hub": self.hub,
            "now": self.utc_now(),
            "ready": is_ready,
            "words": words,
            "draining": self.houses.draining,
            "cache_hit_rate": self.hit_rate(),
            "sites": {name: self._site(lodger) for name, lodger in self.houses.items()},
            "heating": [heating_told(lodger.look) for lodger in self.houses.values()],
        }

    def _site(self, lodger: Lodger) -> dict[str, object]:
        return {
            **peer_status(lodger.peer, self.utc_now()),
            "age_s": lodger.look.age_s(),
            "dead_letters": self.looks.dead.get(lodger.peer.site, 0),
        }

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield from self.common.readings()
        yield from door_readings(self.door, self.authoriser, self.houses.peers())
        if (rate := self.hit_rate()) is not None:
            yield Reading("cache_hit_ratio", "Share of answers that came from memory.", rate)
        for name in self._labels.choose(self.houses):
            lodger = self.houses.get(name)
            if lodger is not None:
                yield from _house_readings(lodger, (("site", name),))
                yield from command_readings(lodger.desk, (("site", name),))
                yield from link_readings(lodger.peer)
        words = "Sites without series of their own, because there are too many."
        yield Reading("metrics_sites_left_out", words, self._labels.left_out)


def _house_readings(lodger: Lodger, labels: Labels) -> Iterator[Reading]:
    look = lodger.look
    age_s = look.age_s()
    if age_s is not None:
        yield Reading("replica_age_seconds", "Age of what is shown of the site.", age_s, labels)
    words = "Updates of a house's state and settings that were applied."
    yield Reading("replica_updates", words, look.heard.updates, labels, is_counter=True)
    syncs = sum(one.syncs for one in lodger.peer.subscribers.values())
    yield Reading("replica_syncs", "Whole tables that were taken.", syncs, labels, is_counter=True)
    yield Reading("house_events", "Events taken.", look.record.events, labels, is_counter=True)
    words = "Batches of samples taken."
    yield Reading("house_sample_batches", words, look.record.samples, labels, is_counter=True)
    words = "Times the site's daemon or machine was noticed to have started anew."
    yield Reading("house_restarts", words, look.heard.restarts[0], labels, is_counter=True)
    words = "1 while what the site tells cannot be read here."
    yield Reading("house_foreign", words, bool(look.heard.foreign), labels)
