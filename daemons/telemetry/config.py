"""What an operator can set of `relay` and `backend`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from daemons.ops.authority.sites import check_site_name
from daemons.ops.errors import Problem
from daemons.ops.options import Address, option, section
from daemons.pair.config import HubConfig, SiteConfig, check_hub_url

__all__ = ["ArchiveConfig", "BackendConfig", "LiveConfig", "LocalConfig", "RelayConfig", "SpoolConfig"]

GB = 1_000_000_000


def _check_origins(origins: Sequence[str]) -> None:
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.hostname or origin != origin.rstrip("/"):
            raise ValueError(f"{origin!r} is not an origin, such as https://overlay.example.org")


@frozen
class LocalConfig:
    """What programs on the driver's own PC get."""

    hz: float = option(
        20.0, minimum=0.1, maximum=60.0, help="How often a program at the local WebSocket is told, at most."
    )
    origins: list[str] = option(
        factory=list, check=_check_origins,
        help="Origins of web pages that may ask besides those of this PC, such as https://overlay.example.org.",
    )  # fmt: skip


@frozen
class SpoolConfig:
    """The copy of every tick on the driver's disk, until the backend has it."""

    gb: float = option(
        8.0, minimum=0.05, maximum=10_000.0,
        help="What it may take, in GB: about an hour each 0.2. Past it what the backend has goes first, then the oldest.",
    )  # fmt: skip
    batch_s: float = option(
        1.0,
        minimum=0.25,
        maximum=5.0,
        help="Seconds of ticks that are packed and synced to the disk at once.",
    )


@frozen
class LiveConfig:
    """What is sent while it happens."""

    batch_s: float = option(
        0.1, minimum=0.05, maximum=1.0,
        help="Seconds of ticks in one message: the backend may ask for longer ones, never for shorter.",
    )  # fmt: skip
    memory_mb: int = option(
        256, minimum=64, maximum=65_536,
        help="Past this memory of the relay live telemetry is thinned, and at last stopped; the spool goes on.",
    )  # fmt: skip
    core_share: float = option(
        0.25, minimum=0.02, maximum=1.0, help="Past this share of one core live telemetry is thinned."
    )
    udp: bool = option(
        False, help="Send live batches as encrypted datagrams, where the backend takes them; lost ones follow over the link."
    )  # fmt: skip


@frozen(kw_only=True)
class RelayConfig(SiteConfig):
    """Everything that can be set of `relay`. Without `backend_url` it captures to its spool and serves this PC alone."""

    site: str = option(
        "driver", check=check_site_name, help="The name of this driver, as the backend knows it."
    )
    backend_url: str = option(
        "",
        check=check_hub_url,
        help="The backend that is dialled, such as wss://team.example.org; empty: none.",
    )
    state_dir: Path = option(
        Path("relay-state"), help="Where the daemon keeps its database, its keys, its spool."
    )
    listen: Address = option(
        Address("localhost", 8765),
        help="Where programs of this PC ask: the WebSocket, the REST API, figures.",
    )
    from_file: Path | None = option(
        None,
        help="Read this .ibt file, or every one in this folder, in place of the simulator (--from).",
    )
    memory_file: Path | None = option(
        None, help="A file in place of the simulator's memory, written by its stand-in; for trying."
    )
    speed: float = option(
        1.0, minimum=0.0, maximum=1000.0, help="How fast a file is played; 0: as fast as it goes."
    )
    local: LocalConfig = section(LocalConfig, help="What programs on this PC get.")
    spool: SpoolConfig = section(SpoolConfig, help="The copy of every tick on this disk.")
    live: LiveConfig = section(LiveConfig, help="What is sent while it happens.")

    @property
    def hub_option(self) -> tuple[str, str]:
        return "backend_url", self.backend_url

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        yield from super().problems()
        if self.from_file is not None and self.memory_file is not None:
            yield Problem("from_file, memory_file", "two sources at once", "take one of them back")
        if self.from_file is not None and not self.from_file.exists():
            yield Problem("from_file", f"{self.from_file} is not there")
        elif self.from_file is not None and not (self.from_file.is_file() or self.from_file.is_dir()):
            yield Problem("from_file", f"{self.from_file} is neither a file nor a folder")
        if self.listen.host not in ("localhost", "127.0.0.1", "::1"):
            yield Problem(
                "listen", f"{self.listen.host or 'every interface'}: others could read the driver's car",
                "listen on localhost; the team sees it at the backend",
            )  # fmt: skip


@frozen
class ArchiveConfig:
    """What is kept of every tick."""

    gb: float = option(
        100.0, minimum=0.1, maximum=1_000_000.0,
        help="What recordings may take, in GB: about 5 hours of all channels each; past it the oldest rows go.",
    )  # fmt: skip
    ring_s: float = option(
        180.0, minimum=10.0, maximum=3600.0, help="Seconds of live telemetry in memory, for who joins late."
    )
    ring_mb: int = option(32, minimum=1, maximum=4096, help="Of one driver at most, in MB.")


@frozen(kw_only=True)
class BackendConfig(HubConfig):
    """Everything that can be set of `backend`."""

    state_dir: Path = option(
        Path("backend-state"), help="Where the daemon keeps its database, its keys, recordings."
    )
    listen: Address = option(Address("", 8445), help="Where pages, API and the link are served.")
    archive: ArchiveConfig = section(ArchiveConfig, help="What is kept.")
    udp: bool = option(
        False, help="Take live telemetry as encrypted datagrams too, at the UDP port of the same number."
    )  # fmt: skip
