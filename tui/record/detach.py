"""A copy of a model that stays as it is while the model goes on."""

import copy
import re
from array import array
from collections import deque
from functools import cache
from typing import Any

import attrs

from tui.model import Model
from tui.record.classes import model_classes

__all__ = ["become", "detached"]


def detached(model: Model) -> Model:
    """Return a plain copy: what may change is copied, frozen values are shared. A few ms for a full model."""
    found = Model()
    for field in attrs.fields(Model):
        setattr(found, field.name, _copied(getattr(model, field.name)))
    return found


def become(model: Model, other: Model) -> None:
    """Have a model hold what another holds, which is of no use afterwards. Its version moves on."""
    for field in attrs.fields(Model):
        if field.name != "version":
            setattr(model, field.name, getattr(other, field.name))
    model.version += 1


def _copied(value: Any) -> Any:
    match value:
        case dict():
            return {key: _copied(one) for key, one in value.items()}
        case deque():
            return deque(map(_copied, value), value.maxlen)
        case list() | set():
            return type(value)(map(_copied, value))
        case array():
            return value[:]
    if type(value) not in _changing():
        return value
    found = copy.copy(value)
    for field in attrs.fields(type(value)):
        object.__setattr__(found, field.name, _copied(getattr(value, field.name)))
    return found


@cache
def _changing() -> frozenset[type]:
    """Return the classes whose values can change, or hold something that can, as far as their fields say."""
    kinds = [kind for kind in model_classes().values() if attrs.has(kind)]
    found = {kind for kind in kinds if not attrs.inspect(kind).is_frozen}
    while True:
        names = [kind.__name__ for kind in found]
        more = {kind for kind in kinds if kind not in found and _mentions(kind, names)}
        if not more:
            return frozenset(found)
        found |= more


def _mentions(kind: type, names: list[str]) -> bool:
    words = " ".join(str(field.type) for field in attrs.fields(kind))
    return any(re.search(rf"\b{name}\b", words) for name in names)
