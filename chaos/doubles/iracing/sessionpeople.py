"""Text of the session info about people and their cars: `DriverInfo`, nearly all of its bytes."""

from typing import TYPE_CHECKING, Final

from . import names
from .layouts import Car
from .sessionplace import NOTHING

if TYPE_CHECKING:
    from .race import Race

__all__ = ["driver_info"]

_CLASS_NAMES: Final = {5011: "GT", 5029: "LMH"}


def driver_info(race: "Race", people: list[str], driver: int) -> str:
    """Return `DriverInfo` while `driver` of the team drives. `people`: the cars' drivers, then the team's."""
    car, redline = race.car, race.car.redline
    head = f"""DriverInfo:
 DriverCarIdx: {race.player_index}
 DriverUserID: {_user(race, race.cars + race.seat)}
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
    return head + "".join(_driver(race, people, number, driver) for number in range(race.cars))


def _user(race: "Race", person: int) -> int:
    return 700_000 + 97 * person + race.seed % 97


def _driver(race: "Race", people: list[str], number: int, driver: int) -> str:
    person = race.cars + driver if number == race.player_index else number
    name, car = people[person], race.field.kinds[number]
    given, family = name.split(" ")
    pace = race.routes[number].entry.pace
    return f""" - CarIdx: {number}
   UserName: {name}
   AbbrevName: {family}, {given[0]}
   Initials: {given[0]}{family[0]}
   UserID: {_user(race, person)}
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
   CarCfgName: {NOTHING}
   CarCfgCustomPaintExt: {NOTHING}
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


def _relative(car: Car) -> int:
    return round(car.top)


def _raw_number(number: str) -> int:
    """Return a number as the simulator writes it where zeros lead: 1000 for each place and the number."""
    value, zeros = int(number), len(number) - len(number.lstrip("0"))
    return value + 1000 * (len(number) if zeros else 0)
