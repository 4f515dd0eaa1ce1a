"""The settings as JSON, for files, rows and people."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import define, evolve, field

from daemons.heating.settings import (
    Entry,
    Mode,
    Override,
    OverrideEnd,
    Settings,
    Target,
    Week,
    ZoneSettings,
)

__all__ = ["VERSION", "SettingsWriter", "from_json", "to_json"]

VERSION = 1

T = TypeVar("T")


def to_json(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain JSON values."""
    return {
        "v": VERSION,
        "version": settings.version,
        "is_on": settings.is_on,
        "house_changed_in": settings.house_changed_in,
        "zones": {id_: _zone_to(zone) for id_, zone in settings.zones.items()},
        "presets": {name: _preset_to(weeks) for name, weeks in settings.presets.items()},
        "preset": settings.preset,
        "preset_until": settings.preset_until,
        "unlocked": dict(settings.unlocked),
    }


def from_json(value: Mapping[str, Any]) -> Settings:
    """Return the settings that `to_json` made these of. Raises ValueError for any others."""
    if value.get("v") != VERSION:
        raise ValueError(f"settings of version {value.get('v')!r} cannot be read here, only of {VERSION}")
    try:
        return Settings(
            version=value["version"],
            is_on=value["is_on"],
            house_changed_in=value["house_changed_in"],
            zones={id_: _zone_from(zone) for id_, zone in value["zones"].items()},
            presets={
                name: {id_: _week_from(week) for id_, week in weeks.items()}
                for name, weeks in value["presets"].items()
            },
            preset=value["preset"],
            preset_until=value["preset_until"],
            unlocked=dict(value["unlocked"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are no settings: {error!r}") from error


@define(eq=False)
class SettingsWriter:
    """Writes `to_json` of settings as text, again and again: a command changes one zone of fourteen, and the weeks of the
    others are not spelled out anew."""

    _zones: dict[str, tuple[ZoneSettings, str]] = field(factory=dict, init=False)
    _presets: dict[str, tuple[Mapping[str, Week], str]] = field(factory=dict, init=False)

    def text(self, settings: Settings) -> bytes:
        """Return the settings as JSON."""
        told = to_json(evolve(settings, zones={}, presets={}))
        del told["zones"], told["presets"]
        zones = self._told(self._zones, settings.zones, _zone_to)
        presets = self._told(self._presets, settings.presets, _preset_to)
        return f'{_text(told)[:-1]},"zones":{{{zones}}},"presets":{{{presets}}}}}'.encode()

    @staticmethod
    def _told(known: dict[str, tuple[T, str]], values: Mapping[str, T], tell: Callable[[T], object]) -> str:
        for name in known.keys() - values.keys():
            del known[name]
        for name, value in values.items():
            if name not in known or known[name][0] is not value:
                known[name] = value, f"{_text(name)}:{_text(tell(value))}"
        return ",".join([known[name][1] for name in values])


_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _preset_to(weeks: Mapping[str, Week]) -> dict[str, Any]:
    return {id_: _week_to(week) for id_, week in weeks.items()}


def _zone_to(zone: ZoneSettings) -> dict[str, Any]:
    return {
        "mode": zone.mode.value,
        "manual": _target_to(zone.manual),
        "week": _week_to(zone.week),
        "override": _override_to(zone.override),
        "changed_in": zone.changed_in,
    }


def _zone_from(value: Mapping[str, Any]) -> ZoneSettings:
    return ZoneSettings(
        mode=Mode(value["mode"]),
        manual=_target_from(value["manual"]),
        week=_week_from(value["week"]),
        override=_override_from(value["override"]),
        changed_in=value["changed_in"],
    )


def _target_to(target: Target | None) -> dict[str, Any] | None:
    if target is None:
        return None
    return {"celsius": target.celsius} if target.is_on is None else {"is_on": target.is_on}


def _target_from(value: Mapping[str, Any] | None) -> Target | None:
    return None if value is None else Target(value.get("celsius"), value.get("is_on"))


def _week_to(week: Week) -> list[dict[str, Any]]:
    return [{"day": entry.day, "minute": entry.minute, **(_target_to(entry.target) or {})} for entry in week]


def _week_from(value: Sequence[Mapping[str, Any]]) -> Week:
    return tuple(
        Entry(entry["day"], entry["minute"], Target(entry.get("celsius"), entry.get("is_on")))
        for entry in value
    )


def _override_to(override: Override | None) -> dict[str, Any] | None:
    if override is None:
        return None
    return {
        "target": _target_to(override.target), "end": override.end.value, "ends_at": override.ends_at,
        "by": override.by, "since": override.since,
    }  # fmt: skip


def _override_from(value: Mapping[str, Any] | None) -> Override | None:
    if value is None:
        return None
    target = _target_from(value["target"])
    if target is None:
        raise ValueError("an override without a target")
    return Override(
        target=target,
        end=OverrideEnd(value["end"]),
        ends_at=value["ends_at"],
        by=value["by"],
        since=value["since"],
    )
