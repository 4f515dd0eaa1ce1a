"""How a site stands: for whoever asks whether it is ready, for operators, and as figures for /metrics."""

from collections.abc import Callable, Iterator

from attrs import asdict, define, field

from daemons.link.dial import Dialer
from daemons.link.looks import LinkLooks
from daemons.link.peer import Peer
from daemons.ops.metrics import Reading
from daemons.ops.watchman import Watchman
from daemons.pair.siteactions import channels_status
from daemons.pair.sitestatus import hub_link_readings, hub_link_status
from daemons.race.hints import HintEndpoint
from daemons.race.keeper import BoardKeeper
from daemons.race.lightkeeper import LightKeeper
from daemons.race.memory import Memory
from daemons.race.origin import LocalOrigin, OriginState
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.readings import (
    hint_readings,
    origin_readings,
    realtime_readings,
    site_readings,
    tree_readings,
)
from daemons.race.site import SiteService
from daemons.race.siteactions import rules_status
from daemons.race.telling import EventTeller
from daemons.web.figures import DaemonFigures

__all__ = ["SiteFigures"]


@define(eq=False)
class SiteFigures:
    """What a site tells of itself. `common`: what every daemon tells; `dialer`: set where there is a hub to dial."""

    site: str
    utc_now: Callable[[], float]
    common: DaemonFigures
    origin: LocalOrigin
    keeper: BoardKeeper
    service: SiteService
    peer: Peer
    hints: HintEndpoint
    teller: EventTeller
    watchman: Watchman
    looks: LinkLooks
    memory: Memory
    light: LightKeeper
    realtime: Realtime
    dialer: Dialer | None = field(default=None, init=False)

    def is_ready(self) -> tuple[bool, str]:
        """Say whether FPVTrackside can be asked through this daemon, and why not."""
        why_not = self.watchman.why_not_ready()
        return (False, why_not) if why_not else (self.origin.state is OriginState.UP, self.origin.words)

    def about(self) -> dict[str, object]:
        """Return what anybody at the field may know."""
        return {
            "daemon": "pits",
            "site": self.site,
            "origin": {"state": self.origin.state, "words": self.origin.words},
            "link": hub_link_status(self.dialer, self.peer),
            "last_success": self.keeper.as_of,
            "paused": self.service.paused,
            **self.light.status(),
        }

    def status(self) -> dict[str, object]:
        """Return everything, for operators."""
        return {
            **self.about(),
            **self.common.told(),
            "now": self.utc_now(),
            "paused_until": self.service.pause_ends_at(),
            "ready": self.is_ready()[0],
            "allowlist": rules_status(self.service.gate),
            "channels": channels_status(self.peer.durable),
            "origin_counts": asdict(self.origin.statistics()),
            "errors": {code.value: count for code, count in self.service.errors.items()},
            "dead_letters": sum(self.looks.dead.values()),
        }

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield from self.common.readings()
        yield from origin_readings(self.origin.statistics(), self.origin.state)
        yield from hint_readings(self.hints.statistics())
        yield from site_readings(self.service)
        yield from tree_readings(self.keeper.tree)
        yield from realtime_readings(self.realtime)
        yield from self.memory.readings()
        if self.keeper.as_of is not None:
            age_s = max(0.0, self.utc_now() - self.keeper.as_of)
            yield Reading("origin_age_seconds", "Age of what is shown at the field.", age_s)
        words = "Events dropped because the disk was slower than they came."
        yield Reading("journal_dropped", words, self.teller.dropped, is_counter=True)
        yield from hub_link_readings(self.dialer, self.peer)
