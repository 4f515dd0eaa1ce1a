"""What can be wrong inside of a daemon, as data for those who choose: faults with their attributes, and profiles."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from chaos.faults import FAULTS, Fault, Trace, show_fault
from chaos.profiles import PROFILES
from chaos.scenario import DEEDS

__all__ = ["HERE", "kinds_of", "parts_of"]

HERE: Final = {"clock_step": ("site", "hub"), "dns_dead": ("site",), "dns_slow": ("site",)}
"""The deeds that a daemon can do to itself, and which daemon. A hub dials nobody, so it asks for no names."""

_WORDS: Final[Mapping[str, str]] = {
    "latency": "what is said comes late; jitter: give or take",
    "bandwidth": "a slow line, in kB/s; 0 stops it",
    "loss": "lost segments, as stalls; a share up to 0.9",
    "silence": "nothing moves, nothing is closed",
    "outage": "comes and goes: up so long, down so long",
    "half_open": "one direction vanishes",
    "nat_timeout": "idle connections are forgotten",
    "mtu_hole": "larger pieces are stuck, and all behind them",
    "bit_flip": "a bit of a piece is turned",
    "slicer": "everything comes in slices",
    "limit_data": "closed after so many bytes",
    "limit_time": "closed after a time",
    "slow_close": "the end of a connection comes late",
    "timeout": "vanishes, then is closed",
    "reset_peer": "connections are reset",
    "fin": "connections are closed in order",
    "refuse": "new connections are reset",
    "ignore": "new connections get no answer",
    "captive_portal": "new connections get a web page",
    "delay_acks": "acknowledgements come late, and nothing else",
    "duplicate_message": "numbered messages come twice",
    "starve_heartbeats": "pings and pongs vanish",
    "eat_message": "numbered messages vanish",
    "clock_step": "its clock is ahead, or behind",
    "dns_dead": "the hub's name is not found",
    "dns_slow": "the hub's name is found late",
}
"""Of faults that can be here: what is felt."""


def kinds_of(side: str) -> dict[str, Any]:
    """Return the faults and profiles that a daemon takes; `side`: "site" or "hub"."""
    faults = [
        {"type": kind, "words": _WORDS[kind], "attributes": show_fault(fault()), "choices": _choices(fault)}
        for kind, fault in FAULTS.items()
        if fault is not Trace
    ]
    deeds = [
        {"type": kind, "words": _WORDS[kind], "attributes": dict(DEEDS[kind]), "choices": {}}
        for kind, sides in HERE.items()
        if side in sides
    ]
    profiles = [
        {"name": profile.name, "source": profile.source, "parts": parts_of(profile.name)}
        for profile in PROFILES.values()
        if profile.placed()
    ]
    return {"faults": [*faults, *deeds], "profiles": profiles}


def parts_of(profile: str) -> list[dict[str, Any]]:
    """Return the faults of a profile. Raises ValueError."""
    if profile not in PROFILES:
        raise ValueError(f"profile: {profile[:64]!r} is none of {', '.join(PROFILES)}")
    return [
        {
            "name": placed.name,
            "type": placed.fault.type,
            "attributes": show_fault(placed.fault),
            "stream": placed.stream.value,
        }
        for placed in PROFILES[profile].placed()
    ]


def _choices(fault: type[Fault]) -> dict[str, list[str]]:
    fields = attrs.fields(fault)
    return {
        one.metadata["json"]: list(one.metadata["choices"]) for one in fields if "choices" in one.metadata
    }
