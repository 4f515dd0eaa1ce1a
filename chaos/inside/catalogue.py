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

_DEED_WORDS: Final[Mapping[str, str]] = {
    "clock_step": "Its clock is ahead by so many seconds, or behind",
    "dns_dead": "The hub's name is not found",
    "dns_slow": "The hub's name is found late",
}


def kinds_of(side: str) -> dict[str, Any]:
    """Return the faults and profiles that a daemon takes; `side`: "site" or "hub"."""
    faults = [
        {"type": kind, "words": _words(fault), "attributes": show_fault(fault()), "choices": _choices(fault)}
        for kind, fault in FAULTS.items()
        if fault is not Trace
    ]
    deeds = [
        {"type": kind, "words": _DEED_WORDS[kind], "attributes": dict(DEEDS[kind]), "choices": {}}
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


def _words(fault: type[Fault]) -> str:
    """Return the beginning of its docstring, up to where it goes into attributes."""
    first = " ".join((fault.__doc__ or "").split()).partition(". ")[0]
    return first.partition(":")[0].partition(";")[0].replace("`", "").rstrip(".")


def _choices(fault: type[Fault]) -> dict[str, list[str]]:
    fields = attrs.fields(fault)
    return {
        one.metadata["json"]: list(one.metadata["choices"]) for one in fields if "choices" in one.metadata
    }
