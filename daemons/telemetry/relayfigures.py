"""How a relay stands: for whoever asks whether it is ready, for operators, and as figures for /metrics."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import asdict, define, field

from daemons.link.dial import Dialer
from daemons.link.durable import DurableChannels
from daemons.link.looks import LinkLooks
from daemons.link.peer import Peer
from daemons.ops.metrics import Reading
from daemons.pair.siteactions import channels_status
from daemons.pair.sitestatus import hub_link_readings, hub_link_status
from daemons.telemetry.capture.port import Source, SourceFigures
from daemons.telemetry.local.door import LocalDoor
from daemons.telemetry.sending import LiveSender
from daemons.telemetry.spool import Offering, Spool
from daemons.web.figures import DaemonFigures

__all__ = ["RelayFigures"]

_COUNTS = {
    "ticks": "Ticks captured.",
    "missed": "Ticks that the simulator published and that were not read in time.",
    "skipped": "Ticks that the simulator itself left out.",
    "doubled": "Rows published anew whose tick had not advanced.",
    "torn": "Copies thrown away because the simulator was writing the row meanwhile.",
    "reopened": "Times that the simulator's memory was opened anew.",
    "recordings": "Recordings begun.",
}


@define(eq=False)
class RelayFigures:
    """What a relay tells of itself. `common`: what every daemon tells; `dialer`: set where there is a hub to dial."""

    site: str
    utc_now: Callable[[], float]
    common: DaemonFigures
    source: Source
    spool: Spool
    offering: Offering
    live: LiveSender
    door: LocalDoor
    durable: DurableChannels
    peer: Peer
    looks: LinkLooks
    dialer: Dialer | None = field(default=None, init=False)

    def is_ready(self) -> tuple[bool, str]:
        """Say whether ticks are kept as they come, and why not. A simulator that does not run is no fault."""
        words = self.spool.statistics().words
        return not words, words or self.source.statistics().state

    def about(self) -> dict[str, object]:
        """Return what anybody on this PC may know."""
        return {
            "daemon": "relay",
            "site": self.site,
            "link": hub_link_status(self.dialer, self.peer),
            "capture": self.source.statistics().state,
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
            "captured": asdict(self.source.statistics()),
            "spool": {**asdict(self.spool.statistics()), "refused": self.offering.words},
            "live": asdict(self.live.statistics(), filter=lambda of, _: of.name != "wish"),
            "local": {"clients": self.door.open, "told": self.door.told, "refused": self.door.refused},
            "channels": channels_status(self.durable),
            "dead_letters": sum(self.looks.dead.values()),
        }

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield from self.common.readings()
        captured: SourceFigures = self.source.statistics()
        for name, words in _COUNTS.items():
            yield Reading(f"capture_{name}", words, getattr(captured, name), is_counter=True)
        spool: Any = self.spool.statistics()
        yield Reading("spool_bytes", "What the spool takes on the disk.", spool.bytes)
        yield Reading("spool_quota_bytes", "What it may take.", spool.quota_bytes)
        words = "Entries of the spool that the backend does not have for good: about seconds."
        yield Reading("spool_unacknowledged_entries", words, spool.unacknowledged_entries)
        words = "Ticks dropped because the disk did not take them in time."
        yield Reading("spool_lost_ticks", words, spool.lost_ticks, is_counter=True)
        words = "Entries that made room before the backend had them."
        yield Reading("spool_dropped_entries", words, spool.dropped_entries, is_counter=True)
        words = "Times that the disk refused."
        yield Reading("spool_failures", words, spool.failures, is_counter=True)
        live = self.live.statistics()
        yield Reading("live_batches", "Batches sent live.", live.batches, is_counter=True)
        yield Reading("live_bytes", "Their bytes, before the link's own.", live.bytes, is_counter=True)
        words = "Live batches dropped because they came too late, before they were packed or after."
        yield Reading("live_dropped", words, live.unpacked + live.dropped, is_counter=True)
        yield Reading("live_degree", "How thin live telemetry is: 0 is all that is wished.", live.degree)
        yield Reading("local_clients", "Programs of this PC that are told.", self.door.open)
        words = "Programs and pages of this PC that were turned away."
        yield Reading("local_refused", words, self.door.refused, is_counter=True)
        yield from hub_link_readings(self.dialer, self.peer)
