"""What is known of a team: messages, stints and the handing over of the car, as a daemon with a team tells it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import frozen

from tui.model.checked import choice, flag, maps, moment, number, part, text, whole
from tui.model.moments import ByOwnClocks, utc_ahead

__all__ = ["Handoff", "MessageRow", "Priority", "Step", "Stint", "TeamView", "read_team"]

MESSAGES_MAX, STINTS_MAX, STEPS_MAX = 500, 200, 50


class Priority(StrEnum):
    """Of a message, the most urgent first."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@frozen(kw_only=True)
class MessageRow:
    """A message of the team's."""

    id: str
    sender: str
    words: str
    at_utc: float
    priority: Priority = Priority.NORMAL
    is_read: bool = False


@frozen(kw_only=True)
class Stint:
    """A driver's time in the car. `end_utc` None: not over, and nobody knows when it will be."""

    driver: str
    begin_utc: float
    end_utc: float | None = None
    laps: int | None = None
    is_planned: bool = False


@frozen(kw_only=True)
class Step:
    """A thing to be done before the car is handed over."""

    name: str
    is_done: bool


@frozen(kw_only=True)
class Handoff:
    """The car is to go from one driver to another. `status`: pending, accepted, rejected or completed."""

    sender: str
    to: str
    status: str
    reason: str = ""
    is_urgent: bool = False
    asked_utc: float | None = None
    steps: tuple[Step, ...] = ()


@frozen(kw_only=True)
class TeamView(ByOwnClocks):
    """One team. `ends_utc`: when the race ends."""

    team: str
    ends_utc: float | None = None
    messages: tuple[MessageRow, ...] = ()
    stints: tuple[Stint, ...] = ()
    handoff: Handoff | None = None


def read_team(before: TeamView | None, daemon: str, told: Mapping[str, Any], now: float) -> TeamView:
    """Return a team as it was told: whole each time. Raises ValueError for what cannot be."""
    handoff = part(told, "handoff")
    return TeamView(
        daemon=daemon,
        team=text(told, "team"),
        at=now,
        utc_ahead_s=utc_ahead(told, now),
        ends_utc=moment(told, "ends"),
        offset_s=number(told, "utc_offset_s") or 0.0,
        messages=tuple(map(_message, maps(told, "messages", MESSAGES_MAX))),
        stints=tuple(map(_stint, maps(told, "stints", STINTS_MAX))),
        handoff=None if handoff is None else _handoff(handoff),
    )


def _message(told: Mapping[str, Any]) -> MessageRow:
    at_utc = moment(told, "at")
    if at_utc is None:
        raise ValueError("a message without its moment")
    return MessageRow(
        id=text(told, "id"),
        sender=text(told, "from"),
        words=text(told, "words"),
        at_utc=at_utc,
        priority=choice(told, "priority", Priority.NORMAL),
        is_read=flag(told, "read"),
    )


def _stint(told: Mapping[str, Any]) -> Stint:
    begin, end = moment(told, "begin"), moment(told, "end")
    if begin is None:
        raise ValueError("a stint that does not begin")
    if end is not None and end < begin:
        raise ValueError("a stint ends before it begins")
    return Stint(
        driver=text(told, "driver"),
        begin_utc=begin,
        end_utc=end,
        laps=whole(told, "laps"),
        is_planned=flag(told, "planned"),
    )


def _handoff(told: Mapping[str, Any]) -> Handoff:
    return Handoff(
        sender=text(told, "from"),
        to=text(told, "to"),
        status=text(told, "status"),
        reason=text(told, "reason"),
        is_urgent=flag(told, "urgent"),
        asked_utc=moment(told, "asked_at"),
        steps=tuple(
            Step(name=text(step, "name"), is_done=flag(step, "done"))
            for step in maps(told, "steps", STEPS_MAX)
        ),
    )
