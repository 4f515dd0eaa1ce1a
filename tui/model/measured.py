"""What services tell besides how a daemon stands: telemetry, heating and team, each by the daemon and its own name."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from tui.model.checked import maps, text

if TYPE_CHECKING:
    from tui.model.heating import HeatingView
    from tui.model.team import TeamView
    from tui.model.telemetry import TelemetryView
    from tui.model.weeks import HouseWeeks

__all__ = ["SERVICES", "Measured", "services_in"]

SERVICES = ("telemetry", "heating", "team")
EACH_MAX = 64
"""Drivers, houses and teams, each: what a stranger may fill."""

Of = tuple[str, str]
View = TypeVar("View", "TelemetryView", "HeatingView", "TeamView")


@define(eq=False)
class Measured:
    """By (daemon, driver), (daemon, house) and (daemon, team)."""

    telemetry: "dict[Of, TelemetryView]" = field(factory=dict, init=False)
    heating: "dict[Of, HeatingView]" = field(factory=dict, init=False)
    team: "dict[Of, TeamView]" = field(factory=dict, init=False)
    weeks: "dict[Of, HouseWeeks]" = field(factory=dict, init=False)  # by (daemon, what it calls the house)

    def take_weeks(self, daemon: str, site: str, told: Mapping[str, Any]) -> None:
        """Take the settings of a house. Raises ValueError for what is none, and then keeps nothing."""
        from tui.model.weeks import read_weeks

        if (daemon, site) in self.weeks or len(self.weeks) < EACH_MAX:
            self.weeks[daemon, site] = read_weeks(told)

    def unread_weeks(self, daemon: str) -> list[str]:
        """Return the houses of a daemon whose settings are others than those that are known."""
        return [
            view.site
            for (of, _), view in self.heating.items()
            if of == daemon
            and view.version
            and ((known := self.weeks.get((daemon, view.site))) is None or known.version != view.version)
        ]

    def take(self, daemon: str, service: str, told: Mapping[str, Any], now: float) -> None:
        """Take what a service of a daemon told just now. Raises ValueError for what is none, and then keeps nothing."""
        # What reads them is imported when somebody tells them: most daemons do not, and the first picture need not wait.
        match service:
            case "telemetry":
                from tui.model.telemetry import read_telemetry

                _take(self.telemetry, read_telemetry, daemon, text(told, "driver"), told, now)
            case "heating":
                from tui.model.heating import read_heating

                _take(self.heating, read_heating, daemon, text(told, "house"), told, now)
            case "team":
                from tui.model.team import read_team

                _take(self.team, read_team, daemon, text(told, "team"), told, now)
            case _:
                raise ValueError(f"{service!r} is none of {', '.join(SERVICES)}")


def services_in(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what a daemon's status tells of its services: of each one driver, house or team, or several. Raises ValueError."""
    for service in SERVICES:
        told = status.get(service)
        if isinstance(told, Mapping):
            yield service, told
        else:
            for one in maps(status, service, EACH_MAX):
                yield service, one


def _take(
    views: dict[Of, View],
    read: Callable[[View | None, str, Mapping[str, Any], float], View],
    daemon: str,
    name: str,
    told: Mapping[str, Any],
    now: float,
) -> None:
    if (daemon, name) not in views and len(views) >= EACH_MAX:
        raise ValueError(f"more than {EACH_MAX} of them")
    views[daemon, name] = read(views.get((daemon, name)), daemon, told, now)
