"""What can be done to a house: a zone at another target, its mode, its override taken back; presets, summer, lock-outs."""

import re
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from protocol.heattarget import read_target
from tui.app.control import Control, Question
from tui.app.deeds import Deed
from tui.model import Model
from tui.model.heating import HeatingView, ZoneView
from tui.model.words import printable

__all__ = ["house_control", "mode_control", "resume_questions", "set_control"]

_MODES = ("auto", "manual", "thermostat")
_END = re.compile(r"(?P<target>\S+)(?:\s+(?P<word>until|for)\s+(?P<when>.+))?")


@frozen
class _House:
    """One house of a daemon, and how deeds on it are made."""

    model: Model
    view: HeatingView

    @property
    def is_at_hub(self) -> bool:
        view = self.model.daemons.get(self.view.daemon)
        return view is not None and view.is_hub

    @property
    def name(self) -> str:
        return printable(self.view.house)

    def deed(
        self, action: str, title: str, on: str, undo: Deed | None = None, why_not: str = "", **more: Any
    ) -> Deed:
        of = {"site": self.view.site} if self.is_at_hub else {}
        return Deed(self.view.daemon, action, {**of, **more}, title, on, undo, why_not)

    def zone_name(self, zone: ZoneView) -> str:
        return f"{printable(zone.name)} of {self.name}"

    def override(self, zone: ZoneView, target: dict[str, Any], end: dict[str, Any]) -> Question:
        on, words = self.zone_name(zone), _words(target)
        until = _end_words(end)
        undo = self.as_it_was(zone)
        deed = self.deed(
            "heat.override", f"set {on} to {words} {until}", on, undo, zone=zone.id, **target, **end
        )
        is_now = "not known" if zone.celsius is None else f"{zone.celsius:.1f} °C"
        lines = (f"1 zone: {on} to {words}, {until}. It is {is_now} now.", f"Now: {printable(zone.cause)}")
        return Question(deed, lines, "Set")

    def as_it_was(self, zone: ZoneView) -> Deed:
        """Return what has the zone as it is now: the override that it has, or none."""
        on, over = self.zone_name(zone), zone.override
        if over is None:
            return self.deed("heat.resume", f"take the override of {on} back", on, zone=zone.id)
        target = {"is_on": over.is_on} if over.is_on is not None else {"celsius": over.setpoint}
        end = {"end": "permanent"} if over.ends_utc is None else {"end": "until", "until": over.ends_utc}
        return self.deed("heat.override", f"set {on} as it was", on, zone=zone.id, **target, **end)


def set_control(model: Model, view: HeatingView, zone: ZoneView) -> Control:
    """Return the control that sets a zone's target for a while: "21.5", "21.5 until 22:00", "off for 3h", "20 for good"."""
    made = _House(model, view)

    def question(typed: str) -> Question:
        found = _END.fullmatch(typed.strip())
        if found is None:
            raise ValueError("write 21.5, 70F, on or off, and until 22:00, for 3h, for good, or nothing")
        return made.override(zone, _target(found["target"], zone), _end(found["word"], found["when"]))

    asks = "target, until 22:00 / for 3h / for good (else: until the week says something else)"
    given = "" if zone.setpoint is None else f"{zone.setpoint:g}"
    return Control("set", f"Set {made.zone_name(zone)}", question, asks, given, ("on", "off"))


def mode_control(model: Model, view: HeatingView, zone: ZoneView) -> Control:
    """Return the control that puts a zone into another mode; manual takes a target."""
    made = _House(model, view)

    def question(typed: str) -> Question:
        mode, _, rest = typed.strip().partition(" ")
        if mode not in _MODES:
            raise ValueError(f"{mode!r} is none of {', '.join(_MODES)}")
        target = _target(rest.strip(), zone) if rest.strip() else {}
        if (mode == "manual") != bool(target):
            raise ValueError("manual takes what it is to be: manual 20.5")
        on = made.zone_name(zone)
        words = f"{mode} {_words(target)}".strip()
        why_not = "" if zone.mode in ("auto", "thermostat") else "by hand it had a target that is not told"
        undo = (
            made.deed("heat.mode", f"put {on} into {zone.mode}", on, zone=zone.id, mode=zone.mode)
            if not why_not
            else None
        )
        deed = made.deed(
            "heat.mode", f"put {on} into {words}", on, undo, why_not, zone=zone.id, mode=mode, **target
        )
        return Question(
            deed, (f"1 zone: {on} is put into {words}; it is in {printable(zone.mode)}.",), "Change"
        )

    return Control(
        "mode", f"Mode of {made.zone_name(zone)}", question, "auto, manual 20.5, thermostat", "", _MODES
    )


def resume_questions(model: Model, view: HeatingView, zones: Sequence[ZoneView]) -> list[Question]:
    """Return what takes overrides back: one deed each."""
    made = _House(model, view)
    found = []
    for zone in zones:
        if zone.override is not None:
            on = made.zone_name(zone)
            deed = made.deed(
                "heat.resume", f"take the override of {on} back", on, made.as_it_was(zone), zone=zone.id
            )
            found.append(Question(deed, (f"1 zone: {on} goes by its week again.",), "Take back"))
    return found


def house_control(model: Model, view: HeatingView) -> Control:
    """Return the control of the whole house: "preset NAME", "preset none", "on", "off", "unlock boiler"."""
    made = _House(model, view)

    def question(typed: str) -> Question:
        match typed.split():
            case ["preset", name, *rest]:
                end = _end(*_split(rest))
                end.pop("end", None)
                to = "" if name == "none" else name
                words = f"preset {printable(name)}" if to else "the zones' own weeks"
                undo = made.deed(
                    "heat.use_preset", f"have {made.name} at what it was", made.name, name=view.preset
                )
                deed = made.deed(
                    "heat.use_preset", f"have {made.name} at {words}", made.name, undo, name=to, **end
                )
                return Question(
                    deed, (f"1 house, {len(view.zones)} zones: {made.name} goes by {words}.",), "Change"
                )
            case ["on" | "off" as to]:
                is_on = to == "on"
                undo = made.deed("heat.switch", f"have {made.name} as it was", made.name, is_on=view.is_on)
                deed = made.deed(
                    "heat.switch", f"switch heating of {made.name} {to}", made.name, undo, is_on=is_on
                )
                words = "is heated again" if is_on else "gets nothing but frost duty, hot water and exercise"
                return Question(deed, (f"1 house, {len(view.zones)} zones: {made.name} {words}.",), "Switch")
            case ["unlock", what]:
                why_not = "what was reset locks again by itself if the cause is still there"
                title = f"reset the lock-out of {printable(what)} in {made.name}"
                deed = made.deed("heat.unlock", title, made.name, None, why_not, what=what)
                return Question(deed, (f"1 lock-out: {title}. Has somebody looked why?",), "Reset")
            case _:
                raise ValueError("write preset NAME, preset none, on, off, or unlock boiler")

    offers = ("preset", "preset none", "on", "off", "unlock boiler")
    return Control("house", f"House {made.name}", question, "preset NAME, on, off, unlock boiler", "", offers)


def _split(words: Sequence[str]) -> tuple[str | None, str | None]:
    if not words:
        return None, None
    if words[0] not in ("until", "for") or len(words) < 2:
        raise ValueError("write until 2027-01-06, or for 3d")
    return words[0], " ".join(words[1:])


def _target(text: str, zone: ZoneView) -> dict[str, Any]:
    try:
        return read_target(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no target of {printable(zone.name)}: write 21.5, 70F, on or off"
        ) from None


def _end(word: str | None, when: str | None) -> dict[str, Any]:
    if word is None or when is None:
        return {"end": "boundary"}
    if word == "for" and when.strip() == "good":
        return {"end": "permanent"}
    return {"end": "until", "until": when.strip()}


def _words(target: dict[str, Any]) -> str:
    if "is_on" in target:
        return "on" if target["is_on"] else "off"
    return f"{target['celsius']:g} °C" if target else ""


def _end_words(end: dict[str, Any]) -> str:
    match end["end"]:
        case "boundary":
            return "until its week says something else"
        case "permanent":
            return "until somebody takes it back"
        case _:
            return f"until {printable(str(end['until']))} (or for so long)"
