"""What the player's own car tells: inputs, engine, motion, at 60 Hz and (the `_ST` channels) at 360 Hz.

All of it follows from the car's place and speed on the track, so that it fits together: yaw rate is the derivative of
yaw, speed that of the way, throttle and brake are what the acceleration needs. Signs are the simulator's: steering, yaw
rate and lateral acceleration are positive to the left; yaw north = track's north offset - yaw. Where a team-mate drives,
these values stand still and inputs, engine and fuel are zero.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from .channels import SUB_SAMPLES
from .layouts import Car
from .stints import WHEELS, fuel_flow
from .timetable import Motion
from .track import POINTS, Track, at

__all__ = ["GRAVITY", "Player", "Ride"]

GRAVITY: Final = 9.80665
_SUB_HZ: Final = 360.0
_SHAKES: Final = {
    "VelocityZ": 0.002, "YawRate": 0.001, "PitchRate": 0.002, "RollRate": 0.003, "VertAccel": 0.12, "LatAccel": 0.08,
    "LongAccel": 0.06, "SteeringWheelTorque": 0.08, "shockDefl": 1.5e-5, "shockVel": 0.004,
}  # fmt: skip
"""How much each channel shakes, in its own unit: makes a recording as hard to compress as the real ones are."""

_FRONT, _LEFT = (1, 1, -1, -1), (1, -1, 1, -1)

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.void]


@frozen(eq=False)
class Ride:
    """The car through a block of ticks. `motion` has one car and 6 moments a tick, and one more before and after them;
    `fuel` and `moments` one value a tick; `driving`: whether the player is the one who drives, by tick."""

    moments: Floats
    motion: Motion
    fuel: Floats
    driving: npt.NDArray[np.bool_]


class Player:
    """`north_offset`: the track's, rad. `lat`, `lon`: where the track's origin is, degrees."""

    def __init__(
        self, track: Track, car: Car, seed: int, north_offset: float, lat: float, lon: float
    ) -> None:
        self.track, self.car = track, car
        self.north_offset, self.lat, self.lon = north_offset, lat, lon
        self._seed = seed
        rng = np.random.default_rng((seed, 3))
        step = track.length / POINTS
        slope = np.gradient(track.slip, step)
        bumps = rng.normal(0, 1, (len(WHEELS), POINTS))
        kernel = np.hanning(max(3, int(3.0 / step) | 1))
        rough = np.stack(
            [
                np.convolve(np.tile(each, 3), kernel / np.sqrt((kernel**2).sum()), "same")[POINTS:-POINTS]
                for each in bumps
            ]
        )
        rough = np.concatenate((rough, rough[:, :1]), 1) * 0.0011
        hills = rng.uniform(0, 2 * np.pi, 3)
        around = np.linspace(0, 2 * np.pi, POINTS + 1)
        self._height = 4.0 * np.sin(around + hills[0]) + 1.5 * np.sin(2 * around + hills[1])
        climb = np.gradient(self._height, step)
        self._tables = np.stack(
            [track.curvature, track.heading, track.slip, slope, track.speed, climb, *rough]
        )
        self._tones = rng.uniform(0.2, 2.6, (12, 3)), rng.uniform(0, 2 * np.pi, (12, 3))
        self._slow = rng.uniform(0.004, 0.05, (16, 3)), rng.uniform(0, 2 * np.pi, (16, 3))
        self._per_degree = 111_194.93, 111_194.93 * float(np.cos(np.radians(lat)))

    def write(self, rows: Rows, ride: Ride) -> None:
        """Write all channels of the car that `rows` have, for every tick of the ride."""
        values = self._moving(ride) | self._driving(ride)
        names = set(rows.dtype.names or ())
        for name, value in values.items():
            if name in names:
                rows[name] = value
        away = ~ride.driving
        if away.any():
            for name in names & set(values):
                rows[name][away] = 0

    def _wave(self, moments: Floats, tones: tuple[Floats, Floats]) -> Floats:
        """Return (channels, moments) that wander between -1 and 1, about."""
        rates, phases = tones
        return np.asarray(
            np.sin(moments * (2 * np.pi * rates[..., None]) + phases[..., None]).sum(1) / 2, np.float64
        )

    def _moving(self, ride: Ride) -> dict[str, Floats]:
        """Return what the body does; a 360 Hz channel's last moment is the tick's own value."""
        motion = ride.motion
        place, speed, push = motion.place[0], motion.speed[0], motion.acceleration[0]
        within = place - np.floor(place)
        curvature, heading, slip, slope, nominal, climb, *rough = at(self._tables, within)
        slow = (speed / nominal) ** 2
        slip, slip_rate = slip * slow, slope * slow * speed
        lateral = speed**2 * curvature
        bumps = np.stack(rough)
        jolt = np.gradient(bumps, axis=1) * _SUB_HZ
        yaw = heading + slip + self.north_offset - np.pi / 2
        pitch, roll = climb - 0.0011 * push, 0.0024 * lateral + (bumps[0] + bumps[2] - bumps[1] - bumps[3])
        pitch_rate, roll_rate = np.gradient(pitch) * _SUB_HZ, np.gradient(roll) * _SUB_HZ
        fine: dict[str, Floats] = {
            "VelocityX": speed * np.cos(slip),
            "VelocityY": -speed * np.sin(slip),
            "VelocityZ": speed * climb + jolt.mean(0) * 0.3,
            "YawRate": speed * curvature + slip_rate,
            "PitchRate": pitch_rate,
            "RollRate": roll_rate,
            "VertAccel": GRAVITY + jolt.mean(0) * 9.0,
            "LatAccel": lateral + GRAVITY * np.sin(roll) + (jolt[0] - jolt[1]) * 2.0,
            "LongAccel": push + GRAVITY * np.sin(pitch) + (jolt[0] + jolt[1]) * 0.8,
            "SteeringWheelTorque": -0.55 * lateral + (jolt[0] - jolt[1]) * 12.0,
        }
        for number, wheel in enumerate(WHEELS):
            deflection = (
                0.032 - 0.0009 * push * _FRONT[number] - 0.0011 * lateral * _LEFT[number] + bumps[number]
            )
            fine[f"{wheel}shockDefl"] = deflection
            fine[f"{wheel}shockVel"] = np.gradient(deflection) * _SUB_HZ
        out: dict[str, Floats] = {}
        shaking = self._shaking(ride, len(speed))
        for number, (name, values) in enumerate(fine.items()):
            size = _SHAKES.get(name[2:] if "shock" in name else name, 0.0)
            six = (values + size * shaking[number])[1:-1].reshape(-1, SUB_SAMPLES)
            out[f"{name}_ST"], out[name] = six, six[:, -1]
        self._wheels(out)
        angle = (yaw[SUB_SAMPLES::SUB_SAMPLES] + np.pi) % (2 * np.pi) - np.pi
        out["Speed"], out["Yaw"] = speed[SUB_SAMPLES::SUB_SAMPLES], angle
        out["YawNorth"] = (self.north_offset - angle + np.pi) % (2 * np.pi) - np.pi
        out["Pitch"], out["Roll"] = pitch[SUB_SAMPLES::SUB_SAMPLES], roll[SUB_SAMPLES::SUB_SAMPLES]
        return out | self._where(within[SUB_SAMPLES::SUB_SAMPLES])

    def _shaking(self, ride: Ride, count: int) -> Floats:
        """Return what engine and road shake, (channels, count): it depends on when, not on what was asked for before."""
        rng = np.random.Generator(np.random.Philox(key=[self._seed, round(float(ride.moments[0]) * 60)]))
        return np.asarray(
            rng.standard_normal((18, count)) * np.minimum(ride.motion.speed[0] / 8, 1), np.float64
        )

    def _wheels(self, out: dict[str, Floats]) -> None:
        share = np.clip(out["SteeringWheelTorque"] / 20.0, -1, 1)
        out["SteeringWheelPctTorque"] = np.abs(share)
        out["SteeringWheelPctTorqueSign"] = out["SteeringWheelPctTorqueSignStops"] = share
        for number, wheel in enumerate(WHEELS):
            out[f"{wheel}speed"] = out["VelocityX"] - 0.75 * _LEFT[number] * out["YawRate"]
            out[f"{wheel}rideHeight"] = 0.085 - out[f"{wheel}shockDefl"] * 0.8
        out["CFSRrideHeight"] = (out["LFrideHeight"] + out["RFrideHeight"]) / 2 - 0.02

    def _where(self, within: Floats) -> dict[str, Floats]:
        north_m, east_m = self._per_degree
        east, north, height = at(np.stack([self.track.east, self.track.north, self._height]), within)
        return {"Lat": self.lat + north / north_m, "Lon": self.lon + east / east_m, "Alt": 20.0 + height}

    def _driving(self, ride: Ride) -> dict[str, Floats]:
        """Return what hands, feet and engine do, and what is slow."""
        car, moments = self.car, ride.moments
        ticks = slice(SUB_SAMPLES, None, SUB_SAMPLES)
        speed, push, place = (
            each[0][ticks] for each in (ride.motion.speed, ride.motion.acceleration, ride.motion.place)
        )
        curvature = at(self.track.curvature, place - np.floor(place))
        tones, slow = self._wave(moments, self._tones), self._wave(moments, self._slow)
        moving = np.minimum(speed / 8, 1)
        drag = car.drive * (speed / car.top) ** 2
        need = push + drag
        throttle = np.where(need > 0, need / car.drive + 0.012 * tones[0], 0) * moving
        throttle = np.round(np.clip(throttle, 0, 1) * 4095) / 4095
        brake = np.where(need < -0.4, -need / car.brake * 0.92 + 0.008 * tones[1], 0) * moving
        brake = np.round(np.clip(brake, 0, 1) * 4095) / 4095
        gears = np.array(car.gears)[:, None] * speed
        fits = gears < 0.97 * car.redline
        gear = np.where(fits.any(0), fits.argmax(0), len(car.gears) - 1)
        rpm = np.maximum(np.take_along_axis(gears, gear[None], 0)[0], car.idle + 12 * tones[2])
        steering = car.lock * curvature * (1 + speed**2 / 9000) + 0.012 * tones[3] * moving
        water, oil = 88 + 2.0 * slow[0], 99 + 3.0 * slow[1]
        out: dict[str, Floats] = {
            "Throttle": throttle, "ThrottleRaw": throttle, "Brake": brake, "BrakeRaw": brake,
            "SteeringWheelAngle": steering, "Gear": np.where(speed < 0.1, 0, gear + 1).astype(float), "RPM": rpm,
            "Clutch": np.where(speed < 0.1, 0.0, 1.0), "ClutchRaw": np.where(speed < 0.1, 0.0, 1.0),
            "BrakeABSactive": (brake > 0.9).astype(float), "BrakeABScutPct": np.where(brake > 0.9, 0.85, 1.0),
            "Engine0_RPM": rpm, "FuelLevel": ride.fuel, "FuelLevelPct": ride.fuel / car.tank,
            "FuelUsePerHour": fuel_flow(throttle, rpm, car.redline), "WaterTemp": water, "OilTemp": oil,
            "ManifoldPress": 0.35 + 0.72 * throttle + 0.01 * tones[4], "OilPress": 1.5 + 3.6 * rpm / car.redline,
            "Voltage": np.round(13.6 + 0.1 * slow[2], 2),
            "SteeringWheelLimiter": np.zeros(len(moments)),
        }  # fmt: skip
        for number, wheel in enumerate(WHEELS):
            bias = 0.56 if _FRONT[number] > 0 else 0.44
            out[f"{wheel}brakeLinePress"] = np.round(brake * bias * 110, 3)
            for side, apart in (("L", -2.0), ("M", 0.0), ("R", 2.0)):
                out[f"{wheel}temp{side}"] = (
                    78 + 6 * slow[3 + number] + apart * _LEFT[number] + 0.9 * np.abs(curvature) * speed
                )
            out[f"{wheel}pressure"] = car.pressure_kpa + 14 + 1.5 * slow[7 + number]
        return out
