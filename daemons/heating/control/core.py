"""The control of a house: readings, contacts and settings in, relays with their causes out. Pure: `now` is passed in.

Every step asks anew what holds now. What is kept between steps are moments of the monotonic clock; what must survive a
restart is in `Decision.memory`.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from daemons.heating.control.alarms import AlarmBook
from daemons.heating.control.burner import Burner
from daemons.heating.control.closing import closing
from daemons.heating.control.demand import demand_of
from daemons.heating.control.instruments import Instruments
from daemons.heating.control.journal import Journal, explain
from daemons.heating.control.mind import recall, recall_moves, remember
from daemons.heating.control.past import Past
from daemons.heating.control.plumbing import WaterFirst, choose_exercise, choose_extras, exercise_s
from daemons.heating.control.pump import Pump
from daemons.heating.control.scene import Scene
from daemons.heating.control.shown import Shown
from daemons.heating.control.starts import Starts
from daemons.heating.control.suspects import Suspects
from daemons.heating.control.targets import Wishes
from daemons.heating.control.wants import want
from daemons.heating.control.watch import watch
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, Inputs, Instant

__all__ = ["Control"]

_STEP_S = 2.0
"""A wall clock that is this much elsewhere was set: what is dated is dated anew."""
_BLIND_S = 300.0
"""Where a room is on frost duty without a reading, how far its hour has come is kept so often."""


class Control:
    """One house. `memory`: that of the last decision before a restart; None: the first start ever."""

    def __init__(self, plant: Plant, memory: Mapping[str, object] | None) -> None:
        self.plant = plant
        self.past = Past.read(memory)
        self.time_zone = ZoneInfo(plant.time_zone)
        plan = plant.burner
        self.instruments = Instruments(plant)
        self.sensors, self.outdoor = self.instruments.sensors, self.instruments.outdoor
        self.flow, self.back = self.instruments.flow, self.instruments.back
        self.runs = [self._run(zone) for zone in plant.zones]
        self.burner = Burner(plan, self.flow, Starts(plan.starts_a_day))
        self.suspects = Suspects(self.burner, self.runs)
        self.book = AlarmBook(self._tell_alarm)
        self.shown = Shown(self)
        self.pump = Pump(plan)
        self.water = WaterFirst(
            plant,
            [run for run in self.runs if run.plan.kind is ZoneKind.ROOM],
            [run for run in self.runs if run.plan.kind is ZoneKind.DHW],
        )
        self.begun = 0.0
        self.passed = 0.0
        self.firing: bool | None = None
        self.uncalled_since: float | None = None
        self.moves = 0
        self.must_remember = True
        self.remembered_at = 0.0
        self._is_blind = False
        self.scene: Scene
        self._journal = Journal()
        self._last: Instant | None = None
        self._settings: Settings | None = None

    def _run(self, zone: ZonePlan) -> ZoneRun:
        plan = self.plant.burner
        # Whoever may run for six hours stops wanting heat some minutes before: the boiler burns on for its minimum time
        # and its heat is taken away, and by then the valve is still open.
        overrun = plan.overrun_s + plan.min_on_s if plan.output is not None else 0.0
        room = zone.room if zone.kind is ZoneKind.ROOM else None
        return ZoneRun(
            zone,
            self.instruments.sensor(room, is_pipe=False),
            self.instruments.sensor(zone.supply, is_pipe=True),
            Wishes(self.plant, zone, self.time_zone),
            max(zone.max_run_s - overrun, zone.max_run_s / 2),
        )

    def step(self, now: Instant, inputs: Inputs, settings: Settings) -> Decision:
        """Return what is to be at `now`. To be asked every control interval, and at once when an input or the settings
        change. Raises nothing for anything that sensors, contacts or settings can say."""
        self._journal = Journal()
        self._clock(now, settings)
        mono, burner, firing = now.mono, self.burner, self.plant.burner.firing
        self.instruments.sense(self.runs, inputs.readings, mono)
        self.firing = inputs.contacts.get(firing) if firing is not None else None
        if self.suspects.step(mono, pump_on=self._circulates(), moves=self.moves, firing=self.firing):
            self.must_remember = True
        burner.guard(self.scene)
        self._want(now, inputs, settings)
        self.water.step(mono, self.passed)
        for run in self.runs:
            resting = run.resting
            if run.gate(mono):
                self._switch(run, True)
            if resting is not run.resting:
                self.must_remember = True
        self._exercise()
        if burner.plan.output is not None:
            choose_extras(self.runs, burner.plan.min_open, mono)
            for run in self.runs:
                if run.extra and not run.is_on:
                    self._switch(run, True)
        for run in self.runs:
            if run.is_on and run.forced:
                self._switch(run, False)
        self._burn()
        for run in closing(self._on, burner, mono):
            self._switch(run, False)
        turned = self.pump.step(burner, self._on, mono)
        if turned is not None:
            self.must_remember = True
            self._journal.turned(self.scene, "pump", turned.is_on, turned.cause, turned.ran_s)
        watch(self)
        self.book.settle(mono)
        return self._decision(now, settings)

    @property
    def _on(self) -> list[ZoneRun]:
        return [run for run in self.runs if run.is_on]

    def _clock(self, now: Instant, settings: Settings) -> None:
        last, self._last = self._last, now
        if last is None:
            self._begin(now, settings)
            return
        self.passed = now.mono - last.mono
        if self.burner.is_on if self.burner.plan.output is not None else self.firing is not False:
            self.instruments.heated(self.runs, self.passed)
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

    def _begin(self, now: Instant, settings: Settings) -> None:
        self.begun = now.mono
        offset = now.utc - now.mono
        self.scene = Scene(self.time_zone, now.mono, now.utc, now.is_sure, offset, settings, self.outdoor)
        self.instruments.begin(now.mono)
        for run in self.runs:
            run.since = run.moved_at = now.mono
        self.burner.since = self.pump.since = self.pump.moved_at = now.mono
        self.burner.starts.begin(now.mono)
        try:
            stopped = recall(self, now)
        except (KeyError, TypeError, ValueError, AttributeError):
            # Whatever is missing in it: all is as after the first start ever, which switches nothing on too early.
            self.past, stopped = Past.read(None), []
        for source in stopped:
            self._journal.turned(self.scene, source, False, "off: the control was started anew", None)
        self.book.date(offset)
        self.burner.starts.turn(self.scene)

    def _want(self, now: Instant, inputs: Inputs, settings: Settings) -> None:
        scene, contacts, locked = self.scene, inputs.contacts, self.burner.lock is not None
        sheds = self.burner.plan.output is not None and self.burner.too_hot()
        if settings is not self._settings:
            self._settings = settings
            for run in self.runs:
                if run.reset(settings.unlocked.get(run.plan.id, 0)):
                    self.must_remember = True
        self._is_blind = False
        for run in self.runs:
            call = run.plan.call
            run.call = contacts.get(call) if call is not None else None
            run.wish = run.wishes.now(now, settings)
            if run.track(scene.mono):
                self.must_remember = True
            want(run, scene)
            self._is_blind = self._is_blind or run.key[0] in ("blind-share", "hold")
            run.shed = sheds and self._may_shed(run)
            if locked:
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

    def _burn(self) -> None:
        burner, mono, on = self.burner, self.scene.mono, self._on
        demand = demand_of(self.runs, on, burner, self.scene, waits=self.water.waits)
        if burner.plan.output is None:
            burner.key = ("calls",) if demand.asked else ("fires",) if self.firing else ("off",)
            return
        resting = burner.resting
        verdict = burner.decide(self.scene, demand)
        if burner.is_on:
            burner.residual_at = mono
        if verdict is not None and verdict is not burner.is_on:
            ran = mono - burner.since
            burner.turn(verdict, mono)
            self.shown.cause_burner(self.scene)
            self._journal.turned(self.scene, "burner", verdict, burner.cause, None if verdict else ran)
        self.must_remember = self.must_remember or burner.changed or resting is not burner.resting
        burner.changed = False

    def _circulates(self) -> bool:
        if self.plant.burner.pump is not None:
            return self.pump.is_on
        return self.burner.is_on or any(run.is_ready(self.scene.mono) for run in self.runs)

    def _switch(self, run: ZoneRun, on: bool) -> None:
        mono = self.scene.mono
        ran = mono - run.since if run.is_on else None
        run.is_on, run.since, run.moved_at = on, mono, mono
        self.moves += 1
        self.must_remember = True
        explain(run, self.scene)
        self._journal.turned(self.scene, run.plan.id, on, run.cause, ran, run)

    def _tell_alarm(self, of: str, words: str, is_up: bool) -> None:
        run = next((run for run in self.runs if run.plan.id == of), None)
        self._journal.told(self.scene, of, words, is_up, run)

    def _decision(self, now: Instant, settings: Settings) -> Decision:
        for run in self.runs:
            explain(run, self.scene)
        state = self.shown.state(now, settings)
        memory = None
        if self._is_blind and now.mono - self.remembered_at >= _BLIND_S:
            self.must_remember = True
        if self.must_remember or self.book.changed:
            memory, self.remembered_at = remember(self, now), now.mono
            self.must_remember = self.book.changed = False
        events = tuple(self._journal.events)
        return Decision(outputs=self._outputs(), state=state, events=events, memory=memory)

    def _outputs(self) -> dict[str, bool]:
        outputs = {run.plan.output: run.is_on for run in self.runs}
        plan = self.plant.burner
        if plan.output is not None:
            outputs[plan.output] = self.burner.is_on
        if plan.pump is not None:
            outputs[plan.pump] = self.pump.is_on
        return outputs
