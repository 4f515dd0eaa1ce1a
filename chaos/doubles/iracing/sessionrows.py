"""The rest of a row: the session, scoring of the player's car, its stops, the computer; and what never changes."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from protocol.irsdk import Layout

from .field import APPROACHING, ASPHALT, GRASS, IN_STALL, OFF_TRACK, SERVICIBLE, Standing
from .fitting import empty
from .schedule import PITS
from .stints import WHEELS
from .timetable import Motion
from .track import at

if TYPE_CHECKING:
    from .race import Race

__all__ = ["constants", "write_session"]

_GREEN_HELD_AND_HIDDEN: Final = 0x10000000 | 0x0400 | SERVICIBLE
_UNLIMITED: Final = 32767

_FIXED: Final[dict[str, float]] = {
    "SessionState": 4, "SessionFlags": _GREEN_HELD_AND_HIDDEN,
    "SessionLapsRemain": _UNLIMITED, "SessionLapsRemainEx": _UNLIMITED, "SessionLapsTotal": _UNLIMITED,
    "RadioTransmitCarIdx": -1, "DisplayUnits": 1, "IsDiskLoggingEnabled": 1, "ChanPartnerQuality": 1.0,
    "PaceMode": 4, "PlayerCarClass": 0, "EnterExitReset": 2, "TrackWetness": 1, "Skies": 1, "SteeringFFBEnabled": 1,
    "DCLapStatus": 2, "OkToReloadTextures": 1, "CarLeftRight": 1, "PitsOpen": 1, "CamCameraNumber": 1, "CamGroupNumber": 9,
    "CamCameraState": 80, "SteeringWheelAngleMax": 9.4, "PitSvFlags": 63, "dcBrakeBias": 52.4, "dcTractionControl": 3,
    "dcABS": 4, "dcDashPage": 1, "dcThrottleShape": 3, "dpRFTireChange": 1, "dpLFTireChange": 1, "dpRRTireChange": 1,
    "dpLRTireChange": 1, "dpFuelFill": 1, "dpWindshieldTearoff": 1, "SteeringWheelPctIntensity": 0.6,
    "SteeringWheelMaxForceNm": 24.0, "SteeringWheelPeakForceNm": -1, "SteeringWheelUseLinear": 1, "ReplayPlaySpeed": 1,
    "ReplaySessionNum": -1, "WaterLevel": 18.6, "FuelPress": 5.7, "OilLevel": 9.2, "FastRepairAvailable": 1,
}  # fmt: skip
Floats = npt.NDArray[np.float64]


def constants(race: "Race", layout: Layout) -> npt.NDArray[np.void]:
    """Return one row with all that stays as it is."""
    car, row = race.car, empty(layout)
    for name in layout.dtype.names or ():
        if name.endswith(("TiresAvailable", "SetsAvailable")):
            row[name] = 255
    for name, value in _FIXED.items():
        if name in layout:
            row[name] = value
    cars = race.cars
    row["CarIdxClass"][0, :cars] = race.field.classes
    row["CarIdxSessionFlags"][0, :cars] = SERVICIBLE
    row["CarIdxTireCompound"][0, :cars] = row["CarIdxQualTireCompound"][0, :cars] = row["CarIdxP2P_Count"][
        0, :cars
    ] = 0
    row["SessionNum"], row["SessionUniqueID"] = race.session, race.session + 1
    row["SessionTimeTotal"], row["PlayerCarClass"] = race.session_s, car.class_id
    row["PlayerCarIdx"] = row["CamCarIdx"] = race.player_index
    for name, part in (("First", 0.83), ("Shift", 0.95), ("Last", 0.97), ("Blink", 0.985)):
        row[f"PlayerCarSL{name}RPM"] = car.redline * part
    row["PitSvFuel"] = row["dpFuelAddKg"] = round(race.stints.fill, 1)
    for wheel in WHEELS:
        for name in (f"PitSv{wheel}P", f"dp{wheel}TireColdPress", f"{wheel}coldPressure"):
            row[name] = car.pressure_kpa
    return row


def write_session(
    race: "Race", rows: npt.NDArray[np.void], ticks: npt.NDArray[np.int64], everyone: Motion, standing: Standing,
    driving: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Write what is neither the car's body nor another car."""
    moments = ticks / 60.0
    _session(race, rows, ticks, moments)
    _computer(rows, ticks, moments)
    _scoring(race, rows, moments, everyone, standing, driving)
    _service(race, rows, moments, everyone)
    _tyres(race, rows, moments, everyone.place[race.player_index], driving)


def _session(race: "Race", rows: Any, ticks: npt.NDArray[np.int64], moments: Floats) -> None:
    rows["SessionTick"] = ticks
    rows["SessionTime"] = race.start_s + moments
    rows["SessionTimeRemain"] = np.maximum(race.session_s - moments, 0)
    rows["SessionTimeOfDay"] = np.floor(50_400 + moments) % 86_400
    rows["ReplayFrameNumEnd"] = ticks + 1
    slow = moments / 600
    rows["TrackTemp"] = rows["TrackTempCrew"] = np.float32(31.0) + np.round(2 * np.sin(slow[0] / 3), 2)
    rows["AirTemp"] = 24.0 + np.sin(slow / 4)
    rows["AirDensity"], rows["AirPressure"] = 1.172, 101_325.0 + np.round(60 * np.sin(slow[0] / 5))
    rows["WindVel"], rows["WindDir"] = 3.4 + 1.2 * np.sin(slow * 3.1), 2.1 + 0.4 * np.sin(slow * 2.3)
    rows["RelativeHumidity"] = 0.55 + 0.05 * np.sin(slow / 2)
    rows["SolarAltitude"], rows["SolarAzimuth"] = 0.8 - 0.3 * slow / 24, 3.6 + slow / 16


def _computer(rows: Any, ticks: npt.NDArray[np.int64], moments: Floats) -> None:
    rows["FrameRate"] = 97 + 6 * np.sin(moments / 3.1) + np.sin(moments * 2.3)
    rows["CpuUsageFG"] = 0.42 + 0.05 * np.sin(moments / 4.7) + 0.01 * np.sin(moments * 1.9)
    rows["GpuUsage"] = 0.61 + 0.04 * np.sin(moments / 5.3)
    rows["CpuUsageBG"] = np.round(0.22 + 0.03 * np.sin(np.floor(moments)), 4)
    noise = (ticks // 12 * 2_654_435_761 % 2**32) / 2**32
    rows["ChanLatency"] = np.where(noise > 0.97, 0.1, 1 / 15)
    rows["ChanAvgLatency"] = 0.0665 + 0.0004 * np.sin(moments / 8)
    rows["ChanQuality"] = np.where(noise > 0.9, 0.9978, 0.99999)


def _scoring(
    race: "Race",
    rows: Any,
    moments: Floats,
    everyone: Motion,
    standing: Standing,
    driving: npt.NDArray[np.bool_],
) -> None:
    me, track = race.player_index, race.track
    place = _frozen(everyone.place[me], driving, race, float(moments[-1]))
    within, lap = place - np.floor(place), np.floor(place).astype(np.int64) + 1
    rows["Lap"], rows["LapCompleted"] = np.maximum(lap, 0), np.maximum(lap - 1, 0)
    rows["RaceLaps"] = np.maximum(lap - 1, 0)
    rows["LapDistPct"] = np.minimum(within, 0.99999994)
    rows["LapDist"] = within * track.length
    rows["PlayerCarPosition"], rows["PlayerCarClassPosition"] = standing.position[me], standing.in_class[me]
    for name, array in (("LapLastLapTime", "CarIdxLastLapTime"), ("LapBestLapTime", "CarIdxBestLapTime")):
        rows[name] = np.maximum(rows[array][:, me], 0)
    rows["LapBestLap"] = np.maximum(rows["CarIdxBestLapNum"][:, me], 0)
    ends = race.field.laps[me].ends
    begun = np.array([race.routes[me].when(0.0), *ends])
    since = begun[np.maximum(np.searchsorted(begun, moments, "right") - 1, 0)]
    current = np.where(driving, np.maximum(moments - since, 0), 0)
    rows["LapCurrentLapTime"] = current
    _deltas(rows, current, at(track.time, within) / track.lap_s, driving)
    others = np.delete(everyone.place, me, 0)
    if len(others):
        apart = (others - everyone.place[me]) % 1.0
        rows["CarDistAhead"] = np.where(driving, np.nanmin(apart, 0, initial=1.0) * track.length, 0)
        rows["CarDistBehind"] = np.where(driving, (1 - np.nanmax(apart, 0, initial=0.0)) * track.length, 0)
    _incidents(race, rows, moments, everyone, driving)


def _frozen(place: Floats, driving: npt.NDArray[np.bool_], race: "Race", now_s: float) -> Floats:
    """Return the player's places, standing still at the stall where it was left to a team-mate (or never taken over)."""
    if driving.all():
        return place
    return np.where(driving, place, race.stints.left(now_s, race.seat)[1])


def _deltas(rows: Any, current: Floats, part: Floats, driving: npt.NDArray[np.bool_]) -> None:
    best = rows["LapBestLapTime"].astype(np.float64)
    known = (best > 0) & driving
    for name in ("BestLap", "OptimalLap", "SessionBestLap", "SessionOptimalLap", "SessionLastlLap"):
        rows[f"LapDeltaTo{name}"] = np.where(known, current - best * part, 0)
        rows[f"LapDeltaTo{name}_OK"] = known


def _incidents(
    race: "Race", rows: Any, moments: Floats, everyone: Motion, driving: npt.NDArray[np.bool_]
) -> None:
    me = race.player_index
    place = everyone.place[me]
    surface = rows["CarIdxTrackSurface"][:, me].copy()
    material = np.where(surface == OFF_TRACK, GRASS, ASPHALT)
    rows["PlayerTrackSurface"] = np.where(driving, surface, IN_STALL)
    rows["PlayerTrackSurfaceMaterial"] = np.where(driving, material, ASPHALT)
    excursions = list(race.routes[me].excursions.values())
    begun = np.array([each.begins for each in excursions])
    totals = np.concatenate(([0], np.cumsum([each.points for each in excursions]))).astype(np.int64)
    counts = np.searchsorted(begun, place, "right")
    for name in ("PlayerCarTeamIncidentCount", "PlayerCarMyIncidentCount", "PlayerCarDriverIncidentCount"):
        rows[name] = totals[counts]
    fresh = np.diff(counts, prepend=counts[0]) > 0
    if fresh.any():
        rows["PlayerIncidents"][fresh & driving] = 0x0102
    rows["OnPitRoad"] = rows["CarIdxOnPitRoad"][:, me] & driving
    for name in ("IsOnTrack", "IsOnTrackCar", "IsDiskLoggingActive"):
        rows[name] = driving


def _service(race: "Race", rows: Any, moments: Floats, everyone: Motion) -> None:
    me, stints = race.player_index, race.stints
    standing = everyone.standing[me]
    stops = stints.stops(float(moments[-1]))
    rows["PlayerCarInPitStall"] = rows["PitstopActive"] = standing
    rows["PlayerCarPitSvStatus"] = standing
    rows["dcPitSpeedLimiterToggle"] = (everyone.kind[me] == PITS) & (
        rows["CarIdxTrackSurface"][:, me] == APPROACHING
    )
    for towed_s in race.tows:
        until_s = (
            next(stop.left_s for stop in race.routes[me].stops if stop.arrived_s == towed_s) - race.stop_s
        )
        rows["PlayerCarTowTime"] = np.where(
            moments >= towed_s, np.maximum(until_s - moments, 0), rows["PlayerCarTowTime"]
        )
    served = np.searchsorted([stop.left_s for stop in stops], moments, "right")
    for side in ("LF", "RF", "LR", "RR"):
        rows[f"{side}TiresUsed"] = served + 1
    for side in ("Left", "Right", "Front", "Rear", ""):
        rows[f"{side}TireSetsUsed"] = served + 1
    rows["DCDriversSoFar"] = min(race.drivers, 1 + len(stints.swapped(float(moments[-1]))))


def _tyres(race: "Race", rows: Any, moments: Floats, place: Floats, driving: npt.NDArray[np.bool_]) -> None:
    """Write what the tyres tell; where a team-mate drives, what they told when the player left."""
    stints = race.stints
    left_s, left_at = (0.0, 0.0) if driving.all() else stints.left(float(moments[-1]), race.seat)
    first = 0
    while first < len(moments):
        now_s = float(moments[first])
        tyres, until = stints.tyres_from(now_s if driving[first] else left_s)
        end = max(first + 1, int(np.searchsorted(moments, until, "left"))) if driving[first] else len(moments)
        turns = np.flatnonzero(driving[first:end] != driving[first])
        end = first + int(turns[0]) if len(turns) else end
        for number, wheel in enumerate(WHEELS):
            for side, name in enumerate(("L", "M", "R")):
                rows[f"{wheel}tempC{name}"][first:end] = tyres.carcass[number, side]
                rows[f"{wheel}wear{name}"][first:end] = tyres.tread[number, side]
        first = end
    metres = (np.where(driving, place, left_at) - stints.tyres_since(float(moments[0]))) * race.track.length
    for wheel in WHEELS:
        rows[f"{wheel}odometer"] = np.maximum(np.floor(metres / 100) * 100, 0)
