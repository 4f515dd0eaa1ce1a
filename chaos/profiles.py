"""Uplinks by name: rate, delay and outages, each with the source of its figures.

Rates in bytes a second, delays one way in seconds; `up` is from the site to the hub. Outages are silences of both
directions, exponentially distributed around their mean, capped at `outage_max_s`.
"""

import math
from typing import Any

from attrs import frozen

from chaos.faults import (
    Bandwidth,
    CaptivePortal,
    Fault,
    HalfOpen,
    Latency,
    Loss,
    MtuHole,
    NatTimeout,
    Outage,
    Placed,
    Slicer,
    Stream,
)
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
    faults: tuple[Placed, ...] = ()

    def placed(self) -> list[Placed]:
        """Return all of it as faults. Upstream is from the site, which dials."""
        found = [*faults_of(self.up, Stream.UPSTREAM), *faults_of(self.down, Stream.DOWNSTREAM), *self.faults]
        if self.outage_s:
            how = "reset" if self.cuts else "silence"
            outage = Outage(up_s=self.gap_s, down_s=self.outage_s, most_s=self.outage_max_s, how=how)
            found.append(Placed("outages", outage))
        return found


def faults_of(way: Conditions, stream: Stream) -> list[Placed]:
    """Return the conditions of one direction as faults, named after type and direction."""
    faults: list[Fault] = []
    if way.latency_s or way.jitter_s:
        faults.append(Latency(way.latency_s, way.jitter_s, way.distribution, way.correlation, way.hold_s))
    if way.rate_bytes_s < math.inf:
        faults.append(Bandwidth(way.rate_bytes_s, way.queue_bytes))
    if way.loss:
        faults.append(Loss(way.loss))
    return [Placed(f"{fault.type}_{stream}", fault, stream) for fault in faults]


def _line(
    up_kbit: float, down_kbit: float, up_s: float, down_s: float, **more: Any
) -> tuple[Conditions, Conditions]:
    """Return both directions: rates in kbit/s, delays one way in seconds, `more` as in Conditions."""
    return (
        Conditions(latency_s=up_s, rate_bytes_s=_kbit(up_kbit), **more),
        Conditions(latency_s=down_s, rate_bytes_s=_kbit(down_kbit), **more),
    )


_PLAIN = (Conditions(latency_s=0.02), Conditions(latency_s=0.02))
"""A good line, on which only the fault shows."""

_ALL = [
    Profile("clean", "no impairment", Conditions(latency_s=0.0), Conditions(latency_s=0.0)),
    Profile(
        "paddock-wifi",
        "own estimate: 30/30 Mbit/s, 5 ± 5 ms, gone for 0.3 s each 20 s",
        *_line(30000, 30000, 0.005, 0.005, jitter_s=0.005, queue_bytes=256 * 1024),
        outage_s=0.3,
        gap_s=20.0,
        outage_max_s=2.0,
    ),
    Profile(
        "crowded-wifi",
        "own estimate: 2/1 Mbit/s, 40 ± 60 ms with a long tail, 5 % loss (evenly), a queue of a second",
        up=Conditions(0.04, 0.06, _kbit(1000), int(_kbit(1000)), 0.05, distribution="pareto"),
        down=Conditions(0.04, 0.06, _kbit(2000), int(_kbit(2000)), 0.05, distribution="pareto"),
    ),
    Profile(
        "lte-good",
        "sitespeedio throttle and mahimahi's short LTE traces: 12/5.9 Mbit/s, 35 ms",
        *_line(5900, 12000, 0.035, 0.035, queue_bytes=256 * 1024),
    ),
    Profile(
        "lte-driving",
        "mahimahi's AT&T LTE driving trace: 5.2/0.83 Mbit/s, up outages of 3 s each 21 s, the longest 78 s",
        *_line(830, 5200, 0.05, 0.05, jitter_s=0.025, queue_bytes=256 * 1024),
        outage_s=3.0,
        gap_s=21.0,
        outage_max_s=78.0,
    ),
    Profile(
        "3g",
        "Network Link Conditioner / ATC 3G average: 780/330 kbit/s, 100 ms",
        *_line(330, 780, 0.1, 0.1, queue_bytes=128 * 1024),
    ),
    Profile(
        "edge",
        "Network Link Conditioner / ATC Edge average: 240/200 kbit/s, 400/440 ms",
        *_line(200, 240, 0.44, 0.4, queue_bytes=64 * 1024),
    ),
    Profile(
        "starlink-fixed",
        "A Multifaceted Look at Starlink Performance (WWW'24): a step of the delay each 15 s; 200/15 Mbit/s, 25 ± 10 ms "
        "are own estimates",
        *_line(15000, 200000, 0.025, 0.025, jitter_s=0.01, hold_s=15.0, queue_bytes=512 * 1024),
    ),
    Profile(
        "starlink-moving",
        "Starlink-on-the-Autobahn drive: up 15.6 Mbit/s, outages of 9.4 s each 147 s, the longest 60 s; 36 ± 33 ms pareto",
        up=Conditions(0.036, 0.033, _kbit(15600), 512 * 1024, distribution="pareto"),
        down=Conditions(0.036, 0.033, _kbit(218000), 1024 * 1024, distribution="pareto"),
        outage_s=9.4,
        gap_s=147.0,
        outage_max_s=60.0,
    ),
    Profile(
        "geo-sat",
        "Loadero satellite phone: 1000/256 kbit/s, 600 ms there and back",
        *_line(256, 1000, 0.3, 0.3, queue_bytes=128 * 1024),
    ),
    Profile(
        "very-bad",
        "Network Link Conditioner's Very Bad Network, from copies that differ: 1/1 Mbit/s, 500 ms, 10 % loss",
        *_line(1000, 1000, 0.5, 0.5, loss=0.1, queue_bytes=64 * 1024),
    ),
    Profile(
        "flap",
        "connections reset, 5 s down after 10 s up on average: a plug that wobbles",
        *_PLAIN,
        outage_s=5.0,
        gap_s=10.0,
        outage_max_s=15.0,
        cuts=True,
    ),
    Profile(
        "cable-pull",
        "own: silent for 30 s after each minute",
        *_PLAIN,
        faults=(Placed("cable", Outage(up_s=60, down_s=30, spread="fixed")),),
    ),
    Profile(
        "half-open-up",
        "own: what the site sends vanishes, without an error",
        *_PLAIN,
        faults=(Placed("half-open", HalfOpen(), Stream.UPSTREAM),),
    ),
    Profile(
        "half-open-down",
        "own: what the hub sends vanishes, without an error",
        *_PLAIN,
        faults=(Placed("half-open", HalfOpen(), Stream.DOWNSTREAM),),
    ),
    Profile(
        "nat-timeout-30s",
        "own: connections idle for 30 s are forgotten, as home routers and mobile networks do after 30 s to 5 min",
        *_PLAIN,
        faults=(Placed("nat", NatTimeout(30.0)),),
    ),
    Profile(
        "captive-portal",
        "own: a web page with status 200 for whoever connects (without TLS; with it, the handshake fails)",
        *_PLAIN,
        faults=(Placed("portal", CaptivePortal()),),
    ),
    Profile(
        "mtu-hole",
        "own: writes of more than 1,400 bytes are stuck (a tunnel, and no ICMP)",
        *_PLAIN,
        faults=(Placed("mtu", MtuHole(1400)),),
    ),
    Profile(
        "hub-restart",
        "own: each minute the hub closes its connections, and refuses new ones for 5 s",
        *_PLAIN,
        faults=(Placed("restart", Outage(up_s=60, down_s=5, spread="fixed", how="close")),),
    ),
    Profile(
        "hub-slow",
        "own: what the hub says comes 2 ± 1 s late",
        up=Conditions(latency_s=0.02),
        down=Conditions(latency_s=2.0, jitter_s=1.0),
    ),
    Profile(
        "rst-storm",
        "own: every connection is reset after 5 s on average",
        *_PLAIN,
        faults=(Placed("storm", Outage(up_s=5, down_s=0.05, how="reset")),),
    ),
    Profile(
        "slow-loris",
        "own: what the site sends comes one byte each half second",
        *_PLAIN,
        faults=(Placed("loris", Slicer(1, 0, 0.5), Stream.UPSTREAM),),
    ),
]

PROFILES = {profile.name: profile for profile in _ALL}

NOT_CARRIED = {
    "dns-slow": "a relay is found by its address: the simulated network has names",
    "dns-dead": "a relay is found by its address: the simulated network has names",
    "wrong-clock": "the clock is the machine's",
    "edge-power-cut": "the power is the machine's: the simulated network has power cuts",
}
"""Profiles that no relay can play, and why."""
