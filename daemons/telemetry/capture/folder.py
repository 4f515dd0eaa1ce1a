"""A folder of .ibt files, taken in one after the other."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio
from attrs import field, frozen

from daemons.telemetry.capture.ibt import IbtSource, had_nothing, no_wait
from daemons.telemetry.capture.port import Sink

__all__ = ["Imported", "Progress", "import_folder"]

FILES_MAX = 100_000


@frozen(kw_only=True)
class Progress:
    """Where an import stands: `file` of `files` is being read, `rows` of its `of_rows` are done."""

    path: Path
    file: int
    files: int
    rows: int = 0
    of_rows: int = 0
    words: str = ""
    """What became of the file, once it is done."""


@frozen(kw_only=True)
class Imported:
    """What an import did."""

    read: int = 0
    there_already: int = 0
    refused: tuple[tuple[Path, str], ...] = field(default=())
    """Files that could not be used, with the reason."""
    odd: tuple[tuple[Path, str], ...] = field(default=())
    """Files that were read, but whose end is not as it should be."""
    ticks: int = 0


async def import_folder(
    folder: Path,
    driver: str,
    sink: Sink,
    *,
    room: Callable[[], Awaitable[None]] = no_wait,
    had: Callable[[bytes], Awaitable[int | None]] = had_nothing,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Imported:
    """Hand every row of every .ibt in `folder` (and below) to `sink`, oldest name first; `room` and `had` as for
    IbtSource. A file that cannot be used is named in the result and does not stop the others. Raises OSError when the
    folder cannot be listed. Cancelled between two rows it leaves what is done."""
    paths = await trio.to_thread.run_sync(_listed, folder)
    read = there_already = ticks = 0
    refused: list[tuple[Path, str]] = []
    odd: list[tuple[Path, str]] = []
    for number, path in enumerate(paths, 1):
        source = IbtSource(path, driver, math.inf, had=had, only_finished=True)

        def told(words: str = "", number: int = number, source: IbtSource = source) -> None:
            progress(
                Progress(
                    path=source.path, file=number, files=len(paths), rows=source.done, of_rows=source.rows,
                    words=words,
                )
            )  # fmt: skip

        source.room = _telling(room, told)
        try:
            await source.run(sink)
        except (OSError, ValueError) as exc:
            words = str(exc)
            refused.append((path, words))
        else:
            words = "is there already" if source.skipped else source.words or "read"
            there_already += source.skipped
            read += not source.skipped
            if source.words is not None:
                odd.append((path, source.words))
        ticks += source.statistics().ticks
        told(words)
    return Imported(
        read=read, there_already=there_already, refused=tuple(refused), odd=tuple(odd), ticks=ticks
    )


def _telling(room: Callable[[], Awaitable[None]], told: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        told()
        await room()

    return wait


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".ibt" and path.is_file())
    return found[:FILES_MAX]
