"""For how many days of outage everything is kept for the hub: pure."""

from collections.abc import Mapping

from attrs import frozen

from protocol.reliable import Bounds

__all__ = ["DayTold", "capacity_days", "expected"]

DAY_S = 86_400.0
LOOKED_AT_DAYS = 7

# Of a zone and a day, measured with houses of fourteen zones (bench/boiler.py): what a cold day takes, rather too much.
_EVENTS_A_ZONE = 80
_EVENT_BYTES = 220
_SOURCE_BYTES = 36
_BATCH_BYTES = 120


@frozen
class DayTold:
    """What went into the outbox in a day."""

    messages: float
    body_bytes: float


def expected(zones: int, batch_s: float) -> DayTold:
    """Return what a day of a house of so many zones takes, before any was measured."""
    batches = DAY_S / batch_s
    events = _EVENTS_A_ZONE * (zones + 1)
    body_bytes = batches * (_BATCH_BYTES + _SOURCE_BYTES * (zones + 2)) + events * _EVENT_BYTES
    return DayTold(batches + events, body_bytes)


def capacity_days(
    bounds: Bounds, messages: int, body_bytes: int, told: Mapping[int, DayTold], guess: DayTold, today: int
) -> float:
    """Return for how many days more what happens finds room, with so much held now.

    By the busiest of the last seven days (`told`, by UTC day); by `guess` where that says more, as long as no whole day
    was measured.
    """
    recent = [one for day, one in told.items() if today - LOOKED_AT_DAYS <= day <= today]
    if not any(
        today - LOOKED_AT_DAYS <= day < today and day - 1 in told for day in told
    ):  # the first was not whole
        recent.append(guess)
    a_day = max((one.messages for one in recent), default=guess.messages)
    bytes_a_day = max((one.body_bytes for one in recent), default=guess.body_bytes)
    by_messages = (bounds.messages - messages) / max(1.0, a_day)
    return max(0.0, min(by_messages, (bounds.body_bytes - body_bytes) / max(1.0, bytes_a_day)))
