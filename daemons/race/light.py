"""The director's light: one colour and one sentence that say whether the outside world is up to date. Pure.

Everything that is not well is a reason with a colour of its own; the light has the worst colour, and the sentence is the
worst reason's. Red: somebody has to do something, or what people see is wrong. Amber: it may mend itself.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from attrs import asdict, frozen

from daemons.ops.health import Severity, Warning_
from daemons.race.originstate import OriginState
from protocol.linkstatus import Status

__all__ = ["Colour", "Facts", "Light", "Reason", "bytes_words", "judge", "since_words"]

SLOW_S = 5.0
"""Behind for so long, the line is called slow. Every change is behind for a moment."""

LATE_S = 60.0
"""With races that wait, a line that is lost or slow for so long is red."""

_TOLD_ELSEWHERE = frozenset({"origin", "link"})
"""Warnings of the health registry that say what `Facts` says more exactly."""

_NEEDS_A_PERSON = {
    Status.REFUSED: "The cloud does not let this site in",
    Status.SUPERSEDED: "Another machine is connected to the cloud as this site",
    Status.INCOMPATIBLE: "This site and the cloud do not speak the same version",
}


class Colour(StrEnum):
    """The worse one compares by its place here."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


_ORDER = list(Colour)


@frozen
class Reason:
    """One thing that is not well. `code`: a name for programs."""

    code: str
    light: Colour
    words: str


@frozen(kw_only=True)
class Facts:
    """What is known at one moment. Durations in seconds; ages None: never.

    `origin_words`, `board_why`, `link_words` are the words of those who know. `link`: how the link stands, or last ended
    while it is dialled again; None: no hub is configured. `down_s`: for how long there is no link; `waiting`: races of
    which the hub has not the newest; `behind_s`: for how long it has not; `cloud_age_s`: how old what the hub has is.
    `over_budget_bytes`: what was sent this hour, where that is over `ceiling_bytes`.
    """

    origin: OriginState = OriginState.UP
    origin_words: str = ""
    board_age_s: float | None = 0.0
    is_stale: bool = False
    board_why: str | None = None
    link: Status | None = None
    link_words: str = ""
    is_offline: bool = False
    down_s: float = 0.0
    waiting: int = 0
    behind_s: float = 0.0
    cloud_age_s: float | None = None
    is_paused: bool = False
    over_budget_bytes: int = 0
    ceiling_bytes: int = 0
    warnings: tuple[Warning_, ...] = ()


@frozen
class Light:
    """The light, what it means in one sentence, and all reasons, the worst first."""

    light: Colour
    sentence: str
    why: tuple[Reason, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        return {
            "light": str(self.light),
            "sentence": self.sentence,
            "why": [asdict(reason) for reason in self.why],
        }


def judge(facts: Facts) -> Light:
    """Return the light for these facts."""
    reasons = sorted(_reasons(facts), key=lambda reason: -_ORDER.index(reason.light))
    if reasons:
        return Light(reasons[0].light, reasons[0].words, tuple(reasons))
    if facts.link is None:
        return Light(
            Colour.GREEN, f"All is well at the field, {_old(facts.board_age_s)}; no cloud is configured"
        )
    return Light(Colour.GREEN, f"Everything is on the cloud, {_old(facts.cloud_age_s)}")


def _reasons(facts: Facts) -> Iterator[Reason]:
    yield from _origin(facts)
    if facts.link is not None:
        yield from _cloud(facts, facts.link)
    for warning in facts.warnings:
        if warning.name not in _TOLD_ELSEWHERE and warning.severity is not Severity.NOTICE:
            colour = Colour.RED if warning.severity is Severity.FAILING else Colour.AMBER
            yield Reason(warning.name, colour, _sentence(warning.words))
    if facts.over_budget_bytes:
        words = f"{bytes_words(facts.over_budget_bytes)} went over the uplink this hour, over the budget of "
        yield Reason(
            "budget",
            Colour.AMBER,
            f"{words}{bytes_words(facts.ceiling_bytes)}: nothing is held back because of it",
        )


def _origin(facts: Facts) -> Iterator[Reason]:
    match facts.origin:
        case OriginState.UP if facts.board_age_s is None:
            yield Reason("board", Colour.AMBER, "Nothing of the race was read yet")
        case OriginState.UP if facts.is_stale or facts.board_why:
            why = f": {facts.board_why}" if facts.board_why else ""
            yield Reason(
                "board", Colour.AMBER, f"What the field's pages show is {_old(facts.board_age_s)}{why}"
            )
        case OriginState.UP:
            pass
        case OriginState.UNKNOWN | OriginState.NO_EVENT:
            yield Reason("origin", Colour.AMBER, _sentence(facts.origin_words))
        case _:
            yield Reason("origin", Colour.RED, _sentence(facts.origin_words))


def _cloud(facts: Facts, link: Status) -> Iterator[Reason]:
    if link in _NEEDS_A_PERSON:
        yield Reason("link", Colour.RED, f"{_NEEDS_A_PERSON[link]}: {facts.link_words}")
    elif link is Status.CONNECTING:
        yield Reason("link", Colour.AMBER, "Connecting to the cloud")
    elif link is not Status.READY:
        what = "No internet" if facts.is_offline else "No link to the cloud"
        late = facts.waiting > 0 and facts.down_s >= LATE_S
        words = f"{what} for {since_words(facts.down_s)}; {_waiting(facts.waiting)}"
        yield Reason("link", Colour.RED if late else Colour.AMBER, words)
    elif facts.is_paused:
        yield Reason(
            "paused", Colour.AMBER, f"An operator has paused what the cloud gets; {_waiting(facts.waiting)}"
        )
    elif facts.behind_s >= SLOW_S:
        late = facts.waiting > 0 and facts.behind_s >= LATE_S
        words = (
            f"The line is slow: the cloud is {since_words(facts.behind_s)} behind; {_waiting(facts.waiting)}"
        )
        yield Reason("slow", Colour.RED if late else Colour.AMBER, words)
    elif facts.cloud_age_s is None:
        yield Reason("slow", Colour.AMBER, "The cloud is there, and has not been told yet how fresh all is")


def _waiting(races: int) -> str:
    if not races:
        return "no race waits to be sent"
    return "1 race waits to be sent" if races == 1 else f"{races} races wait to be sent"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _old(age_s: float | None) -> str:
    return "of unknown age" if age_s is None else f"{since_words(age_s)} old"


def since_words(seconds: float) -> str:
    """Say how long something lasts: 0.4 s, 12 s, 4 min, 2 h, 3 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def bytes_words(count: int) -> str:
    """Say how many bytes: 812 B, 37 kB, 4.2 MB."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return f"{count / size:.0f} {unit}" if count >= 10 * size else f"{count / size:.1f} {unit}"
    return f"{count} B"
