"""Whatever sensors, contacts, people, clocks and restarts do: the rules of the house hold at every step.

The rules are worked out from what was given to the control and from what it drove, not from what it says.
"""

import json

from attrs import evolve
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daemons.heating.control import apply_action
from daemons.heating.plant import BurnerPlan, LossPolicy, OnLoss, Plant, ZoneKind
from daemons.heating.settings import Mode, Settings
from daemons.heating.state import EventKind, Fault
from protocol.heating import HeatMode, HeatOverride, HeatResume, HeatSwitch, HeatUnlock, HeatWeek, WeekEntry
from tests.daemons.heating.control.rig import NOON, Rig, plant_of, zone

ROOMS = ("a", "b", "c")
LOSS = {
    "a": LossPolicy(kind=OnLoss.OFF),
    "b": LossPolicy(kind=OnLoss.FROST, share=0.25, cycle_s=2400.0),
    "c": LossPolicy(kind=OnLoss.HOLD, hold_s=900.0, share=0.25, cycle_s=2400.0),
}
MIN_ON, MIN_OFF, VALVE, MAX_RUN, REST = 120.0, 180.0, 60.0, 3600.0, 600.0
BURNER = BurnerPlan(
    output="burner", pump="pump", flow="flow", firing="firing", min_on_s=120.0, min_off_s=240.0, max_run_s=3000.0,
    rest_s=500.0, overrun_s=180.0, exercise_s=0.0, min_open=1,
)  # fmt: skip
SLACK = 61.0
"""No step of the machine is longer."""


def house() -> Plant:
    """Return three rooms, each with another policy, and hot water."""
    times = {"min_on_s": MIN_ON, "min_off_s": MIN_OFF, "valve_s": VALVE, "max_run_s": MAX_RUN, "rest_s": REST}
    rooms = [zone(id_, call=f"{id_}-call", supply=f"{id_}-pipe", on_loss=LOSS[id_], **times) for id_ in ROOMS]
    water = zone("water", kind=ZoneKind.DHW, call="tank", on_loss=LOSS["a"], **times)
    return plant_of(*rooms, water, burner=BURNER, outdoor="out")


TEMPS = st.floats(3.0, 30.0) | st.sampled_from([6.9, 7.0, 19.7, 20.0, 28.0, 27.9, 85.0, -127.0])
SAID = st.one_of(TEMPS, TEMPS, st.sampled_from(list(Fault)), st.none())


class House(RuleBasedStateMachine):
    """Time goes by in steps of 1 to 60 s."""

    @initialize(is_sure=st.booleans())
    def begin(self, is_sure: bool) -> None:
        self.rig = Rig(house(), Settings(), is_sure=is_sure, tick=60.0)
        self.rig.temps.update(dict.fromkeys((f"{id_}-room" for id_ in ROOMS), 19.0))
        self.rig.temps.update({"out": 0.0, "flow": 40.0})
        self.driven: dict[str, bool] = {}
        self.at = 0.0
        """Seconds that truly went by, whatever clocks say."""
        self.since: dict[str, float] = {}
        self.known_at = dict.fromkeys(ROOMS, -1e9)
        self.boots = 0
        self.begun_at = 0.0
        """When the control was started last."""
        self.step()

    # --- what befalls

    @rule(room=st.sampled_from(ROOMS), said=SAID)
    def say(self, room: str, said: float | Fault | None) -> None:
        self.set(f"{room}-room", said)

    @rule(room=st.sampled_from(ROOMS), celsius=st.floats(15.0, 22.0), minutes=st.integers(1, 60))
    def drift(self, room: str, celsius: float, minutes: int) -> None:
        """Let a room come to be as warm as that, slowly enough to be believed."""
        now = self.rig.temps.get(f"{room}-room")
        if isinstance(now, float) and 3 < now < 30:
            for part in range(1, minutes + 1):
                self.rig.temps[f"{room}-room"] = now + (celsius - now) * part / minutes
                self.go(60.0)
        else:
            self.set(f"{room}-room", celsius)

    @rule(said=st.one_of(st.floats(20.0, 95.0), st.none(), st.just(Fault.CRC)))
    def flow(self, said: float | Fault | None) -> None:
        self.set("flow", said)

    @rule(name=st.sampled_from(["out", "a-pipe", "b-pipe"]), said=SAID)
    def pipe(self, name: str, said: float | Fault | None) -> None:
        self.set(name, said)

    @rule(name=st.sampled_from(["tank", "a-call", "b-call", "firing"]), is_closed=st.none() | st.booleans())
    def contact(self, name: str, is_closed: bool | None) -> None:
        self.rig.contacts[name] = is_closed

    @rule(seconds=st.sampled_from([1.0, 10.0, 30.0, 60.0]), times=st.integers(1, 60))
    def wait(self, seconds: float, times: int) -> None:
        for _ in range(times):
            self.go(seconds)

    @rule(
        action=st.one_of(
            st.builds(HeatMode, st.sampled_from(ROOMS), st.sampled_from(["auto", "thermostat"])),
            st.builds(HeatMode, st.sampled_from(ROOMS), st.just("manual"), st.floats(5, 28)),
            st.builds(HeatOverride, st.sampled_from(ROOMS), st.just("permanent"), st.floats(5, 28)),
            st.builds(HeatResume, st.just("*")),
            st.builds(HeatSwitch, st.booleans()),
            st.just(HeatWeek("*", (WeekEntry(0, 0, 20.0), WeekEntry(2, 740, 17.0), WeekEntry(2, 780, 21.0)))),
            st.just(HeatUnlock("boiler")),
        )
    )
    def ask(self, action: object) -> None:
        rig = self.rig
        try:
            rig.settings, _ = apply_action(rig.settings, rig.plant, action, now=rig.now, by="ann", against=0)  # type: ignore[arg-type]
        except ValueError:
            return
        self.go(1.0)

    @rule(seconds=st.floats(-2e6, 2e6))
    def set_clock(self, seconds: float) -> None:
        """Set the wall clock. The control sees it before it is started anew: to a program that was not there a clock that is
        sure is right."""
        self.rig.utc += seconds
        self.rig.is_sure = True
        self.go(1.0)

    @rule(off_s=st.floats(0.0, 900.0), power=st.booleans(), is_sure=st.booleans())
    def restart(self, off_s: float, power: bool, is_sure: bool) -> None:
        """The program or the Pi ends: relays are off from now on, and it begins anew `off_s` later."""
        rig = self.rig
        rig.memory = json.loads(json.dumps(rig.memory))
        self.drive(dict.fromkeys(self.driven, False))
        self.at += off_s
        self.begun_at = self.at
        self.boots += power
        rig.restart(
            off_s=off_s, boot=f"boot {self.boots}" if power else None, is_sure=is_sure if power else None
        )
        self.look()

    # --- how it goes on

    def set(self, name: str, said: float | Fault | None) -> None:
        if said is None:
            self.rig.temps.pop(name, None)
        else:
            self.rig.temps[name] = said

    def go(self, seconds: float) -> None:
        self.rig.pass_(seconds)
        self.at += seconds
        self.step()

    def step(self) -> None:
        self.rig.step()
        self.look()

    def look(self) -> None:
        for id_ in ROOMS:
            if self.rig.zone(id_).celsius is not None:
                self.known_at[id_] = self.at
                assert self.rig.zone(id_).celsius == self.rig.temps[f"{id_}-room"]  # as it was said, just now
        self.judge(self.rig.last.outputs)
        self.drive(dict(self.rig.last.outputs))

    def drive(self, outputs: dict[str, bool]) -> None:
        for output, on in outputs.items():
            if self.driven.get(output) is not on:
                self.driven[output], self.since[output] = on, self.at

    def for_s(self, output: str) -> float:
        return self.at - self.since.get(output, -1e9)

    # --- the rules

    def judge(self, outputs: object) -> None:
        """Hold what is about to be driven against what is driven now."""
        rig = self.rig
        new = rig.last.outputs
        locked = bool(rig.last.state.boiler.locked_out)
        for zone_ in rig.plant.zones:
            output, was = zone_.output, self.driven.get(zone_.output, False)
            celsius = rig.zone(zone_.id).celsius
            if new[output] and not was:
                assert self.for_s(output) >= MIN_OFF - 1 or output not in self.since, (
                    f"{output}: minimum off time"
                )
            if was and new[output]:
                assert self.for_s(output) <= MAX_RUN + SLACK, f"{output}: longest run"
            if was and not new[output] and self.for_s(output) < MIN_ON - 1:
                assert locked or (celsius is not None and celsius >= zone_.highest - 0.3), (
                    f"{output}: minimum on time"
                )
            if celsius is not None and celsius >= zone_.highest:
                assert not new[output], f"{output}: never beyond its highest"
        self.judge_burner(new["burner"], locked)

    def judge_burner(self, fires: bool, locked: bool) -> None:
        was, new = self.driven.get("burner", False), self.rig.last.outputs
        flow = self.rig.last.state.boiler.flow
        valves = [zone_.output for zone_ in self.rig.plant.zones]
        if fires and not was:
            assert self.for_s("burner") >= BURNER.min_off_s - 1 or "burner" not in self.since
            ready = [v for v in valves if new[v] and self.driven.get(v) and self.for_s(v) >= VALVE - 1]
            assert ready, "valve before burner"
        if fires:
            assert not locked and new["pump"] and any(new[v] for v in valves)
            assert flow is None or flow < BURNER.overheat
            if was:
                assert self.for_s("burner") <= BURNER.max_run_s + SLACK
        if was and not fires and self.for_s("burner") < BURNER.min_on_s - 1:
            cause = self.rig.last.state.boiler.cause
            assert locked or cause.startswith("off"), f"minimum on time of the burner: {cause}"

    @invariant()
    @precondition(lambda self: hasattr(self, "rig"))
    def nothing_is_heated_for_a_room_that_is_long_unknown(self) -> None:
        """ "a" is off when nobody knows its room, unless its wall thermostat drives."""
        rig = self.rig
        if (
            self.at - self.known_at["a"] < 60 + MIN_ON + BURNER.min_on_s + BURNER.overrun_s + SLACK
            or self.at < 300
        ):
            return
        if rig.settings.of("a").mode is Mode.THERMOSTAT:
            return
        assert not rig.is_on("a") or self.recent("a")

    def recent(self, id_: str) -> bool:
        """Was its thermostat in charge a while ago, so that minimum times may still hold?"""
        return self.at - self.since[f"{id_}-valve"] < 600

    @invariant()
    @precondition(lambda self: hasattr(self, "rig"))
    def frost_is_always_on_duty(self) -> None:
        rig = self.rig
        if rig.last.state.boiler.locked_out:
            return
        for id_ in ROOMS:
            celsius = rig.zone(id_).celsius
            if celsius is None or celsius > 7.0 or rig.is_on(id_):
                continue
            # Off it may be only for its rest, or its minimum off time, which begins anew with a boot nobody knows the
            # length of.
            waits = self.at - self.begun_at <= MIN_OFF + SLACK or self.for_s(f"{id_}-valve") <= REST + SLACK
            assert waits, id_

    @invariant()
    @precondition(lambda self: hasattr(self, "rig"))
    def every_relay_has_its_cause(self) -> None:
        last = self.rig.last
        assert all(state.cause for state in last.state.zones) and last.state.boiler.cause
        for event in last.events:
            assert event.cause
            assert event.kind is not EventKind.ON or event.ran_s is None

    @rule()
    @precondition(lambda self: bool(self.rig.last.state.boiler.locked_out))
    def a_lock_out_waits_for_a_person(self) -> None:
        self.rig.temps["flow"] = 30.0
        for _ in range(10):
            self.go(60.0)
            assert self.rig.last.state.boiler.locked_out and not self.rig.burns
        self.rig.settings = evolve(
            self.rig.settings, unlocked={"boiler": self.rig.settings.unlocked.get("boiler", 0) + 1}
        )
        self.go(60.0)
        assert not self.rig.last.state.boiler.locked_out


TestHouse = House.TestCase
TestHouse.settings = bounds(max_examples=30, stateful_step_count=25, deadline=None)


def test_the_same_inputs_come_to_the_same() -> None:
    """Control asks no clock and no chance."""

    def run() -> list[object]:
        made = Rig(house(), Settings(is_on=True), utc=NOON)
        made.temps.update({"a-room": 6.0, "b-room": 25.0, "flow": 40.0})
        return [made.run(10) for _ in range(200)]

    assert run() == run()
