"""What a zone is to be as people type it, on the command line and on the terminal: as the fields of a command."""

from typing import Any

__all__ = ["read_target"]


def read_target(text: str) -> dict[str, Any]:
    """Return "21.5", "21.5C", "70F", "on" or "off" as {"celsius": ...} or {"is_on": ...}. Raises ValueError."""
    said = text.strip().lower().removesuffix("°")
    if said in ("on", "off"):
        return {"is_on": said == "on"}
    if said.endswith("f"):
        return {"celsius": round((float(said[:-1].removesuffix("°")) - 32) / 1.8, 2)}
    return {"celsius": float(said.removesuffix("c").removesuffix("°"))}
