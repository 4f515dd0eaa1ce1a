"""What an operator can set of `pits` and `cloud`. Each option says of itself what the loader checks and `config show` prints."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

from daemons.link.address import HubAddress
from daemons.ops.authority.sitekey import KEY_FILE
from daemons.ops.authority.sites import check_site_name
from daemons.ops.errors import Problem
from daemons.ops.faultsinside import ChaosConfig
from daemons.ops.limits import HubLimits, SiteLimits
from daemons.ops.logs import LogLevel
from daemons.ops.options import Address, Secret, option, section
from daemons.ops.storage import BackupConfig, StorageConfig
from daemons.race.memoryconfig import MemoryConfig
from daemons.web.config import FrontConfig
from protocol.frames import Limits
from protocol.pathgate import DEFAULT_RULES, PathGate, Rule

__all__ = ["CloudConfig", "FetchBounds", "FetchConfig", "PitsConfig", "check_site_name", "link_limits"]

TTL_MAX_S = 3600


def _check_origin(url: str) -> None:
    if not re.fullmatch(r"http://[^/?#@]+/?", url):
        raise ValueError("expected http://host:port, such as http://localhost:8080")


def _check_cloud(url: str) -> None:
    if url:
        HubAddress.parse(url)


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


def _check_production(is_production: bool, chaos: ChaosConfig) -> Iterator[Problem]:
    if is_production and chaos.allow:
        words = "faults on purpose are allowed in a daemon that is for a race"
        yield Problem("production, chaos.allow", words, "take one of them back")


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


@frozen
class PitsConfig:
    """Everything that can be set of `pits`. Without `cloud_url` it serves the field alone."""

    site: str = option("pits", check=check_site_name, help="The name of this site, as the hub knows it.")
    origin_url: str = option(
        "http://localhost:8080",
        check=_check_origin,
        help="FPVTrackside's web server. It mostly answers to localhost, not to 127.0.0.1.",
    )
    cloud_url: str = option(
        "", check=_check_cloud, help="The hub, such as wss://cloud.example.org; empty: none."
    )
    ca_file: Path | None = option(
        None, help="Certificates (PEM) to trust for the hub instead of this machine's own; for a private CA."
    )
    client_cert: Path | None = option(
        None,
        help="A client certificate (PEM) that proves this site, instead of a key made by pitlink enroll.",
    )
    client_key: Path | None = option(None, help="The client certificate's key (PEM).")
    token: Secret = option(
        Secret(), help="An old token of this site, for one release more; pitlink enroll makes a key instead."
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
    production: bool = option(
        False,
        help="This is for a race: operators' screens say so in red, in each question too, and faults are refused.",
    )
    log_level: LogLevel = option(LogLevel.INFO, help="debug, info, warning or error.")
    fetch: FetchConfig = section(FetchConfig, help="Bounds of fetches.")
    http: FrontConfig = section(FrontConfig, help="Limits and deadlines of the web server.")
    limits: SiteLimits = section(
        SiteLimits, help="What clients and the hub may ask for; changed at run time too."
    )
    storage: StorageConfig = section(StorageConfig, help="How databases are kept.")
    backup: BackupConfig = section(BackupConfig, help="When backups are made.")
    memory: MemoryConfig = section(MemoryConfig, help="How long versions of race files are kept.")
    chaos: ChaosConfig = section(ChaosConfig, help="Faults on purpose.")

    def ttl_of(self) -> Callable[[str], float]:
        """Return what says for how many seconds a path is answered without asking FPVTrackside."""
        rules = [(Rule.parse(f"GET {pattern}"), ttl_s) for pattern, ttl_s in self.ttl.items()]
        return lambda path: max((ttl_s for rule, ttl_s in rules if rule.covers(path)), default=0.0)

    def problems(self) -> Iterable[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        if (self.client_cert is None) != (self.client_key is None):
            yield Problem("client_cert, client_key", "one is set without the other", "TLS needs both")
        yield from _check_production(self.production, self.chaos)
        proven = self.token or self.client_cert or (self.state_dir / KEY_FILE).exists()
        if self.cloud_url and not proven:
            yield Problem(
                "cloud_url",
                "this site has nothing yet that proves it to the hub",
                f"enrol it with a code of the hub: pitlink enroll {self.cloud_url} --state-dir {self.state_dir}",
            )


@frozen
class CloudConfig:
    """Everything that can be set of `cloud`."""

    state_dir: Path = option(Path("cloud-state"), help="Where the daemon keeps its database and its tokens.")
    listen: Address = option(Address("", 8443), help="Where pages, API and the link are served.")
    tls_cert: Path | None = option(
        None, help="The certificate chain (PEM); without it TLS is left to a reverse proxy."
    )
    tls_key: Path | None = option(None, help="The certificate's key (PEM).")
    tls_client_ca: Path | None = option(
        None, help="CAs (PEM) whose client certificates may prove a site, where TLS ends here."
    )
    client_cert_header: str = option(
        "",
        help="Header in which a trusted proxy hands on a site's client certificate, such as Client-Cert.",
    )
    cache_bytes: int = option(
        64 * 1024 * 1024, minimum=1024 * 1024, help="What the cache of all sites may hold."
    )
    production: bool = option(
        False,
        help="This is for a race: operators' screens say so in red, in each question too, and faults are refused.",
    )
    log_level: LogLevel = option(LogLevel.INFO, help="debug, info, warning or error.")
    fetch: FetchConfig = section(FetchConfig, help="Bounds of fetches.")
    http: FrontConfig = section(FrontConfig, help="Limits and deadlines of the web server.")
    limits: HubLimits = section(
        HubLimits, help="What clients, callers and sites may ask for; changed at run time too."
    )
    storage: StorageConfig = section(StorageConfig, help="How databases are kept.")
    backup: BackupConfig = section(BackupConfig, help="When backups are made.")
    memory: MemoryConfig = section(MemoryConfig, help="How long versions of race files are kept.")
    chaos: ChaosConfig = section(ChaosConfig, help="Faults on purpose.")

    def problems(self) -> Iterable[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        if (self.tls_cert is None) != (self.tls_key is None):
            yield Problem("tls_cert, tls_key", "one is set without the other", "TLS needs both")
        yield from _check_production(self.production, self.chaos)
        if self.tls_client_ca is not None and self.tls_cert is None:
            yield Problem("tls_client_ca", "client certificates need TLS here: tls_cert and tls_key")
        if self.client_cert_header and not self.http.trusted_proxies:
            yield Problem(
                "client_cert_header", "is believed from nobody", "name the proxy in http.trusted_proxies"
            )
