"""A note of the lines that a daemon drives and of what is off for each, kept where it survives the daemon.

It is written before the first line is claimed, and read by the relays-off helper when the daemon is no more: what is
driven off then is what was driven, whatever the house's file says meanwhile. Standard library only.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Note", "read_note", "write_note"]


class Note(NamedTuple):
    """`gpio`: "pi" or "latch:/path"; `chip`: the number of its gpiochip; `lines`: pin → the level that is off."""

    gpio: str
    chip: int
    lines: dict[int, int]


def write_note(path: Path, note: Note) -> None:
    """Write it so that after a power cut it is whole: this one or the one before. Raises OSError."""
    new = path.with_name(path.name + ".new")
    told = {"gpio": note.gpio, "chip": note.chip, "lines": {str(pin): off for pin, off in note.lines.items()}}
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with open(descriptor, "w") as file:
        json.dump(told, file)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)


def read_note(path: Path) -> Note:
    """Read it. Raises OSError; ValueError, when it is no such note."""
    told = json.loads(path.read_text())
    try:
        lines = {int(pin): int(off) for pin, off in told["lines"].items()}
        return Note(str(told["gpio"]), int(told["chip"]), lines)
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{path} is no note of relays: {exc!r}") from exc
