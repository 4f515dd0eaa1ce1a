"""The app with twenty sites at a race, told of four times a second: python -m tests.tui.app.race [still] [odd].

Round trips waver around what the site's line is like and are measured every other second, data comes now and then, fetches
come and go, now and then a site is cut off for a while. "still": the same is told again and again. "odd": names in wide letters.
"""

import random
import sys
from typing import Any

import trio

from tests.tui.app.world import UTC, World, site
from tui.app.run import run_app

SITES = 20
HZ = 4
ODD = ("北の畑", "Ödland", "🏁 start", "été", "트랙", "x" * 40)


class Race(World):
    """What daemons would tell, from a seed; each number is told as they tell it, with all its digits."""

    seed = 5
    is_still = False
    names: tuple[str, ...] = ()

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            await self.began.wait()
            chance = random.Random(self.seed)
            lines = [_Line(chance, 0.02 * 1.2**at) for at in range(SITES)]
            step = 0
            while True:
                if not (step and self.is_still):
                    told = {self._name(at): line.told(step) for at, line in enumerate(lines)}
                self.tell(told, cache={"entries": 40, "bytes": 90_000, "hits": 11, "misses": 25})
                step += 1
                await trio.sleep(1 / HZ)

    def _name(self, at: int) -> str:
        return f"{self.names[at % len(self.names)]} {at}" if self.names else f"field-{at:02}"


class _Line:
    """One site's line, `base_s` from the hub and back."""

    def __init__(self, chance: random.Random, base_s: float) -> None:
        self._chance = chance
        self._base_s = base_s
        self._p50_s = self._p99_s = base_s
        self._age_s = chance.random()
        self._gone_for = 0
        self._flying = 0
        self._hits = chance.randrange(20_000)

    def told(self, step: int) -> dict[str, Any]:
        chance = self._chance
        if self._gone_for:
            self._gone_for -= 1
        elif chance.random() < 0.001:
            self._gone_for = chance.randrange(4, 40)
        self._age_s += 1 / HZ
        if self._gone_for:
            away = {
                "connected": False,
                "round_trip_s": None,
                "round_trip_p50_s": None,
                "round_trip_p99_s": None,
            }
            return site(**away, age_s=self._age_s, as_of=UTC - self._age_s, last_seen_at=UTC - 1)
        if chance.random() < 0.4:
            self._age_s = self._base_s + chance.random() * 0.2
        if step % (2 * HZ) == 0:
            self._p50_s = self._base_s * chance.uniform(0.97, 1.03)
            self._p99_s = self._base_s * chance.uniform(1.5, 1.6)
        if chance.random() < 0.3:
            self._flying = chance.choice((0, 0, 0, 1, 2))
        self._hits += chance.choice((0, 0, 3))
        return site(
            round_trip_s=self._base_s * chance.uniform(0.8, 1.5), round_trip_p50_s=self._p50_s,
            round_trip_p99_s=self._p99_s, age_s=self._age_s, as_of=UTC - self._age_s, fetches_in_flight=self._flying,
            fetches_waiting=0, cache_hits=self._hits,
        )  # fmt: skip


if __name__ == "__main__":
    race = Race()
    race.is_still = "still" in sys.argv
    race.names = ODD if "odd" in sys.argv else ()
    sys.exit(run_app(race))
