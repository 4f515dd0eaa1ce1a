"""Writes down what a model is told, each call with its moment, as it comes."""

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any

import trio
from attrs import define, field

from tui.model import TAKES, Model
from tui.record.blocks import VERSION, BlockKind
from tui.record.classes import layout
from tui.record.detach import detached
from tui.record.keyframe import dump
from tui.record.writer import Writer, create

__all__ = ["RecordedModel", "Recorder"]

BLOCK_S = 5.0
BLOCK_BYTES = 256 * 1024
KEYFRAME_BYTES = 2 * 1024 * 1024
"""So much is told between keyframes: how long it takes to find a moment goes by that, and not by the hours."""


@define(eq=False)
class RecordedModel(Model):
    """A model that says what it was told, once it has taken it: `take(method, arguments)`. What it refuses has changed
    nothing, and is not said."""

    take: Callable[[str, Mapping[str, Any]], None] = field(kw_only=True)
    _is_taking: bool = field(default=False, init=False)


def _recorded(name: str) -> Callable[..., None]:
    plain = getattr(Model, name)
    signature = inspect.signature(plain)

    @wraps(plain)
    def call(self: RecordedModel, *args: Any, **kwargs: Any) -> None:
        if self._is_taking:  # one method by another: the first says it all
            plain(self, *args, **kwargs)
            return
        said = {key: _held(value) for key, value in signature.bind(self, *args, **kwargs).arguments.items()}
        del said["self"]
        self._is_taking = True
        try:
            plain(self, **said)
        finally:
            self._is_taking = False
        self.take(name, said)

    return call


def _held(value: Any) -> Any:
    return list(value) if isinstance(value, Iterator) else value  # it is read twice


for _name in TAKES:
    setattr(RecordedModel, _name, _recorded(_name))


@define(eq=False)
class Recorder:
    """A recording that is being made. Feed `model`, in one thread; close it (or leave its block) at the end.

    `clock`: the clock of the moments that the model is told, seconds. `failed`: why nothing more is recorded, in words;
    "" while all is well. Making one raises RecordingError when there is such a file, or none can be made; from then on
    nothing raises, and nothing waits for the disk.
    """

    path: Path
    clock: Callable[[], float] = trio.current_time
    utc_now: Callable[[], float] = time.time
    keyframe_bytes: int = KEYFRAME_BYTES
    model: RecordedModel = field(init=False)
    _writer: Writer = field(init=False)
    _broken: str = field(default="", init=False)
    _lines: list[bytes] = field(factory=list, init=False)
    _lines_bytes: int = field(default=0, init=False)
    _lines_at: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _since_keyframe: int = field(default=0, init=False)
    _began: float | None = field(default=None, init=False)
    _now: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.model = RecordedModel(take=self._take)
        self._writer = Writer(create(self.path))

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def failed(self) -> str:
        return self._broken or self._writer.failed

    @property
    def failed_words(self) -> str:
        """Say that nothing more is recorded, why, and what there is of it."""
        return f"recording ended: {self.failed}; {self.path.name} holds what came before"

    def close(self) -> None:
        """Write what is left, and that it was ended. Takes 3 s at most."""
        self._flush()
        if not self._broken:
            self._writer.put(BlockKind.END, self._at(), self.utc_now(), b"")
        self._writer.close()

    def _take(self, name: str, said: Mapping[str, Any]) -> None:
        if self.failed:
            return
        at = self._at()
        try:
            line = json.dumps(
                {"at": at, "call": name, "args": said}, separators=(",", ":"), default=_as_json
            ).encode()
        except (TypeError, ValueError) as exc:
            self._broken = f"what {name} was told cannot be written down: {exc}"
            return
        if not self._lines:
            self._lines_at = (at, self.utc_now())
        self._lines.append(line)
        self._lines_bytes += len(line) + 1
        if self._lines_bytes >= BLOCK_BYTES or at - self._lines_at[0] >= BLOCK_S:
            self._flush()
            if self._since_keyframe >= self.keyframe_bytes:
                self._since_keyframe = 0
                model = detached(self.model)
                self._writer.put_later(BlockKind.KEYFRAME, at, self.utc_now(), lambda: dump(model))

    def _flush(self) -> None:
        if not self._lines:
            return
        self._lines.append(b"")
        self._writer.put(BlockKind.CALLS, *self._lines_at, b"\n".join(self._lines))
        self._since_keyframe += self._lines_bytes
        self._lines, self._lines_bytes = [], 0

    def _at(self) -> float:
        """Return the seconds since the beginning, which is the first call."""
        try:
            self._now = self.clock()
        except RuntimeError:
            pass  # Trio has ended: it is the last moment still
        if self._began is None:
            self._began = self._now
            header = {
                "pitlink": "recording",
                "version": VERSION,
                "began": self._now,
                "began_utc": self.utc_now(),
                "layout": layout(),
            }
            self._writer.put(BlockKind.HEADER, 0.0, self.utc_now(), json.dumps(header).encode() + b"\n")
        return round(self._now - self._began, 6)


def _as_json(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value)
