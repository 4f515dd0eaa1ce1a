"""One race as the timing program holds it in memory: who flies, what the gates saw, what counts.

Pure: times are passed in (UTC seconds). Every crossing of the lap gate makes a lap, also an invalid one,
whose lap must then be left out by whoever reads it. Marshalling changes a crossing's validity and recounts
that pilot's laps, so lap counts go down.
"""

import random
import uuid
from typing import Any

import attrs

from .clock import NO_TIME, format_local, format_span
from .shapes import Row, detection_row, lap_row, pilot_channel_row, result_row

__all__ = ["Detection", "Place", "Race", "new_id"]

POINTS = [10, 8, 6, 4, 2, 0]


def new_id(rng: random.Random) -> str:
    """Return a fresh GUID, lower case, from the seed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


@attrs.define(eq=False)
class Detection:
    """One crossing of a gate (0: the lap gate, 1 and up: splits)."""

    id: str
    lap_id: str
    pilot: str
    at_utc_s: float
    gate: int
    is_valid: bool
    validity: str  # Auto, Marshall or ManualOverride
    lap: int = 0
    length_s: float = 0.0  # of the lap it ends


@attrs.frozen
class Place:
    """A pilot's place in the final order."""

    pilot: str
    position: int
    points: int
    laps: int
    time_s: float
    is_dnf: bool


@attrs.define(eq=False)
class Race:
    """A race and its line-up. `start_utc_s` and `end_utc_s` are None as long as the file says year 1."""

    id: str
    event: str
    round_id: str
    number: int
    target_laps: int
    lineup: list[Row]
    start_utc_s: float | None = None
    end_utc_s: float | None = None
    paused_s: float = 0.0
    is_valid: bool = True
    bracket: str = "None"
    detections: list[Detection] = attrs.Factory(list)

    @property
    def pilots(self) -> list[str]:
        """The ids of the pilots in the line-up."""
        return [row["Pilot"] for row in self.lineup]

    @property
    def is_live(self) -> bool:
        """Started and not ended."""
        return self.start_utc_s is not None and self.end_utc_s is None

    def laps_of(self, pilot: str) -> list[Detection]:
        """Return the crossings that end a counted lap, in order; the holeshot is none."""
        return [d for d in self.detections if d.pilot == pilot and d.gate == 0 and d.is_valid and d.lap > 0]

    def detect(
        self, rng: random.Random, pilot: str, at_utc_s: float, *, gate: int = 0, is_valid: bool = True
    ) -> Detection:
        """Note a crossing. Raises ValueError when the pilot is not in the line-up or the race is not live."""
        if pilot not in self.pilots or not self.is_live:
            raise ValueError("no live race with that pilot")
        detection = Detection(new_id(rng), new_id(rng), pilot, at_utc_s, gate, is_valid, "Auto")
        self.detections.append(detection)
        self._recount(pilot)
        return detection

    def marshal(self, detection: Detection, *, is_valid: bool) -> None:
        """Let the marshal decide on a crossing; the pilot's laps are counted anew."""
        detection.is_valid = is_valid
        detection.validity = "Marshall"
        self._recount(detection.pilot)

    def reset(self) -> None:
        """Undo the race: no laps, no times."""
        self.start_utc_s = self.end_utc_s = None
        self.detections.clear()

    def _recount(self, pilot: str) -> None:
        lap, last_s = 0, self.start_utc_s or 0.0
        for detection in sorted(self.detections, key=lambda d: d.at_utc_s):
            if detection.pilot != pilot:
                continue
            if detection.gate:
                detection.lap = max(0, lap - 1)  # a split is in the lap after the last one that ended
                continue
            detection.lap = lap
            detection.length_s = detection.at_utc_s - last_s
            if detection.is_valid:
                lap, last_s = lap + 1, detection.at_utc_s

    def places(self) -> list[Place]:
        """Return the final order: finishers by time, then the others by laps and time."""
        start_s = self.start_utc_s or 0.0
        rows = []
        for pilot in self.pilots:
            laps = self.laps_of(pilot)[: self.target_laps]
            time_s = laps[-1].at_utc_s - start_s if laps else 0.0
            rows.append((len(laps) < self.target_laps, -len(laps), time_s, pilot))
        return [
            Place(pilot, place, POINTS[min(place, len(POINTS)) - 1], -laps, time_s, is_dnf)
            for place, (is_dnf, laps, time_s, pilot) in enumerate(sorted(rows), start=1)
        ]

    def row(self, offset_s: float) -> Row:
        """Return the one row of Race.json, in a zone `offset_s` east of UTC."""

        def local(utc_s: float | None) -> str:
            return NO_TIME if utc_s is None else format_local(utc_s, offset_s)

        channels = {row["Pilot"]: row["Channel"] for row in self.lineup}
        laps: list[Any] = [
            lap_row(
                d.lap_id,
                detection=d.id,
                length_s=round(d.length_s, 7),
                number=d.lap,
                start=local(d.at_utc_s - d.length_s),
                end=local(d.at_utc_s),
            )
            for d in self.detections
            if d.gate == 0
        ]
        detections = [
            detection_row(
                d.id,
                gate=d.gate,
                channel=channels[d.pilot],
                time=local(d.at_utc_s),
                pilot=d.pilot,
                lap=d.lap,
                valid=d.is_valid,
                validity=d.validity,
            )
            for d in self.detections
        ]
        return {
            "Laps": laps,
            "Detections": detections,
            "GamePoints": [],
            "Start": local(self.start_utc_s),
            "End": local(self.end_utc_s),
            "TotalPausedTime": format_span(self.paused_s),
            "PilotChannels": self.lineup,
            "RaceNumber": self.number,
            "Round": self.round_id,
            "TargetLaps": self.target_laps,
            "PrimaryTimingSystemLocation": "Holeshot",
            "Valid": self.is_valid,
            "AutoAssignNumbers": False,
            "Event": self.event,
            "Bracket": self.bracket,
            "ID": self.id,
            "ExternalID": 0,
        }

    def result_rows(self, rng: random.Random) -> list[Row]:
        """Return the rows of Result.json, with fresh ids as at each recalculation."""
        return [
            result_row(
                new_id(rng),
                event=self.event,
                pilot=place.pilot,
                race=self.id,
                round_id=self.round_id,
                points=place.points,
                position=place.position,
                dnf=place.is_dnf,
                time=format_span(place.time_s),
                laps=place.laps,
            )
            for place in self.places()
        ]

    @staticmethod
    def lineup_rows(rng: random.Random, pairs: list[tuple[str, str]]) -> list[Row]:
        """Return the PilotChannels of (pilot, channel) pairs."""
        return [pilot_channel_row(new_id(rng), pilot, channel, in_race=True) for pilot, channel in pairs]
