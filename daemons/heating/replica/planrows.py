"""What people wish of a house and how it is built, as rows of the topic "heat.settings": they change when somebody changes them.

    key   row
    v     rows' version, settings version, on, preset, preset until, unlocked
    z:ID  what is wished of a zone
    p:N:M the week of zone M in the preset named by row n:N; n:N its name
    plan  the plant but for its zones, sensors and burner
    b     the burner
    Z:N   the zone with this number
    S:ID  a sensor's bounds

What is wished of a zone is compact; the plant, told once a start, goes by the names of its fields.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import evolve, fields

from daemons.heating.plant import BurnerPlan, Plant, SensorPlan, ZonePlan
from daemons.heating.replica.rows import (
    ForeignRows,
    pack_override,
    pack_target,
    unpack_override,
    unpack_target,
)
from daemons.heating.settings import Entry, Mode, Settings, Week, ZoneSettings
from protocol import cbor
from protocol.convert import make_converter

__all__ = ["TOPIC", "VERSION", "plan_rows", "read_plan", "read_settings", "settings_rows"]

TOPIC = "heat.settings"
VERSION = 1

_MODES = tuple(Mode)
_MINUTES = 1440
_APART = ("zones", "sensors", "burner")  # fields of the plant that have rows of their own
_converter = make_converter()

T = TypeVar("T")


# --- what people wish
# ------------------------------------------------------------------------------------------------


def settings_rows(settings: Settings) -> dict[str, bytes]:
    """Return every row of the settings, by key."""
    rows: dict[str, Any] = {
        "v": [
            VERSION, settings.version, settings.is_on, settings.preset, settings.preset_until, dict(settings.unlocked),
        ],
        **{f"z:{id_}": _pack_zone(zone) for id_, zone in settings.zones.items()},
    }  # fmt: skip
    for number, (name, weeks) in enumerate(sorted(settings.presets.items())):
        rows[f"n:{number}"] = [name]
        rows |= {f"p:{number}:{zone}": _pack_week(week) for zone, week in weeks.items()}
    return {key: cbor.encode(row) for key, row in rows.items()}


def read_settings(rows: Mapping[str, bytes]) -> Settings | None:
    """Return the settings that these rows are; None when there are none yet. Raises ForeignRows."""
    return None if "v" not in rows else _reading(rows, _settings)


def _settings(rows: Mapping[str, Any]) -> Settings:
    version, number, is_on, preset, until, unlocked = rows["v"][:6]
    if version != VERSION:
        raise ForeignRows(
            f"the boiler tells its settings in version {version}, here version {VERSION} is read: "
            "update the older of the two"
        )
    presets: dict[str, dict[str, Week]] = {key.removeprefix("n:"): {} for key in rows if key.startswith("n:")}
    for key, row in rows.items():
        if key.startswith("p:"):
            _, preset_number, zone = key.split(":", 2)
            presets[preset_number][zone] = _unpack_week(row)
    return Settings(
        version=number,
        is_on=is_on,
        zones={
            key.removeprefix("z:"): _unpack_zone(row) for key, row in rows.items() if key.startswith("z:")
        },
        presets={rows[f"n:{number}"][0]: weeks for number, weeks in presets.items()},
        preset=preset,
        preset_until=until,
        unlocked=unlocked,
    )


def _pack_zone(zone: ZoneSettings) -> list[Any]:
    return [
        _MODES.index(zone.mode), pack_target(zone.manual), _pack_week(zone.week), pack_override(zone.override),
        zone.changed_in,
    ]  # fmt: skip


def _unpack_zone(row: list[Any]) -> ZoneSettings:
    mode, manual, week, override, changed_in = row[:5]
    return ZoneSettings(
        mode=_MODES[mode], manual=unpack_target(manual), week=_unpack_week(week), override=unpack_override(override),
        changed_in=changed_in,
    )  # fmt: skip


def _pack_week(week: Week) -> list[Any]:
    """Return minute of the week and target by turns."""
    return [
        value for entry in week for value in (entry.day * _MINUTES + entry.minute, pack_target(entry.target))
    ]


def _unpack_week(packed: list[Any]) -> Week:
    entries = []
    for minute, packed_target in zip(packed[::2], packed[1::2], strict=True):
        target = unpack_target(packed_target)
        if target is None:
            raise ValueError("an entry without a target")
        day, minute_of_day = divmod(minute, _MINUTES)
        entries.append(Entry(day, minute_of_day, target))
    return tuple(entries)


# --- how it is built
# -------------------------------------------------------------------------------------------------


def plan_rows(plant: Plant) -> dict[str, bytes]:
    """Return every row of the plant, by key: how it is built, not what it is wired to."""
    whole = _converter.unstructure(evolve(plant, zones=(), sensors={}))
    rows: dict[str, Any] = {
        "plan": {name: value for name, value in whole.items() if name not in _APART},
        "b": _converter.unstructure(plant.burner),
        **{f"Z:{number}": _converter.unstructure(zone) for number, zone in enumerate(plant.zones)},
        **{f"S:{id_}": _converter.unstructure(sensor) for id_, sensor in plant.sensors.items()},
    }
    return {key: cbor.encode(row) for key, row in rows.items()}


def read_plan(rows: Mapping[str, bytes]) -> Plant | None:
    """Return the plant that these rows are; None when there is none yet. Raises ForeignRows."""
    return None if "plan" not in rows else _reading(rows, _plan)


def _plan(rows: Mapping[str, Any]) -> Plant:
    numbers = sorted(int(key[2:]) for key in rows if key.startswith("Z:"))
    known = {field.name for field in fields(Plant)} - set(_APART)
    return Plant(
        zones=tuple(_converter.structure(rows[f"Z:{number}"], ZonePlan) for number in numbers),
        burner=_converter.structure(rows["b"], BurnerPlan),
        sensors={
            key[2:]: _converter.structure(row, SensorPlan)
            for key, row in rows.items()
            if key.startswith("S:")
        },
        **{name: value for name, value in rows["plan"].items() if name in known},
    )


def _reading(rows: Mapping[str, bytes], read: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return read({key: cbor.decode(row) for key, row in rows.items()})
    except ForeignRows:
        raise
    except Exception as exc:  # cattrs raises many kinds, and some hold the value
        raise ForeignRows(f"rows of {TOPIC} that do not read as such") from exc
