"""Reads a recording: an index of its blocks, and from them what was told, a block at a time."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from attrs import field, frozen

from tui.model import Model
from tui.record.blocks import BEGINNING, VERSION, Block, BlockKind, scan, unpack
from tui.record.classes import layout
from tui.record.keyframe import load
from tui.record.writer import RecordingError

__all__ = ["Call", "Recording"]


@frozen
class Call:
    """One call of a model's method. `at`: seconds since the beginning."""

    at: float
    name: str
    args: Mapping[str, Any]


@frozen(eq=False)
class Recording:
    """A recording, open for reading; close it (or leave its block).

    `began`: the beginning by the model's clock, to which the moments in it belong. `words`: what is not as it should be with
    the file, "" when it is whole. Memory grows by about 100 bytes for each 5 s recorded.
    """

    path: Path
    began: float
    words: str
    _file: BinaryIO
    _blocks: tuple[Block, ...]
    _keyframes: tuple[int, ...]
    duration_s: float = field(init=False)

    @duration_s.default
    def _find_duration(self) -> float:
        last = self._blocks[-1]
        if last.kind is not BlockKind.CALLS:
            return last.at
        return max((call.at for call in self._read(last)), default=last.at)

    @classmethod
    def open(cls, path: Path) -> "Recording":
        """Open a recording, and read it once to see how much of it is whole. Raises RecordingError, in words."""
        try:
            file = path.open("rb")
        except OSError as exc:
            raise RecordingError(f"{path} cannot be read: {exc.strerror or exc}") from exc
        try:
            blocks, is_whole = scan(file)
            header = _header(path, file, blocks)
            keyframes = [at for at, block in enumerate(blocks) if block.kind is BlockKind.KEYFRAME]
            if header.get("layout") != layout():
                keyframes = []  # made by another pitlink: it is played from the beginning
            words = _how_it_ends(blocks, is_whole)
            return cls(path, float(header["began"]), words, file, tuple(blocks), tuple(keyframes))
        except OSError as exc:
            file.close()
            raise RecordingError(f"{path} cannot be read: {exc.strerror or exc}") from exc
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> "Recording":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def calls(self, after: int = -1) -> Iterator[Call]:
        """Yield what was told, in order, from behind the block of this index."""
        for block in self._blocks[after + 1 :]:
            if block.kind is BlockKind.CALLS:
                yield from self._read(block)

    def keyframe_before(self, at: float) -> int:
        """Return the index of the last keyframe that is not later than a moment; -1 when there is none."""
        found = bisect_right(self._keyframes, at, key=lambda index: self._blocks[index].at)
        return self._keyframes[found - 1] if found else -1

    def keyframe_at(self, index: int) -> float:
        """Return the moment of a keyframe: seconds since the beginning."""
        return self._blocks[index].at

    def keyframe(self, index: int) -> Model | None:
        """Return the model of a keyframe; None when it cannot be read."""
        try:
            return load(unpack(self._file, self._blocks[index]))
        except (ValueError, OSError):
            return None

    def utc(self, at: float) -> float:
        """Return the UTC of a moment, by the clock on the wall as it was then."""
        block = self._blocks[max(0, bisect_right(self._blocks, at, key=lambda block: block.at) - 1)]
        return block.utc + at - block.at

    def at_utc(self, utc: float) -> float | None:
        """Return the moment of this UTC; None when that is before the beginning or after the end."""
        if not self.utc(0.0) <= utc <= self.utc(self.duration_s):
            return None
        index = max(index for index, block in enumerate(self._blocks) if block.utc <= utc)
        block, until = self._blocks[index], self.duration_s
        if index + 1 < len(self._blocks):
            until = self._blocks[index + 1].at  # a clock that was set leaves times that never were
        return min(block.at + utc - block.utc, until)

    def _read(self, block: Block) -> Iterator[Call]:
        """Yield the calls of a block. What cannot be read of it is left out: it was checked when it was opened."""
        try:
            lines = unpack(self._file, block).split(b"\n")
        except (ValueError, OSError):
            return
        for line in lines:
            try:
                said = json.loads(line)
                yield Call(float(said["at"]), str(said["call"]), dict(said["args"]))
            except (ValueError, KeyError, TypeError):
                continue


def _header(path: Path, file: BinaryIO, blocks: list[Block]) -> Mapping[str, Any]:
    """Return what the first block says of the file. Raises RecordingError."""
    if not blocks:
        file.seek(0)
        begin = file.read(len(BEGINNING))
        if begin and begin == BEGINNING[: len(begin)]:
            raise RecordingError(
                f"{path} is damaged or torn off at its beginning: nothing of it can be shown"
            )
        raise RecordingError(f"{path} is " + ("no recording of pitlink tui --record" if begin else "empty"))
    try:
        header: Mapping[str, Any] = json.loads(unpack(file, blocks[0]))
        is_one, version = header["pitlink"] == "recording", int(header["version"])
    except (ValueError, KeyError, TypeError):
        is_one, version = False, 0
    if not is_one:
        raise RecordingError(f"{path} is no recording of pitlink tui --record")
    if version > VERSION:
        raise RecordingError(
            f"{path} was made by a newer pitlink, in version {version} of recordings; this one reads up to {VERSION}: "
            "replay it with a newer pitlink"
        )
    return header


def _how_it_ends(blocks: list[Block], is_whole: bool) -> str:
    if not is_whole:
        return "the file is damaged or torn off: it is shown as far as it is whole"
    if blocks[-1].kind is not BlockKind.END:
        return "the recording was not ended: its last seconds may be missing"
    return ""
