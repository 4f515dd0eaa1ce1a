"""The daemons by their names, and what can be set of each."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from daemons.pair.config import HubConfig, SiteConfig

__all__ = ["SITES", "Daemon", "config_class"]

Daemon = Literal["pits", "cloud", "boiler", "nas", "relay", "backend"]
SITES = ("pits", "boiler", "relay")


def config_class(daemon: Daemon) -> "type[SiteConfig] | type[HubConfig]":
    """Return the class of a daemon's configuration. What it needs is imported here: commands begin quickly."""
    if daemon in ("boiler", "nas"):
        from daemons.heating.config import BoilerConfig, NasConfig

        return BoilerConfig if daemon == "boiler" else NasConfig
    if daemon in ("relay", "backend"):
        from daemons.telemetry.config import BackendConfig, RelayConfig

        return RelayConfig if daemon == "relay" else BackendConfig
    from daemons.race.config import CloudConfig, PitsConfig

    return PitsConfig if daemon == "pits" else CloudConfig
