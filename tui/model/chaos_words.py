"""Faults and drills as an operator reads them, the same on every face."""

from tui.model.chaos_values import Clock, DrillView, FaultView, Recovery
from tui.model.model import Model
from tui.model.words import age

__all__ = [
    "chaos_words",
    "clock_words",
    "countdown",
    "drill_words",
    "fault_words",
    "recoveries_words",
    "recovery_words",
]


def chaos_words(model: Model, now: float) -> str:
    """Return in words that something is broken on purpose: "CHAOS 2 on, DRILL cable-pull"; "" when nothing is.

    A question mark: a daemon that said so is not reached any more.
    """
    book = model.chaos
    said = {name: book.faults_on(name) for name in model.daemons if book.faults_on(name)}
    drills = [run.drill for run in book.running(now)]
    drills += [drill for name in model.daemons if not model.is_stale(name) for drill in book.drills_on(name)]
    parts = []
    if said:
        parts.append(f"CHAOS {sum(said.values())} on" + ("?" if any(map(model.is_stale, said)) else ""))
    if drills:
        parts.append(f"DRILL {', '.join(dict.fromkeys(drills))}")
    return ", ".join(parts)


def countdown(seconds: float | None) -> str:
    """Return what is left as a clock: "0:30", "1:05:00"; "-" when nobody knows."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds + 0.999), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def fault_words(fault: FaultView, now: float) -> str:
    """Return a fault on one line."""
    kind = f"{fault.kind} ({fault.words})" if fault.words else fault.kind
    parts = [f"{fault.name}: {kind}"]
    if fault.on_s is not None:
        parts.append(f"on for {age(fault.on_now(now))}")
    if fault.left_s is not None:
        parts.append(f"ends by itself in {countdown(fault.left_now(now))}")
    return ", ".join([*parts, f"met {fault.touched}"])


def drill_words(drill: DrillView, now: float) -> str:
    """Return how it is with a drill, without its name: the verdict and why, or what is on, and what is waited for."""
    if drill.is_over:
        why = f": {drill.why}" if drill.why else ""
        recoveries = "" if drill.why else recoveries_words(drill.recoveries)
        return f"{drill.verdict}{why}" + (f"; {recoveries}" if recoveries else "")
    if not drill.is_running(now):
        return (
            f"no word of it for {age(now - drill.at)}: it was killed, or does not reach those who tell of it"
        )
    parts = [f"guard broken: {words}" for words in drill.broken_guards]
    if drill.on:
        parts += [f"on: {words}" for words in drill.on]
    elif drill.clock is not None:
        parts.append(clock_words(drill.clock, drill.clock_now(now)))
    else:
        parts.append(drill.phase)
    if drill.next_at is not None:
        parts.append(f"in {countdown(drill.next_at - now)} {drill.next_words}")
    return "; ".join(parts)


def clock_words(clock: Clock, since_s: float | None) -> str:
    """Return what is still waited for and for how long, and what is well again after how long."""
    times = {"connected": clock.reconnect_s, "drained": clock.drained_s, "fresh": clock.fresh_s}
    waits = [what for what, value in times.items() if value is None]
    well = [f"{what} after {age(value)}" for what, value in times.items() if value is not None]
    first = [f"waits for {', '.join(waits)}, for {age(since_s)}"] if waits else []
    return "; ".join([*first, *well])


def recoveries_words(recoveries: tuple[Recovery, ...]) -> str:
    """Return the longest of each time over all faults of a drill, and how many messages were lost or came twice."""
    parts = []
    for what in ("detect", "reconnect", "drained", "fresh"):
        known = [value for one in recoveries if (value := getattr(one, f"{what}_s")) is not None]
        if known:
            word = {"detect": "noticed", "reconnect": "connected"}.get(what, what)
            parts.append(f"{word} in {age(max(known))}")
    for what in ("lost", "doubled"):
        counts = [value for one in recoveries if (value := getattr(one, what)) is not None]
        if counts:
            parts.append(f"{sum(counts)} {what}")
    return ", ".join(parts)


def recovery_words(recovery: Recovery) -> str:
    """Return how one fault of a drill was felt."""
    return f"{recovery.step}: {recoveries_words((recovery,)) or 'nothing is known'}"
