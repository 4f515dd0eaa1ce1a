"""One moment of the house, as all parts of the control see it."""

from datetime import datetime
from zoneinfo import ZoneInfo

from attrs import define

from daemons.heating.control.senses import Sensor
from daemons.heating.settings import Settings

__all__ = ["Scene"]


@define
class Scene:
    """`offset`: what makes a moment of the monotonic clock one of UTC."""

    time_zone: ZoneInfo
    mono: float
    utc: float
    is_sure: bool
    offset: float
    settings: Settings
    outdoor: Sensor | None

    @property
    def local(self) -> datetime:
        """Now in the house's zone."""
        return datetime.fromtimestamp(self.utc, self.time_zone)

    @property
    def cold_out(self) -> float | None:
        """The temperature outdoors, if it is known."""
        return None if self.outdoor is None else self.outdoor.celsius
