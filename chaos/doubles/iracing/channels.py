"""The channels that the simulator publishes: names, types, units and descriptions, in its order.

A line is `where|name|type|unit|description`: `*` in live memory and in files, `L` live only, `D` in files only; the type
as `struct` names it, then `C` for one value for each car, `T` for six moments within the tick. A sixth field names what a
car must have for the channel to be there: that is how layouts differ between cars. `&tyre RF` stands for the lines of
`_TYRE` with RF in place of `@`. A comma in a description is written as a space, as the simulator does.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from protocol.irsdk import Type

__all__ = ["EXTRAS", "Channel", "channels"]

EXTRAS: Final = frozenset({"low fuel", "second dash", "abs toggle", "throttle shape"})
"""What a car may have and another has not."""

SUB_SAMPLES: Final = 6
"""Moments within a tick: 360 a second."""

_TYPES: Final = {"?": Type.BOOL, "i": Type.INT, "I": Type.BITFIELD, "f": Type.FLOAT, "d": Type.DOUBLE}


@frozen
class Channel:
    """One line of the table. `cars`: one value for each car; `times`: one for each moment within the tick."""

    name: str
    type: Type
    unit: str
    description: str
    live: bool
    disk: bool
    cars: bool
    times: bool
    needs: str = ""


def channels(extras: frozenset[str] = EXTRAS) -> Iterator[Channel]:
    """Yield the channels of a car that has these extras."""
    for line in _lines():
        where, name, kind, unit, description, *needs = line.split("|")
        if needs and needs[0] not in extras:
            continue
        yield Channel(
            name, _TYPES[kind[0]], unit, description, live=where != "D", disk=where != "L",
            cars=kind[1:] == "C", times=kind[1:] == "T", needs=needs[0] if needs else "",
        )  # fmt: skip


def _lines() -> Iterator[str]:
    for line in _TABLE.strip().splitlines():
        if not line.startswith("&"):
            yield line
            continue
        block, wheel = line[1:].split()
        for each in _BLOCKS[block].strip().splitlines():
            yield each.replace("@", wheel)


_BLOCKS: Final = {
    "tyre": """
*|@brakeLinePress|f|bar|@ brake line pressure
D|@speed|f|m/s|@ wheel speed
D|@pressure|f|kPa|@ tire pressure
*|@coldPressure|f|kPa|@ tire cold pressure  as set in the garage
*|@odometer|f|m|@ distance tire traveled since being placed on car
D|@tempL|f|C|@ tire left surface temperature
D|@tempM|f|C|@ tire middle surface temperature
D|@tempR|f|C|@ tire right surface temperature
*|@tempCL|f|C|@ tire left carcass temperature
*|@tempCM|f|C|@ tire middle carcass temperature
*|@tempCR|f|C|@ tire right carcass temperature
*|@wearL|f|%|@ tire left percent tread remaining
*|@wearM|f|%|@ tire middle percent tread remaining
*|@wearR|f|%|@ tire right percent tread remaining
""",
    "shock": """
*|@shockDefl|f|m|@ shock deflection
L|@shockDefl_ST|fT|m|@ shock deflection at 360 Hz
*|@shockVel|f|m/s|@ shock velocity
L|@shockVel_ST|fT|m/s|@ shock velocity at 360 Hz
""",
    "height": """
D|@rideHeight|f|m|@ ride height
""",
}

_TABLE: Final = """
*|SessionTime|d|s|Seconds since session start
*|SessionTick|i||Current update number
*|SessionNum|i||Session number
*|SessionState|i|irsdk_SessionState|Session state
*|SessionUniqueID|i||Session ID
*|SessionFlags|I|irsdk_Flags|Session flags
*|SessionTimeRemain|d|s|Seconds left till session ends
*|SessionLapsRemain|i||Old laps left till session ends use SessionLapsRemainEx
*|SessionLapsRemainEx|i||New improved laps left till session ends
*|SessionTimeTotal|d|s|Total number of seconds in session
*|SessionLapsTotal|i||Total number of laps in session
*|SessionJokerLapsRemain|i||Joker laps remaining to be taken
*|SessionOnJokerLap|?||Player is currently completing a joker lap
*|SessionTimeOfDay|f|s|Time of day in seconds
L|RadioTransmitCarIdx|i||The car index of the current person speaking on the radio
L|RadioTransmitRadioIdx|i||The radio index of the current person speaking on the radio
L|RadioTransmitFrequencyIdx|i||The frequency index of the current person speaking on the radio
L|DisplayUnits|i||Default units for the user interface 0 = english 1 = metric
*|DriverMarker|?||Driver activated flag
*|PushToTalk|?||Push to talk button state
*|PushToPass|?||Push to pass button state
*|ManualBoost|?||Hybrid manual boost state
*|ManualNoBoost|?||Hybrid manual no boost state
*|IsOnTrack|?||1=Car on track physics running with player in car
L|IsReplayPlaying|?||0=replay not playing  1=replay playing
L|ReplayFrameNum|i||Integer replay frame number (60 per second)
L|ReplayFrameNumEnd|i||Integer replay frame number from end of tape
L|IsDiskLoggingEnabled|?||0=disk based telemetry turned off  1=turned on
L|IsDiskLoggingActive|?||0=disk based telemetry file not being written  1=being written
*|FrameRate|f|fps|Average frames per second
*|CpuUsageFG|f|%|Percent of available time fg thread took with a 1 sec avg
*|GpuUsage|f|%|Percent of available time gpu took with a 1 sec avg
*|ChanAvgLatency|f|s|Communications average latency
*|ChanLatency|f|s|Communications latency
*|ChanQuality|f|%|Communications quality
*|ChanPartnerQuality|f|%|Partner communications quality
*|CpuUsageBG|f|%|Percent of available time bg thread took with a 1 sec avg
*|ChanClockSkew|f|s|Communications server clock skew
*|MemPageFaultSec|f||Memory page faults per second
*|MemSoftPageFaultSec|f||Memory soft page faults per second
*|PlayerCarPosition|i||Players position in race
*|PlayerCarClassPosition|i||Players class position in race
*|PlayerCarClass|i||Player car class id
*|PlayerTrackSurface|i|irsdk_TrkLoc|Players car track surface type
*|PlayerTrackSurfaceMaterial|i|irsdk_TrkSurf|Players car track surface material type
*|PlayerCarIdx|i||Players carIdx
*|PlayerCarTeamIncidentCount|i||Players team incident count for this session
*|PlayerCarMyIncidentCount|i||Players own incident count for this session
*|PlayerCarDriverIncidentCount|i||Teams current drivers incident count for this session
*|PlayerCarWeightPenalty|f|kg|Players weight penalty
*|PlayerCarPowerAdjust|f|%|Players power adjust
*|PlayerCarDryTireSetLimit|i||Players dry tire set limit
*|PlayerCarTowTime|f|s|Players car is being towed if time is greater than zero
*|PlayerCarInPitStall|?||Players car is properly in their pitstall
*|PlayerCarPitSvStatus|i|irsdk_PitSvStatus|Players car pit service status bits
*|PlayerTireCompound|i||Players car current tire compound
*|PlayerFastRepairsUsed|i||Players car number of fast repairs used
*|OnPitRoad|?||Is the player car on pit road between the cones
*|PaceMode|i|irsdk_PaceMode|Are we pacing or not
L|CarIdxLap|iC||Laps started by car index
L|CarIdxLapCompleted|iC||Laps completed by car index
L|CarIdxLapDistPct|fC|%|Percentage distance around lap by car index
L|CarIdxTrackSurface|iC|irsdk_TrkLoc|Track surface type by car index
L|CarIdxTrackSurfaceMaterial|iC|irsdk_TrkSurf|Track surface material type by car index
L|CarIdxOnPitRoad|?C||On pit road between the cones by car index
L|CarIdxPosition|iC||Cars position in race by car index
L|CarIdxClassPosition|iC||Cars class position in race by car index
L|CarIdxClass|iC||Cars class id by car index
L|CarIdxF2Time|fC|s|Race time behind leader or fastest lap time otherwise
L|CarIdxEstTime|fC|s|Estimated time to reach current location on track
L|CarIdxLastLapTime|fC|s|Cars last lap time
L|CarIdxBestLapTime|fC|s|Cars best lap time
L|CarIdxBestLapNum|iC||Cars best lap number
L|CarIdxTireCompound|iC||Cars current tire compound
L|CarIdxQualTireCompound|iC||Cars Qual tire compound
L|CarIdxQualTireCompoundLocked|?C||Cars Qual tire compound is locked-in
L|CarIdxFastRepairsUsed|iC||How many fast repairs each car has used
L|CarIdxSessionFlags|IC|irsdk_Flags|Session flags for each player
L|CarIdxPaceLine|iC||What line cars are pacing in  or -1 if not pacing
L|CarIdxPaceRow|iC||What row cars are pacing in  or -1 if not pacing
L|CarIdxPaceFlags|IC|irsdk_PaceFlags|Pacing status flags for each car
L|CarIdxSteer|fC|rad|Steering wheel angle by car index
L|CarIdxRPM|fC|revs/min|Engine rpm by car index
L|CarIdxGear|iC||-1=reverse  0=neutral  1..n=current gear by car index
*|SteeringWheelAngle|f|rad|Steering wheel angle
*|Throttle|f|%|0=off throttle to 1=full throttle
*|Brake|f|%|0=brake released to 1=max pedal force
*|Clutch|f|%|0=disengaged to 1=fully engaged
*|Gear|i||-1=reverse  0=neutral  1..n=current gear
*|RPM|f|revs/min|Engine rpm
L|PlayerCarSLFirstRPM|f|revs/min|Shift light first light rpm
L|PlayerCarSLShiftRPM|f|revs/min|Shift light shift rpm
L|PlayerCarSLLastRPM|f|revs/min|Shift light last light rpm
L|PlayerCarSLBlinkRPM|f|revs/min|Shift light blink rpm
*|Lap|i||Laps started count
*|LapCompleted|i||Laps completed count
*|LapDist|f|m|Meters traveled from S/F this lap
*|LapDistPct|f|%|Percentage distance around lap
L|RaceLaps|i||Laps completed in race
*|CarDistAhead|f|m|Distance to first car in front of player in meters
*|CarDistBehind|f|m|Distance to first car behind player in meters
*|LapBestLap|i||Players best lap number
*|LapBestLapTime|f|s|Players best lap time
*|LapLastLapTime|f|s|Players last lap time
*|LapCurrentLapTime|f|s|Estimate of players current lap time as shown in F3 box
*|LapLasNLapSeq|i||Player num consecutive clean laps completed for N average
*|LapLastNLapTime|f|s|Player last N average lap time
*|LapBestNLapLap|i||Player last lap in best N average lap time
*|LapBestNLapTime|f|s|Player best N average lap time
*|LapDeltaToBestLap|f|s|Delta time for best lap
*|LapDeltaToBestLap_DD|f|s/s|Rate of change of delta time for best lap
*|LapDeltaToBestLap_OK|?||Delta time for best lap is valid
*|LapDeltaToOptimalLap|f|s|Delta time for optimal lap
*|LapDeltaToOptimalLap_DD|f|s/s|Rate of change of delta time for optimal lap
*|LapDeltaToOptimalLap_OK|?||Delta time for optimal lap is valid
*|LapDeltaToSessionBestLap|f|s|Delta time for session best lap
*|LapDeltaToSessionBestLap_DD|f|s/s|Rate of change of delta time for session best lap
*|LapDeltaToSessionBestLap_OK|?||Delta time for session best lap is valid
*|LapDeltaToSessionOptimalLap|f|s|Delta time for session optimal lap
*|LapDeltaToSessionOptimalLap_DD|f|s/s|Rate of change of delta time for session optimal lap
*|LapDeltaToSessionOptimalLap_OK|?||Delta time for session optimal lap is valid
*|LapDeltaToSessionLastlLap|f|s|Delta time for session last lap
*|LapDeltaToSessionLastlLap_DD|f|s/s|Rate of change of delta time for session last lap
*|LapDeltaToSessionLastlLap_OK|?||Delta time for session last lap is valid
*|Speed|f|m/s|GPS vehicle speed
*|Yaw|f|rad|Yaw orientation
*|YawNorth|f|rad|Yaw orientation relative to north
*|Pitch|f|rad|Pitch orientation
*|Roll|f|rad|Roll orientation
*|EnterExitReset|i||Indicate action the reset key will take 0 enter 1 exit 2 reset
D|Lat|d|deg|Latitude in decimal degrees
D|Lon|d|deg|Longitude in decimal degrees
D|Alt|f|m|Altitude in meters
*|TrackTemp|f|C|Deprecated  set to TrackTempCrew
*|TrackTempCrew|f|C|Temperature of track measured by crew around track
*|AirTemp|f|C|Temperature of air at start/finish line
*|TrackWetness|i|irsdk_TrackWetness|How wet is the average track surface
*|Skies|i||Skies (0=clear/1=p cloudy/2=m cloudy/3=overcast)
*|AirDensity|f|kg/m^3|Density of air at start/finish line
*|AirPressure|f|Pa|Pressure of air at start/finish line
*|WindVel|f|m/s|Wind velocity at start/finish line
*|WindDir|f|rad|Wind direction at start/finish line
*|RelativeHumidity|f|%|Relative Humidity at start/finish line
*|FogLevel|f|%|Fog level at start/finish line
*|Precipitation|f|%|Precipitation at start/finish line
*|SolarAltitude|f|rad|Sun angle above horizon in radians
*|SolarAzimuth|f|rad|Sun angle clockwise from north in radians
*|WeatherDeclaredWet|?||The steward says rain tires can be used
L|SteeringFFBEnabled|?||Force feedback is enabled
L|DCLapStatus|i||Status of driver change lap requirements
L|DCDriversSoFar|i||Number of team drivers who have run a stint
L|OkToReloadTextures|?||True if it is ok to reload car textures at this time
L|LoadNumTextures|?||True if the car_num texture will be loaded
L|CarLeftRight|i|irsdk_CarLeftRight|Notify if car is to the left or right of driver
*|PitsOpen|?||True if pit stop is allowed for the current player
L|VidCapEnabled|?||True if video capture system is enabled
L|VidCapActive|?||True if video currently being captured
*|PlayerIncidents|i|irsdk_IncidentFlags|Log incidents that the player recieved
*|PitRepairLeft|f|s|Time left for mandatory pit repairs if repairs are active
*|PitOptRepairLeft|f|s|Time left for optional repairs if repairs are active
*|PitstopActive|?||Is the player getting pit stop service
*|FastRepairUsed|i||How many fast repairs used so far
*|FastRepairAvailable|i||How many fast repairs left  255 is unlimited
*|LFTiresUsed|i||How many left front tires used so far
*|RFTiresUsed|i||How many right front tires used so far
*|LRTiresUsed|i||How many left rear tires used so far
*|RRTiresUsed|i||How many right rear tires used so far
*|LeftTireSetsUsed|i||How many left tire sets used so far
*|RightTireSetsUsed|i||How many right tire sets used so far
*|FrontTireSetsUsed|i||How many front tire sets used so far
*|RearTireSetsUsed|i||How many rear tire sets used so far
*|TireSetsUsed|i||How many tire sets used so far
*|LFTiresAvailable|i||How many left front tires are remaining  255 is unlimited
*|RFTiresAvailable|i||How many right front tires are remaining  255 is unlimited
*|LRTiresAvailable|i||How many left rear tires are remaining  255 is unlimited
*|RRTiresAvailable|i||How many right rear tires are remaining  255 is unlimited
*|LeftTireSetsAvailable|i||How many left tire sets are remaining  255 is unlimited
*|RightTireSetsAvailable|i||How many right tire sets are remaining  255 is unlimited
*|FrontTireSetsAvailable|i||How many front tire sets are remaining  255 is unlimited
*|RearTireSetsAvailable|i||How many rear tire sets are remaining  255 is unlimited
*|TireSetsAvailable|i||How many tire sets are remaining  255 is unlimited
L|CamCarIdx|i||Active camera's focus car index
L|CamCameraNumber|i||Active camera number
L|CamGroupNumber|i||Active camera group number
L|CamCameraState|I|irsdk_CameraState|State of camera system
*|IsOnTrackCar|?||1=Car on track physics running
L|IsInGarage|?||1=Car in garage physics running
*|SteeringWheelAngleMax|f|rad|Steering wheel max angle
*|ShiftPowerPct|f|%|Friction torque applied to gears when shifting or grinding
*|ShiftGrindRPM|f|RPM|RPM of shifter grinding noise
*|ThrottleRaw|f|%|Raw throttle input 0=off throttle to 1=full throttle
*|BrakeRaw|f|%|Raw brake input 0=brake released to 1=max pedal force
*|ClutchRaw|f|%|Raw clutch input 0=disengaged to 1=fully engaged
*|HandbrakeRaw|f|%|Raw handbrake input 0=handbrake released to 1=max force
*|BrakeABSactive|?||true if abs is currently reducing brake force pressure
D|BrakeABScutPct|f|%|Percent of brake force reduction caused by ABS system
*|Shifter|i||Log inputs from the players shifter control
*|EngineWarnings|I|irsdk_EngineWarnings|Bitfield for warning lights
*|FuelLevelPct|f|%|Percent fuel remaining
*|PitSvFlags|I|irsdk_PitSvFlags|Bitfield of pit service checkboxes
*|PitSvLFP|f|kPa|Pit service left front tire pressure
*|PitSvRFP|f|kPa|Pit service right front tire pressure
*|PitSvLRP|f|kPa|Pit service left rear tire pressure
*|PitSvRRP|f|kPa|Pit service right rear tire pressure
*|PitSvFuel|f|l or kWh|Pit service fuel add amount
*|PitSvTireCompound|i||Pit service pending tire compound
L|CarIdxP2P_Status|?C||Push2Pass active or not
L|CarIdxP2P_Count|iC||Push2Pass count of usage (or remaining in Race)
*|P2P_Status|?||Push2Pass active or not on your car
*|P2P_Count|i||Push2Pass count of usage (or remaining in Race) on your car
*|SteeringWheelPctTorque|f|%|Force feedback % max torque on steering shaft unsigned
*|SteeringWheelPctTorqueSign|f|%|Force feedback % max torque on steering shaft signed
*|SteeringWheelPctTorqueSignStops|f|%|Force feedback % max torque on steering shaft signed stops
*|SteeringWheelPctIntensity|f|%|Force feedback % max intensity
*|SteeringWheelPctSmoothing|f|%|Force feedback % max smoothing
*|SteeringWheelPctDamper|f|%|Force feedback % max damping
*|SteeringWheelLimiter|f|%|Force feedback limiter strength limits impacts and oscillation
*|SteeringWheelMaxForceNm|f|N*m|Value of strength or max force slider in Nm for FFB
L|SteeringWheelPeakForceNm|f|N*m|Peak torque mapping to direct input units for FFB
*|SteeringWheelUseLinear|?||True if steering wheel force is using linear mode
*|ShiftIndicatorPct|f|%|DEPRECATED use DriverCarSLBlinkRPM instead
L|IsGarageVisible|?||1=Garage screen is visible
L|ReplayPlaySpeed|i||Replay playback speed
L|ReplayPlaySlowMotion|?||0=not slow motion  1=replay is in slow motion
L|ReplaySessionTime|d|s|Seconds since replay session start
L|ReplaySessionNum|i||Replay session number
*|TireLF_RumblePitch|f|Hz|Players LF Tire Sound rumblestrip pitch
*|TireRF_RumblePitch|f|Hz|Players RF Tire Sound rumblestrip pitch
*|TireLR_RumblePitch|f|Hz|Players LR Tire Sound rumblestrip pitch
*|TireRR_RumblePitch|f|Hz|Players RR Tire Sound rumblestrip pitch
*|SteeringWheelTorque_ST|fT|N*m|Output torque on steering shaft at 360 Hz
*|SteeringWheelTorque|f|N*m|Output torque on steering shaft
L|VelocityZ_ST|fT|m/s at 360 Hz|Z velocity
L|VelocityY_ST|fT|m/s at 360 Hz|Y velocity
L|VelocityX_ST|fT|m/s at 360 Hz|X velocity
*|VelocityZ|f|m/s|Z velocity
*|VelocityY|f|m/s|Y velocity
*|VelocityX|f|m/s|X velocity
L|YawRate_ST|fT|rad/s|Yaw rate at 360 Hz
L|PitchRate_ST|fT|rad/s|Pitch rate at 360 Hz
L|RollRate_ST|fT|rad/s|Roll rate at 360 Hz
*|YawRate|f|rad/s|Yaw rate
*|PitchRate|f|rad/s|Pitch rate
*|RollRate|f|rad/s|Roll rate
L|VertAccel_ST|fT|m/s^2|Vertical acceleration (including gravity) at 360 Hz
L|LatAccel_ST|fT|m/s^2|Lateral acceleration (including gravity) at 360 Hz
L|LongAccel_ST|fT|m/s^2|Longitudinal acceleration (including gravity) at 360 Hz
*|VertAccel|f|m/s^2|Vertical acceleration (including gravity)
*|LatAccel|f|m/s^2|Lateral acceleration (including gravity)
*|LongAccel|f|m/s^2|Longitudinal acceleration (including gravity)
*|dcStarter|?||In car trigger car starter
*|dcPitSpeedLimiterToggle|?||Track if pit speed limiter system is enabled
L|dcTractionControlToggle|?||In car traction control active
*|dcHeadlightFlash|?||In car headlight flash control active
*|dcLowFuelAccept|?||In car low fuel accept|low fuel
*|dpRFTireChange|f||Pitstop rf tire change request
*|dpLFTireChange|f||Pitstop lf tire change request
*|dpRRTireChange|f||Pitstop rr tire change request
*|dpLRTireChange|f||Pitstop lr tire change request
*|dpFuelFill|f||Pitstop fuel fill flag
*|dpFuelAutoFillEnabled|f||Pitstop auto fill fuel system enabled
*|dpFuelAutoFillActive|f||Pitstop auto fill fuel next stop flag
*|dpWindshieldTearoff|f||Pitstop windshield tearoff
*|dpFuelAddKg|f|kg|Pitstop fuel add amount
*|dpFastRepair|f||Pitstop fast repair set
*|dcDashPage|f||In car dash display page adjustment
L|dcDashPage2|f||In car second dash display page adjustment|second dash
*|dcBrakeBias|f||In car brake bias adjustment
*|dpLFTireColdPress|f|Pa|Pitstop lf tire cold pressure adjustment
*|dpRFTireColdPress|f|Pa|Pitstop rf cold tire pressure adjustment
*|dpLRTireColdPress|f|Pa|Pitstop lr tire cold pressure adjustment
*|dpRRTireColdPress|f|Pa|Pitstop rr cold tire pressure adjustment
*|dcTractionControl|f||In car traction control adjustment
*|dcABS|f||In car abs adjustment
L|dcABSToggle|?||In car turn abs on and off|abs toggle
L|dcThrottleShape|f||In car throttle shape adjustment|throttle shape
*|dcToggleWindshieldWipers|?||In car turn wipers on or off
*|dcTriggerWindshieldWipers|?||In car momentarily turn on wipers
&tyre RF
&tyre LF
*|FuelUsePerHour|f|kg/h|Engine fuel used instantaneous
*|Voltage|f|V|Engine voltage
*|WaterTemp|f|C|Engine coolant temp
*|WaterLevel|f|l|Engine coolant level
*|FuelPress|f|bar|Engine fuel pressure
*|OilTemp|f|C|Engine oil temperature
*|OilPress|f|bar|Engine oil pressure
*|OilLevel|f|l|Engine oil level
*|ManifoldPress|f|bar|Engine manifold pressure
*|FuelLevel|f|l|Liters of fuel remaining
*|Engine0_RPM|f|revs/min|Engine0Engine rpm
&tyre RR
&tyre LR
&shock LR
&shock RR
&shock LF
&shock RF
&height LF
&height RF
&height LR
&height RR
D|CFSRrideHeight|f|m|Center front splitter ride height
"""
