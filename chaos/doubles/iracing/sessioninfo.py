"""The session info of a race, as the simulator writes it: YAML by hand, sections apart by an empty line, cp1252.

It changes when a driver does, and every ten seconds with the results. With builds since mid-2026 its first key says its
encoding. 60 drivers make about 80 kB.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from . import names
from .layouts import Car
from .schedule import Route

if TYPE_CHECKING:
    from .race import Race

__all__ = ["SessionInfo"]

RESULTS_S: Final = 10
_NOTHING: Final = ""
"""A value that is not there: the space behind its colon is."""

_CAMERAS: Final = (
    "Nose", "Gearbox", "Roll Bar", "LF Susp", "LR Susp", "Gyro", "RF Susp", "RR Susp", "Cockpit", "Pit Lane",
    "Pit Lane 2", "Scenic", "TV1", "TV2", "TV3", "TV Static", "Blimp", "Chopper", "Chase", "Far Chase",
    "Rear Chase",
)  # fmt: skip
_RADIO: Final = (("@ALLTEAMS", 12), ("@DRIVERS", 15), ("@TEAM", 60), ("@RACECONTROL", 80), ("@PRIVATE", 70))
_CLASS_NAMES: Final = {5011: "GT", 5029: "LMH"}


class SessionInfo:
    """The text by tick. `utf8`: as an app.ini switch has it since mid-2026."""

    def __init__(self, race: "Race", *, since_2026: bool, utf8: bool = False) -> None:
        self._race, self._since_2026 = race, since_2026
        self._encoding = "utf-8" if utf8 and since_2026 else "cp1252"
        self._names = names.drivers(race.seed, race.cars + race.drivers)
        self._drivers = lru_cache(4)(self._driver_info)
        self._fixed = self._weekend(), self._cameras(), self._setup()

    def update(self, tick: int) -> int:
        """Return how often the text has changed until a tick, counted from 1."""
        return 1 + tick // (60 * RESULTS_S) + len(self._race.stints.swapped(tick / 60))

    def text(self, tick: int) -> bytes:
        """Return the text at a tick."""
        weekend, cameras, setup = self._fixed
        driver = self._race.stints.driver_at(tick / 60)
        results = self._sessions(tick // (60 * RESULTS_S) * 60 * RESULTS_S)
        parts = [weekend, results, cameras, self._radio(), self._drivers(driver), self._sectors(), setup]
        whole = "---\n" + "\n".join(part.rstrip("\n") + "\n" for part in parts) + "\n...\n"
        return whole.encode(self._encoding, "replace")

    def driver_name(self, driver: int) -> str:
        """Return the name of one of the team's drivers."""
        return self._names[self._race.cars + driver]

    def _weekend(self) -> str:
        race, track = self._race, self._race.track
        place = names.circuit(race.seed)
        encoding = (
            f" Encoding: {'UTF8' if self._encoding == 'utf-8' else 'ISO_8859_1'}\n"
            if self._since_2026
            else ""
        )
        classes = len(set(race.field.classes.tolist()))
        return f"""WeekendInfo:
{encoding} TrackName: {place.lower()} gp
 TrackID: {900 + race.seed % 90}
 TrackLength: {track.length / 1000:.4f} km
 TrackLengthOfficial: {track.length / 1000:.2f} km
 TrackDisplayName: {place} Park Circuit
 TrackDisplayShortName: {place}
 TrackConfigName: Grand Prix
 TrackCity: {place}
 TrackState: {_NOTHING}
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
 BuildVersion: {"2026.07.17.02" if self._since_2026 else "2026.03.05.01"}
 RaceFarm: {_NOTHING}
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

    def _sessions(self, tick: int) -> str:
        race = self._race
        text = ["SessionInfo:\n CurrentSessionNum: 2\n Sessions:\n"]
        for number, (kind, seconds) in enumerate(
            (("Practice", 3600.0), ("Lone Qualify", 600.0), ("Race", race.session_s))
        ):
            text.append(
                f""" - SessionNum: {number}
   SessionLaps: unlimited
   SessionTime: {seconds:.4f} sec
   SessionNumLapsToAvg: 0
   SessionType: {kind}
   SessionTrackRubberState: {"moderate usage" if number == 0 else "carry over"}
   SessionName: {kind.upper().split()[-1]}
   SessionSubType: {_NOTHING}
   SessionSkipped: 0
   SessionRunGroupsUsed: 0
   SessionEnforceTireCompoundChange: 0
"""
            )
            text.append(self._results(tick) if number == 2 else "   ResultsPositions:\n")
            text.append(
                """   ResultsAverageLapTime: -1.0000
   ResultsNumCautionFlags: 0
   ResultsNumCautionLaps: 0
   ResultsNumLeadChanges: 0
   ResultsLapsComplete: -1
   ResultsOfficial: 0
"""
            )
        return "".join(text)

    def _results(self, tick: int) -> str:
        """Return the order as it stood at the last line of each car: nobody is listed before its first lap."""
        now_s = tick / 60
        found = []
        for number, (laps, route) in enumerate(zip(self._race.field.laps, self._race.routes, strict=True)):
            laps.reach(route, now_s)
            last, best, best_lap = laps.shown(now_s)
            done = laps.count(now_s)
            if done:
                found.append((-done, laps.ends[done - 1], number, last, best, best_lap))
        found.sort()
        text, in_class = ["   ResultsPositions:\n"], dict.fromkeys(self._race.field.classes.tolist(), 0)
        for position, (done, ended, number, last, best, best_lap) in enumerate(found, 1):
            each = int(self._race.field.classes[number])
            text.append(
                f"""   - Position: {position}
     ClassPosition: {in_class[each]}
     CarIdx: {number}
     Lap: {-done}
     Time: {ended - found[0][1]:.4f}
     FastestLap: {best_lap}
     FastestTime: {best:.4f}
     LastTime: {last:.4f}
     LapsLed: 0
     LapsComplete: {-done}
     JokerLapsComplete: 0
     LapsDriven: {-done:.3f}
     Incidents: {_points(self._race.routes[number], -done)}
     ReasonOutId: 0
     ReasonOutStr: Running
"""
            )
            in_class[each] += 1
        if found:
            *_, number, _, best, best_lap = min(found, key=lambda row: row[4])
            text.append(
                f"   ResultsFastestLap:\n   - CarIdx: {number}\n     FastestLap: {best_lap}\n     FastestTime: {best:.4f}\n"
            )
        return "".join(text)

    def _cameras(self) -> str:
        text = ["CameraInfo:\n Groups:\n"]
        text += [
            f" - GroupNum: {number}\n   GroupName: {name}\n   Cameras:\n   - CameraNum: 1\n     CameraName: Cam{name}\n"
            for number, name in enumerate(_CAMERAS, 1)
        ]
        return "".join(text)

    def _radio(self) -> str:
        me = self._race.player_index
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

    def _driver_info(self, driver: int) -> str:
        race, car = self._race, self._race.car
        redline = car.redline
        head = f"""DriverInfo:
 DriverCarIdx: {race.player_index}
 DriverUserID: {self._user(race.cars + race.seat)}
 PaceCarIdx: -1
 DriverIsAdmin: 0
 DriverHeadPosX: -0.211
 DriverHeadPosY: 0.307
 DriverHeadPosZ: 0.558
 DriverCarIsElectric: 0
 DriverCarIdleRPM: {car.idle:.3f}
 DriverCarRedLine: {redline:.3f}
 DriverCarEngCylinderCount: 6
 DriverCarFuelKgPerLtr: 0.750
 DriverCarFuelMaxLtr: {car.tank:.3f}
 DriverCarMaxFuelPct: 1.000
 DriverCarGearNumForward: {len(car.gears)}
 DriverCarGearNeutral: 1
 DriverCarGearReverse: 1
 DriverGearboxType: Sequential
 DriverGearboxControlType: Sequential
 DriverCarShiftAid: None
 DriverCarSLFirstRPM: {redline * 0.83:.3f}
 DriverCarSLShiftRPM: {redline * 0.95:.3f}
 DriverCarSLLastRPM: {redline * 0.97:.3f}
 DriverCarSLBlinkRPM: {redline * 0.985:.3f}
 DriverCarVersion: 2026.07.10.03
 DriverPitTrkPct: {race.track.pits.stall:.6f}
 DriverCarEstLapTime: {race.track.lap_s:.4f}
 DriverSetupName: endurance.sto
 DriverSetupIsModified: 0
 DriverSetupLoadTypeName: user
 DriverSetupPassedTech: 1
 DriverIncidentCount: 0
 DriverBrakeCurvingFactor: 0.001
 DriverTires:
 - TireIndex: 0
   TireCompoundType: "Hard"
 - TireIndex: 1
   TireCompoundType: "Wet"
 Drivers:
"""
        return head + "".join(self._driver(number, driver) for number in range(race.cars))

    def _user(self, person: int) -> int:
        return 700_000 + 97 * person + self._race.seed % 97

    def _driver(self, number: int, driver: int) -> str:
        race = self._race
        person = race.cars + driver if number == race.player_index else number
        name, car = self._names[person], race.field.kinds[number]
        given, family = name.split(" ")
        pace = race.routes[number].entry.pace
        return f""" - CarIdx: {number}
   UserName: {name}
   AbbrevName: {family}, {given[0]}
   Initials: {given[0]}{family[0]}
   UserID: {self._user(person)}
   TeamID: {-(number + 1) if race.drivers == 1 else 500_000 + number}
   TeamName: {names.team(race.seed, number)}
   CarNumber: "{names.number(number)}"
   CarNumberRaw: {_raw_number(names.number(number))}
   CarPath: {car.path}
   CarClassID: {car.class_id}
   CarID: {car.id}
   CarIsPaceCar: 0
   CarIsAI: 0
   CarIsElectric: 0
   CarScreenName: {car.name}
   CarScreenNameShort: {car.name}
   CarCfg: -1
   CarCfgName: {_NOTHING}
   CarCfgCustomPaintExt: {_NOTHING}
   CarClassShortName: {_CLASS_NAMES[car.class_id]}
   CarClassRelSpeed: {_relative(car)}
   CarClassLicenseLevel: 0
   CarClassMaxFuelPct: 1.000 %
   CarClassWeightPenalty: 0.000 kg
   CarClassPowerAdjust: 0.000 %
   CarClassDryTireSetLimit: 0 %
   CarClassColor: 0x{"ffda59" if car.class_id == 5011 else "33ceff"}
   CarClassEstLapTime: {race.track.lap_s * pace:.4f}
   IRating: {1350 + number * 37}
   LicLevel: 18
   LicSubLevel: {200 + number}
   LicString: A {2 + number / 100:.2f}
   LicColor: 0x0153db
   IsSpectator: 0
   CarDesignStr: {number % 24},050505,ee0a1e,f40101,040405
   HelmetDesignStr: {number % 9},f1f7f7,2feaef,21ede7
   SuitDesignStr: {number % 7},50c3e8,f4f7f7,e0e7f1
   BodyType: 0
   FaceType: {number % 10}
   HelmetType: 0
   CarNumberDesignStr: 0,0,ffffff,777777,000000
   CarSponsor_1: 0
   CarSponsor_2: 0
   ClubName: Nowhere
   ClubID: 0
   FlairName: Nowhere
   FlairID: 1
   DivisionName: Division {1 + number % 10}
   DivisionID: {number % 10}
   CurDriverIncidentCount: 0
   TeamIncidentCount: 0
"""

    def _sectors(self) -> str:
        text = ["SplitTimeInfo:\n Sectors:\n"]
        text += [
            f" - SectorNum: {number}\n   SectorStartPct: {place:.6f}\n"
            for number, place in enumerate(self._race.track.sectors)
        ]
        return "".join(text)

    def _setup(self) -> str:
        pressure = f"{self._race.car.pressure_kpa:.0f} kPa"
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
            f"   FuelLevel: {self._race.stints.fill:.1f} L\n  Rear:\n   RarbSetting: 3\n   WingSetting: 7.2 degrees\n"
            "  InCarAdjustments:\n   BrakePressureBias: 52.4%\n   AbsSetting: 4 (ABS)\n   TcSetting: 3 (TC)\n"
        )
        return "".join(text)


def _points(route: Route, laps: int) -> int:
    return sum(each.points for number, each in route.excursions.items() if number < laps)


def _relative(car: Car) -> int:
    return round(car.top)


def _raw_number(number: str) -> int:
    """Return a number as the simulator writes it where zeros lead: 1000 for each place and the number."""
    value, zeros = int(number), len(number) - len(number.lstrip("0"))
    return value + 1000 * (len(number) if zeros else 0)
