"""How a boiler stands: for whoever asks whether it is ready, for operators, and as figures for /metrics."""

from collections.abc import Callable, Iterator

from attrs import define, field

from daemons.heating.boilerloop import ControlLoop
from daemons.heating.primary.here import HereLook
from daemons.heating.primary.primary import Primary
from daemons.heating.told import heating_told
from daemons.link.dial import Dialer
from daemons.link.looks import LinkLooks
from daemons.link.peer import Peer
from daemons.ops.metrics import Reading
from daemons.ops.watchman import Watchman
from daemons.pair.siteactions import channels_status
from daemons.pair.sitestatus import hub_link_readings, hub_link_status
from daemons.web.figures import DaemonFigures

__all__ = ["BoilerFigures"]


@define(eq=False)
class BoilerFigures:
    """What a boiler tells of itself. `common`: what every daemon tells; `dialer`: set where there is a hub to dial."""

    site: str
    utc_now: Callable[[], float]
    common: DaemonFigures
    primary: Primary
    loop: ControlLoop
    look: HereLook
    peer: Peer
    watchman: Watchman
    looks: LinkLooks
    dialer: Dialer | None = field(default=None, init=False)

    def is_ready(self) -> tuple[bool, str]:
        """Say whether the house is controlled now, and why not. A disk that takes nothing is told, and does not matter."""
        if self.loop.words:
            return False, self.loop.words
        return (
            self.loop.is_working,
            "control goes its rounds" if self.loop.is_working else "control stands still",
        )

    def about(self) -> dict[str, object]:
        """Return what anybody in the house may know."""
        return {
            "daemon": "boiler",
            "site": self.site,
            "house": self.primary.plant.house,
            "link": hub_link_status(self.dialer, self.peer),
            "rounds": self.loop.rounds,
            "capacity_days": self.primary.capacity_days,
        }

    def status(self) -> dict[str, object]:
        """Return everything, for operators."""
        is_ready, words = self.is_ready()
        return {
            **self.about(),
            **self.common.told(),
            "now": self.utc_now(),
            "ready": is_ready,
            "words": words,
            "disk": self.loop.disk_words,
            "waiting_for_disk": self.primary.backlog.waiting,
            "channels": channels_status(self.primary.durable),
            "dead_letters": sum(self.looks.dead.values()),
            "heating": [heating_told(self.look)],
        }

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield from self.common.readings()
        loop, primary = self.loop, self.primary
        yield Reading(
            "control_rounds", "Rounds of control that were completed.", loop.rounds, is_counter=True
        )
        yield Reading("control_step_seconds", "How long the last decision took.", loop.step_s)
        words = "Rounds that did not wait for the disk any longer."
        yield Reading("control_late_commits", words, loop.late_commits, is_counter=True)
        words = "Events and batches of samples that wait for the disk."
        yield Reading("control_waiting", words, primary.backlog.waiting)
        words = "Events and batches of samples lost because the disk took nothing for too long."
        yield Reading("control_dropped", words, primary.backlog.dropped, is_counter=True)
        words = "Rounds of which nothing was sampled, as the time of day was not known."
        yield Reading("samples_skipped", words, primary.sampler.skipped, is_counter=True)
        words = "Days of outage from now in which nothing is lost for the hub."
        yield Reading("outbox_capacity_days", words, primary.capacity_days)
        if (state := primary.state) is not None:
            yield Reading("house_alarms", "Alarms of the house that hold now.", len(state.alarms))
            on = sum(zone.is_on for zone in state.zones)
            yield Reading("house_zones_on", "Zones that are heated now.", on)
        yield from hub_link_readings(self.dialer, self.peer)
