"""What a zone would have now, before anything else is asked: heat or none, and why."""

from daemons.heating.control.scene import Scene
from daemons.heating.control.zonerun import Key, ZoneRun
from daemons.heating.plant import OnLoss, ZoneKind
from daemons.heating.settings import Mode

__all__ = ["want"]

_FROST_BAND = 1.0
"""K that a room is warmed beyond its frost limit."""
_MILD_BAND = 1.0
_DUST = 1e-6
"""What sums of floats may be off by."""


def want(run: ZoneRun, scene: Scene) -> None:
    """Set what the zone would have: `heat`, `is_frost`, `forced` and its `key`."""
    run.is_frost = run.forced = False
    run.heat, run.key = _water(run) if run.plan.kind is ZoneKind.DHW else _room(run, scene)


def _room(run: ZoneRun, scene: Scene) -> tuple[bool, Key]:
    plan, celsius = run.plan, run.celsius
    if celsius is not None:
        run.hot = celsius >= plan.highest or (run.hot and celsius > plan.highest - plan.below)
        if run.hot:
            run.frosting, run.forced = False, True
            return False, ("too-hot",)
        run.frosting = celsius <= plan.frost or (run.frosting and celsius < plan.frost + _FROST_BAND)
        if run.frosting:
            run.is_frost = True
            return True, ("frost",)
    by_contact = plan.call is not None and (run.room is None or run.wish.mode is Mode.THERMOSTAT)
    if celsius is None and not (by_contact and run.call is not None):
        return _unknown(run, scene)
    if not scene.settings.is_on:
        return False, ("summer",)
    if by_contact:
        return (
            (True, ("call",)) if run.call else (False, ("no-call" if run.call is False else "call-unknown",))
        )
    target = run.wish.target
    if target is None or target.celsius is None or celsius is None:
        return False, ("no-target", run.wish.source)
    if celsius <= target.celsius - plan.below + _DUST:
        return True, ("cold", target.celsius, run.wish.source)
    if celsius < target.celsius and run.is_on and run.heat:
        return True, ("cold", target.celsius, run.wish.source)
    return False, ("enough", target.celsius, run.wish.source)


def _unknown(run: ZoneRun, scene: Scene) -> tuple[bool, Key]:
    """Return what the zone's policy for an unknown room says."""
    policy, room = run.plan.on_loss, run.room
    fault = "has no sensor" if room is None else room.words
    elapsed = scene.mono - (scene.mono if run.lost_since is None else run.lost_since)
    if room is not None:
        blind = scene.mono - room.good_at
        if blind < room.plan.grace_s:
            return run.is_on and run.heat and not run.resting, ("grace", fault)
    if policy.kind is OnLoss.OFF:
        return False, ("blind-off", fault)
    if policy.kind is OnLoss.HOLD and room is not None:
        if elapsed < policy.hold_s:
            return run.held and scene.settings.is_on, ("hold", fault, run.held)
        elapsed -= policy.hold_s
    out = scene.cold_out
    run.mild = out is not None and out >= policy.below_outdoor + (0.0 if run.mild else _MILD_BAND)
    if run.mild:
        return False, ("blind-mild", fault)
    # The share is the end of each cycle: a house that was warm a minute ago needs none yet.
    heat = elapsed % policy.cycle_s >= policy.cycle_s * (1 - policy.share)
    run.is_frost = heat
    return heat, ("blind-share", fault, heat)


def _water(run: ZoneRun) -> tuple[bool, Key]:
    target = run.wish.target
    by_contact = run.wish.mode is Mode.THERMOSTAT
    if not by_contact and (target is None or not target.is_on):
        return False, ("water-off", run.wish.source)
    if run.plan.call is None:
        return (False, ("call-unknown",)) if by_contact else (True, ("water-on", run.wish.source))
    if run.call is None:
        return False, ("call-unknown",)
    return (True, ("water-call",)) if run.call else (False, ("water-warm", run.wish.source))
