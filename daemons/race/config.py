"""What an operator can set of `pits` and `cloud`. Each option says of itself what the loader checks and `config show` prints."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

from daemons.ops.authority.sites import check_site_name
from daemons.ops.options import Address, option, section
from daemons.pair.config import HubConfig, SiteConfig, check_hub_url
from daemons.race.memoryconfig import MemoryConfig
from protocol.frames import Limits
from protocol.pathgate import DEFAULT_RULES, PathGate, Rule

__all__ = ["CloudConfig", "FetchBounds", "FetchConfig", "PitsConfig", "check_site_name", "link_limits"]

TTL_MAX_S = 3600


def _check_origin(url: str) -> None:
    if not re.fullmatch(r"http://[^/?#@]+/?", url):
        raise ValueError("expected http://host:port, such as http://localhost:8080")


def _check_rules(rules: Iterable[str]) -> None:
    for rule in rules:
        Rule.parse(rule)


def _check_ttl(ttl: Mapping[str, float]) -> None:
    for pattern, seconds in ttl.items():
        Rule.parse(f"GET {pattern}")
        if not 0 <= seconds <= TTL_MAX_S:
            raise ValueError(f"{pattern}: 0 to {TTL_MAX_S} seconds are possible")


def _check_zone(name: str) -> None:
    if name:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone; they are called like Europe/Berlin") from None


@frozen
class FetchBounds:
    """The bounds of fetches, the same on both sides; changed at run time too."""

    max_in_flight: int = option(8, minimum=1, maximum=64, help="Fetches under way at once; past it BUSY.")
    max_body_bytes: int = option(
        8 * 1024 * 1024, minimum=1024, maximum=64 * 1024 * 1024, help="The longest body; past it TOO_LARGE."
    )
    timeout_s: float = option(
        5.0, minimum=0.1, maximum=30.0, help="How long a fetch may take; past it TIMEOUT."
    )


def link_limits(bounds: FetchBounds) -> Limits:
    """Return what a hello says of them."""
    return Limits(body_bytes=bounds.max_body_bytes, requests_in_flight=bounds.max_in_flight)


@frozen
class FetchConfig(FetchBounds):
    """Fetches: their bounds, and what may be fetched at all."""

    allow: tuple[str, ...] = option(
        tuple(map(str, DEFAULT_RULES)),
        check=_check_rules,
        help="What may be fetched: methods and a path pattern each, such as 'GET,HEAD /events/**'.",
    )

    def bounds(self) -> FetchBounds:
        """Return the bounds alone."""
        return FetchBounds(self.max_in_flight, self.max_body_bytes, self.timeout_s)

    def gate(self) -> PathGate:
        """Return the allowlist as a gate."""
        return PathGate([Rule.parse(text) for text in self.allow])


@frozen(kw_only=True)
class PitsConfig(SiteConfig):
    """Everything that can be set of `pits`. Without `cloud_url` it serves the field alone."""

    site: str = option("pits", check=check_site_name, help="The name of this site, as the hub knows it.")
    origin_url: str = option(
        "http://localhost:8080",
        check=_check_origin,
        help="FPVTrackside's web server. It mostly answers to localhost, not to 127.0.0.1.",
    )
    cloud_url: str = option(
        "", check=check_hub_url, help="The hub, such as wss://cloud.example.org; empty: none."
    )
    state_dir: Path = option(Path("pits-state"), help="Where the daemon keeps its database.")
    listen: Address = option(
        Address("", 8090), help='Where the local pages are served; ":8090": to the whole field.'
    )
    share_private: bool = option(
        False, help="Let FirstName, LastName, DiscordID and PhotoPath of Pilots.json cross the link."
    )
    time_zone: str = option(
        "", check=_check_zone, help="Zone of events that do not name theirs; empty: this machine's."
    )
    ttl: dict[str, float] = option(
        factory=dict,
        check=_check_ttl,
        help='Seconds a path pattern is answered without asking FPVTrackside, such as {"/httpfiles/**" = 60}.',
    )
    budget_mb_per_hour: float = option(
        0.0,
        minimum=0.0,
        maximum=1e6,
        help="Above so many MB sent to the hub in an hour the director's light is amber; 0: never. Nothing is held back.",
    )
    fetch: FetchConfig = section(FetchConfig, help="Bounds of fetches.")
    memory: MemoryConfig = section(MemoryConfig, help="How long versions of race files are kept.")

    @property
    def hub_option(self) -> tuple[str, str]:
        """The name and the value of the option that says which hub is dialled."""
        return "cloud_url", self.cloud_url

    def ttl_of(self) -> Callable[[str], float]:
        """Return what says for how many seconds a path is answered without asking FPVTrackside."""
        rules = [(Rule.parse(f"GET {pattern}"), ttl_s) for pattern, ttl_s in self.ttl.items()]
        return lambda path: max((ttl_s for rule, ttl_s in rules if rule.covers(path)), default=0.0)


@frozen(kw_only=True)
class CloudConfig(HubConfig):
    """Everything that can be set of `cloud`."""

    state_dir: Path = option(Path("cloud-state"), help="Where the daemon keeps its database and its tokens.")
    listen: Address = option(Address("", 8443), help="Where pages, API and the link are served.")
    cache_bytes: int = option(
        64 * 1024 * 1024, minimum=1024 * 1024, help="What the cache of all sites may hold."
    )
    fetch: FetchConfig = section(FetchConfig, help="Bounds of fetches.")
    memory: MemoryConfig = section(MemoryConfig, help="How long versions of race files are kept.")
