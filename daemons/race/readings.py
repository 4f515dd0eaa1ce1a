"""The figures of the race wing, for /metrics: at the site its origin and its answers, at the hub each site and the cache."""

from collections.abc import Iterator

import attrs

from daemons.ops.metrics import Labels, Reading
from daemons.race.cache import CacheStatistics
from daemons.race.hints import HintStatistics
from daemons.race.hub import HubSite
from daemons.race.originlimits import OriginStatistics
from daemons.race.originstate import OriginState
from daemons.race.pocketbase.realtime import Realtime
from daemons.race.site import SiteService
from daemons.race.treekeeper import TreeKeeper
from protocol.errors import ErrorCode

__all__ = [
    "cache_readings",
    "hint_readings",
    "hub_readings",
    "origin_readings",
    "realtime_readings",
    "site_readings",
    "tree_readings",
]

_ORIGIN = {
    "sent": "Requests sent to FPVTrackside.",
    "body_bytes": "Bytes of its answers, good or not.",
    "shared": "Callers that joined a fetch that was there.",
    "busy": "Fetches refused because too many waited.",
    "never_sent": "Fetches given up by their callers before their turn.",
    "timeouts": "Requests not answered in time.",
    "retried": "Connection errors tried once more.",
    "unanswered": "Requests that ended with a connection error.",
    "good": "Good answers.",
    "unchanged": "Good answers that were what was there before.",
    "empty": "Reads of an empty file.",
    "torn": "Reads of a half written file.",
    "absent": "Answers for files that do not exist.",
    "stale": "Answers with the last good copy of a file that is empty now.",
    "invalid": "Answers with something that does not belong at the path.",
    "too_large": "Answers over the limit.",
    "aborted_late": "Requests ended by force after 30 s.",
    "aborted_at_stop": "Requests ended by force when the daemon stopped.",
}
_RENAMED = {"sent": "requests", "body_bytes": "bytes"}


def origin_readings(counts: OriginStatistics, state: OriginState) -> Iterator[Reading]:
    """Yield what was asked of FPVTrackside and what came of it."""
    for name, words in _ORIGIN.items():
        yield Reading(f"origin_{_RENAMED.get(name, name)}", words, getattr(counts, name), is_counter=True)
    yield Reading("origin_waiting", "Fetches that wait for FPVTrackside.", counts.waiting)
    yield Reading("origin_in_flight", "Requests that it has not answered yet.", counts.in_flight)
    for one in OriginState:
        yield Reading("origin_state", "1 for the state that holds.", one is state, (("state", one.value),))


def hint_readings(counts: HintStatistics) -> Iterator[Reading]:
    """Yield what came by NotificationURL."""
    for field in attrs.fields(HintStatistics):
        labels = (("what", field.name),)
        value = getattr(counts, field.name)
        yield Reading("hints", "Notifications of FPVTrackside.", value, labels, is_counter=True)


def site_readings(service: SiteService) -> Iterator[Reading]:
    """Yield how the hub is answered."""
    yield Reading("fetch_seconds", "From a fetch's coming to its answer.", service.latency)
    yield from _errors(service.errors, ())
    yield Reading("site_paused", "1 while an operator has paused the answers.", service.paused)
    yield Reading("watched_paths", "Paths read again and again.", len(service.watches.paths))
    yield Reading("recent_bodies_bytes", "Bodies kept as bases of deltas.", service.bodies.size)


def hub_readings(site: HubSite, labels: Labels, utc_now: float) -> Iterator[Reading]:
    """Yield one site's fetches, and how old what is shown of it is (no sample when nothing was ever shown)."""
    remote, counts = site.remote, site.remote.statistics
    yield Reading("fetches", "Fetches asked of the site.", counts.fetches, labels, is_counter=True)
    yield Reading("fetch_seconds", "From a caller's wish to its answer.", counts.latency, labels)
    yield Reading("fetch_in_flight", "Fetches under way.", remote.in_flight, labels)
    yield Reading("fetch_queue_depth", "Fetches that wait.", remote.queue_length, labels)
    yield Reading("fetch_shared", "Callers that joined a fetch.", counts.shared, labels, is_counter=True)
    words = "Fetches refused because too many waited."
    yield Reading("fetch_shed", words, counts.shed, labels, is_counter=True)
    words = "Fetches refused by a limit: of the site's rate, or of one caller's fetches at once."
    yield Reading("fetch_limited", words, counts.limited, labels, is_counter=True)
    yield from _errors(counts.errors, labels)
    for form, count in (("same", counts.same), ("delta", counts.deltas), ("whole", counts.wholes)):
        pair = (*labels, ("form", form))
        yield Reading("fetch_answers", "Answers by how the body came.", count, pair, is_counter=True)
    yield Reading("fetch_resumed", "Bodies continued.", counts.resumed, labels, is_counter=True)
    words = "Bodies that did not fit their digest."
    yield Reading("fetch_wrong_bodies", words, counts.wrong_bodies, labels, is_counter=True)
    yield Reading("pushes", "Changed bodies that came unasked.", counts.pushes, labels, is_counter=True)
    words = "Pushed bodies dropped because too many waited; they are fetched."
    yield Reading("pushes_dropped", words, counts.pushes_dropped, labels, is_counter=True)
    words = "Raw bytes that did not have to cross the link."
    yield Reading("cache_saved_bytes", words, counts.bytes_saved, labels, is_counter=True)
    as_of = site.keeper.as_of
    if as_of is not None:
        words = "Age of what is shown of the site."
        yield Reading("replica_age_seconds", words, max(0.0, utc_now - as_of), labels)


def _errors(errors: "dict[ErrorCode, int]", labels: Labels) -> Iterator[Reading]:
    for code in ErrorCode:  # all of them, so that the first one is seen as a rise
        pair = (*labels, ("code", code.value))
        yield Reading("fetch_errors", "Fetches that failed.", errors.get(code, 0), pair, is_counter=True)


def tree_readings(tree: TreeKeeper, labels: Labels = ()) -> Iterator[Reading]:
    """Yield what showing a site's event costs: encodings are made for all viewers, however many there are."""
    words = "Versions of what is shown of an event."
    yield Reading("race_tree_versions", words, tree.made, labels, is_counter=True)
    words = "How often it was made into bytes: what changed, the whole for streams, the whole packed."
    for what, count in tree.encodings.items():
        pair = (*labels, ("what", what))
        yield Reading("race_tree_encodings", words, count, pair, is_counter=True)


def realtime_readings(realtime: Realtime) -> Iterator[Reading]:
    """Yield how many listen to records as they change, and who was too slow for it."""
    yield Reading("pocketbase_clients", "Clients of PocketBase's API that listen.", realtime.clients)
    words = "Of them, those disconnected because they lagged too far behind."
    yield Reading("pocketbase_clients_dropped", words, realtime.dropped, is_counter=True)


def cache_readings(counts: CacheStatistics) -> Iterator[Reading]:
    """Yield the figures of the cache of all sites."""
    yield Reading("cache_hits", "Copies found in the cache.", counts.hits, is_counter=True)
    yield Reading("cache_misses", "Copies not found in the cache.", counts.misses, is_counter=True)
    yield Reading("cache_evictions", "Copies that had to go.", counts.evictions, is_counter=True)
    yield Reading("cache_bytes", "What the cache holds.", counts.bytes)
    yield Reading("cache_entries", "Copies that the cache holds.", counts.entries)
