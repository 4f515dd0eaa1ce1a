"""A team's day at an endurance race, as a daemon with a team would tell it: seeded, with messages, stints and handoffs."""

import random
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from tests.tui.recorded import UTC

__all__ = ["Crew"]

DRIVERS = ("Ann", "Bo", "Cleo", "Dara")
SAID = (
    "box this lap", "tyres are going off", "traffic behind you, let them by", "fuel for two more", "rain in 20 minutes",
    "radio check", "next stop with brakes", "push now", "yellow in sector 2", "mind the kerb at nine",
)  # fmt: skip
RACE_S, STINT_S = 12 * 3600.0, 3000.0
ASKS_S = 300.0


@define(eq=False)
class Crew:
    """`at` tells how it stands, seconds since the start of the race."""

    seed: int = 1
    team: str = "Red"
    _ends: list[float] = field(init=False)
    _messages: list[dict[str, Any]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        rng = random.Random(self.seed)
        self._ends, gone = [], 0.0
        while gone < RACE_S:
            gone = min(RACE_S, gone + STINT_S * rng.uniform(0.8, 1.2))
            self._ends.append(gone)
        self._messages, gone = [], 0.0
        while gone < RACE_S:
            gone += rng.expovariate(1 / 240)
            priority = rng.choices(["low", "normal", "high", "urgent"], [2, 6, 2, 1])[0]
            self._messages.append(
                {
                    "id": f"m{len(self._messages)}",
                    "from": rng.choice([*DRIVERS, "wall"]),
                    "words": rng.choice(SAID),
                    "priority": priority,
                    "at": UTC + gone,
                    "read": rng.random() < 0.8,
                }
            )

    def at(self, second: float) -> dict[str, Any]:
        """Return how the team stands."""
        said = [one for one in self._messages if one["at"] <= UTC + second]
        now = next((at for at, end in enumerate(self._ends) if second < end), len(self._ends) - 1)
        told: dict[str, Any] = {
            "team": self.team,
            "now": UTC + second,
            "ends": UTC + RACE_S,
            "messages": said[-100:],
            "stints": [self._stint(at, now) for at in range(len(self._ends))],
        }
        left = self._ends[now] - second
        if left < ASKS_S and now + 1 < len(self._ends):
            told["handoff"] = {
                "from": DRIVERS[now % len(DRIVERS)],
                "to": DRIVERS[(now + 1) % len(DRIVERS)],
                "status": "pending" if left > ASKS_S / 2 else "accepted",
                "reason": "end of the stint",
                "urgent": left < 60,
                "asked_at": UTC + self._ends[now] - ASKS_S,
                "steps": [
                    {"name": "seat", "done": left < 200},
                    {"name": "belts", "done": left < 100},
                    {"name": "brake balance", "done": left < 50},
                ],
            }
        return told

    def day(self, every_s: float = 60.0) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield the whole race."""
        for step in range(int(RACE_S / every_s)):
            yield step * every_s, self.at(step * every_s)

    def _stint(self, at: int, now: int) -> dict[str, Any]:
        begin = self._ends[at - 1] if at else 0.0
        return {
            "driver": DRIVERS[at % len(DRIVERS)],
            "begin": UTC + begin,
            "end": UTC + self._ends[at] if at != now else None,
            "laps": int((self._ends[at] - begin) / 95) if at < now else None,
            "planned": at > now,
        }
