"""Courses and shapes on disk: one JSON file a track, readable by people and other programs."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import define, field

from daemons.telemetry.look import TrackShape
from daemons.telemetry.trackmap.course import CELLS, Course

__all__ = ["TrackMaps"]

FILE_BYTES_MAX = 1 << 20
LATITUDE_DIGITS, METRE_DIGITS = 8, 2

Floats = npt.NDArray[np.float64]


@define(eq=False)
class TrackMaps:
    """Keeps them in `folder`, by the track's key (`sessioninfo.Track.key`). All of it blocks: call it in a thread."""

    folder: Path = field(converter=Path)

    def course(self, key: str) -> Course | None:
        """Return a track's course, or None where there is none, or none that can be read."""
        told = self._read(key, "course")
        if told is None:
            return None
        latitude, longitude, weight = (_column(told, name) for name in ("latitude", "longitude", "weight"))
        if not latitude.shape == longitude.shape == weight.shape == (CELLS,):
            return None
        is_known = np.isfinite(latitude) & np.isfinite(longitude) & (weight > 0)
        return Course(
            np.where(is_known, latitude, np.nan),
            np.where(is_known, longitude, np.nan),
            np.where(is_known, weight, 0.0),
        )

    def keep_course(self, key: str, course: Course) -> None:
        """Write it. Raises OSError."""
        columns: dict[str, list[float | None]] = {
            name: [round(value, LATITUDE_DIGITS) if np.isfinite(value) else None for value in column.tolist()]
            for name, column in (("latitude", course.latitude), ("longitude", course.longitude))
        }
        self._write(key, "course", {**columns, "weight": course.weight.tolist()})

    def shape(self, key: str) -> TrackShape | None:
        """Return a track's shape: of its course where that is whole, else the one learned from speed and heading."""
        course = self.course(key)
        if course is not None and (shape := course.shape()) is not None:
            return shape
        told = self._read(key, "shape")
        if told is None:
            return None
        position, east, north = (_column(told, name) for name in ("position", "east", "north"))
        if not len(position) or not position.shape == east.shape == north.shape:
            return None
        if not np.isfinite([position, east, north]).all():
            return None
        return TrackShape(position, east, north, None, str(told.get("source", ""))[:80])

    def keep_shape(self, key: str, shape: TrackShape) -> None:
        """Write one that was learned from speed and heading. Raises OSError."""
        columns = {
            name: np.round(column, METRE_DIGITS if name != "position" else 6).tolist()
            for name, column in (("position", shape.position), ("east", shape.east), ("north", shape.north))
        }
        self._write(key, "shape", {**columns, "source": shape.source})

    def _path(self, key: str, kind: str) -> Path:
        if not key or not key.replace("_", "").isalnum() or not key.isascii() or len(key) > 200:
            raise ValueError(f"{key[:40]!r} names no track")
        return self.folder / f"{key}.{kind}.json"

    def _read(self, key: str, kind: str) -> dict[str, Any] | None:
        try:
            path = self._path(key, kind)
            if path.stat().st_size > FILE_BYTES_MAX:
                return None
            told = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return told if isinstance(told, dict) else None

    def _write(self, key: str, kind: str, told: Mapping[str, Any]) -> None:
        path = self._path(key, kind)
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump({"track": key, **told}, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def _column(told: Mapping[str, Any], name: str) -> Floats:
    """Return a list of numbers and nulls, which become NaN; empty for anything else."""
    values = told.get(name)
    try:
        return np.array([np.nan if one is None else float(one) for one in values or ()], np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)
