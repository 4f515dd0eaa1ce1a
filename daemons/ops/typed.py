"""Parameters of an action as people type them, name=value: read, and written so that they are read the same."""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["read_typed", "written"]

_FLAGS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def read_typed(kind: str, text: str) -> Any:
    """Return a value as a parameter of this kind wants it: "text", "list", "flag", or as JSON says it.

    What cannot be read so stays a text: the daemon refuses it in its own words.
    """
    match kind:
        case "text":
            return text
        case "list":
            return [part.strip() for part in text.split(",") if part.strip()]
        case "flag" if text.lower() in _FLAGS:
            return _FLAGS[text.lower()]
        case _:
            try:
                return json.loads(text)
            except ValueError:
                return text


def written(value: Any) -> str:
    """Return a value as it is typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:.15g}" if isinstance(value, float) else str(value)
