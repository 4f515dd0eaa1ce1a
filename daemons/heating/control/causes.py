"""Why a relay is as it is, in words that the owner of a house understands.

Made once for each reason, when it begins: what a cause says of temperatures is what they were then.
"""

from daemons.heating.control.scene import Scene
from daemons.heating.control.words import degrees, local_time, span
from daemons.heating.control.zonerun import ZoneRun

__all__ = ["cause_of", "wait_words"]

_SIMPLE = {
    "start": "off since the start",
    "summer": "heating is off for the summer",
    "call": "the wall thermostat calls",
    "no-call": "the wall thermostat does not call",
    "call-unknown": "off: whether the contact calls is not known",
    "water-call": "the tank calls for heat",
    "locked": "off: the boiler is locked out until somebody resets it",
    "shed": "open to take heat out of the boiler, which is too hot",
    "extra": "open beside others, so that enough water flows through the boiler",
    "overrun": "open until the boiler's heat is out of it",
    "burning": "open while the boiler burns on: its minimum on time",
    "exercise": "moved, so that it does not seize",
    "cycle": "closed and opened again: its valve seems stuck",
    "wait-water": "waits: hot water goes first",
}


def cause_of(run: ZoneRun, scene: Scene) -> str:
    """Return the words for the zone's `key`."""
    name = run.key[0]
    assert isinstance(name, str)
    simple = _SIMPLE.get(name)
    if simple is not None:
        return simple
    plan, now = run.plan, degrees(run.celsius)
    if name in ("cold", "enough"):
        return _by_target(run, now)
    if name == "too-hot":
        return f"off at once: {now} is at its highest, {degrees(plan.highest)}"
    if name == "frost":
        return f"frost duty: {now}, never below {degrees(plan.frost)}"
    if name in ("no-target", "water-off", "water-on", "water-warm"):
        lead = {
            "no-target": "off but for frost", "water-off": "hot water off", "water-on": "hot water on",
            "water-warm": "the tank is warm",
        }[name]  # fmt: skip
        return f"{lead}: {run.key[1]}"
    if name == "max-run":
        return f"off for {span(plan.rest_s)}: has run for {span(plan.max_run_s)}, the longest it may"
    if name in ("rest", "min-off", "min-on"):
        return wait_words(run.key, scene)
    return _blind(run)


def _by_target(run: ZoneRun, now: str) -> str:
    target, source = run.key[1], run.key[2]
    assert isinstance(target, float | int)
    celsius = run.celsius
    short = 0.0 if celsius is None else target - celsius
    if run.key[0] == "enough" and short <= 0:
        return f"{now} has reached {degrees(target)}, {source}"
    if run.key[0] == "enough":
        return f"{now} is less than {run.plan.below:.1f} below {degrees(target)}, {source}"
    return f"{now} is {short:.1f} below {degrees(target)}, {source}"


def wait_words(key: tuple[object, ...], scene: Scene) -> str:
    """Return "waits: 2 min 10 s left of its minimum off time, until 06:42" for a key of a wait and the moment it ends."""
    name, end = key[0], key[1]
    assert isinstance(end, float)
    what = {
        "rest": "its rest after the longest run", "min-off": "its minimum off time",
        "min-on": "its minimum on time", "starts": "the starts of a day",
    }[str(name)]  # fmt: skip
    until = f", until {local_time(end + scene.offset, scene.time_zone)}" if scene.is_sure else ""
    lead = "stays on" if name == "min-on" else "waits"
    return f"{lead}: {span(end - scene.mono)} left of {what}{until}"


def _blind(run: ZoneRun) -> str:
    policy, name, fault = run.plan.on_loss, run.key[0], run.key[1]
    lead = "has no sensor" if run.room is None else f"its sensor {fault}"
    if name == "grace":
        return f"as it was: {lead}"
    if name == "blind-off":
        return f"off: {lead}"
    if name == "hold":
        return f"{lead}: goes on {'heating' if run.held else 'without heat'} for {span(policy.hold_s)}"
    if name == "blind-mild":
        return f"off: {lead}, and outdoors it is above {degrees(policy.below_outdoor)}"
    of = f"{span(policy.share * policy.cycle_s)} of each {span(policy.cycle_s)}"
    return f"frost duty, {of}: {lead}" if run.key[2] else f"off: {lead}; frost duty is {of}"
