"""A house with fourteen zones over a day, as a daemon with heating would tell it: seeded, with overrides and sensors that
fail."""

import random
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from tests.tui.recorded import UTC

__all__ = ["House"]

ZONES = (
    "Living room", "Kitchen", "Hall", "Study", "Bedroom", "Children", "Guest room", "Bathroom", "Shower", "Loft",
    "Workshop", "Garage", "Cellar", "Hot water",
)  # fmt: skip
PER_HOUR = {"losing": 0.04, "gaining": 1.6}
HYSTERESIS = 0.3


@define(eq=False)
class _Zone:
    name: str
    celsius: float
    day: float
    night: float
    calling: bool = False
    sensor: str = "good"
    read_at: float = 0.0
    override: dict[str, Any] | None = None


@define(eq=False)
class House:
    """`at` tells how it stands, seconds since midnight; to be asked in order."""

    seed: int = 1
    house: str = "Farm"
    _rng: random.Random = field(init=False)
    _zones: list[_Zone] = field(init=False)
    _now: float = 0.0
    _burning_since: float | None = None
    _changed_at: float = 0.0
    _starts: int = 0

    def __attrs_post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._zones = [
            _Zone(name, self._rng.uniform(17, 21), self._rng.choice([20.0, 20.5, 21.0]), 17.0)
            for name in ZONES[:-1]
        ]
        self._zones.append(_Zone(ZONES[-1], 51.0, 55.0, 50.0))

    def at(self, second: float) -> dict[str, Any]:
        """Return how the house stands."""
        while self._now < second:
            self._pass(min(60.0, second - self._now))
        burning = self._burning_since is not None
        calling = [zone.name for zone in self._zones if zone.calling]
        return {
            "house": self.house,
            "now": UTC + second,
            "utc_offset_s": 7200,
            "outdoor": round(self._outdoor(), 1),
            "outdoor_age_s": 30.0,
            "boiler": {
                "state": "heating" if burning else "standing by",
                "burning": burning,
                "cause": f"{len(calling)} zones call for heat" if burning else "no zone calls for heat",
                "for_s": second - self._changed_at,
                "flow": 58.0 if burning else 34.0,
                "return": 46.0 if burning else 33.0,
                "target": 60.0 if burning else None,
                "starts": self._starts,
            },
            "zones": [self._say(zone, second) for zone in self._zones],
        }

    def day(self, every_s: float = 600.0) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield a day of it."""
        for step in range(int(86400 / every_s)):
            yield step * every_s, self.at(step * every_s)

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        hours = seconds / 3600
        for zone in self._zones:
            zone.celsius -= (zone.celsius - self._outdoor()) * PER_HOUR["losing"] * hours
            if zone.calling and self._burning_since is not None:
                zone.celsius += PER_HOUR["gaining"] * hours * (8 if zone.name == "Hot water" else 1)
            if zone.sensor == "good":
                zone.read_at = self._now
            if self._rng.random() < 0.0004:
                zone.sensor = self._rng.choice(["stale", "lost", "faulty"])
            elif self._rng.random() < 0.02:
                zone.sensor = "good"
            if (
                zone.override
                and zone.override["ends"] is not None
                and UTC + self._now >= zone.override["ends"]
            ):
                zone.override = None
            if self._rng.random() < 0.0006:
                ends = self._rng.choice([None, UTC + self._now + 7200])
                zone.override = {
                    "setpoint": zone.day + 1.5,
                    "by": self._rng.choice(["ann", "bo"]),
                    "ends": ends,
                }
            want = self._setpoint(zone)
            if zone.sensor != "good" or zone.celsius > want + HYSTERESIS:
                zone.calling = False
            elif zone.celsius < want - HYSTERESIS:
                zone.calling = True
        wants = any(zone.calling for zone in self._zones)
        if wants != (self._burning_since is not None):
            self._burning_since, self._changed_at = self._now if wants else None, self._now
            self._starts += wants

    def _outdoor(self) -> float:
        return 2.0 + 4.0 * (1 - abs(self._now / 43200 - 1.1))

    def _setpoint(self, zone: _Zone) -> float:
        if zone.override:
            return float(zone.override["setpoint"])
        return zone.day if 6 <= self._now / 3600 % 24 < 22 else zone.night

    def _say(self, zone: _Zone, second: float) -> dict[str, Any]:
        want, known = self._setpoint(zone), zone.sensor in ("good", "stale")
        is_day = 6 <= second / 3600 % 24 < 22
        if zone.sensor != "good":
            cause = f"sensor {zone.sensor}: off until it is back"
        elif zone.calling:
            cause = f"{want - zone.celsius:.1f} below the set-point, weather curve 1.2"
        else:
            cause = "warm enough"
        return {
            "id": zone.name.lower().replace(" ", "-"),
            "name": zone.name,
            "celsius": round(zone.celsius, 1) if known else None,
            "setpoint": want,
            "calling": zone.calling,
            "cause": cause,
            "mode": "auto",
            "sensor": zone.sensor,
            "age_s": second - zone.read_at if known else None,
            "override": zone.override,
            "next_at": UTC + (second // 86400) * 86400 + (22 if is_day else 30) * 3600,
            "next_setpoint": zone.night if is_day else zone.day,
        }
