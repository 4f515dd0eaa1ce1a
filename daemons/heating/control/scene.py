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

    _quarter: float = -1.0
    _day: str = ""
    _hour: int = 0

    @property
    def day(self) -> str:
        """Today in the house's zone: "2026-01-14"."""
        self._look()
        return self._day

    @property
    def hour(self) -> int:
        """The hour in the house's zone."""
        self._look()
        return self._hour

    def _look(self) -> None:
        """Days and hours begin, and clocks are changed, at quarters of an hour anywhere."""
        quarter = self.utc // 900
        if quarter != self._quarter:
            local = datetime.fromtimestamp(self.utc, self.time_zone)
            self._quarter, self._day, self._hour = quarter, local.date().isoformat(), local.hour

    @property
    def cold_out(self) -> float | None:
        """The temperature outdoors, if it is known."""
        return None if self.outdoor is None else self.outdoor.celsius
