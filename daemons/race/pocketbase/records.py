"""One site's day as records, in parts that are made again only when what they stand on has changed. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

import attrs
from attrs import frozen

from daemons.race.channels import channel_colours
from daemons.race.model import Day, EventType, Race
from daemons.race.pocketbase.collections import record_id
from daemons.race.rules import SECTORS_PER_LAP, ordered_races
from daemons.race.times import read_zone, to_utc, utc_text

__all__ = ["Fields", "Part", "SiteDay", "parts_of"]

SOURCE = "fpvtrackside"

Fields = Mapping[str, Any]
"""A record without its id and without when it was made and changed."""

_CHANNEL_NAME = re.compile(r"([^\W\d]+)([0-9]{1,3})")


@frozen
class SiteDay:
    """What is known at one site. `current`: the race that is shown; `zone`: of events that do not name theirs."""

    day: Day
    current: str | None = None
    zone: tzinfo | None = None


@frozen
class Part:
    """Records that are made together. `stands_on`: with the same values again they would be the same records."""

    stands_on: tuple[object, ...]
    make: "Maker"
    argument: str = ""

    def records(self) -> dict[tuple[str, str], Fields]:
        """Return the records by (collection, id)."""
        return {(name, key): fields for name, key, fields in self.make.rows(self.argument)}


def parts_of(site: str, shown: SiteDay) -> dict[str, Part]:
    """Return the parts of a site's records, by a name of each."""
    maker, day = Maker(site, shown), shown.day
    if day.event is None:
        return {}
    event, channels = day.event, day.channels
    lists: tuple[object, ...] = (event, day.pilots, day.rounds, channels)
    order = tuple(race.id for race in ordered_races(day))
    heads = tuple(attrs.evolve(race, seats=(), detections=(), laps=()) for race in day.races.values())
    parts = {
        "lists": Part(lists, maker, "lists"),
        "races": Part((event, order, heads, shown.zone), maker, "races"),
        "current": Part((event, order, shown.current), maker, "current"),
    }
    for race in day.races.values():
        parts[race.id] = Part((event, race, day.results.get(race.id), shown.zone), maker, race.id)
    return parts


class Maker:
    """Makes the records of one site's day."""

    def __init__(self, site: str, shown: SiteDay) -> None:
        self._site = site
        self._day = shown.day
        self._shown = shown
        event = shown.day.event
        self._zone = read_zone(event.time_zone if event is not None else None) or shown.zone
        self._event_id = self._id("events", event.id) if event is not None else ""

    def rows(self, what: str) -> Iterator[tuple[str, str, Fields]]:
        """Yield (collection, id, fields) of a part: "lists", "races", "current", or the id of a race."""
        match what:
            case "lists":
                yield from self._lists()
            case "races":
                yield from self._races()
            case "current":
                yield from self._current()
            case _:
                yield from self._of_race(self._day.races[what])

    def _id(self, collection: str, *source: str) -> str:
        return record_id(self._site, collection, *source)

    def _row(self, collection: str, source: tuple[str, ...], fields: Fields) -> tuple[str, str, Fields]:
        known = {"sourceId": source[-1], "source": SOURCE, "site": self._site, **fields}
        if collection != "events":
            known["event"] = self._event_id
        return collection, self._id(collection, *source), known

    def _time(self, local: datetime | None) -> str:
        """In UTC where the event's zone is known, else as the clock at the field stood; "" for none."""
        if local is None:
            return ""
        return utc_text(to_utc(local, self._zone)) or local.isoformat(timespec="milliseconds")

    def _lists(self) -> Iterator[tuple[str, str, Fields]]:
        day, event = self._day, self._day.event
        if event is None:
            return
        about = {
            "name": event.name,
            "eventType": type_name(event.type),
            "laps": event.laps,
            "pbLaps": event.pb_laps,
            "start": self._time(event.start),
            "primaryTimingSystemLocation": event.timing.value,
        }
        yield self._row("events", (event.id,), {**about, "isCurrent": True})
        for pilot in day.pilots.values():
            yield self._row("pilots", (pilot.id,), {"name": pilot.name})
        for round_ in day.rounds.values():
            yield self._row(
                "rounds",
                (round_.id,),
                {
                    "name": round_.name,
                    "roundNumber": round_.number,
                    "eventType": type_name(round_.type),
                    "valid": round_.valid,
                    "order": round_.order,
                },
            )
        colours = channel_colours(day)
        given = dict(zip(event.channels, event.channel_names, strict=False))
        for channel in day.channels.values():
            name = _CHANNEL_NAME.fullmatch(channel.name)
            yield self._row(
                "channels",
                (channel.id,),
                {
                    "displayName": channel.name,
                    "shortBand": name[1] if name else "",
                    "number": int(name[2]) if name else 0,
                    "frequency": channel.frequency_mhz,
                    "channelColor": colours.get(channel.id, ""),
                    "channelDisplayName": given.get(channel.id) or "",
                },
            )

    def _races(self) -> Iterator[tuple[str, str, Fields]]:
        places = {race.id: place for place, race in enumerate(ordered_races(self._day), 1)}
        for race in self._day.races.values():
            yield self._row(
                "races",
                (race.id,),
                {
                    "raceNumber": race.number,
                    "raceOrder": places.get(race.id, 0),
                    "start": self._time(race.start),
                    "end": self._time(race.end),
                    "valid": race.valid,
                    "bracket": race.bracket or "None",
                    "targetLaps": race.target_laps,
                    "primaryTimingSystemLocation": race.timing.value,
                    "round": self._id("rounds", race.round_id) if race.round_id else "",
                },
            )

    def _current(self) -> Iterator[tuple[str, str, Fields]]:
        ids = [race.id for race in ordered_races(self._day)]
        current = self._shown.current
        if current not in ids or current is None:
            return
        value = {"order": ids.index(current) + 1, "raceId": self._id("races", current), "sourceId": current}
        about = {
            "namespace": "race",
            "key": "currentOrder",
            "value": json.dumps(value, separators=(",", ":")),
        }
        yield self._row("client_kv", ("race/currentOrder",), about)

    def _of_race(self, race: Race) -> Iterator[tuple[str, str, Fields]]:
        race_id = self._id("races", race.id)
        channel_of = {seat.pilot_id: seat.channel_id for seat in race.seats}
        for seat in race.seats:
            yield self._row(
                "pilotChannels",
                (race.id, seat.pilot_id),
                {
                    "pilot": self._id("pilots", seat.pilot_id),
                    "channel": self._id("channels", seat.channel_id) if seat.channel_id else "",
                    "race": race_id,
                },
            )
        ends = {}
        for seen in race.detections:
            ends[seen.id] = seen.time
            lap, gate = divmod(seen.sector, SECTORS_PER_LAP)
            channel = channel_of.get(seen.pilot_id)
            yield self._row(
                "detections",
                (race.id, seen.id),
                {
                    "timingSystemIndex": gate,
                    "time": self._time(seen.time),
                    "lapNumber": lap,
                    "valid": seen.valid,
                    "isLapEnd": gate == 0,
                    "raceSector": seen.sector,
                    "isHoleshot": lap == 0 and gate == 0,
                    "pilot": self._id("pilots", seen.pilot_id),
                    "race": race_id,
                    "channel": self._id("channels", channel) if channel else "",
                },
            )
        for lap_ in race.laps:
            ended = ends.get(lap_.detection_id)
            yield self._row(
                "laps",
                (race.id, str(lap_.number), lap_.detection_id),
                {
                    "lapNumber": lap_.number,
                    "lengthSeconds": lap_.length_s,
                    "startTime": self._time(_before(ended, lap_.length_s)),
                    "endTime": self._time(ended),
                    "detection": self._id("detections", race.id, lap_.detection_id),
                    "race": race_id,
                },
            )
        for result in self._day.results.get(race.id, ()):
            outcome = {
                "position": result.position,
                "points": result.points,
                "dnf": result.dnf,
                "valid": True,
                "resultType": "Race",
            }
            pilot = self._id("pilots", result.pilot_id)
            yield self._row(
                "results", (race.id, result.pilot_id), {**outcome, "race": race_id, "pilot": pilot}
            )


def _before(ended: datetime | None, length_s: float) -> datetime | None:
    try:
        return None if ended is None else ended - timedelta(seconds=length_s)
    except OverflowError:  # a lap of a thousand years
        return None


def type_name(type_: EventType) -> str:
    """Return the word that FPVTrackside writes for a type: TimeTrial, Race."""
    return "".join(part.capitalize() for part in type_.name.split("_"))
