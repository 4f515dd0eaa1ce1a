"""The drills that come with pitlink: files beside this one, read as any other file is."""

import tomllib
from importlib.resources import files
from typing import Final

from chaos.drills.drill import Drill, read_drill

__all__ = ["SHIPPED", "shipped_drill", "shipped_text"]

_FOLDER: Final = files("chaos.drills.shipped")

SHIPPED: Final = tuple(
    sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml"))
)
"""Their names."""


def shipped_text(name: str) -> str:
    """Return a drill's file, to be read or copied. Raises KeyError."""
    if name not in SHIPPED:
        raise KeyError(name)
    return _FOLDER.joinpath(f"{name}.toml").read_text(encoding="utf-8")


def shipped_drill(name: str) -> Drill:
    """Return a drill that comes with pitlink. Raises KeyError."""
    return read_drill(tomllib.loads(shipped_text(name)), name)
