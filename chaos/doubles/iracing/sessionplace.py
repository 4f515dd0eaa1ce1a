"""Texts of the session info about the place and the car: weekend, cameras, radio, sectors, setup."""

from typing import TYPE_CHECKING, Final

from . import names

if TYPE_CHECKING:
    from .race import Race

__all__ = ["NOTHING", "cameras", "radio", "sectors", "setup", "weekend"]

NOTHING: Final = ""
"""A value that is not there: the space behind its colon is."""

_CAMERAS: Final = (
    "Nose", "Gearbox", "Roll Bar", "LF Susp", "LR Susp", "Gyro", "RF Susp", "RR Susp", "Cockpit", "Pit Lane",
    "Pit Lane 2", "Scenic", "TV1", "TV2", "TV3", "TV Static", "Blimp", "Chopper", "Chase", "Far Chase",
    "Rear Chase",
)  # fmt: skip
_RADIO: Final = (("@ALLTEAMS", 12), ("@DRIVERS", 15), ("@TEAM", 60), ("@RACECONTROL", 80), ("@PRIVATE", 70))


def weekend(race: "Race", encoding: str) -> str:
    """Return `WeekendInfo`. `encoding`: what its first key says, "" for builds that have no such key."""
    track = race.track
    place = names.circuit(race.seed)
    first = f" Encoding: {encoding}\n" if encoding else ""
    classes = len(set(race.field.classes.tolist()))
    return f"""WeekendInfo:
{first} TrackName: {place.lower()} gp
 TrackID: {900 + race.seed % 90}
 TrackLength: {track.length / 1000:.4f} km
 TrackLengthOfficial: {track.length / 1000:.2f} km
 TrackDisplayName: {place} Park Circuit
 TrackDisplayShortName: {place}
 TrackConfigName: Grand Prix
 TrackCity: {place}
 TrackState: {NOTHING}
 TrackCountry: Nowhere
 TrackAltitude: 20.00 m
 TrackLatitude: {race.player.lat:.6f} m
 TrackLongitude: {race.player.lon:.6f} m
 TrackNorthOffset: {race.player.north_offset:.4f} rad
 TrackNumTurns: {12 + race.seed % 7}
 TrackPitSpeedLimit: {track.pits.limit * 3.6:.2f} kph
 TrackPaceSpeed: 26.66 kph
 TrackNumPitStalls: 60
 TrackType: road course
 TrackDirection: neutral
 TrackWeatherType: Realistic
 TrackSkies: Dynamic
 TrackSurfaceTemp: 31.00 C
 TrackSurfaceTempCrew: 31.00 C
 TrackAirTemp: 24.00 C
 TrackAirPressure: 29.92 Hg
 TrackAirDensity: 1.17 kg/m^3
 TrackWindVel: 3.40 m/s
 TrackWindDir: 2.10 rad
 TrackRelativeHumidity: 55 %
 TrackFogLevel: 0 %
 TrackPrecipitation: 0 %
 TrackCleanup: 0
 TrackDynamicTrack: 1
 TrackVersion: 2026.05.28.02
 SeriesID: 0
 SeasonID: 0
 SessionID: {300_000_000 + race.seed}
 SubSessionID: {90_000_000 + race.seed}
 LeagueID: 0
 Official: 0
 RaceWeek: 0
 EventType: Race
 Category: SportsCar
 SimMode: full
 TeamRacing: {int(race.drivers > 1)}
 MinDrivers: {1 if race.drivers == 1 else 2}
 MaxDrivers: {max(race.drivers, 1)}
 DCRuleSet: None
 QualifierMustStartRace: 0
 NumCarClasses: {classes}
 NumCarTypes: {classes}
 HeatRacing: 0
 BuildType: Release
 BuildTarget: Members
 BuildVersion: {"2026.07.17.02" if encoding else "2026.03.05.01"}
 RaceFarm: {NOTHING}
 WeekendOptions:
  NumStarters: {race.cars}
  StartingGrid: 2x2 inline pole on left
  QualifyScoring: best lap
  CourseCautions: off
  StandingStart: 0
  ShortParadeLap: 0
  Restarts: single file
  WeatherType: Realistic
  Skies: Dynamic
  WindDirection: N
  WindSpeed: 12.24 km/h
  WeatherTemp: 24.00 C
  RelativeHumidity: 55 %
  FogLevel: 0 %
  TimeOfDay: 2:00 pm
  Date: 2026-09-12
  EarthRotationSpeedupFactor: 1
  Unofficial: 1
  CommercialMode: consumer
  NightMode: variable
  IsFixedSetup: 0
  StrictLapsChecking: default
  HasOpenRegistration: 0
  HardcoreLevel: 1
  NumJokerLaps: 0
  IncidentLimit: unlimited
  IncidentWarningInitialLimit: unlimited
  IncidentWarningSubsequentLimit: unlimited
  FastRepairsLimit: 1
  GreenWhiteCheckeredLimit: 0
 TelemetryOptions:
  TelemetryDiskFile: "{race.car.path}_{place.lower()} gp 2026-09-12 14-00-00.ibt"
"""


def cameras() -> str:
    """Return `CameraInfo`."""
    text = ["CameraInfo:\n Groups:\n"]
    text += [
        f" - GroupNum: {number}\n   GroupName: {name}\n   Cameras:\n   - CameraNum: 1\n     CameraName: Cam{name}\n"
        for number, name in enumerate(_CAMERAS, 1)
    ]
    return "".join(text)


def radio(me: int) -> str:
    """Return `RadioInfo` of the car `me`."""
    text = [
        "RadioInfo:\n SelectedRadioNum: 0\n Radios:\n - RadioNum: 0\n   HopCount: 2\n   NumFrequencies: 5\n"
        "   TunedToFrequencyNum: 0\n   ScanningIsOn: 1\n   Frequencies:\n"
    ]
    for number, (name, priority) in enumerate(_RADIO):
        car, entry = (me if name == "@TEAM" else -1), (me if name == "@PRIVATE" else -1)
        text.append(
            f'   - FrequencyNum: {number}\n     FrequencyName: "{name}"\n     Priority: {priority}\n     CarIdx: {car}\n'
            f"     EntryIdx: {entry}\n     ClubID: 0\n     CanScan: 1\n     CanSquawk: {int(name != '@RACECONTROL')}\n"
            f"     Muted: 0\n     IsMutable: {int(number < 2)}\n     IsDeletable: 0\n"
        )
    return "".join(text)


def sectors(starts: tuple[float, ...]) -> str:
    """Return `SplitTimeInfo`."""
    text = ["SplitTimeInfo:\n Sectors:\n"]
    text += [
        f" - SectorNum: {number}\n   SectorStartPct: {place:.6f}\n" for number, place in enumerate(starts)
    ]
    return "".join(text)


def setup(race: "Race") -> str:
    """Return `CarSetup`."""
    pressure = f"{race.car.pressure_kpa:.0f} kPa"
    text = ["CarSetup:\n UpdateCount: 1\n TiresAero:\n  TireType:\n   TireType: Dry\n"]
    for wheel, order in (
        ("LeftFront", "OMI"),
        ("LeftRear", "OMI"),
        ("RightFront", "IMO"),
        ("RightRear", "IMO"),
    ):
        text.append(
            f"  {wheel}:\n   StartingPressure: {pressure}\n   LastHotPressure: {pressure}\n"
            f"   LastTemps{order}: 38C, 38C, 38C\n   TreadRemaining: 100%, 100%, 100%\n"
        )
    text.append(
        " Chassis:\n  FrontBrakesLights:\n   ArbSetting: 5\n   TotalToeIn: -2.0 mm\n"
        f"   FuelLevel: {race.stints.fill:.1f} L\n  Rear:\n   RarbSetting: 3\n   WingSetting: 7.2 degrees\n"
        "  InCarAdjustments:\n   BrakePressureBias: 52.4%\n   AbsSetting: 4 (ABS)\n   TcSetting: 3 (TC)\n"
    )
    return "".join(text)
