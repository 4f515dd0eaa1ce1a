"""The house itself: heat goes from the boiler through valves and emitters into rooms and walls, and out into the weather.

One node of warmth for a room with what stands in it, one for its walls, one for its emitter; one for the boiler with
its water, one for the tank. Steps of at most twenty seconds: emitters and pipes implicit, the slow rest explicit.
"""

import math
from collections.abc import Mapping

from .faults import Faults
from .life import COLD_WATER, drawn_w_per_k, people
from .plan import HousePlan, colorado
from .senses import Senses
from .weather import Weather

__all__ = ["House"]

STEP_S = 20.0
_MINUTE_S = 60.0
"""The weather and what people do are looked at once in each."""
_PIPE_S = 60.0
"""How quickly the pipe behind a valve takes the water's temperature; without flow it takes `_PIPE_COOLS_S` to the room's."""
_PIPE_COOLS_S = 1500.0
_PUMPLESS = 0.004
"""What flows by its own warmth when no pump turns: there are flow-check valves."""
_PLACE = 20.0
"""Where the boiler and the tank stand, °C."""


class House:
    """The truth of one house. `utc`: where its weather and its people are in time.

    The public lists are by the order of `zones` (the rooms, then the tank; `rooms` are °C of the air): whoever judges
    reads them, nobody else. The same seed and the same relays give the same house to the last bit.
    """

    def __init__(self, seed: int, utc: float, plan: HousePlan | None = None) -> None:
        self.plan = plan = plan or colorado()
        self.seed = seed
        self.utc = utc
        self.weather = Weather(seed, utc_offset_h=plan.utc_offset_h)
        self.faults = Faults(plan)
        self.zones = (*(room.id for room in plan.rooms), plan.tank)
        count = len(plan.rooms)
        self._shared_s, self._shared = 0.0, list[tuple[float, ...]]()
        self._stats = [(room.wall_target - 0.3, room.wall_target + 0.3) for room in plan.rooms]
        self._look_out(utc // _MINUTE_S)
        self.rooms = [19.5] * count
        self.walls = [19.2] * count
        self.emitters = list(self.rooms)
        self.tank = plan.tank_off
        self.pipes = [*self.rooms, _PLACE]
        self.valves = [0.0] * (count + 1)
        self._aims = [0.0] * (count + 1)
        self.flow = self.back = 30.0
        self.is_firing = False
        self.is_cut_off = False
        """The boiler's own overheat stat has opened."""
        self.is_pumping = False
        self.power_w = 0.0
        self.relays = dict.fromkeys(plan.relays, False)
        """Closed in truth, whatever was asked."""
        self.calls = [False] * (count + 1)
        self._ignites_s = 0.0
        self._paused = False
        self._senses = Senses(self)

    def advance(self, dt_s: float, outputs: Mapping[str, bool]) -> None:
        """Let `dt_s` pass with these relays energised; those not named are not."""
        self._close(outputs)
        if dt_s <= 0:
            return
        count = math.ceil(dt_s / STEP_S - 1e-9)
        for _ in range(count):
            self._step(dt_s / count)
            self.utc += dt_s / count

    def readings(self) -> dict[str, float | str]:
        """Return what each sensor says now: °C, or how it fails ("lost", "hangs", "crc", "power-on", "range", "open",
        "short").
        A sensor that is not in it has nothing new. Asking moves the sensors: once a reading."""
        return self._senses.readings()

    def contacts(self) -> dict[str, bool]:
        """Return what each contact says."""
        return self._senses.contacts()

    def cut_power(self) -> None:
        """The power went and came: what only that mends is mended, and every sensor has nothing yet."""
        self.faults.take("sensors")
        self._senses.forget()
        self._ignites_s = 0.0

    def reset_boiler(self) -> None:
        """Somebody presses the button of the boiler's overheat stat."""
        self.is_cut_off = False

    def _close(self, outputs: Mapping[str, bool]) -> None:
        get, relays = outputs.get, self.relays
        for relay in relays:
            relays[relay] = get(relay, False)
        for fault in self.faults.relays.values():
            relays[fault.id] = fault.kind == "welded"
        self._aims = [1.0 if relays[zone] else 0.0 for zone in self.zones]

    def _look_out(self, minute: float) -> None:
        """Take the weather and what people and the sun give, W a room, as they are in that minute."""
        plan, utc = self.plan, minute * _MINUTE_S
        local = utc + plan.utc_offset_h * 3600
        self._minute, self.outdoor, sun = minute, self.weather.outdoor(utc), self.weather.sun(utc)
        hour = (local % 86_400) / 3600
        at_home, cooking = people(local)
        given = []
        for room in plan.rooms:
            shines = sun * room.window_m2 * max(0.0, 1 - abs(hour - room.facing) / 5)
            given.append(room.people_w * at_home + shines + (cooking if room.id == plan.kitchen else 0.0))
        self._given = given

    def _share(self, dt_s: float) -> list[tuple[float, ...]]:
        """Return of each room what its step needs: W/K and J/K of the whole room, divided by that time."""
        plan, self._shared_s, self._shared = self.plan, dt_s, []
        for room in plan.rooms:
            loss = plan.loss_m2 * room.m2 * room.exposed
            emits = plan.emitter_share * loss
            stores = plan.emitter_heat_m2 * room.m2 / dt_s
            self._shared.append(
                (
                    plan.flow_m2 * room.m2, stores, emits, stores + emits, plan.to_wall_m2 * room.m2,
                    dt_s / (plan.wall_heat_m2 * room.m2), loss, plan.to_house_m2 * room.m2,
                    dt_s / (plan.room_heat_m2 * room.m2),
                )
            )  # fmt: skip
        return self._shared

    def _step(self, dt_s: float) -> None:
        plan, relays = self.plan, self.relays
        minute = self.utc // _MINUTE_S
        if minute != self._minute:
            self._look_out(minute)
        outdoor = self.outdoor
        self.is_pumping = relays["pump"] and not self.faults.is_pump_dead
        self._move_valves(dt_s)
        self._burn(dt_s)
        flow_share = 1.0 if self.is_pumping else _PUMPLESS
        rooms, walls, emitters, pipes, valves = self.rooms, self.walls, self.emitters, self.pipes, self.valves
        shared = self._shared if dt_s == self._shared_s else self._share(dt_s)
        flow, house = self.flow, sum(rooms) / len(rooms)
        to_flow, to_room = dt_s / (dt_s + _PIPE_S), dt_s / (dt_s + _PIPE_COOLS_S)
        drawn = carried = back = 0.0
        i = -1
        for (loop, stores, emits, both, to_wall, a_wall, loss, to_house, a_room), warm, wall, gains in zip(
            shared, rooms, walls, self._given, strict=True
        ):
            i += 1
            pipe = pipes[i]
            if valve := valves[i]:
                water = loop * valve * flow_share
                emitter = (stores * emitters[i] + water * flow + emits * warm) / (both + water)
                drawn += water * (flow - emitter)
                carried += water
                back += water * emitter
                pipe += to_flow * (flow - pipe) * min(1.0, 4 * valve * flow_share)
            else:
                emitter = (stores * emitters[i] + emits * warm) / both
            pipes[i] = pipe + to_room * (warm - pipe)
            emitters[i] = emitter
            through = to_wall * (warm - wall)
            walls[i] = wall + through * a_wall
            gains += emits * (emitter - warm) + loss * (outdoor - warm) - through + to_house * (house - warm)
            rooms[i] = warm + gains * a_room
        tank = self.tank
        water = plan.tank_coil * valves[-1] * flow_share
        taken = water * (flow - tank)
        local = self.utc + plan.utc_offset_h * 3600
        loses = plan.tank_loss * (tank - _PLACE) + drawn_w_per_k(self.seed, local) * (tank - COLD_WATER)
        self.tank = tank + (taken - loses) * dt_s / plan.tank_heat
        pipe = pipes[-1]
        pipes[-1] = (
            pipe + to_flow * (flow - pipe) * min(1.0, 4 * valves[-1] * flow_share) + to_room * (_PLACE - pipe)
        )
        carried += water
        back += water * (flow - taken / (2 * plan.tank_coil)) if water else 0.0
        self.flow = flow + (self.power_w - drawn - taken - 8.0 * (flow - _PLACE)) * dt_s / plan.boiler_heat
        aim = back / carried if self.is_pumping and carried else flow
        self.back += (aim - self.back) * to_flow
        self._call()
        self._senses.advance(dt_s)

    def _move_valves(self, dt_s: float) -> None:
        valves, aims, faults = self.valves, self._aims, self.faults.valves
        if valves == aims and not faults:
            return
        most = dt_s / self.plan.valve_s
        for i, zone in enumerate(self.zones):
            at, aim = valves[i], aims[i]
            if faults and (fault := faults.get(zone)) is not None:
                if fault.kind == "stuck":
                    valves[i] = at if fault.value is None else fault.value
                    continue
                aim = max(aim, 0.15 if fault.value is None else fault.value)
            if at != aim:
                valves[i] = min(aim, at + most) if aim > at else max(aim, at - most)

    def _burn(self, dt_s: float) -> None:
        plan, flow = self.plan, self.flow
        if plan.own_limit is not None and flow >= plan.own_limit:
            self.is_cut_off = True
        self._paused = flow > plan.own_flow + 5 or (self._paused and flow > plan.own_flow - 8)
        if not self.relays["burner"] or self.is_cut_off or self._paused or self.faults.is_burner_dead:
            self._ignites_s, self.is_firing, self.power_w = 0.0, False, 0.0
            return
        self._ignites_s += dt_s
        self.is_firing = self._ignites_s > plan.ignition_s
        share = min(1.0, max(0.0, (plan.own_flow - flow) / plan.own_band))
        self.power_w = (
            plan.burner_least + share * (plan.burner_most - plan.burner_least) if self.is_firing else 0.0
        )

    def _call(self) -> None:
        """Let the wall thermostats and the tank's stat decide, with their own hysteresis."""
        plan, calls = self.plan, self.calls
        tank = self.tank < (plan.tank_off if calls[-1] else plan.tank_on)
        self.calls = [
            warm < (highest if call else lowest)
            for warm, call, (lowest, highest) in zip(self.rooms, calls, self._stats, strict=False)
        ]
        self.calls.append(tank)
