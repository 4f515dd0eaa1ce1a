"""The file of a house: its zones, burner and sensors, and what is wired to which pin. TOML; every error is told at once.

What may stand there is what the values have (`Plant`, `Wiring`): a table a value, a key a field. `sample_house` is a
whole one with comments.
"""

import difflib
import tomllib
import types
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from daemons.heating.hardware.wiring import Wiring
from daemons.heating.plant import Plant, SensorPlan, ZoneKind, ZonePlan
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.options import shown

__all__ = ["SAMPLE_COMMAND", "read_house", "sample_house"]

SAMPLE_COMMAND = "pitlink heat house > house.toml"

T = TypeVar("T")

ID_MAX = 40
ZONES_MAX = 100
NUMBER_MAX = 1e9
_BAD = object()


def read_house(path: Path) -> tuple[Plant, Wiring]:
    """Return a house and its wires. Raises ConfigError with every problem: where, what, and perhaps what to do."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        hint = f"{SAMPLE_COMMAND} makes a sample to begin with; house_file names another"
        raise ConfigError([Problem(str(path), "there is no house file", hint)]) from None
    except UnicodeDecodeError as exc:
        raise ConfigError(
            [Problem(str(path), f"cannot be read: it is no UTF-8 (at byte {exc.start})")]
        ) from None
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError([Problem(str(path), f"cannot be read: {exc}")]) from None
    problems: list[Problem] = []
    wires = table.pop("wiring", {})
    plant, wiring = _build(Plant, table, "", problems), _build(Wiring, wires, "wiring", problems)
    if isinstance(plant, Plant):
        problems += _plant_problems(plant)
    if isinstance(wiring, Wiring):
        problems += [Problem("wiring", words) for words in wiring.problems()]
    if isinstance(plant, Plant) and isinstance(wiring, Wiring):
        problems += _wire_problems(plant, wiring)
    if problems:
        raise ConfigError([attrs.evolve(one, path=f"{path}: {one.path}".rstrip(": ")) for one in problems])
    assert isinstance(plant, Plant)
    assert isinstance(wiring, Wiring)
    return plant, wiring


@cache
def sample_house() -> str:
    """Return a whole house of fourteen zones as its file would have it, with comments."""
    return files("daemons.heating").joinpath("house.sample.toml").read_text("utf-8")


# --- from tables to values -----------------------------------------------------------------------------------------


def _build(cls: type[T], table: object, where: str, problems: list[Problem], **known: object) -> T | object:
    """Return a value of `cls` made of a table, or _BAD when anything in it is wrong, which is noted. `known`: fields that
    stand elsewhere."""
    if not isinstance(table, Mapping):
        problems.append(Problem(where, "expected a table"))
        return _BAD
    fields = {attribute.name: attribute for attribute in attrs.fields(attrs.resolve_types(cls))}  # type: ignore[type-var, arg-type]
    values: dict[str, object] = dict(known)
    for key, value in table.items():
        place = f"{where}.{key}".lstrip(".")
        if key not in fields or key in known:
            close = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}"
            problems.append(Problem(place, "is nothing that is known here", hint))
        else:
            values[key] = _value(fields[key].type, value, place, problems)
    for name, attribute in fields.items():
        if attribute.default is attrs.NOTHING and name not in values:
            problems.append(Problem(f"{where}.{name}".lstrip("."), "is not set"))
            values[name] = _BAD
    if any(value is _BAD for value in values.values()):
        return _BAD
    try:
        return cls(**values)
    except ValueError as exc:
        problems.append(Problem(where, str(exc)))
        return _BAD


def _value(kind: Any, value: object, place: str, problems: list[Problem]) -> object:
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(arg for arg in get_args(kind) if arg is not type(None))
    origin, args = get_origin(kind), get_args(kind)
    if attrs.has(kind):
        return _build(kind, value, place, problems)
    if origin is tuple:
        return _tuple(args, value, place, problems)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            problems.append(Problem(place, "expected a table"))
            return _BAD
        made = {key: _entry(args[1], key, one, f"{place}.{key}", problems) for key, one in value.items()}
        return _BAD if any(one is _BAD for one in made.values()) else made
    return _scalar(kind, value, place, problems)


def _entry(kind: Any, key: str, value: object, place: str, problems: list[Problem]) -> object:
    if kind is SensorPlan:  # its id is the name of its table
        return _build(SensorPlan, value, place, problems, id=key)
    return _value(kind, value, place, problems)


def _tuple(args: tuple[Any, ...], value: object, place: str, problems: list[Problem]) -> object:
    if not isinstance(value, list):
        problems.append(Problem(place, "expected a list"))
        return _BAD
    kinds = [args[0]] * len(value) if args[-1] is ... else list(args)
    if len(kinds) != len(value):
        problems.append(Problem(place, f"expected {len(kinds)} of them"))
        return _BAD
    made = []
    for index, (kind, one) in enumerate(zip(kinds, value, strict=True)):
        name = one.get("id") if isinstance(one, Mapping) else None
        label = f"{place}[{index + 1}]{f' ({name})' if isinstance(name, str) else ''}"
        made.append(_value(kind, one, label, problems))
    return _BAD if any(one is _BAD for one in made) else tuple(made)


def _scalar(kind: Any, value: object, place: str, problems: list[Problem]) -> object:
    if isinstance(kind, type) and issubclass(kind, Enum):
        names = [str(member.value) for member in kind]
        if value in names:
            return kind(value)
        problems.append(Problem(place, f"expected one of {', '.join(names)}, got {shown(value)}"))
        return _BAD
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", bool: "true or false"}.get(
            kind, "a text in quotes"
        )
        problems.append(Problem(place, f"expected {words}, got {shown(value)}"))
        return _BAD
    if isinstance(value, float | int) and not -NUMBER_MAX <= value <= NUMBER_MAX:  # NaN too
        problems.append(Problem(place, f"is {value}, which cannot be"))
        return _BAD
    if isinstance(value, float | int) and value < 0 and place.endswith("_s"):
        problems.append(Problem(place, f"is {value:g}: no duration"))
        return _BAD
    return value


# --- what cannot be together ---------------------------------------------------------------------------------------


def _plant_problems(plant: Plant) -> Iterator[Problem]:
    try:
        ZoneInfo(plant.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Problem("time_zone", f"{plant.time_zone!r} is none", "they are called like Europe/Berlin")
    if not 1 <= len(plant.zones) <= ZONES_MAX:
        yield Problem("zones", f"{len(plant.zones)} of them", f"a house has 1 to {ZONES_MAX}")
    if not 0 <= plant.exercise_hour <= 23:
        yield Problem("exercise_hour", f"is {plant.exercise_hour}", "0 to 23")
    for place, id_ in _names(plant):
        if not id_ or len(id_) > ID_MAX or not id_.isprintable() or id_ != id_.strip() or "*" in id_:
            yield Problem(place, f"{id_!r} is no name", f"1 to {ID_MAX} letters, without spaces around it")
    yield from _twice("zones", "id", [zone.id for zone in plant.zones])
    outputs = [*(zone.output for zone in plant.zones), *_some(plant.burner.output, plant.burner.pump)]
    yield from _twice("zones and burner", "output", outputs)
    yield from _twice("zones", "call", _some(*(zone.call for zone in plant.zones), plant.burner.firing))
    yield from _twice("zones", "supply", _some(*(zone.supply for zone in plant.zones)))
    for zone in plant.zones:
        yield from _zone_problems(zone)
    curve = plant.burner.curve
    if curve.lowest > curve.highest:
        yield Problem("burner.curve", f"lowest ({curve.lowest:g}) is above highest ({curve.highest:g})")
    if plant.burner.overheat <= max(curve.highest, plant.burner.dhw_flow):
        words = f"{plant.burner.overheat:g} °C is not above what the flow may be by itself"
        yield Problem("burner.overheat", words, "see burner.curve.highest and burner.dhw_flow")
    if plant.burner.min_open > len(plant.zones):
        yield Problem("burner.min_open", f"{plant.burner.min_open}, and there are {len(plant.zones)} zones")
    for sensor in plant.sensors.values():
        if sensor.lowest >= sensor.highest:
            yield Problem(
                f"sensors.{sensor.id}",
                f"lowest ({sensor.lowest:g}) is not below highest ({sensor.highest:g})",
            )


def _zone_problems(zone: ZonePlan) -> Iterator[Problem]:
    place = f"zones ({zone.id})"
    if zone.kind is ZoneKind.ROOM and zone.room is None and zone.call is None:
        yield Problem(
            place, "nothing says when to heat it", "room: a sensor, or call: its wall thermostat's contact"
        )
    if zone.kind is ZoneKind.DHW and zone.room is not None:
        yield Problem(f"{place}.room", "hot water has no room", "its own thermostat calls: call")
    if zone.lowest >= zone.highest:
        yield Problem(place, f"lowest ({zone.lowest:g}) is not below highest ({zone.highest:g})")
    if zone.frost >= zone.highest:
        yield Problem(f"{place}.frost", f"{zone.frost:g} °C is not below highest ({zone.highest:g})")
    if not 0.05 <= zone.below <= 5.0:
        yield Problem(f"{place}.below", f"{zone.below:g} K", "0.05 to 5")
    if zone.max_run_s <= zone.min_on_s:
        yield Problem(f"{place}.max_run_s", "is no longer than min_on_s")
    if not 0.0 <= zone.on_loss.share <= 1.0:
        yield Problem(f"{place}.on_loss.share", f"is {zone.on_loss.share:g}", "0 to 1: of each cycle_s")


def _wire_problems(plant: Plant, wiring: Wiring) -> Iterator[Problem]:
    outputs = {zone.output for zone in plant.zones} | set(_some(plant.burner.output, plant.burner.pump))
    contacts = set(_some(*(zone.call for zone in plant.zones), plant.burner.firing))
    sensors = set(
        _some(plant.outdoor, plant.burner.flow, plant.burner.back)
        + _some(*(zone.room for zone in plant.zones), *(zone.supply for zone in plant.zones))
    )
    wired = wiring.ds18b20.keys() | wiring.ntc.keys()
    yield from _unwired("wiring.relays", "output", outputs, set(wiring.relays))
    yield from _unwired("wiring.contacts", "contact", contacts, set(wiring.contacts))
    yield from _unwired("wiring.ds18b20 and wiring.ntc", "sensor", sensors, set(wired))
    for id_ in sorted(plant.sensors.keys() - sensors):
        yield Problem(f"sensors.{id_}", "nothing in this house is measured by it")


def _unwired(place: str, what: str, wanted: set[str], wired: set[str]) -> Iterator[Problem]:
    for id_ in sorted(wanted - wired):
        yield Problem(place, f"the {what} {id_!r} of the house is wired to nothing")
    for id_ in sorted(wired - wanted):
        close = difflib.get_close_matches(id_, wanted, n=1)
        hint = f"did you mean {close[0]}?" if close else ""
        yield Problem(f"{place}.{id_}", f"no {what} of the house is called so", hint)


def _names(plant: Plant) -> Iterator[tuple[str, str]]:
    yield "house", plant.house
    for index, zone in enumerate(plant.zones, 1):
        yield f"zones[{index}].id", zone.id
        yield f"zones[{index}].title", zone.title


def _twice(place: str, key: str, names: list[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(place, f"{key} {name!r} stands there {count} times")


def _some(*names: str | None) -> list[str]:
    return [name for name in names if name is not None]
