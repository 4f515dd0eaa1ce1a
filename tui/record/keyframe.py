"""A whole model as JSON and back, so that a moment of a recording is found without all that came before it.

It goes by the values themselves: whoever adds to the model has nothing to do here. What JSON cannot say is an object with
one key: {"!values.FeedView": [its fields]}, {"!FeedState": name}, "!tuple", "!dict" (pairs), "!deque" (its bound, what is
in it), "!set", "!array" (its type, base64). Only classes of the model are ever made. A keyframe holds for the very classes
that it was made of (`layout`); with others it is not looked at, and the recording is played from its beginning.
"""

import base64
import json
from array import array
from collections import deque
from enum import Enum
from functools import cache
from typing import Any

import attrs

from tui.model import Model
from tui.record.classes import model_classes

__all__ = ["dump", "load"]

_PLAIN = (str, int, float, bool, type(None))
_MARK = "!"


def dump(model: Model) -> bytes:
    """Return a model as a line of JSON. Raises TypeError when it holds something of a kind that is not known here."""
    return json.dumps(_said(model), separators=(",", ":")).encode() + b"\n"


def load(data: bytes) -> Model:
    """Return the model of `dump`. Raises ValueError for what is none."""
    try:
        found = json.loads(data, object_hook=_value)
    except Exception as exc:  # a file may hold anything
        raise ValueError("a keyframe that cannot be read") from exc
    if not isinstance(found, Model):
        raise ValueError("a keyframe of something else")
    return found


def _said(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_said(one) for one in value]
    if kind is tuple:
        return {"!tuple": [_said(one) for one in value]}
    if kind is dict:
        if all(type(key) is str and not key.startswith(_MARK) for key in value):
            return {key: _said(one) for key, one in value.items()}
        return {"!dict": [[_said(key), _said(one)] for key, one in value.items()]}
    if kind is deque:
        return {"!deque": [value.maxlen, [_said(one) for one in value]]}
    if kind is set or kind is frozenset:
        return {f"!{kind.__name__}": [_said(one) for one in value]}
    if kind is array:
        return {"!array": [value.typecode, base64.b64encode(value.tobytes()).decode()]}
    if kind not in _names():
        raise TypeError(f"a model that holds a {kind.__qualname__}")
    name = _MARK + _names()[kind]
    if isinstance(value, Enum):
        return {name: value.name}
    return {name: [_said(getattr(value, field.name)) for field in attrs.fields(kind)]}


@cache
def _names() -> dict[type, str]:
    return {kind: name for name, kind in model_classes().items()}


def _value(said: dict[str, Any]) -> Any:
    """Return what an object of JSON stands for, what is in it being made already."""
    if len(said) != 1:
        return said
    ((name, found),) = said.items()
    if not name.startswith(_MARK):
        return said
    match name:
        case "!tuple":
            return tuple(found)
        case "!dict":
            return dict(found)
        case "!deque":
            return deque(found[1], found[0])
        case "!set":
            return set(found)
        case "!frozenset":
            return frozenset(found)
        case "!array":
            return array(found[0], base64.b64decode(found[1]))
    kind = model_classes()[name.removeprefix(_MARK)]
    if issubclass(kind, Enum):
        return kind[found]
    value: Any = object.__new__(kind)
    for field, one in zip(attrs.fields(type(value)), found, strict=True):
        object.__setattr__(value, field.name, one)
    return value
