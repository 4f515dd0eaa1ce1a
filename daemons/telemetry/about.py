"""What the backend says of a recording from its session info: whose car, which track, which session."""

from typing import Final

from attrs import field, frozen

from daemons.telemetry.finding import Facts
from daemons.telemetry.look import CarEntry
from daemons.telemetry.sessioninfo import Driver, SessionInfo, parse

__all__ = ["INFO_BYTES_MAX", "About", "about_of"]

INFO_BYTES_MAX: Final = 1024 * 1024
_LENGTHS_M = (50.0, 100_000.0)


@frozen(kw_only=True)
class About:
    """`key`: names the event for all recordings of one car in it, "" when the simulator does not (it was alone).
    What is not known is "" or None."""

    session: SessionInfo = field(factory=SessionInfo, repr=False)
    facts: Facts = field(factory=Facts)
    key: str = ""
    track: str = ""
    car: str = ""
    car_number: str = ""
    team: str = ""
    cars: tuple[CarEntry, ...] = field(default=(), repr=False)

    def kind(self, session_num: int) -> str:
        """Return what SessionNum is: Practice, Race."""
        part = self.session.session(session_num)
        return part.kind if part is not None else ""


def about_of(text: bytes, before: About | None = None) -> About:
    """Read a session info; `before`: what was said of the one before it. Takes some milliseconds."""
    info = parse(text, before.session if before is not None else None)
    mine = info.driver
    length_m = info.track.length_m
    if length_m is not None and not _LENGTHS_M[0] <= length_m <= _LENGTHS_M[1]:
        length_m = None
    whose = (mine.team_id or mine.user_id) if mine is not None else None
    track = info.track.display_name or info.track.name
    config = info.track.config if info.track.config not in ("", "None") else ""
    return About(
        session=info,
        facts=Facts(sectors=info.sectors or (0.0,), name=mine.name if mine else "", length_m=length_m),
        key=f"{info.subsession_id}-{whose}" if info.subsession_id and whose else "",
        track=f"{track} {config}".strip(), car=mine.car if mine else "",
        car_number=mine.number if mine else "", team=mine.team if mine else "",
        cars=tuple(_car(one) for one in info.drivers),
    )  # fmt: skip


def _car(one: Driver) -> CarEntry:
    return CarEntry(
        index=one.car_index, number=one.number, driver=one.name, team=one.team, car_class=one.class_name,
        colour="" if one.colour is None else f"#{one.colour:06x}", is_pace=one.is_pace,
    )  # fmt: skip
