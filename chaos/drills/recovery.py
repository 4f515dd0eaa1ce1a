"""How soon all was well after a fault, and what it cost: read off what was seen. Pure.

Faults that overlap are one *spell*: what was felt of each cannot be told apart, so all of them have the spell's end.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve, frozen

from chaos.drills.record import Recovery
from chaos.drills.watch import Ledger, Reading, Rows
from chaos.scenario import Scenario, Step

__all__ = ["Spell", "has_recovered", "recovery_of", "spells_of"]

TOGETHER_S: Final = 1.0
"""Faults that begin so close to a spell's beginning are noticed with it."""


@frozen
class Spell:
    """Steps whose times overlap. `from_s`, `until_s`: as they really were, on the readings' clock."""

    steps: tuple[Step, ...]
    from_s: float
    until_s: float

    @property
    def name(self) -> str:
        names = [step.name for step in self.steps]
        return names[0] if len(names) == 1 else f"{names[0]} (with {len(names) - 1} more)"

    def begins_with(self, step: Step) -> bool:
        """Whether a step begins when the spell does; of later ones nobody can say when they were noticed."""
        return step.at_s <= self.steps[0].at_s + TOGETHER_S


def spells_of(scenario: Scenario) -> list[Spell]:
    """Return the spells of a timeline, on its own clock."""
    found: list[Spell] = []
    for step in scenario.timeline:
        ends_at_s = scenario.ends_at_s(step)
        if found and step.at_s <= found[-1].until_s:
            last = found[-1]
            found[-1] = Spell((*last.steps, step), last.from_s, max(last.until_s, ends_at_s))
        else:
            found.append(Spell((step,), step.at_s, ends_at_s))
    return found


def has_recovered(recovery: Recovery) -> bool:
    """Whether there is nothing more to wait for."""
    return None not in (recovery.reconnect_s, recovery.drained_s, recovery.fresh_s)


def recovery_of(
    spell: Spell, readings: Sequence[Reading], *, fresh_s: float, late_after_s: float
) -> Recovery:
    """Return what a spell's readings show. `readings`: from before its beginning until the next one's, in order.

    The last reading only proves what the one before shows: the daemons are not asked at one instant.
    """
    before = [reading for reading in readings if reading.t_s <= spell.from_s]
    during = [reading for reading in readings if reading.t_s > spell.from_s]
    after = [reading for reading in during if reading.t_s >= spell.until_s]
    base = next((reading for reading in reversed(before) if reading.is_whole), None)
    found = Recovery(spell.name, detect_s=_detected_s(spell, before[-1:], during))
    if base is not None:
        found = evolve(found, late=_late(base, during, late_after_s))
    fresh = next((one for one in after if _is_fresh(one, spell.until_s, fresh_s)), None)
    at_end = next((one for one in after if one.is_whole), None)
    drained = next((one for one in after if at_end is not None and _has_drained(one, at_end)), None)
    if fresh is not None:
        found = evolve(
            found,
            fresh_s=_since(fresh, spell),
            reconnect_s=_since(_connected_since(after, fresh), spell),
        )
    if drained is not None:
        found = evolve(found, drained_s=_since(drained, spell))
    last = next((one for one in reversed(after) if one.is_whole), None)
    if base is not None and last is not None and drained is not None:
        found = evolve(
            found, lost=_lost(base, drained, last), doubled=_doubled(base, last), dead=_dead(base, last)
        )
    return found


def _since(reading: Reading, spell: Spell) -> float:
    return round(max(0.0, reading.t_s - spell.until_s), 3)


def _detected_s(spell: Spell, before: Sequence[Reading], during: Iterable[Reading]) -> float | None:
    """Until an end noticed: a link or the origin was lost, a daemon ended, a warning was raised."""
    known = before[-1].warnings if before else frozenset()
    counts = before[-1].connections if before else None
    for reading in during:
        is_new = counts is not None and reading.connections != counts
        if not (reading.is_connected and reading.origin == "up") or is_new or reading.warnings - known:
            return round(max(0.0, reading.t_s - spell.from_s), 3)
    return None


def _is_fresh(reading: Reading, since_s: float, fresh_s: float) -> bool:
    """Whether what is shown was read after the spell, at the latest `fresh_s` ago."""
    age_s = reading.age_s
    return reading.is_connected and age_s is not None and age_s <= fresh_s and reading.t_s - age_s >= since_s


def _connected_since(after: Sequence[Reading], fresh: Reading) -> Reading:
    """Return the first reading of the connection that the fresh figure came over."""
    found = fresh
    for reading in reversed([one for one in after if one.t_s <= fresh.t_s]):
        if not reading.is_connected or reading.connections != fresh.connections:
            break
        found = reading
    return found


# --- messages ----------------------------------------------------------------------------------------------------------


def _has_drained(reading: Reading, at_end: Reading) -> bool:
    """Whether all that was promised when the spell ended is acknowledged."""
    if not reading.is_whole:
        return False
    return all(
        _get(now.out, channel, epoch, "acked", row["last"]) >= row["last"]
        for then, now in _pairs(at_end, reading)
        for channel, epochs in then.out.items()
        for epoch, row in epochs.items()
    )


def _pairs(one: Reading, other: Reading) -> list[tuple[Ledger, Ledger]]:
    """Return the ledgers of both ends in two whole readings, site first."""
    return list(zip(_both(one), _both(other), strict=True))


def _both(reading: Reading) -> tuple[Ledger, Ledger]:
    assert reading.site_ledger is not None
    assert reading.hub_ledger is not None
    return reading.site_ledger, reading.hub_ledger


def _get(rows: Rows, channel: str, epoch: int, key: str, default: int) -> int:
    row = rows.get(channel, {}).get(epoch)
    return default if row is None else row[key]


def _lost(base: Reading, drained: Reading, last: Reading) -> int:
    """Messages that count as delivered at one end and have not come to the other, those given up, missing effects."""
    senders, receivers = _pairs(base, drained), _pairs(base, last)
    missing = sum(
        _missing(sender, receiver) for sender, receiver in zip(senders, reversed(receivers), strict=True)
    )
    skipped = sum(_sum(now.into, "skipped", was.into) for was, now in receivers)
    return missing + skipped + max(0, -_surplus(base, last))


def _missing(sender: tuple[Ledger, Ledger], receiver: tuple[Ledger, Ledger]) -> int:
    missing = 0
    for channel, epochs in sender[1].out.items():
        for epoch, row in epochs.items():
            is_known = epoch in receiver[0].into.get(channel, {})
            if not is_known and _get(sender[0].out, channel, epoch, "acked", -1) == row["acked"]:
                continue  # so old that the receiver has forgotten it
            missing += max(0, row["acked"] - _get(receiver[1].into, channel, epoch, "committed", 0))
    return missing


def _doubled(base: Reading, last: Reading) -> int:
    return max(0, _surplus(base, last))


def _surplus(base: Reading, last: Reading) -> int:
    """Return by how many effects grew more than the messages that were to have one."""
    (_, _), (was, now) = _pairs(base, last)
    surplus = 0
    for channel in now.effects:
        rows, known = {channel: now.into.get(channel, {})}, {channel: was.into.get(channel, {})}
        wanted = _sum(rows, "committed", known) - _sum(rows, "skipped", known) - _sum(rows, "dead", known)
        surplus += now.effects[channel] - was.effects.get(channel, 0) - wanted
    return surplus


def _dead(base: Reading, last: Reading) -> int:
    return max(0, sum(_sum(now.into, "dead", was.into) for was, now in _pairs(base, last)))


def _sum(rows: Rows, key: str, known: Rows) -> int:
    """Return by how much a column grew. An epoch that is forgotten meanwhile did not change."""
    return sum(
        row[key] - _get(known, channel, epoch, key, 0)
        for channel, epochs in rows.items()
        for epoch, row in epochs.items()
    )


def _late(base: Reading, readings: Sequence[Reading], late_after_s: float) -> int:
    """Count the messages that were promised after `base` or waited then, and were acknowledged too late, or not yet."""
    late = 0
    for side in ("site_ledger", "hub_ledger"):
        series: dict[tuple[str, int], list[tuple[float, int, int]]] = {}
        for reading in (base, *readings):
            ledger: Ledger | None = getattr(reading, side)
            for channel, epochs in {} if ledger is None else ledger.out.items():
                for epoch, row in epochs.items():
                    series.setdefault((channel, epoch), []).append((reading.t_s, row["last"], row["acked"]))
        late += sum(_late_in(steps, late_after_s) for steps in series.values())
    return late


def _late_in(steps: Sequence[tuple[float, int, int]], late_after_s: float) -> int:
    """Of one epoch: (when, last promised, last acknowledged), in order."""
    late = 0
    counted = steps[0][2]  # acknowledged before anybody looked
    promised: list[tuple[int, float]] = []  # up to this number since then, rising
    top = counted
    for at, last, acked in steps:
        if last > top:
            promised.append((last, at))
            top = last
        while promised and acked > counted:
            upto, since = promised[0]
            reached = min(upto, acked)
            if at - since > late_after_s:
                late += reached - counted
            counted = max(counted, reached)
            if counted >= upto:
                promised.pop(0)
    ended_at = steps[-1][0]
    for upto, since in promised:
        if ended_at - since > late_after_s:
            late += upto - counted
        counted = upto
    return late
