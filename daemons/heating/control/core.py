"""The control of a house: readings, contacts and settings in, relays with their causes out. Pure: `now` is passed in.

Every step asks anew what holds now. What is kept between steps are moments of the monotonic clock; what must survive a
restart is in `Decision.memory`.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from daemons.heating.control.alarms import AlarmBook
from daemons.heating.control.burner import Burner, Demand
from daemons.heating.control.causes import cause_of
from daemons.heating.control.mind import recall, recall_moves, remember
from daemons.heating.control.past import Past
from daemons.heating.control.plumbing import (
    WaterFirst,
    choose_exercise,
    choose_extras,
    exercise_s,
    hold_open,
    lift_k,
)
from daemons.heating.control.scene import Scene
from daemons.heating.control.senses import Sensor
from daemons.heating.control.shown import Shown
from daemons.heating.control.starts import Starts
from daemons.heating.control.suspects import Suspects
from daemons.heating.control.targets import Wishes
from daemons.heating.control.wants import want
from daemons.heating.control.watch import watch
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, EventKind, HeatEvent, Inputs, Instant

__all__ = ["Control"]

_STEP_S = 2.0
"""A wall clock that is this much elsewhere was set: what is dated is dated anew."""


class Control:
    """One house. `memory`: that of the last decision before a restart; None: the first start ever."""

    def __init__(self, plant: Plant, memory: Mapping[str, object] | None) -> None:
        self.plant = plant
        self.past = Past.read(memory)
        self.time_zone = ZoneInfo(plant.time_zone)
        self.sensors: dict[str, Sensor] = {}
        plan = plant.burner
        self.outdoor = self._sensor(plant.outdoor, is_pipe=False)
        self.flow, self.back = self._sensor(plan.flow, is_pipe=True), self._sensor(plan.back, is_pipe=True)
        self.runs = [self._run(zone) for zone in plant.zones]
        self.burner = Burner(plan, self.flow, Starts(plan.starts_a_day))
        self.suspects = Suspects(self.burner, self.runs)
        self.book = AlarmBook(self._tell_alarm)
        self.shown = Shown(self)
        self.pump_on = False
        self.pump_since = self.pump_moved_at = 0.0
        self.pump_exercising = False
        self.water = WaterFirst(plant)
        self.burnt_s = 0.0
        self.begun = 0.0
        self.passed = 0.0
        self.firing: bool | None = None
        self.uncalled_since: float | None = None
        self.moves = 0
        self.must_remember = True
        self.scene: Scene
        self._events: list[HeatEvent] = []
        self._last: Instant | None = None

    def _sensor(self, id_: str | None, *, is_pipe: bool) -> Sensor | None:
        if id_ is None:
            return None
        if id_ not in self.sensors:
            self.sensors[id_] = Sensor(self.plant.sensor(id_), is_pipe)
        return self.sensors[id_]

    def _run(self, zone: ZonePlan) -> ZoneRun:
        plan = self.plant.burner
        # Whoever may run for six hours stops wanting heat some minutes before: the boiler burns on for its minimum time
        # and its heat is taken away, and by then the valve is still open.
        overrun = plan.overrun_s + plan.min_on_s if plan.output is not None else 0.0
        room = zone.room if zone.kind is ZoneKind.ROOM else None
        return ZoneRun(
            zone,
            self._sensor(room, is_pipe=False),
            self._sensor(zone.supply, is_pipe=True),
            Wishes(self.plant, zone, self.time_zone),
            max(zone.max_run_s - overrun, zone.max_run_s / 2),
        )

    def step(self, now: Instant, inputs: Inputs, settings: Settings) -> Decision:
        """Return what is to be at `now`. To be asked every control interval, and at once when an input or the settings
        change. Raises nothing for anything that sensors, contacts or settings can say."""
        self._events = []
        self._clock(now, settings)
        self._sense(inputs)
        mono, burner = now.mono, self.burner
        if self.suspects.step(mono, pump_on=self._circulates(), moves=self.moves, firing=self.firing):
            self.must_remember = True
        burner.guard(self.scene)
        self._want(inputs)
        self.water.step(self.runs, mono, self.passed)
        for run in self.runs:
            resting = run.resting
            if run.gate(mono):
                self._switch(run, True)
            self.must_remember = self.must_remember or resting is not run.resting
        self._exercise()
        if burner.plan.output is not None:
            choose_extras(self.runs, burner.plan.min_open, mono)
            for run in self.runs:
                if run.extra and not run.is_on:
                    self._switch(run, True)
        self._close_forced()
        self._burn()
        self._close()
        self._pump()
        watch(self)
        self.book.settle(mono)
        return self._decision(now, settings)

    def _clock(self, now: Instant, settings: Settings) -> None:
        last, self._last = self._last, now
        if last is None:
            self._begin(now, settings)
            return
        self._tally(now.mono - last.mono)
        scene = self.scene
        scene.mono, scene.utc, scene.is_sure, scene.settings = now.mono, now.utc, now.is_sure, settings
        became_sure = now.is_sure and not last.is_sure
        if became_sure or abs(now.utc - now.mono - scene.offset) > _STEP_S:
            scene.offset = now.utc - now.mono
            if became_sure:
                recall_moves(self, now, self.begun)
            self.book.date(scene.offset)
            self.must_remember = True
        self.burner.starts.turn(scene)

    def _tally(self, passed: float) -> None:
        """Count the time that passed as what was on then."""
        self.passed = passed
        burns = self.burner.is_on if self.burner.plan.output is not None else self.firing is not False
        if burns:
            self.burnt_s += passed
            for run in self.runs:
                if run.is_on and not run.stuck:
                    run.ran_s += passed

    def _begin(self, now: Instant, settings: Settings) -> None:
        self.begun = now.mono
        offset = now.utc - now.mono
        self.scene = Scene(self.time_zone, now.mono, now.utc, now.is_sure, offset, settings, self.outdoor)
        for sensor in self.sensors.values():
            sensor.good_at = now.mono
        for run in self.runs:
            run.since = run.moved_at = now.mono
        self.burner.since = self.pump_since = self.pump_moved_at = now.mono
        self.burner.starts.begin(now.mono)
        try:
            stopped = recall(self, now)
        except (KeyError, TypeError, ValueError, AttributeError):
            # Whatever is missing in it: all is as after the first start ever, which switches nothing on too early.
            self.past, stopped = Past.read(None), []
        for source in stopped:
            self._event(source, EventKind.OFF, "off: the control was started anew", None)
        self.book.date(offset)
        self.burner.starts.turn(self.scene)

    def _sense(self, inputs: Inputs) -> None:
        mono, readings, burn = self.scene.mono, inputs.readings, self.burner
        weather = 0.0 if self.outdoor is None else self.outdoor.path / 10
        for run in self.runs:
            if run.room is not None:
                reading = readings.get(run.room.plan.id)
                run.room.step(mono, reading, run.ran_s / 1800 + weather)
            if run.supply is not None:
                run.supply.step(mono, readings.get(run.supply.plan.id), run.ran_s / 1800)
        for sensor in (self.flow, self.back):
            if sensor is not None:
                sensor.step(mono, readings.get(sensor.plan.id), self.burnt_s / 1800)
        if self.outdoor is not None:
            rooms = sum(run.room.path for run in self.runs if run.room is not None)
            self.outdoor.step(mono, readings.get(self.outdoor.plan.id), rooms / 20)
        self.firing = inputs.contacts.get(burn.plan.firing) if burn.plan.firing is not None else None

    def _want(self, inputs: Inputs) -> None:
        scene, contacts, unlocked = self.scene, inputs.contacts, self.scene.settings.unlocked
        sheds = self.burner.plan.output is not None and self.burner.too_hot()
        for run in self.runs:
            plan = run.plan
            run.call = contacts.get(plan.call) if plan.call is not None else None
            run.wish = run.wishes.now(self._now, scene.settings)
            lost = run.lost_since
            run.track(scene.mono)
            reset = run.reset(unlocked.get(plan.id, 0))
            self.must_remember = self.must_remember or reset or lost != run.lost_since
            want(run, scene)
            run.shed = sheds and self._may_shed(run)
            if self.burner.lock is not None:
                run.heat = run.is_frost = False
                run.forced = not run.shed
                run.key = ("locked",)
            if run.shed and not run.heat:
                run.key = ("shed",)
                if not run.is_on:
                    self._switch(run, True)

    def _may_shed(self, run: ZoneRun) -> bool:
        """May this room take heat out of a boiler that is too hot?"""
        for_s = self.scene.mono - run.since
        if run.plan.kind is not ZoneKind.ROOM or run.hot or run.celsius is None or run.resting:
            return False
        return for_s < run.plan.max_run_s if run.is_on else for_s >= run.plan.min_off_s

    @property
    def _now(self) -> Instant:
        assert self._last is not None
        return self._last

    def _exercise(self) -> None:
        mono = self.scene.mono
        for run in self.runs:
            if run.exercising:
                run.exercising = run.is_on and not run.forced and mono - run.since < exercise_s(run)
                if run.exercising and not run.heat:
                    run.key = ("exercise",)
        quiet = not self.burner.is_on and not any(run.heat for run in self.runs)
        run_ = choose_exercise(self.runs, self.burner, self.scene, self.plant.exercise_hour, quiet)
        if run_ is not None:
            run_.key, run_.exercising = ("exercise",), True
            self._switch(run_, True)

    def _close_forced(self) -> None:
        for run in self.runs:
            if run.is_on and run.forced:
                self._switch(run, False)

    def _burn(self) -> None:
        burner, mono, runs = self.burner, self.scene.mono, self.runs
        asking = [run for run in runs if run.asks]
        ready = [run for run in asking if run.is_ready(mono)]
        water = any(run.plan.kind is ZoneKind.DHW for run in ready)
        # While rooms still close for the tank's sake their water is not made that hot.
        rooms = any(run.plan.kind is ZoneKind.ROOM and run.is_on for run in runs)
        burner.aim(
            self.scene.cold_out,
            for_water=water and not (self.water.waits and rooms),
            lift=lift_k(ready, mono),
        )
        if burner.plan.output is None:
            burner.key = ("calls",) if asking else ("fires",) if self.firing else ("off",)
            return
        open_ = [run for run in runs if run.is_ready(mono)]
        demand = Demand(
            asked=bool(asking),
            ready=bool(ready),
            is_frost=any(run.is_frost for run in asking),
            open_count=len(open_),
            kept_count=sum(1 for run in open_ if run.asks or run.extra or run.exercising or run.shed),
            is_stuck=any(run.is_on and run.heat for run in runs),
            withheld=self._withheld(asking),
        )
        resting = burner.resting
        verdict = burner.decide(self.scene, demand)
        if burner.is_on:
            burner.residual_at = mono
        if verdict is not None and verdict is not burner.is_on:
            ran = mono - burner.since
            burner.turn(verdict, mono)
            self.shown.cause_burner(self.scene)
            kind = EventKind.ON if verdict else EventKind.OFF
            self._event("burner", kind, burner.cause, None if verdict else ran)
        self.must_remember = self.must_remember or burner.changed or resting is not burner.resting
        burner.changed = False

    def _withheld(self, asking: list[ZoneRun]) -> str:
        """Return why the boiler must not fire for fear of a valve that does not close; frost comes before that."""
        if any(run.is_frost for run in asking):
            return ""
        for run in self.runs:
            celsius = run.celsius
            if run.welded and celsius is not None and celsius >= run.plan.highest - 0.5:
                return f"“{run.plan.title}” is at {celsius:.1f} and its valve does not close"
        return ""

    def _close(self) -> None:
        """Close what wants no heat, after the boiler was told: the last valves stay while it burns or is hot."""
        mono = self.scene.mono
        closing = []
        for run in self.runs:
            if not run.is_on or run.heat or run.extra or run.exercising or run.shed:
                continue
            if mono - run.since < run.plan.min_on_s:
                run.key = ("min-on", run.since + run.plan.min_on_s)
            else:
                closing.append(run)
        if not closing:
            return
        hold_open(closing, self.runs, self.burner, mono)
        for run in closing:
            if not run.extra:
                self._switch(run, False)

    def _circulates(self) -> bool:
        if self.plant.burner.pump is not None:
            return self.pump_on
        return self.burner.is_on or any(run.is_ready(self.scene.mono) for run in self.runs)

    def _pump(self) -> None:
        plan, burner, mono = self.plant.burner, self.burner, self.scene.mono
        if plan.pump is None:
            return
        open_ = [run for run in self.runs if run.is_ready(mono)]
        residual = plan.output is not None and mono - burner.residual_at < plan.overrun_s
        wanted = burner.is_on or (bool(open_) and (residual or burner.too_hot()))
        wanted = wanted or any(run.asks or run.shed for run in open_)
        cause = "water is to flow" if wanted else "off: no water is to flow"
        due = self.pump_exercising or (plan.exercise_s > 0 and mono - self.pump_moved_at >= plan.exercise_s)
        self.pump_exercising = not wanted and due and any(run.exercising for run in open_)
        if self.pump_exercising:
            cause = "moved, so that it does not seize"
        on = wanted or self.pump_exercising
        if on is not self.pump_on:
            ran = mono - self.pump_since
            self.pump_on, self.pump_since, self.pump_moved_at = on, mono, mono
            self.must_remember = True
            self._event("pump", EventKind.ON if on else EventKind.OFF, cause, None if on else ran)

    def _switch(self, run: ZoneRun, on: bool) -> None:
        mono = self.scene.mono
        ran = mono - run.since if run.is_on else None
        run.is_on, run.since, run.moved_at = on, mono, mono
        self.moves += 1
        self.must_remember = True
        self._explain(run)
        self._event(run.plan.id, EventKind.ON if on else EventKind.OFF, run.cause, ran, run)

    def _explain(self, run: ZoneRun) -> None:
        if run.key != run.told_key:
            run.told_key = run.key
            run.cause = cause_of(run, self.scene)

    def _event(
        self, source: str, kind: EventKind, cause: str, ran: float | None, run: ZoneRun | None = None
    ) -> None:
        self._events.append(
            HeatEvent(
                at=self.scene.utc,
                source=source,
                kind=kind,
                cause=cause,
                celsius=None if run is None else run.celsius,
                supply=None if run is None or run.supply is None else run.supply.celsius,
                outdoor=self.scene.cold_out,
                ran_s=ran,
            )
        )

    def _tell_alarm(self, of: str, words: str, is_up: bool) -> None:
        run = next((run for run in self.runs if run.plan.id == of), None)
        self._event(of, EventKind.ALARM if is_up else EventKind.CLEAR, words, None, run)

    def _decision(self, now: Instant, settings: Settings) -> Decision:
        for run in self.runs:
            self._explain(run)
        state = self.shown.state(now, settings)
        memory = None
        if self.must_remember or self.book.changed:
            memory = remember(self, now)
            self.must_remember = self.book.changed = False
        return Decision(outputs=self._outputs(), state=state, events=tuple(self._events), memory=memory)

    def _outputs(self) -> dict[str, bool]:
        outputs = {run.plan.output: run.is_on for run in self.runs}
        plan = self.plant.burner
        if plan.output is not None:
            outputs[plan.output] = self.burner.is_on
        if plan.pump is not None:
            outputs[plan.pump] = self.pump_on
        return outputs
