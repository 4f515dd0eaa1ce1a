"""The classes that a model consists of: those of the folder of models, and no others."""

import hashlib
import importlib
import pkgutil
import sys
from collections.abc import Mapping
from enum import Enum
from functools import cache

import attrs

import tui.model

__all__ = ["layout", "model_classes"]


@cache
def model_classes() -> Mapping[str, type]:
    """Return the classes of values and the enumerations there, by module and name."""
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(tui.model.__path__):
        for kind in vars(importlib.import_module(f"{tui.model.__name__}.{module.name}")).values():
            is_one = isinstance(kind, type) and (attrs.has(kind) or issubclass(kind, Enum))
            if is_one and kind.__module__.startswith(f"{tui.model.__name__}."):
                found[f"{kind.__module__.removeprefix(tui.model.__name__ + '.')}.{kind.__qualname__}"] = kind
    return found


@cache
def layout() -> str:
    """Return what stands for these classes and their fields: the same text, the same classes."""
    lines: list[str] = [sys.byteorder]
    for name, kind in sorted(model_classes().items()):
        if attrs.has(kind):
            lines += [f"{name}.{field.name}: {field.type}" for field in attrs.fields(kind)]
        else:
            lines += [f"{name}.{one.name}" for one in kind]  # type: ignore[attr-defined]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
