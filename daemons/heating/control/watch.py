"""What a person should know: every alarm of the house and when it is so. Told to the book in each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemons.heating.control.senses import Sensor
from daemons.heating.control.words import degrees, span
from daemons.heating.control.zonerun import ZoneRun
from daemons.heating.plant import OnLoss, ZoneKind
from daemons.heating.state import Severity

if TYPE_CHECKING:
    from daemons.heating.control.core import Control

__all__ = ["watch"]

_SAFETY, _WARNING = Severity.SAFETY, Severity.WARNING

_WELL_S = 600.0
"""A sensor that says something now and then is not well: it must do so for this long."""
_COLD_S = 900.0
"""The burner is asked to fire for so long and its water does not get warmer: it does not fire."""
_IGNITES_S = 240.0
"""By then a burner that is told to fire has told that it does: it ignites within a minute."""
_UNCALLED_S = 600.0


def watch(control: Control) -> None:
    """Say what is so now."""
    _sensors(control)
    _burner(control)
    for run in control.runs:
        celsius, plan = run.celsius, run.plan
        if (
            run.resting or run.welded or run.stuck or (run.call is None and plan.call is not None)
            or (celsius is not None and not plan.frost - 0.5 < celsius < plan.highest + 1)
        ):  # fmt: skip
            _zone(control, run)
    if not control.scene.is_sure:
        _up(control, "clock", "house", _WARNING, "the time of day is not known: rooms are kept at "
            f"{degrees(control.plant.unsure_target)}, no week holds")  # fmt: skip


def _up(control: Control, code: str, of: str, severity: Severity, words: str) -> None:
    control.book.up(control.scene.mono, control.scene.offset, code, of, severity, words)


def _sensors(control: Control) -> None:
    mono = control.scene.mono
    for id_, sensor in control.sensors.items():
        if sensor.fault is not None:
            sensor.well_since = None
            if not sensor.is_troubled and mono - sensor.good_at >= sensor.plan.grace_s:
                sensor.is_troubled = True
        elif sensor.is_troubled:
            if sensor.well_since is None:
                sensor.well_since = mono
            elif mono - sensor.well_since >= _WELL_S:
                sensor.is_troubled = False
                continue
        if sensor.is_troubled:
            known = control.book.has("sensor", id_)
            severity = _SAFETY if sensor is control.flow else _WARNING
            _up(control, "sensor", id_, severity, "" if known else _sensor_words(control, id_, sensor))


def _sensor_words(control: Control, id_: str, sensor: Sensor) -> str:
    what, does = "sensor", ""
    for run in control.runs:
        if sensor is run.room:
            policy = run.plan.on_loss
            does = {
                OnLoss.OFF: "; the zone is off",
                OnLoss.FROST: "; the zone is on frost duty",
                OnLoss.HOLD: f"; the zone goes on as it was for {span(policy.hold_s)}, then frost duty",
            }[policy.kind]
            what = f"“{run.plan.title}”, room sensor"
        elif sensor is run.supply:
            what = f"“{run.plan.title}”, pipe sensor"
    if sensor is control.outdoor:
        what, does = "outdoor sensor", "; it is taken to be cold"
    if sensor is control.flow:
        what, does = (
            "the boiler's flow sensor",
            f"; it burns for {span(control.burner.plan.blind_run_s)} at most",
        )
    if sensor is control.back:
        what = "the boiler's return sensor"
    for_s = control.scene.mono - sensor.good_at
    return f"{what} ({id_}) {sensor.words or 'comes and goes'}, for {span(for_s)} now{does}"


def _burner(control: Control) -> None:
    burner, mono, plan = control.burner, control.scene.mono, control.burner.plan
    if burner.lock is not None:
        _up(control, "overheat", "boiler", _SAFETY, f"locked out until reset by hand: {burner.lock.words}")
    if burner.welded:
        _up(control, "welded", "burner", _SAFETY,
            "the burner fires though it is switched off: its relay may be welded; the heat is spread")  # fmt: skip
    if control.suspects.is_dry:
        _up(control, "no-flow", "pump", _SAFETY,
            "valves are open, the pump is on, and every pipe stays cold: it may not turn")  # fmt: skip
    if burner.resting:
        _up(
            control,
            "max-run",
            "burner",
            _WARNING,
            f"the burner has burnt for {span(plan.max_run_s)} without a pause",
        )
    if burner.starts.are_short:
        _up(control, "starts", "burner", _WARNING,
            f"the burner starts too often: {burner.starts.count} times today, {plan.starts_a_day} are a day's")  # fmt: skip
    flow = burner.celsius
    fires_s = mono - burner.since if burner.is_on else 0.0
    if control.firing is False and fires_s >= _IGNITES_S:
        _up(control, "no-heat", "burner", _WARNING,
            f"the burner was told to fire {span(fires_s)} ago and does not")  # fmt: skip
    elif fires_s >= _COLD_S and flow is not None and flow < min(30.0, burner.target - 10):
        _up(control, "no-heat", "burner", _WARNING,
            f"the burner was told to fire {span(fires_s)} ago and its water is at {degrees(flow)}")  # fmt: skip
    called = plan.output is not None or any(run.is_on for run in control.runs)
    if control.firing is not True or called:
        control.uncalled_since = None
    elif control.uncalled_since is None:
        control.uncalled_since = mono
    elif mono - control.uncalled_since >= _UNCALLED_S:
        _up(
            control,
            "firing",
            "burner",
            _WARNING,
            f"the boiler fires for {span(_UNCALLED_S)} and no zone calls",
        )


def _zone(control: Control, run: ZoneRun) -> None:
    plan, celsius = run.plan, run.celsius
    if run.resting:
        _up(control, "max-run", plan.id, _WARNING,
            f"“{plan.title}” ran for {span(plan.max_run_s)} without a pause; rests for {span(plan.rest_s)}")  # fmt: skip
    if run.welded:
        _up(control, "welded", plan.id, _SAFETY,
            f"“{plan.title}” gets heat though it is shut: its relay may be welded or its valve stuck open")  # fmt: skip
    if run.stuck:
        _up(control, "stuck", plan.id, _WARNING,
            f"“{plan.title}” is open and its pipe stays cold: its valve may be stuck")  # fmt: skip
    if plan.call is not None and run.call is None:
        _up(control, "contact", plan.id, _WARNING, f"“{plan.title}”: whether its contact calls is not known")
    if celsius is not None and plan.kind is ZoneKind.ROOM:
        if celsius >= plan.highest + 1:
            _up(control, "too-hot", plan.id, _SAFETY,
                f"“{plan.title}” is at {degrees(celsius)}, above its highest of {degrees(plan.highest)}")  # fmt: skip
        elif celsius <= plan.frost - 0.5:
            _up(control, "frost", plan.id, _SAFETY,
                f"“{plan.title}” is at {degrees(celsius)}, below its frost limit of {degrees(plan.frost)}")  # fmt: skip
