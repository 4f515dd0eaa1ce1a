"""What befalls a house: a fault of each kind sooner or later, restarts, power cuts, people who change their minds."""

import random
from collections.abc import Callable

from attrs import frozen

from chaos.doubles.house import HousePlan

__all__ = ["DECK", "HOWS", "Befalls", "Down", "Fault", "storm"]

HOUR_S = 3600.0
_CALM_S = 12 * HOUR_S

DECK: tuple[tuple[str, str, float | None, float], ...] = (
    ("sensor room.*", "lost", None, 9),
    ("sensor room.*", "hangs", None, 5),
    ("sensor room.*", "crc", None, 7),
    ("sensor room.*", "power-on", None, 6),
    ("sensor room.*", "range", None, 3),
    ("sensor room.*", "frozen", None, 30),
    ("sensor room.*", "spikes", None, 12),
    ("sensor room.*", "drift", 0.7, 5),
    ("sensor room.*", "offset", -3.5, 4),
    ("sensor room.*", "slow", 900.0, 4),
    ("sensor pipe.*", "lost", None, 12),
    ("sensor pipe.*", "offset", -3.5, 24),
    ("sensor flow", "open", None, 3),
    ("sensor flow", "short", None, 5),
    ("sensor back", "open", None, 8),
    ("sensor outdoor", "lost", None, 20),
    ("sensor outdoor", "spikes", None, 9),
    ("sensors", "gone", None, 7),
    ("valve *", "stuck", 0.0, 10),
    ("valve *", "stuck", 1.0, 10),
    ("relay *", "welded", None, 8),
    ("relay *", "dead", None, 8),
    ("relay burner", "welded", None, 3),
    ("relay burner", "dead", None, 4),
    ("burner", "dead", None, 4),
    ("pump", "dead", None, 3),
    ("contact firing", "flaps", None, 2),
    ("contact call.water", "flaps", None, 3),
    ("contact call.water", "stuck", 1.0, 8),
)
"""What breaks, how, with what value, for how many hours at most. `*`: some room's. All of it within four weeks."""


HOWS = ("stop", "kill", "hang", "power")
"""How the program ends."""


@frozen(kw_only=True)
class Fault:
    """From `at` to `until`, seconds from the begin of the run."""

    at: float
    until: float
    what: str
    kind: str
    value: float | None


@frozen(kw_only=True)
class Down:
    """The program is not there from `at` to `until`. `how`: "stop" (in order), "kill" (something else has the relays
    off), "hang" (they stay as they are until the watchdog) or "power". `lost_s`: by how much the clock is behind at the
    start after a power cut, and `unsure_s`: how long until it is set."""

    at: float
    until: float
    how: str
    lost_s: float = 0.0
    unsure_s: float = 0.0


@frozen(kw_only=True)
class Befalls:
    """All of a run, by time. `people`: when somebody changes something."""

    faults: tuple[Fault, ...]
    downs: tuple[Down, ...]
    people: tuple[float, ...]
    away: tuple[float, float] | None = None
    """From when to when nobody is there and heating is switched off, as for the summer: only frost duty is left."""


def storm(
    seed: int, name: str, days: float, plan: HousePlan, *, quarter: int | None = None, is_away: bool = False
) -> Befalls:
    """Return what befalls a run of that seed and name. `quarter`: one of four runs that have all of the deck between them;
    None: each week has as much of it as comes. `is_away`: nobody is there most of the time."""
    rng = random.Random(f"{seed}/storm/{name}")
    whole_s = days * 24 * HOUR_S
    downs = tuple(_downs(rng, whole_s, quarter))
    return Befalls(
        faults=tuple(sorted(_faults(rng, seed, whole_s, plan, quarter, downs), key=lambda fault: fault.at)),
        downs=downs,
        people=tuple(_times(rng, whole_s, HOUR_S, lambda: rng.expovariate(1 / (14 * HOUR_S)))),
        away=(0.2 * whole_s, 0.85 * whole_s) if is_away else None,
    )


def _times(rng: random.Random, whole_s: float, begin_s: float, wait: Callable[[], float]) -> list[float]:
    at, times = begin_s, []
    while (at := at + wait()) < whole_s:
        times.append(at)
    return times


def _downs(rng: random.Random, whole_s: float, quarter: int | None) -> list[Down]:
    downs: list[Down] = []
    hands = [] if quarter is None else [HOWS[quarter]]  # so that four runs have all of them
    for at in _times(rng, whole_s - 8 * HOUR_S, 2 * HOUR_S, lambda: rng.expovariate(1 / (26 * HOUR_S))):
        if downs and at < downs[-1].until + HOUR_S:
            continue
        if not hands:
            hands = [*HOWS, "stop"]
            rng.shuffle(hands)
        how = hands.pop()
        if how == "power":
            down_s = rng.choice((20.0, 120.0, 900.0, rng.uniform(1, 4) * HOUR_S))
            lost_s = rng.choice((0.0, down_s + rng.uniform(0, HOUR_S), rng.uniform(1, 9) * 7 * 86_400))
            unsure_s = rng.choice((20.0, 90.0, rng.uniform(300, 3 * HOUR_S)))
            downs.append(Down(at=at, until=at + down_s, how=how, lost_s=lost_s, unsure_s=unsure_s))
        else:
            down_s = rng.uniform(8, 15) if how == "hang" else rng.choice((3.0, 11.0, 60.0, 400.0))
            downs.append(Down(at=at, until=at + down_s, how=how))
    return downs


def _faults(
    rng: random.Random,
    seed: int,
    whole_s: float,
    plan: HousePlan,
    quarter: int | None,
    downs: tuple[Down, ...],
) -> list[Fault]:
    deck = list(DECK)
    if quarter is None:
        rng.shuffle(deck)
        hands = [rng.choice(deck) for _ in range(round(whole_s / 86_400))]
    else:
        random.Random(f"{seed}/deck").shuffle(deck)
        hands = deck[quarter::4]
    each_s = (whole_s - _CALM_S) / max(1, len(hands))
    faults = []
    for i, (what, kind, value, hours) in enumerate(hands):
        at = _CALM_S + i * each_s + rng.uniform(0, 0.3) * each_s
        until = at + rng.uniform(0.5, 1.0) * hours * HOUR_S
        which = what.replace("*", rng.choice(plan.rooms).id)
        if kind == "gone":  # until the power was off
            until = min((down.until for down in downs if down.how == "power" and down.at > at), default=until)
        faults.append(Fault(at=at, until=until, what=which, kind=kind, value=value))
    return faults
