"""The race day computed a second time, slowly and in the most obvious way, from the raw files.

It imports nothing of the race model, and shares no way of thinking with it where there is a choice: it works on the
JSON as FPVTrackside serves it and computes everything anew after each read. What it says is compared with the model
at every step of played and recorded days. The rules are those of `docs/race-rules.md`.
"""

from datetime import datetime, timedelta

from .recomputed_races import Json, at_share, middle, once, when
from .recomputed_standings import RecomputedStandings

__all__ = ["Recomputed"]


class Recomputed(RecomputedStandings):
    """All that is compared with the model: `everything`, after any number of `read`."""

    @once
    def upcoming(self) -> list[Json]:
        order, here = self.order(), self.current()
        waiting = [race for race in order if self.state(race) == "pending" and self.seats(race)]
        if here is not None and self.state(here) == "done":
            here = self.last_finished()
        if here is None or here not in order:
            return waiting
        place = order.index(here)
        own = [race for race in waiting if race["Round"] == here["Round"]]
        ahead = [race for race in own if order.index(race) >= place]
        left_out = [race for race in own if order.index(race) < place]
        return ahead + left_out + [race for race in waiting if race not in own and order.index(race) > place]

    @once
    def flown(self) -> list[Json]:
        return sorted(
            (race for race in self.order() if when(race["Start"])), key=lambda race: when(race["Start"]) or 0
        )

    @once
    def rhythm(self) -> tuple[float, float, float, int] | None:
        """(gap, turnaround, spread, how many gaps)."""
        gaps: list[tuple[float, float | None]] = []
        flown = self.flown()
        for number in range(1, len(flown)):
            start, before, ended = (
                when(flown[number]["Start"]),
                when(flown[number - 1]["Start"]),
                when(flown[number - 1]["End"]),
            )
            assert start is not None
            assert before is not None
            gap = (start - before).total_seconds()
            turn = None if ended is None else max(0.0, (start - ended).total_seconds())
            if 0 < gap <= 30 * 60:
                gaps.append((gap, turn))
        gaps = gaps[-12:]
        if not gaps:
            return None
        usual = middle([gap for gap, _ in gaps])
        gaps = [(gap, turn) for gap, turn in gaps if gap <= 2.5 * usual]
        only = [gap for gap, _ in gaps]
        gap, turns = middle(only), [turn for _, turn in gaps if turn is not None]
        spread = (at_share(only, 0.8) - at_share(only, 0.2)) / 2
        if len(only) < 4:
            spread = max(spread, gap / 4)
        return gap, middle(turns) if turns else gap, spread, len(only)

    def expected(self) -> dict[str, tuple[str, float]]:
        found: dict[str, tuple[str, float]] = {}
        rhythm, flown, rounds = self.rhythm(), self.flown(), self._by_id("Rounds")
        at: datetime | None = None
        if rhythm is not None:
            start, end = when(flown[-1]["Start"]), when(flown[-1]["End"])
            assert start is not None
            at = end + timedelta(seconds=rhythm[1]) if end else start + timedelta(seconds=rhythm[0])
        for number, race in enumerate(self.upcoming()):
            scheduled = when(rounds.get(race["Round"], {}).get("ScheduledStart"))
            is_first = all(other["Round"] != race["Round"] for other in [*flown, *self.upcoming()[:number]])
            if scheduled is not None and is_first and (at is None or scheduled > at):
                at = scheduled
            if at is not None:
                spread = rhythm[2] * (number + 1) ** 0.5 if rhythm else 0.0
                found[race["ID"]] = (at.strftime("%Y-%m-%d %H:%M:%S"), float(round(spread)))
            at = at + timedelta(seconds=rhythm[0]) if at is not None and rhythm is not None else None
        return found

    def channel_changed(self, race: Json, pilot: str) -> bool:
        """Is it another channel than in the race that the pilot flew before this one?"""
        flown = self.flown()
        before = flown[: flown.index(race)] if race in flown else flown
        channels = [
            seat["Channel"] for other in before for seat in self.seats(other) if seat["Pilot"] == pilot
        ]
        here = next(seat["Channel"] for seat in self.seats(race) if seat["Pilot"] == pilot)
        return bool(channels) and channels[-1] != here

    def next_flights(self) -> dict[str, tuple[str, int, str, bool]]:
        here, found = self.current(), {}
        line = [here] if here is not None and self.state(here) == "live" else []
        for number, race in enumerate([*line, *self.upcoming()]):
            for seat in self.seats(race):
                if seat["Pilot"] not in found:
                    changed = self.channel_changed(race, seat["Pilot"])
                    found[seat["Pilot"]] = (race["ID"], number, seat["Channel"], changed)
        return found

    # --- all of it ---

    def everything(self) -> Json:
        """All that is compared with the model."""
        current, event, order = self.current(), self.event(), self.order()
        laps, pb = event.get("Laps", 0), event.get("PBLaps", 0)
        return {
            "order": [race["ID"] for race in order],
            "states": {key: self.state(race) for key, race in self.races().items()},
            "names": {race["ID"]: self.name(race) for race in order},
            "paused": {race["ID"]: self.paused(race) for race in order},
            "current": current["ID"] if current is not None else None,
            "rows": {race["ID"]: self.rows(race) for race in order},
            "bests": [self.bests(1), self.bests(laps) if laps > 1 else [], self.bests(pb)],
            "stages": self.stages(),
            "upcoming": [race["ID"] for race in self.upcoming()],
            "rhythm": self.rhythm(),
            "expected": self.expected(),
            "next": self.next_flights(),
            "changed": {
                race["ID"]: sorted(
                    s["Pilot"] for s in self.seats(race) if self.channel_changed(race, s["Pilot"])
                )
                for race in order
            },
        }
