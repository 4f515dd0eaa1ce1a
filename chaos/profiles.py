"""Uplinks by name: rate, delay and outages, each with the source of its figures.

Rates in bytes a second, delays one way in seconds; `up` is from the site to the hub. Outages are silences of both
directions, exponentially distributed around their mean, capped at `outage_max_s`.
"""

import random
from collections.abc import Iterator

from attrs import frozen

from chaos.simnet.link import Conditions


def _kbit(kbit_s: float) -> float:
    return kbit_s * 1000 / 8


@frozen
class Profile:
    """A link to a site. `outage_s` and `gap_s`: mean length of an outage, and of the time between two."""

    name: str
    source: str
    up: Conditions
    down: Conditions
    outage_s: float = 0.0
    gap_s: float = 0.0
    outage_max_s: float = 0.0
    cuts: bool = False  # an outage resets the connections instead of going silent

    def outages(self, rng: random.Random) -> Iterator[tuple[float, float]]:
        """Yield (seconds until the next outage, its length), for ever; nothing when there are none."""
        while self.outage_s:
            gap_s = rng.expovariate(1 / self.gap_s)
            yield gap_s, min(rng.expovariate(1 / self.outage_s), self.outage_max_s)


_ALL = [
    Profile("clean", "no impairment", Conditions(latency_s=0.0), Conditions(latency_s=0.0)),
    Profile(
        "lte-good",
        "sitespeedio throttle and mahimahi's short LTE traces: 12/5.9 Mbit/s, 35 ms",
        Conditions(latency_s=0.035, rate_bytes_s=_kbit(5900), queue_bytes=256 * 1024),
        Conditions(latency_s=0.035, rate_bytes_s=_kbit(12000), queue_bytes=256 * 1024),
    ),
    Profile(
        "lte-driving",
        "mahimahi's AT&T LTE driving trace: 5.2/0.83 Mbit/s, up outages of 3 s each 21 s, the longest 78 s",
        Conditions(latency_s=0.05, jitter_s=0.025, rate_bytes_s=_kbit(830), queue_bytes=256 * 1024),
        Conditions(latency_s=0.05, jitter_s=0.025, rate_bytes_s=_kbit(5200), queue_bytes=256 * 1024),
        outage_s=3.0,
        gap_s=21.0,
        outage_max_s=78.0,
    ),
    Profile(
        "3g",
        "Network Link Conditioner / ATC 3G average: 780/330 kbit/s, 100 ms",
        Conditions(latency_s=0.1, rate_bytes_s=_kbit(330), queue_bytes=128 * 1024),
        Conditions(latency_s=0.1, rate_bytes_s=_kbit(780), queue_bytes=128 * 1024),
    ),
    Profile(
        "edge",
        "Network Link Conditioner / ATC Edge average: 240/200 kbit/s, 400/440 ms",
        Conditions(latency_s=0.44, rate_bytes_s=_kbit(200), queue_bytes=64 * 1024),
        Conditions(latency_s=0.4, rate_bytes_s=_kbit(240), queue_bytes=64 * 1024),
    ),
    Profile(
        "starlink-moving",
        "Starlink-on-the-Autobahn drive: up 15.6 Mbit/s, outages of 9.4 s each 147 s, the longest 60 s; 36 ± 33 ms",
        Conditions(latency_s=0.036, jitter_s=0.033, rate_bytes_s=_kbit(15600), queue_bytes=512 * 1024),
        Conditions(latency_s=0.036, jitter_s=0.033, rate_bytes_s=_kbit(218000), queue_bytes=1024 * 1024),
        outage_s=9.4,
        gap_s=147.0,
        outage_max_s=60.0,
    ),
    Profile(
        "geo-sat",
        "Loadero satellite phone: 1000/256 kbit/s, 600 ms",
        Conditions(latency_s=0.3, rate_bytes_s=_kbit(256), queue_bytes=128 * 1024),
        Conditions(latency_s=0.3, rate_bytes_s=_kbit(1000), queue_bytes=128 * 1024),
    ),
    Profile(
        "flap",
        "connections reset, 5 s down after 10 s up on average: a plug that wobbles",
        Conditions(latency_s=0.02),
        Conditions(latency_s=0.02),
        outage_s=5.0,
        gap_s=10.0,
        outage_max_s=15.0,
        cuts=True,
    ),
]

PROFILES = {profile.name: profile for profile in _ALL}
