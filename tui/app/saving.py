"""A page as a file: in the folder where the terminal was started, never over another one, for nobody else to read."""

import itertools
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

__all__ = ["save"]

NAMES_MAX = 100


def save(folder: Path, name: str, ending: str, lines: Iterable[str], utc_now: datetime) -> Path:
    """Write lines to a new file, mode 0600, and return its path. Raises OSError; what was written of it is then gone."""
    stem = f"pitlink-{name}-{utc_now:%Y%m%d-%H%M%S}Z"
    path, number = _open(folder, stem, ending)
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _open(folder: Path, stem: str, ending: str) -> tuple[Path, int]:
    for count in itertools.count(1):
        path = folder / (f"{stem}.{ending}" if count == 1 else f"{stem}-{count}.{ending}")
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if count >= NAMES_MAX:
                raise
    raise AssertionError
