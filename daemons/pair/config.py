"""What an operator can set of every site and every hub, whatever they are for. Wings add theirs in heirs of these."""

from collections.abc import Iterable, Iterator
from pathlib import Path

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
from daemons.web.config import FrontConfig

__all__ = ["DaemonConfig", "HubConfig", "SiteConfig", "check_hub_url"]

PRODUCTION = "This is for real, not for trying: operators' screens say so in red, in each question too, and faults are refused."


def check_hub_url(url: str) -> None:
    """Raise ValueError for what is neither empty nor the address of a hub."""
    if url:
        HubAddress.parse(url)


@frozen(kw_only=True)
class DaemonConfig:
    """What sites and hubs have alike."""

    state_dir: Path = option(Path("pitlink-state"), help="Where the daemon keeps its database and its keys.")
    listen: Address = option(Address("", 8090), help='Where it serves; ":8090": on every interface.')
    production: bool = option(False, help=PRODUCTION)
    commands_days: int = option(
        400, minimum=31, maximum=3660,
        help="For how many days commands and what became of them are kept: longer than the oldest backup that may be put back.",
    )  # fmt: skip
    log_level: LogLevel = option(LogLevel.INFO, help="debug, info, warning or error.")
    http: FrontConfig = section(FrontConfig, help="Limits and deadlines of the web server.")
    storage: StorageConfig = section(StorageConfig, help="How databases are kept.")
    backup: BackupConfig = section(BackupConfig, help="When backups are made.")
    chaos: ChaosConfig = section(ChaosConfig, help="Faults on purpose.")

    def problems(self) -> Iterable[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        if self.production and self.chaos.allow:
            words = "faults on purpose are allowed in a daemon that is for real"
            yield Problem("production, chaos.allow", words, "take one of them back")


@frozen(kw_only=True)
class SiteConfig(DaemonConfig):
    """Everything that can be set of any site. `hub_url` says which hub it dials; "": none."""

    site: str = option("site", check=check_site_name, help="The name of this site, as the hub knows it.")
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
    limits: SiteLimits = section(
        SiteLimits, help="What clients and the hub may ask for; changed at run time too."
    )

    @property
    def hub_option(self) -> tuple[str, str]:
        """The name and the value of the option that says which hub is dialled; a value of "": none."""
        raise NotImplementedError

    @property
    def hub_url(self) -> str:
        """The hub that is dialled, such as wss://hub.example.org; "": none."""
        return self.hub_option[1]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        yield from super().problems()
        if (self.client_cert is None) != (self.client_key is None):
            yield Problem("client_cert, client_key", "one is set without the other", "TLS needs both")
        proven = self.token or self.client_cert or (self.state_dir / KEY_FILE).exists()
        name, url = self.hub_option
        if url and not proven:
            yield Problem(
                name,
                "this site has nothing yet that proves it to the hub",
                f"enrol it with a code of the hub: pitlink enroll {url} --state-dir {self.state_dir}",
            )


@frozen(kw_only=True)
class HubConfig(DaemonConfig):
    """Everything that can be set of any hub."""

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
    limits: HubLimits = section(
        HubLimits, help="What clients, callers and sites may ask for; changed at run time too."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        yield from super().problems()
        if (self.tls_cert is None) != (self.tls_key is None):
            yield Problem("tls_cert, tls_key", "one is set without the other", "TLS needs both")
        if self.tls_client_ca is not None and self.tls_cert is None:
            yield Problem("tls_client_ca", "client certificates need TLS here: tls_cert and tls_key")
        if self.client_cert_header and not self.http.trusted_proxies:
            yield Problem(
                "client_cert_header", "is believed from nobody", "name the proxy in http.trusted_proxies"
            )
