"""Which fields FPVTrackside's files have had, so that a version that drops or adds one is noticed. Pure.

The lists are those of FPVTracksideCore `DB/*.cs` and `DB/JSON/*.cs` from mid-2025 to 2.77.4, and of recorded files.
A change breaks nothing by itself: what is new is ignored, what has gone has the value FPVTrackside starts with. But
somebody should look before the next race day.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from daemons.race.parts import text
from daemons.race.paths import Kind

__all__ = ["FieldNews", "field_news"]

NAMES_MAX = 20
NAME_CHARACTERS_MAX = 60
ROWS_MAX = 100
"""What is looked at and told: a file of a stranger may have any number."""


@frozen
class FieldNews:
    """How a file differs from all known versions: fields nobody knew, and fields that every version had."""

    file: str
    unknown: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def words(self) -> str:
        """It in words: `Race.json has Weather, lacks Laps.LengthSeconds`."""
        said = [("has", self.unknown), ("lacks", self.missing)]
        return f"{self.file} " + ", ".join(f"{verb} {' '.join(names)}" for verb, names in said if names)


@frozen
class _Shape:
    """An object's fields: those of every version, those of some, and the objects in some of them."""

    always: frozenset[str]
    sometimes: frozenset[str] = frozenset()
    inner: Mapping[str, "_Shape"] = field(factory=dict)


def _shape(always: str, sometimes: str = "", **inner: _Shape) -> _Shape:
    return _Shape(frozenset(["ID", *always.split()]), frozenset(["ExternalID", *sometimes.split()]), inner)


_SUMMARY = (
    "PointSummary TimeSummary LapCountAfterRound SheetFormatFilename ScriptFormatFilename PackCountAfterRound"
)
_SHAPES: Mapping[Kind, _Shape] = {
    Kind.EVENT: _shape(
        "EventType Name Start End Laps PBLaps RaceLength MinStartDelay MaxStartDelay RaceStartIgnoreDetections"
        " MinLapTime LastOpened PrimaryTimingSystemLocation PilotChannels RemovedPilots Rounds Races Club Channels"
        " ChannelColors Enabled VisibleOnline SyncWithFPVTrackside SyncWithMultiGP GenerateHeatsMultiGP Track Sectors",
        "PackLimit ChannelDisplayNames RulesLocked Locked IsGQ MultiGPDisabledSlots MultiGPRaceFormat PilotsRegistered"
        " Flags GameTypeName TimeZone SyncWith",
        PilotChannels=_shape("Pilot Channel", "HandicapOffset"),
    ),
    # What is private has been taken out of this file where it comes over a link.
    Kind.PILOTS: _shape(
        "Name",
        "Phonetic FirstName LastName SillyName DiscordID VelocidroneUID Aircraft CatchPhrase BestResult"
        " TimingSensitivityPercent PracticePilot PhotoPath VideoFlipped VideoMirrored",
    ),
    Kind.ROUNDS: _shape(
        "Name RoundNumber EventType Valid Order",
        f"RoundType ScheduledStart Handicapped GameTypeName Stage {_SUMMARY}",
    ),
    Kind.STAGES: _shape(
        "Name Order Valid PointSummary TimeSummary LapCountAfterRound SheetFormatFilename",
        f"StageType Standings GameTypeName Color {_SUMMARY}",
        Standings=_Shape(frozenset({"Headings", "Rows"})),
    ),
    Kind.RACE: _shape(
        "Laps Detections Start End TotalPausedTime PilotChannels RaceNumber Round TargetLaps"
        " PrimaryTimingSystemLocation Valid AutoAssignNumbers Event Bracket",
        "GamePoints",
        Laps=_shape("Detection LengthSeconds LapNumber StartTime EndTime"),
        Detections=_shape(
            "TimingSystemIndex Channel Time Peak TimingSystemType Pilot LapNumber Valid ValidityType IsLapEnd"
            " RaceSector IsHoleshot",
            "Speed",
        ),
        PilotChannels=_shape("Pilot Channel", "HandicapOffset"),
    ),
    Kind.RESULT: _shape(
        "Points Position Valid DNF Event Pilot Race Round ResultType", "Time LapsFinished Creation"
    ),
    Kind.RESULTS: _shape(
        "Points Position Valid DNF Event Pilot Round ResultType", "Race Time LapsFinished Creation"
    ),
    Kind.CHANNELS: _shape("Number Band Frequency", "ShortBand ChannelPrefix DisplayName"),
}


def field_news(kind: Kind, value: Any) -> FieldNews | None:
    """Compare a file, as parsed JSON, with what is known of its kind; None when nothing is new.

    A field within a field is written `Laps.LengthSeconds`. At most 20 names of either sort are told, sorted.
    """
    shape = _SHAPES.get(kind)
    if shape is None:
        return None
    unknown: set[str] = set()
    missing: set[str] = set()
    _compare(shape, value, "", unknown, missing)
    if not unknown and not missing:
        return None
    return FieldNews(f"{kind.value}.json", _told(unknown), _told(missing))


def _told(names: set[str]) -> tuple[str, ...]:
    return tuple(text(name)[:NAME_CHARACTERS_MAX] for name in sorted(names)[:NAMES_MAX])


def _compare(shape: _Shape, value: Any, prefix: str, unknown: set[str], missing: set[str]) -> None:
    for row in _rows(value):
        unknown.update(prefix + name for name in row.keys() - shape.always - shape.sometimes)
        missing.update(prefix + name for name in shape.always - row.keys())
        for name, inner in shape.inner.items():
            _compare(inner, row.get(name), f"{prefix}{name}.", unknown, missing)


def _rows(value: Any) -> Iterator[dict[str, Any]]:
    rows = value[:ROWS_MAX] if isinstance(value, list) else [value]
    for row in rows:
        if isinstance(row, dict):
            yield row
