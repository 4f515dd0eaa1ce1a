"""Reads what daemons tell of faults and drills into values. Raises ValueError for what cannot be.

What a drill says of itself is read with care: every operator of a daemon could have written it.
"""

from collections.abc import Mapping
from typing import Any

from tui.model.chaos_values import ChaosView, Clock, DrillView, FaultKind, FaultView, Playable, Recovery
from tui.model.checked import flag, maps, number, part, text, whole

__all__ = ["read_drill", "read_faults", "read_kinds", "read_playables"]

FAULTS_MAX = 200
KINDS_MAX = 200
STEPS_MAX = 100
PARTS_MAX = 20
NOT_ALLOWED = "faults are not allowed in this daemon"


def read_faults(daemon: str, told: Mapping[str, Any], now: float) -> ChaosView:
    """Return the faults of a daemon, as `chaos.list` tells them."""
    faults = tuple(
        FaultView(
            daemon=daemon,
            name=text(one, "name"),
            kind=text(one, "type"),
            words=_words(one),
            at=now,
            on_s=number(one, "on_s"),
            left_s=number(one, "lease_left_s"),
            touched=whole(one, "touched") or 0,
            params=_params(one),
        )
        for one in maps(told, "faults", FAULTS_MAX)
    )
    is_allowed = flag(told, "allowed")
    return ChaosView(
        daemon, now, is_allowed, "" if is_allowed else text(told, "words") or NOT_ALLOWED, faults
    )


def _params(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `chaos.place` takes for such a fault; what is as usual is left out."""
    params = {"type": text(told, "type"), "attributes": dict(part(told, "attributes") or {})}
    stream, share, site = text(told, "stream"), number(told, "toxicity"), text(told, "site")
    usual = {"stream": stream in ("", "both"), "toxicity": share in (None, 1.0), "site": not site}
    said = {"stream": stream, "toxicity": share, "site": site}
    return params | {key: value for key, value in said.items() if not usual[key]}


def read_kinds(told: Mapping[str, Any]) -> tuple[FaultKind, ...]:
    """Return what can be placed in a daemon, as `chaos.kinds` tells it: faults first, then profiles."""
    faults = [
        FaultKind(
            text(one, "type"),
            text(one, "words"),
            False,
            dict(part(one, "attributes") or {}),
            {str(key): tuple(map(str, words)) for key, words in (part(one, "choices") or {}).items()},
        )
        for one in maps(told, "faults", KINDS_MAX)
    ]
    profiles = [
        FaultKind(
            text(one, "name"),
            text(one, "source"),
            True,
            parts=tuple(_called(each) for each in maps(one, "parts", PARTS_MAX)),
        )
        for one in maps(told, "profiles", KINDS_MAX)
    ]
    return (*faults, *profiles)


def _called(told: Mapping[str, Any]) -> str:
    words = _words(told)
    return f"{text(told, 'type')} ({words})" if words else text(told, "type")


def _words(told: Mapping[str, Any]) -> str:
    """Return a fault's attributes, direction and share in words."""
    attributes = (part(told, "attributes") or {}).items()
    parts = [f"{key} {_shown(value)}" for key, value in attributes if value not in (0, "")]
    if text(told, "stream") not in ("", "both"):
        parts.append(text(told, "stream"))
    share = number(told, "toxicity")
    if share is not None and share != 1:
        parts.append(f"{share:.0%} of the connections")
    if text(told, "site"):
        parts.append(f"site {text(told, 'site')}")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def read_drill(told: Mapping[str, Any], at: float, told_by: tuple[str, ...]) -> DrillView:
    """Return how a drill stood at a moment, as it says itself."""
    run, drill = text(told, "run"), text(told, "drill")
    if not run or not drill:
        raise ValueError("no drill")
    next_, guards = part(told, "next"), maps(told, "guards", STEPS_MAX)
    next_in_s = None if next_ is None else number(next_, "in_s")
    return DrillView(
        run=run,
        drill=drill,
        against=text(told, "against"),
        started_utc=text(told, "started_utc"),
        phase=text(told, "phase"),
        at=at,
        t_s=number(told, "t_s") or 0.0,
        length_s=number(told, "length_s") or 0.0,
        steps=whole(told, "steps") or 0,
        played=whole(told, "played") or 0,
        told_by=told_by,
        proves=text(told, "proves"),
        on=tuple(_step(one) for one in maps(told, "on", STEPS_MAX)),
        next_words="" if next_ is None else _step(next_),
        next_at=None if next_in_s is None else at + next_in_s,
        clock=_clock(part(told, "clock")),
        guards=len(guards),
        broken_guards=tuple(
            f"{text(one, 'name')} must be {text(one, 'limit')}" for one in guards if not flag(one, "ok")
        ),
        verdict=text(told, "verdict"),
        why=text(told, "why"),
        recoveries=tuple(_recovery(one) for one in maps(told, "recoveries", STEPS_MAX)),
        replay=text(told, "replay"),
        file=text(told, "file"),
        pid=whole(told, "pid"),
    )


def _step(told: Mapping[str, Any]) -> str:
    return f"{text(told, 'step')}: {text(told, 'words')}"


def _clock(told: Mapping[str, Any] | None) -> Clock | None:
    if told is None:
        return None
    since_s = number(told, "since_s")
    return None if since_s is None else Clock(since_s, *_after(told))


def _after(told: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    return number(told, "reconnect_s"), number(told, "drained_s"), number(told, "fresh_s")


def _recovery(told: Mapping[str, Any]) -> Recovery:
    return Recovery(
        text(told, "step"),
        number(told, "detect_s"),
        *_after(told),
        whole(told, "lost"),
        whole(told, "doubled"),
    )


def read_playables(told: Mapping[str, Any]) -> tuple[Playable, ...]:
    """Return the drills that can be played, as `pitlink chaos drills --json` lists them."""
    return tuple(
        Playable(
            text(one, "which"),
            text(one, "drill"),
            number(one, "length_s"),
            whole(one, "steps") or 0,
            text(one, "proves"),
            text(one, "problem"),
        )
        for one in maps(told, "drills", KINDS_MAX)
    )
