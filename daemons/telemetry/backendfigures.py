"""How a backend stands: for whoever asks whether it is ready, for operators, and as figures for /metrics."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import asdict, define, field

from daemons.link.looks import LinkLooks
from daemons.link.readings import link_readings
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.metrics import Reading, SiteLabels
from daemons.ops.watchman import Watchman
from daemons.pair.deskreadings import command_readings
from daemons.pair.hubstatus import door_readings, hub_ready, peer_status
from daemons.pair.sitedoor import SiteDoor
from daemons.telemetry.archive.port import TelemetryLog
from daemons.telemetry.drivers import Driver, Drivers
from daemons.telemetry.ingest import Ingest
from daemons.telemetry.livebook import LiveBook
from daemons.telemetry.told import driver_told
from daemons.web.figures import DaemonFigures

__all__ = ["BackendFigures"]

_INGESTED = {
    "batches": "Batches that were decoded, checked and kept.",
    "rows": "Ticks in them.",
    "changed": "Values in them that had changed.",
    "constant": "Values in them that stood still.",
    "odd": "Channels of batches with values that cannot be.",
    "refused": "Entries that were put aside because they cannot be read.",
    "laps": "Laps that were found.",
}


@define(eq=False)
class BackendFigures:
    """What a backend tells of itself. `hub`: its name; `common`: what every daemon tells."""

    hub: str
    utc_now: Callable[[], float]
    common: DaemonFigures
    drivers: Drivers
    book: LiveBook
    ingest: Ingest
    log: TelemetryLog
    door: SiteDoor
    authoriser: Authoriser
    watchman: Watchman
    looks: LinkLooks
    _labels: SiteLabels = field(factory=SiteLabels, init=False)

    def is_ready(self) -> tuple[bool, str]:
        """Say whether new clients should be sent here, and why not."""
        return hub_ready(self.drivers, self.watchman)

    def about(self) -> dict[str, object]:
        """Return what anybody may know."""
        return {"daemon": "backend", "drivers": len(self.drivers), "connected": len(self.drivers.connected())}

    def status(self) -> dict[str, object]:
        """Return everything, for operators."""
        is_ready, words = self.is_ready()
        now = self.utc_now()
        return {
            **self.common.told(),
            "daemon": "backend",
            "hub": self.hub,
            "now": now,
            "ready": is_ready,
            "words": words,
            "draining": self.drivers.draining,
            "ingest": asdict(self.ingest.statistics()),
            "archive": asdict(self.log.statistics()),
            "sites": {name: self._site(driver) for name, driver in self.drivers.items()},
            "telemetry": [driver_told(self.book.state(name), now) for name in self.book.drivers()],
        }

    def _site(self, driver: Driver) -> dict[str, object]:
        return {
            **peer_status(driver.peer, self.utc_now()),
            "dead_letters": self.looks.dead.get(driver.peer.site, 0),
        }

    def readings(self) -> Iterator[Reading]:
        """Yield the figures for /metrics."""
        yield from self.common.readings()
        yield from door_readings(self.door, self.authoriser, self.drivers.peers())
        ingested, kept = self.ingest.statistics(), self.log.statistics()
        for name, words in _INGESTED.items():
            yield Reading(f"ingest_{name}", words, getattr(ingested, name), is_counter=True)
        yield Reading("ingest_waiting", "Batches that wait for a thread.", ingested.waiting)
        yield Reading("archive_bytes", "What recordings take on the disk.", kept.bytes)
        yield Reading("archive_syncs", "Times that the disk was waited for.", kept.syncs, is_counter=True)
        words = "Entries that came again and were here already."
        yield Reading("archive_doubles", words, kept.doubles, is_counter=True)
        words = "Bytes of rows that made room for newer ones."
        yield Reading("archive_trimmed_bytes", words, kept.trimmed_bytes, is_counter=True)
        words = "Ticks that readers of live telemetry were too slow for."
        yield Reading("live_skipped_ticks", words, self.book.skipped, is_counter=True)
        for name in self._labels.choose(self.drivers):
            driver = self.drivers.get(name)
            if driver is not None:
                yield from self._driver_readings(name, driver)
        words = "Sites without series of their own, because there are too many."
        yield Reading("metrics_sites_left_out", words, self._labels.left_out)

    def _driver_readings(self, name: str, driver: Driver) -> Iterator[Reading]:
        labels: Any = (("site", name),)
        streams = driver.peer.streams_in
        if streams is not None:
            yield Reading(
                "streams_live_entries", "Live entries taken.", streams.live_entries, labels, is_counter=True
            )
            words = "Live entries that were left out before those that came."
            yield Reading("streams_live_missed", words, streams.live_missed, labels, is_counter=True)
            words = "Entries that are durable here."
            yield Reading("streams_archive_entries", words, streams.archive_entries, labels, is_counter=True)
        state = self.book.state(name)
        if state.waiting is not None:
            words = "Ticks on the driver's disk that are not here for good."
            yield Reading("relay_waiting_ticks", words, state.waiting, labels)
        yield Reading(
            "relay_degree", "How thin live telemetry is: 0 is all that is wished.", state.degree, labels
        )
        yield from command_readings(driver.desk, labels)
        yield from link_readings(driver.peer)
