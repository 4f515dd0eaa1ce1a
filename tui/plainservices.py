"""Telemetry, heating and team as JSON and as lines: of a driver's car, of each zone, of a team."""

from collections.abc import Iterator
from typing import Any

from attrs import asdict, define, field

from tui.model import Model
from tui.model.heating import HeatingView, Sensor, ZoneView
from tui.model.laptimes import gap, lap_time
from tui.model.moments import clock
from tui.model.samples import CHANNELS
from tui.model.team import TeamView
from tui.model.telemetry import TelemetryView
from tui.model.words import age, printable

__all__ = ["ServiceChanges", "service_lines", "services_snapshot"]

_INNER = ("daemon", "at", "samples", "samples_at", "cars_at", "track", "utc_ahead_s")
"""What has its meaning only in this process, or is not for reading."""


def services_snapshot(model: Model, now: float) -> dict[str, Any]:
    """Return what services tell, as JSON can say it; ages in seconds, null for what is not known."""
    services = model.services
    return {
        "telemetry": [
            {
                "daemon": view.daemon,
                **_plain(view),
                "age_s": view.age_now(now),
                "newest": {channel: view.samples.newest(channel) for channel in CHANNELS},
                "track": None if view.track is None else view.track.name,
            }
            for view in services.telemetry.values()
        ],
        "heating": [
            {
                "daemon": view.daemon,
                **_plain(view),
                "told_s_ago": now - view.at,
                "outdoor_age_s": view.age_now(view.outdoor_age_s, now),
                "zones": [{**_plain(zone), "age_s": view.age_now(zone.age_s, now)} for zone in view.zones],
            }
            for view in services.heating.values()
        ],
        "team": [
            {"daemon": view.daemon, **_plain(view), "told_s_ago": now - view.at}
            for view in services.team.values()
        ],
    }


def _plain(view: Any) -> dict[str, Any]:
    return asdict(view, filter=lambda of, _: of.name not in _INNER)


def service_lines(model: Model, now: float) -> Iterator[str]:
    """Yield a line for each car that is driven, each boiler and zone, each team, and what is asked of it."""
    for car in model.services.telemetry.values():
        yield _car_line(car, now)
    for house in model.services.heating.values():
        yield from _boiler_lines(house)
        for zone in house.zones:
            yield _zone_line(house, zone, now)
    for team in model.services.team.values():
        yield _team_line(team, now)


def _car_line(view: TelemetryView, now: float) -> str:
    said, car = [], view.ours
    if car is not None:
        said += [f"place {car.position}, {gap(car.gap_s, car.laps_behind)}" if car.position else ""]
        said += ["in the pits" if car.is_in_pits else ""]
        said += [f"last lap {lap_time(car.last_s)}" if car.last_s is not None else ""]
    if view.race is not None and view.race.lap is not None:
        said.append(f"lap {view.race.lap}" + (f" of {view.race.laps}" if view.race.laps else ""))
    if view.fuel is not None and view.fuel.laps is not None:
        said.append(f"fuel for {view.fuel.laps:.1f} laps")
    if view.lost and view.of:
        said.append(f"{view.lost / view.of:.1%} of samples lost")
    old_s = view.age_now(now)
    said.append("no samples yet" if old_s is None else f"{age(old_s)} old")
    return printable(f"  car of {view.driver} at {view.daemon}: {'; '.join(filter(None, said))}")


def _boiler_lines(house: HeatingView) -> Iterator[str]:
    boiler = house.boiler
    if boiler is not None:
        state = f"LOCKED OUT, {boiler.state}" if boiler.is_locked_out else boiler.state
        flow = "" if boiler.flow is None else f"; flow {boiler.flow:.1f} degrees"
        yield printable(f"  boiler of {house.house} at {house.daemon}: {state}: {boiler.cause}{flow}")


def _zone_line(house: HeatingView, zone: ZoneView, now: float) -> str:
    said = []
    if zone.sensor is not Sensor.GOOD:
        said.append(f"sensor {zone.sensor}")
    if zone.celsius is not None:
        said.append(f"{zone.celsius:.1f} degrees, {age(house.age_now(zone.age_s, now))} old")
    if zone.setpoint is not None:
        said.append(f"wants {zone.setpoint:.1f}")
    said.append(f"{'calls for heat' if zone.is_calling else 'does not call'}: {zone.cause}")
    if zone.override is not None:
        ends = zone.override.ends_utc
        until = "for good" if ends is None else f"until {clock(ends, house.offset_s)}"
        said.append(f"overridden {until}" + (f" by {zone.override.by}" if zone.override.by else ""))
    return printable(f"  zone {zone.name} of {house.house}: {'; '.join(said)}")


def _team_line(team: TeamView, now: float) -> str:
    utc, said = team.utc(now), []
    driving = next((one for one in team.stints if one.end_utc is None and not one.is_planned), None)
    if driving is not None:
        lasts = "" if utc is None else f" for {age(utc - driving.begin_utc)}"
        said.append(f"{driving.driver} drives{lasts}")
    if team.handoff is not None:
        said.append(_handoff_words(team))
    unread = sum(not message.is_read for message in team.messages)
    said.append(f"{len(team.messages)} messages, {unread} not read")
    return printable(f"  team {team.team} at {team.daemon}: {'; '.join(said)}")


def _handoff_words(team: TeamView) -> str:
    handoff = team.handoff
    if handoff is None:
        return "no handing over is asked for"
    urgent = "urgent " if handoff.is_urgent else ""
    left = [step.name for step in handoff.steps if not step.is_done]
    still = f", still to do: {', '.join(left)}" if left else ""
    return f"{urgent}handing over from {handoff.sender} to {handoff.to} {handoff.status}{still}"


@define(eq=False)
class ServiceChanges:
    """What has changed since the last time: a zone's call, sensor or override, the boiler, who drives, messages; and now
    and then how the cars are."""

    figures_s: float
    _known: dict[tuple[str, ...], object] = field(factory=dict, init=False)
    _figured: dict[tuple[str, str], float] = field(factory=dict, init=False)

    def take(self, model: Model, now: float) -> Iterator[str]:
        """Yield the lines that are due."""
        for key, car in model.services.telemetry.items():
            ours = car.ours
            is_new = self._is_new(("car", *key), None if ours is None else (ours.position, ours.is_in_pits))
            if is_new or now - self._figured.get(key, now) >= self.figures_s:
                self._figured[key] = now
                yield _car_line(car, now)
        for key, house in model.services.heating.items():
            boiler = house.boiler
            if boiler is not None and self._is_new(("boiler", *key), (boiler.state, boiler.is_locked_out)):
                yield from _boiler_lines(house)
            for zone in house.zones:
                state = (zone.is_calling, zone.sensor, zone.override, zone.setpoint)
                if self._is_new(("zone", *key, zone.id), state):
                    yield _zone_line(house, zone, now)
        for key, team in model.services.team.items():
            driving = [one.driver for one in team.stints if one.end_utc is None and not one.is_planned]
            if self._is_new(("team", *key), (driving, _handoff_words(team))):
                yield _team_line(team, now)
            yield from self._messages(key, team)

    def _messages(self, key: tuple[str, str], team: TeamView) -> Iterator[str]:
        """Yield the messages that came since the first look."""
        newest = max((one.at_utc for one in team.messages), default=0.0)
        before = self._known.get(("messages", *key))
        self._known["messages", *key] = newest
        if not isinstance(before, float):
            return
        for one in sorted(team.messages, key=lambda one: one.at_utc):
            if one.at_utc > before:
                yield printable(f"MESSAGE {one.priority} {team.team}: {one.sender}: {one.words}")

    def _is_new(self, key: tuple[str, ...], value: object) -> bool:
        before, self._known[key] = self._known.get(key, self), value
        return before != value
