"""What an operator can set of `boiler` and `nas`. The house itself, its zones and wires, is in a file of its own: housefile."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import frozen

from daemons.heating.history.retention import HistoryKeep
from daemons.link.address import HubAddress
from daemons.ops.authority.sites import check_site_name
from daemons.ops.errors import Problem
from daemons.ops.options import Address, Secret, option, section
from daemons.pair.config import HubConfig, SiteConfig, check_hub_url
from protocol.reliable import Bounds, Full

__all__ = ["BoilerConfig", "HistoryConfig", "NasConfig", "OutboxConfig"]


def _check_batch(seconds: int) -> None:
    if 900 % seconds:
        raise ValueError("a quarter of an hour is to be a whole number of them, such as 60, 300 or 900")


def _check_sample(seconds: int) -> None:
    if 900 % seconds:
        raise ValueError("a quarter of an hour is to be a whole number of them, such as 30, 60 or 300")


def _check_gpio(text: str) -> None:
    if text not in ("", "pi") and not text.startswith("latch:/"):
        raise ValueError(
            'expected "pi", or "latch:/path/of/a/socket" for the double; empty: as the house file says'
        )


def _check_dials(urls: Mapping[str, str]) -> None:
    for site, url in urls.items():
        check_site_name(site)
        HubAddress.parse(url)


SECRET_CHARS_MIN = 16


def _check_cache(name: str) -> None:
    if name != "memory":
        raise ValueError('there is "memory" so far; a cache that several machines share is for later')


@frozen
class HistoryConfig:
    """How long the history of a house is kept. Sums of quarters of an hour and of days are kept for good."""

    samples_days: float = option(
        400.0, minimum=0.0, maximum=36_500.0, help="Days that samples of each minute are kept; 0: for good."
    )
    events_days: float = option(
        0.0, minimum=0.0, maximum=36_500.0, help="Days that events are kept; 0: for good."
    )
    max_mb: int = option(
        2048,
        minimum=16,
        maximum=1_000_000,
        help="Bytes of the database, in MB; past it the oldest samples go, then events.",
    )

    def keep(self) -> HistoryKeep:
        """Return it as the history has it."""
        return HistoryKeep(self.samples_days, self.events_days, self.max_mb * 1024 * 1024)


@frozen
class OutboxConfig:
    """What waits for the hub while there is no link; past a bound the oldest goes, and the hub's check asks for it again."""

    max_messages: int = option(
        500_000, minimum=1000, maximum=100_000_000, help="Events and batches of samples that wait at most."
    )
    max_mb: int = option(256, minimum=1, maximum=1_000_000, help="Their bytes, in MB.")

    def bounds(self) -> Bounds:
        """Return them as the link has them."""
        return Bounds(self.max_messages, self.max_mb * 1024 * 1024, full=Full.DROP_OLDEST)


@frozen(kw_only=True)
class BoilerConfig(SiteConfig):
    """Everything that can be set of `boiler`. Without `nas_url` it heats alone, and a nas may dial it."""

    site: str = option("home", check=check_site_name, help="The name of this site, as the nas knows it.")
    house_file: Path = option(
        Path("house.toml"), help="The house: its zones, and what is wired to which pin (pitlink heat house)."
    )
    nas_url: str = option(
        "", check=check_hub_url, help="The nas that is dialled, such as wss://nas.example.org; empty: none."
    )
    reach_secret: Secret = option(
        Secret(),
        help="What a nas that dials this house at /reach must know; empty: none can. 16 characters at least.",
    )
    state_dir: Path = option(Path("boiler-state"), help="Where the daemon keeps its database and its keys.")
    listen: Address = option(
        Address("", 8091), help='Where it serves its pages; ":8091": to the whole house.'
    )
    open_pages: bool = option(
        True, help="Everybody who reaches the pages may look; commands take an operator's token all the same."
    )
    gpio: str = option(
        "", check=_check_gpio, help='In place of what the house file says of it; such as "pi".'
    )
    control_s: float = option(
        10.0, minimum=1.0, maximum=60.0, help="Seconds from one round of control to the next."
    )
    commit_s: float = option(
        2.0, minimum=0.1, maximum=30.0,
        help="So long a round waits for the disk before it heats without: what is kept in memory meanwhile is caught up.",
    )  # fmt: skip
    sample_s: int = option(
        60,
        minimum=10,
        maximum=900,
        check=_check_sample,
        help="Seconds from one sample of all zones to the next.",
    )
    sample_batch_s: int = option(
        300,
        minimum=60,
        maximum=900,
        check=_check_batch,
        help="Samples of so many seconds are written and sent at once.",
    )
    batch_s: float = option(
        2.0,
        minimum=1.0,
        maximum=5.0,
        help="Seconds that changes of the state are gathered before they are sent.",
    )
    heartbeat_s: float = option(
        30.0, minimum=10.0, maximum=600.0,
        help="After twice this without a round of control the nas says that the house is silent, whatever the link does.",
    )  # fmt: skip
    clock_is_set: bool = option(
        False,
        help="This machine's clock runs on a battery: it need not be set by a time server after a start.",
    )
    speed: float = option(
        1.0, minimum=1.0, maximum=600.0, help="How fast the time of the house goes; only for demonstrations."
    )
    speed_since: float = option(
        0.0,
        minimum=0.0,
        help="UTC seconds at which it was this machine's time; 0: at the start. For demonstrations.",
    )
    history: HistoryConfig = section(HistoryConfig, help="How long the history is kept.")
    outbox: OutboxConfig = section(OutboxConfig, help="What waits for the nas.")

    @property
    def hub_option(self) -> tuple[str, str]:
        return "nas_url", self.nas_url

    def problems(self) -> Iterable[Problem]:  # type: ignore[override]
        """Yield what is wrong with options that are good each by itself."""
        yield from super().problems()
        if self.sample_batch_s % self.sample_s:
            yield Problem(
                "sample_s, sample_batch_s", "a batch is not a whole number of samples", "such as 60 and 300"
            )
        if self.nas_url and self.reach_secret:
            yield Problem(
                "nas_url, reach_secret", "either this house dials, or it is dialled", "take one of them back"
            )
        if self.reach_secret and len(self.reach_secret.text) < SECRET_CHARS_MIN:
            yield Problem("reach_secret", f"a secret has {SECRET_CHARS_MIN} characters at least")
        if self.production and self.speed != 1.0:
            yield Problem("production, speed", "a real house has real time", "take one of them back")


@frozen(kw_only=True)
class NasConfig(HubConfig):
    """Everything that can be set of `nas`."""

    state_dir: Path = option(Path("nas-state"), help="Where the daemon keeps its database and its keys.")
    listen: Address = option(Address("", 8444), help="Where pages, API and the link are served.")
    dials: dict[str, str] = option(
        factory=dict,
        check=_check_dials,
        help='Houses that are dialled from here, by site, such as {home = "wss://pi.example.org:8091"}; others dial.',
    )
    reach_secret: Secret = option(
        Secret(), help="What proves this nas to the houses that it dials: their reach_secret."
    )
    dials_ca_file: Path | None = option(
        None,
        help="Certificates (PEM) to trust for the houses that are dialled by wss instead of this machine's own.",
    )
    command_s: float = option(
        30.0, minimum=1.0, maximum=86_400.0, help="How long a switch is good when nobody says otherwise."
    )
    cache: str = option(
        "memory", check=_check_cache, help="Where answers are kept that are asked for again and again."
    )
    cache_mb: int = option(8, minimum=1, maximum=1024, help="What that cache may hold, in MB.")
    cache_s: float = option(
        10.0, minimum=0.0, maximum=3600.0, help="For so long an answer whose span ends now is kept."
    )
    check_h: float = option(
        24.0, minimum=0.1, maximum=720.0, help="Hours from one full check of each replica to the next."
    )
    history: HistoryConfig = section(HistoryConfig, help="How long the history of every house is kept.")

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with options that are good each by itself."""
        yield from super().problems()
        if self.dials and len(self.reach_secret.text) < SECRET_CHARS_MIN:
            words = f"houses are dialled with a secret of {SECRET_CHARS_MIN} characters at least: their reach_secret"
            yield Problem("dials, reach_secret", words)
